/**
 * The model of a set of servers: their machines, wired as `Servers` wires them, with the library's own rule of which may be chosen; and
 * connections that choose any of those, come up, fail or give up, checks, and an owner.
 */
import type { EventObject } from 'xstate';
import { serverMachine } from '../../src/machines/index.js';
import type { ServerSettings } from '../../src/machines/server.js';
import { Eligible } from '../../src/upstream/eligible.js';
import { serverSettings } from '../machines/bounds.js';
import { type Everywhere, must, type Stage, type SystemRules, type Turn } from './explore.js';

export interface ServersBounds {
  readonly count: 1 | 2 | 3;
  readonly settings: Partial<ServerSettings>;
  readonly isChecked: boolean;
  readonly panic: number;
  readonly share: number;
  /** The last one is a spare. */
  readonly hasBackup: boolean;
  /** Whether its owner drains servers, takes them back, and changes their weights. */
  readonly hasOwner: boolean;
  /** How many connections there may be at a time. */
  readonly attemptsMax: number;
}

type Name = 'a' | 'b' | 'c';
type Each<T> = Readonly<Record<Name, T>>;

interface ServersModel {
  /** Attempts that are under way, but for trials. */
  readonly attempts: Each<number>;
  readonly trial: Each<boolean>;
  readonly weight: Each<number>;
  readonly isDrained: Each<boolean>;
  /** What the set knows of each: its state at the last `set.changed`. */
  readonly known: Each<string>;
  /** A connection waits. */
  readonly waits: boolean;
}

const each = <T>(value: T): Each<T> => ({ a: value, b: value, c: value });

/** The tags of a state and of those that it is in. */
const tags = new Map<string, ReadonlySet<string>>();
function tagsOf(path: string): ReadonlySet<string> {
  let known = tags.get(path);
  if (known === undefined) {
    const found = new Set<string>();
    let node: { readonly tags: readonly string[]; readonly states: object } = serverMachine.root;
    for (const part of path.split('.')) {
      node = (node.states as Record<string, typeof node>)[part] as typeof node;
      for (const tag of node.tags) found.add(tag);
    }
    tags.set(path, found);
    known = found;
  }
  return known;
}

interface Seen {
  readonly name: Name;
  readonly backup: boolean;
  readonly mayBeTried: boolean;
  hasTag(tag: string): boolean;
}

export function serversRules(bounds: ServersBounds): SystemRules<ServersModel, Name> {
  const names = (['a', 'b', 'c'] as const).slice(0, bounds.count);
  const isSpare = (name: Name): boolean => bounds.hasBackup && name === names.at(-1);
  const seen = ({ known, trial }: ServersModel): Seen[] =>
    names.map((name) => {
      const its = tagsOf(known[name]);
      return {
        name,
        backup: isSpare(name),
        mayBeTried: its.has('trial') && !trial[name],
        hasTag: (tag) => its.has(tag),
      };
    });
  const eligible = (model: ServersModel) => {
    const { first, resort, all, isPanic, up, count, judged } = new Eligible(seen(model) as never, bounds.panic);
    const named = (list: readonly unknown[]): Name[] => (list as Seen[]).map(({ name }) => name);
    return { first: named(first), resort: named(resort), all: named(all), isPanic, up, count, judged };
  };

  /** As `Servers` has it. */
  const maySpare = (model: ServersModel, name: Name): boolean => {
    const { up, judged, count } = eligible(model);
    const known = tagsOf(model.known[name]);
    const others = up - (known.has('choosable') ? 1 : 0);
    return others > 0 && judged + (known.has('doubtful') ? 0 : 1) <= bounds.share * count;
  };

  const choose = (stage: Stage<ServersModel, Name>): void => {
    const { model } = stage;
    const { first, resort, all, isPanic } = eligible(model);
    const has = (name: Name): boolean => model.weight[name] > 0;
    const now = first.filter(has);
    const choices = now.length > 0 ? now : resort.filter(has);
    if (choices.length === 0) {
      const left = names.filter((name) => tagsOf(stage.at[name]?.state ?? '').has('usable'));
      must(
        all.length > 0 || left.length === 0 || bounds.panic === 0,
        `A connection finds none, and there is ${left} (P1)`,
      );
      stage.change({ waits: true });
      return;
    }
    const name = choices[stage.pick(choices.length)] as Name;
    const { state = '' } = stage.at[name] ?? {};
    must(!tagsOf(state).has('out'), `${name} is chosen, and is ${state} (P3)`);
    must(model.weight[name] > 0, `${name} is chosen, and has weight 0 (P12)`);
    // Where none works, any will do.
    const works = names.some((one) => tagsOf(stage.at[one]?.state ?? '').has('choosable'));
    const isResort = isPanic || !first.includes(name) || !works;
    must(
      isResort || tagsOf(state).has('choosable') || (tagsOf(state).has('trial') && !model.trial[name]),
      `${name} is chosen, and is ${state} (P5)`,
    );
    stage.change({ waits: false });
    if (tagsOf(state).has('trial') && !model.trial[name]) {
      stage.change({ trial: { ...model.trial, [name]: true } });
      stage.tell(name, { type: 'trial.granted' });
    } else stage.change({ attempts: { ...model.attempts, [name]: model.attempts[name] + 1 } });
  };

  /** What comes of the attempts at one server. */
  const attemptsAt = (model: ServersModel, at: Everywhere<Name>, name: Name): Turn<ServersModel, Name>[] => {
    const turns: Turn<ServersModel, Name>[] = [];
    const cause = { initiator: 'system', manner: 'error', code: 'ECONNREFUSED' };
    const isHeld = !tagsOf(at[name]?.state ?? '').has('choosable') || Number(at[name]?.context.failures) > 0;
    const ways = [
      ...(model.trial[name]
        ? [{ what: 'its trial', change: { trial: { ...model.trial, [name]: false } }, isTrial: true }]
        : []),
      ...(model.attempts[name] > 0
        ? [
            {
              what: 'an attempt',
              change: { attempts: { ...model.attempts, [name]: model.attempts[name] - 1 } },
              isTrial: false,
            },
          ]
        : []),
    ];
    for (const { what, change, isTrial } of ways) {
      turns.push({
        who: 'peer',
        what: `${what} at ${name} comes up`,
        happen: (stage) => {
          // One that comes up ends the trial of another.
          const hadTrial = model.trial[name];
          stage.change({ ...change, ...(hadTrial && { trial: { ...model.trial, [name]: false } }) });
          if (hadTrial && !isTrial) stage.change({ attempts: model.attempts });
          if (isHeld || hadTrial) stage.tell(name, { type: 'traffic.connected' });
        },
      });
      turns.push({
        who: 'peer',
        what: `${what} at ${name} fails`,
        happen: (stage) => {
          stage.change(change);
          const mayEject = maySpare(stage.model, name);
          stage.tell(name, { type: 'traffic.failed', cause, mayEject, random: 0 } as EventObject);
        },
      });
      if (isTrial) {
        turns.push({
          who: 'peer',
          what: `${what} at ${name} is given up`,
          happen: (stage) => {
            stage.change(change);
            stage.tell(name, { type: 'trial.givenUp' });
          },
        });
      }
    }
    return turns;
  };

  return {
    parts: Object.fromEntries(
      names.map((name) => [name, { machine: serverMachine, input: { settings: serverSettings(bounds.settings) } }]),
    ) as never,
    initial: {
      attempts: each(0),
      trial: each(false),
      weight: each(1),
      isDrained: each(false),
      known: each(''),
      waits: false,
    },
    begin: (stage) => {
      for (const name of names) stage.start(name);
    },

    turns(model, at) {
      const under = names.reduce(
        (sum, name) => sum + model.attempts[name] + (model.trial[name] ? 1 : 0),
        model.waits ? 1 : 0,
      );
      const turns: Turn<ServersModel, Name>[] = [];
      if (under < bounds.attemptsMax) turns.push({ who: 'peer', what: 'a connection wants one', happen: choose });
      for (const name of names) {
        turns.push(...attemptsAt(model, at, name));
        const tell = (who: 'peer' | 'owner', event: EventObject, change: Partial<ServersModel> = {}): void => {
          turns.push({
            who,
            what: `${event.type} of ${name}`,
            happen: (stage) => {
              stage.change(change);
              stage.tell(name, event);
            },
          });
        };
        const isDrained = (is: boolean) => ({ isDrained: { ...model.isDrained, [name]: is } });
        if (bounds.hasOwner) {
          tell('owner', { type: 'server.drain' }, isDrained(true));
          tell('owner', { type: 'server.up' }, isDrained(false));
          const weight = { ...model.weight, [name]: 1 - model.weight[name] };
          turns.push({
            who: 'owner',
            what: `weight ${weight[name]} of ${name}`,
            happen: (stage) => {
              stage.change({ weight });
              if (stage.model.waits) choose(stage);
            },
          });
        }
        if (!bounds.isChecked) continue;
        tell('peer', { type: 'check.passed' });
        tell('peer', { type: 'check.failed', cause: { initiator: 'system', manner: 'error' } } as EventObject);
      }
      return turns;
    },

    perform(stage, name, { type }) {
      if (type === 'set.changed') {
        const from = stage.model.known[name];
        const to = stage.at[name]?.state ?? '';
        stage.change({ known: { ...stage.model.known, [name]: to } });
        // The trial that runs goes on.
        if (tagsOf(to).has('trial') && stage.model.trial[name]) stage.tell(name, { type: 'trial.granted' });
        if (!/\.ejected$/.test(to) || /\.(ejected|trying\..*)$/.test(from)) return;
        const inUse = names.filter((one) => !tagsOf(stage.at[one]?.state ?? '').has('out'));
        const isAt = (tag: string): Name[] => inUse.filter((one) => tagsOf(stage.at[one]?.state ?? '').has(tag));
        must(inUse.length > 1, `${name} is ejected, and is the only one (P10)`);
        must(isAt('choosable').length > 0, `${name} is ejected, and none is left that works (P2)`);
        must(isAt('doubtful').length <= bounds.share * inUse.length, `Too many are ejected, ${name} too (P2)`);
      }
      if (type === 'waiters.serve' && stage.model.waits) choose(stage);
    },

    finish() {},

    check(model, at) {
      for (const name of names) {
        const { state = '' } = at[name] ?? {};
        must(model.known[name] === state, `${name} is ${state}, and the set takes it to be ${model.known[name]}`);
        must(
          tagsOf(state).has('out') === model.isDrained[name],
          `Its owner drains ${name}, or not, and it is ${state} (P8)`,
        );
        must(!/underway$/.test(state) || model.trial[name], `${name} is tried by no connection (P5)`);
      }
      if (!model.waits) return;
      const { first, resort } = eligible(model);
      const free = [...first, ...resort].filter((name) => model.weight[name] > 0);
      must(free.length === 0, `A connection waits, and could go to ${free} (P13)`);
    },

    // A rest and a trial that is due end by time; a connection that waits may need its owner.
    mayRest: (_model, at) => !names.some((name) => /\.(ejected|excluded)$/.test(at[name]?.state ?? '')),
  };
}
