/**
 * What must hold on every path of a machine. Each check sees the steps of one replayed path and throws what is wrong;
 * the numbers are those of docs/properties.md.
 */
import { expect } from 'vitest';
import { type AnyStateMachine, createActor, type EventObject, SimulatedClock } from 'xstate';
import type { SessionContext } from '../../src/machines/session.js';
import { QUIET_PROBES, type Sent } from '../../src/machines/vocabulary.js';
import { statePath } from '../../src/runtime/xstate.js';
import { type Model, type ReplayedStep, replay, shortName } from '../../src/testing/index.js';
import { checkChecks } from './check-properties.js';
import { clusterChecks, workerChecks } from './cluster-properties.js';
import { nameChecks } from './name-properties.js';
import { serverChecks } from './server-properties.js';

/** @param events those that the path was replayed with */
type Check = (model: Model<never>, events: readonly EventObject[]) => void;

const all = (model: Model<never>): { step: ReplayedStep; type: string; [more: string]: unknown }[] =>
  model.steps.flatMap((step) => step.commands.map((command) => ({ step, ...command })));

const types = (step: ReplayedStep): string[] => step.commands.map(({ type }) => type);

/** Requests that end an instance, as long as they do something. */
const asked = (step: ReplayedStep): boolean =>
  /\.(close|abort|refuse|handOver)$/.test(step.event) && step.from !== step.to && step.taken.length > 0;

/** Why an instance can end so. */
const ENDINGS: Record<string, RegExp> = {
  closed: /^(close|destroy|end)$/,
  aborted: /^(abort|timeout|error|reset|destroy)$/,
  ended: /^end$/,
  dropped: /^(end|error|reset)$/,
  refused: /^(error|timeout|reset|destroy|end|refusal)$/,
  failed: /^(error|timeout|end|destroy)$/,
  handedOver: /^handOver$/,
};

/** A server of a name ends because the name was answered. */
const LEFT = /^answer$/;

const finalOutcome: Check = (model) => {
  const last = model.steps.at(-1) as ReplayedStep;
  if (last.snapshot.status !== 'done') return;
  const { outcome } = model;
  expect(outcome?.ending, 'the ending is the final state').toBe(last.to);
  expect(outcome?.cause, 'an end has a cause').toMatchObject({
    initiator: expect.any(String),
    manner: expect.any(String),
    phase: expect.any(String),
  });
  if (outcome === undefined) return;
  const isLeft = model.steps.some(({ to }) => to.startsWith('leaving')) && outcome.cause.manner === 'answer';
  const expected = isLeft ? LEFT : ENDINGS[outcome.ending];
  expect(outcome.cause.manner, outcome.ending).toMatch(expected as RegExp);
};

/** A close that was in time ends as closed, whatever was cut ends as aborted. */
const closeIsNoAbort: Check = ({ outcome }) => {
  if (outcome?.cause.manner === 'close') expect(outcome.ending).toBe('closed');
  if (outcome?.cause.manner === 'abort') expect(outcome.ending).toBe('aborted');
};

const commandsBelong: Check = (model) => {
  for (const step of model.steps) {
    if (step.taken.length === 0 && step.event !== 'xstate.init') expect(types(step)).toEqual([]);
  }
};

/** 1: after close or abort no socket is opened, and no server is asked for. */
const closeIsFinal: Check = (model) => {
  let over = false;
  for (const step of model.steps) {
    if (over) {
      expect(types(step)).not.toContain('socket.open');
      expect(types(step)).not.toContain('server.choose');
      expect(step.to).not.toMatch(/^(active|idle|live)/);
    }
    over ||= asked(step);
  }
};

/**
 * 2 and 4: a drop exactly if an established connection was lost without being asked for; once per incarnation. What a loss
 * is, is told by what happened to the socket: no state has a say in it.
 */
const dropsAreLosses: Check = (model) => {
  const { settings } = (model.steps[0] as ReplayedStep).snapshot.context as { settings: { persistent?: boolean } };
  const established = new Set<unknown>();
  const dropped = new Set<unknown>();
  let isUp = false;
  let over = false;
  let peerEnded = false;
  let weEnded = false;
  for (const step of model.steps) {
    const { event } = step;
    over ||= asked(step);
    peerEnded ||= event === 'socket.ended';
    // A close without a failure is its owner's doing.
    const isGone = event === 'socket.failed';
    const isIdle = event === 'socket.idled';
    // The end of the peer, or its silence, is the end of a connection that is to last, unless we had ended it before.
    const isLeft: boolean = settings.persistent === true && (event === 'socket.ended' || isIdle) && !weEnded;
    // One that is being replaced is lost by a failure alone, while it is held and may be written to.
    const isRenewing = step.from.startsWith('active.renewing');
    const isRenewingLost: boolean = event === 'socket.failed' && step.from.endsWith('holding') && !weEnded;
    const isDown: boolean = isRenewing ? isRenewingLost : (isGone && !(peerEnded && weEnded)) || isLeft;
    const isLost: boolean = isUp && !over && isDown;
    // All others that are silent are cut, by us.
    over ||= isUp && !isRenewing && isIdle && !isLeft && !(peerEnded && weEnded);
    weEnded ||= isUp && event === 'socket.finished';
    isUp &&= !isLost && event !== 'socket.closed';
    expect(types(step).includes('owner.drop'), `a drop exactly when it is lost (${step.from} ${event})`).toBe(isLost);
    for (const { type, ...command } of step.commands as { type: string; incarnation?: number; cause?: unknown }[]) {
      if (type === 'socket.open') peerEnded = weEnded = false;
      if (type === 'owner.establish') {
        established.add(command.incarnation);
        isUp = true;
      }
      if (type !== 'owner.drop') continue;
      expect(over, 'no drop after close or abort').toBe(false);
      expect(established, 'only what was established can drop').toContain(command.incarnation);
      expect(dropped, 'a drop is reported once').not.toContain(command.incarnation);
      expect(command.cause, 'a drop says when it came').toMatchObject({
        phase: isRenewing ? 'closing' : 'established',
      });
      dropped.add(command.incarnation);
    }
  }
};

/** 3: released exactly once per linked incarnation, after it was unlinked. */
const releasedOnce: Check = (model) => {
  let owned: 'nothing' | 'linked' | 'unlinked' = 'nothing';
  for (const { step, type } of all(model)) {
    if (type === 'owner.prepare' || type === 'owner.accept') {
      expect(owned, 'the last incarnation was released first').toBe('nothing');
      owned = 'linked';
    } else if (type === 'socket.unlink') {
      expect(owned, `unlinked once (${step.event})`).toBe('linked');
      owned = 'unlinked';
    } else if (type === 'owner.release') {
      expect(owned, `released once, after it was unlinked (${step.event})`).toBe('unlinked');
      owned = 'nothing';
    } else if (type === 'owner.establish' || type === 'owner.drop') {
      if (type === 'owner.establish') expect(owned).toBe('linked');
    }
  }
  if (model.outcome !== undefined) expect(owned, 'nothing of the owner’s is left at the end').toBe('nothing');
};

/**
 * 8: what is complete is never reset, but by its owner's abort, or when its time for lingering is over as well: not by
 * a deadline, and not for the loss of another leg.
 */
const completeIsKept: Check = (model) => {
  let finished = false;
  for (const step of model.steps) {
    const { event, from, taken } = step;
    const isLost = event === 'socket.failed' || event === 'socket.closed';
    if (event === 'socket.finished') finished ||= taken.length > 0;
    // What a hook has sent last is reported again.
    const isAgain = types(step).includes('owner.establish');
    if (isLost || isAgain || types(step).includes('socket.open')) finished = false;
    if (!finished || !types(step).includes('socket.reset')) continue;
    const why = taken.some((name) => /(closeTimeout|Probe|Timeout) #/.test(name)) ? shortName(event) : event;
    expect(why, `${from} → ${step.to}: it resets what is complete`).toMatch(/\.abort$|lingerMax/);
    expect(step.snapshot.context.sent, 'what was reset may be missing').toBe('lost');
  }
  const { outcome } = model;
  if (outcome?.ending === 'dropped') expect(outcome.flushed, 'what was dropped may be missing').toBe(false);
};

const READ_PROBE = { type: 'socket.probe', bytes: 'read', times: 1 };

/** What stands still is looked at, again and again; who is let go of is read for that long, and then closed. */
const silenceIsSeen: Check = (model) => {
  for (const step of model.steps) {
    const name = shortName(step.event);
    const at = `${step.from} ${name} → ${step.to}`;
    if (/^(idle|halfClose)Probe$/.test(name)) {
      expect(step.to, at).toBe(step.from);
      expect(step.commands, at).toEqual([{ type: 'socket.probe', bytes: 'all', times: QUIET_PROBES }]);
    }
    if (name === 'lingerTimeout') {
      expect(step.to, at).toBe(step.from);
      expect(step.commands, at).toEqual([READ_PROBE, { type: 'socket.linger' }]);
    } else if (step.to === 'lingering.reading' && step.from !== step.to) {
      // A peer that was read since the close was asked for, and for long enough, is looked at without another wait.
      const { closeTimeoutMs, settings } = step.snapshot.context;
      const wasRead = /^closing(\.flushing)?$/.test(step.from) && closeTimeoutMs >= settings.lingerTimeout;
      expect(
        step.commands.filter(({ type }) => type === 'socket.probe'),
        at,
      ).toEqual(wasRead ? [READ_PROBE] : []);
    }
    if (step.to === 'parting' && step.from !== 'parting') {
      expect(step.from, at).toBe('lingering.reading');
      expect(types(step), at).toContain('socket.destroy');
    }
    const isOver = /^live\.established\.bothEnded|^active\.established\.bothEnded|^live\.accepted/.test(step.from);
    if (name === 'socket.idled' && /established|lingering\.reading/.test(step.from) && !isOver)
      expect(step.to, at).not.toBe(step.from);
    if (name === 'lingerMax') expect(types(step), at).toContain('socket.reset');
  }
};

/** What may not be ignored: a machine that leaves one of these out has no path that shows it. */
const ANSWERED: readonly (readonly [states: RegExp, event: RegExp])[] = [
  [/^(live|active)\.established\.(open|peerEnded|localEnded)$|^lingering\.reading$/, /^socket\.idled$/],
  [/^live\.accepted\.identifying$/, /^(header\.(done|failed)|socket\.ended)$/],
  [/^live\.accepted\.handshaking$/, /^handshake\.(done|failed)$/],
  [/^live\./, /^client\.refuse$/],
  [/^live\.(accepted\.(open|peerEnded)$|established\.)/, /^client\.handOver$/],
  [/^live\.accepted\.open$|^(live|active)\.established\.(open|localEnded)$/, /^socket\.ended$/],
  [/^active\.connecting$/, /^socket\.failed$/],
  [/^(explaining|lingering|cutting$)/, /^\w+\.abort$/],
];

type Settings = Readonly<Record<string, number>>;

interface Timing {
  readonly machine: RegExp;
  readonly states: RegExp;
  /** In place of those of the path, which takes no time. */
  readonly settings?: Settings;
  readonly isDue?: (context: { readonly attempts: number }) => boolean;
  /** When something comes, in this order: a command, or a count of attempts. */
  readonly comes: (settings: Settings) => readonly (readonly [ms: number, what: string])[];
}

/** Before all other timers. */
const SOON_MS = 60;

const three = (ms: number, what: string) => [1, 2, 3].map((times) => [ms * times, what] as const);

/** What comes by time alone, where another timer would lead on in its place. */
const TIMINGS: readonly Timing[] = [
  {
    machine: /^(client|backend)$/,
    states: /established\.(open|peerEnded|localEnded)$/,
    comes: ({ idleTimeout = 0 }) => three(idleTimeout / QUIET_PROBES, 'socket.probe'),
  },
  {
    machine: /^client$/,
    states: /^live\.accepted\.identifying$/,
    settings: { proxyHeaderTimeout: SOON_MS },
    comes: () => [[SOON_MS, 'owner.release']],
  },
  {
    machine: /^(client|backend)$/,
    states: /^lingering\.reading$/,
    comes: ({ lingerTimeout = 0, lingerMax = 0 }) => [
      ...three(lingerTimeout, 'socket.probe'),
      [lingerMax, 'socket.reset'],
    ],
  },
  {
    machine: /^backend$/,
    states: /established\.(open|peerEnded|localEnded)$/,
    settings: { stableAfter: SOON_MS },
    isDue: ({ attempts }) => attempts > 0,
    comes: () => [[SOON_MS, '0 attempts']],
  },
  {
    machine: /^backend$/,
    states: /^lingering\.revoking$/,
    comes: ({ holdTimeout = 0 }) => [[holdTimeout, 'owner.release']],
  },
  {
    machine: /^backend$/,
    states: /^active\.exhausted$/,
    comes: ({ cooldown = 0 }) => [[cooldown, 'server.choose']],
  },
  {
    machine: /^listener$/,
    states: /^draining$/,
    settings: { admissionTimeout: SOON_MS },
    comes: ({ drainTimeout = 0 }) => [
      [SOON_MS, 'admissions.refuse admissionTimeout'],
      [drainTimeout, 'admissions.refuse drainTimeout'],
    ],
  },
  {
    machine: /^session$/,
    states: /^routing/,
    comes: ({ routeTimeout = 0 }) => [[routeTimeout, 'client.turnAway routeTimeout']],
  },
  {
    machine: /^session$/,
    states: /^connecting/,
    comes: ({ sessionConnectTimeout = 0 }) => [[sessionConnectTimeout, 'client.turnAway sessionConnectTimeout']],
  },
  {
    machine: /^session$/,
    states: /^relaying/,
    settings: { durationMax: SOON_MS },
    comes: () => [[SOON_MS, 'client.abort durationMax']],
  },
  {
    machine: /^proxy$/,
    states: /^stopping\.refusing$/,
    comes: ({ abortTimeout = 0 }) => [[abortTimeout, 'listeners.await']],
  },
  {
    machine: /^proxy$/,
    states: /^stopping\.cutting$/,
    comes: ({ lingerMax = 0, abortTimeout = 0 }) => [[lingerMax + abortTimeout, 'listeners.await']],
  },
  {
    machine: /^proxy$/,
    states: /^stopping\.listeners$/,
    comes: ({ abortTimeout = 0 }) => [[abortTimeout, 'backends.close']],
  },
];

/** Reports and requests are answered, and timers come when they should: looked at once in each state. */
const timersRun: Check = ({ steps }, events) => {
  for (const [index, { to, snapshot }] of steps.entries()) {
    const machine = snapshot.machine as AnyStateMachine;
    const answered = ANSWERED.filter(([states]) => states.test(to));
    const timings = TIMINGS.filter(
      ({ machine: machines, states, isDue }) =>
        machines.test(machine.id) && states.test(to) && isDue?.(snapshot.context) !== false,
    );
    if (answered.length + timings.length === 0) continue;
    const { sent, ending, attempts, clients, settings } = snapshot.context;
    const known = seen.get(machine) ?? new Set();
    const key = JSON.stringify([to, sent, ending, attempts, clients, settings]);
    if (known.has(key)) continue;
    seen.set(machine, known.add(key));
    const before = events.slice(0, index);
    for (const [, event] of answered) isAnswered(machine, settings, before, event);
    for (const timing of timings) comesInTime(machine, settings, before, timing);
  }
};

const seen = new WeakMap<AnyStateMachine, Set<string>>();

function isAnswered(machine: AnyStateMachine, settings: Settings, events: readonly EventObject[], event: RegExp): void {
  for (const type of machine.events.filter((other) => event.test(other))) {
    const model = replay(machine, { settings }, events);
    const { context } = model.snapshot;
    const { from, to, snapshot } = model.send({ type });
    // A failure to connect is kept for the close that follows.
    const isKept = type === 'socket.failed' && snapshot.context !== context;
    expect(from !== to || isKept, `${from} answers ${type}`).toBe(true);
  }
}

function comesInTime(
  machine: AnyStateMachine,
  given: Settings,
  events: readonly EventObject[],
  { settings: others, comes }: Timing,
): void {
  const settings = { ...given, ...others };
  const clock = new SimulatedClock();
  const actor = createActor(machine, { input: { settings }, clock });
  let came: string[] = [];
  actor.on('*', ({ type, cause }) => came.push(type, `${type} ${cause?.code}`));
  actor.start();
  for (const event of events) actor.send(event);
  const at = statePath(actor.getSnapshot().value);
  const passes = (ms: number): string[] => {
    came = [];
    clock.increment(ms);
    return [...came, `${actor.getSnapshot().context.attempts} attempts`];
  };
  let now = 0;
  for (const [ms, what] of comes(settings)) {
    expect(passes(ms - now - 1), `${at}, before ${ms} ms`).not.toContain(what);
    expect(passes(1), `${at}, after ${ms} ms`).toContain(what);
    now = ms;
  }
  actor.stop();
}

/** 8: a listener that is aborted by a deadline lets go of what is complete; its owner's own abort resets it. */
const deadlinesLetGo: Check = ({ steps, outcome }, events) => {
  let isCut = false;
  for (const [index, step] of steps.entries()) {
    const { from, to, commands } = step;
    const at = `${from} ${shortName(step.event)} → ${to}`;
    const cuts = commands.filter(({ type }) => type === 'clients.abort') as unknown as { deliver: boolean }[];
    isCut ||= cuts.length > 0;
    if (to !== from) for (const { deliver } of cuts) expect(deliver, at).toBe(to === 'cutting');
    if (types(step).includes('server.close')) {
      expect(types(step)[types(step).indexOf('server.close') + 1], `${at}: its path goes with it`).toBe('path.unlink');
    }
    if (step.event === 'clients.served' && from === 'refusing') expect(to, at).toBe('cutting');
    if (from === 'failing' && shortName(step.event) === 'drainTimeout') expect(to, at).toBe('cutting');
    const before = steps[index - 1];
    if (step.event !== 'listener.abort' || before?.snapshot.context.clients === 0) continue;
    const { deliver } = events[index - 1] as { deliver?: boolean };
    if (/^(serving|draining|refusing|failing)/.test(from)) expect(to, at).toBe(deliver ? 'cutting' : 'aborting');
    if (from === 'cutting') expect(to, at).toBe(deliver ? 'cutting' : 'aborting');
  }
  if (outcome !== undefined) expect(outcome.flushed, 'what was cut may be missing').toBe(!isCut);
};

/** 9: an abort resets what may be incomplete; so does silence, as long as our side is open. */
const cutsAreResets: Check = (model) => {
  for (const [index, step] of model.steps.entries()) {
    const { sent } = (model.steps[index - 1]?.snapshot.context ?? {}) as { sent?: Sent };
    if (sent === 'all' || !/\.(abort|idled)$/.test(step.event)) continue;
    if (
      !/^(live|closing$|active\.(preparing|established|renewing)|closing\.(holding|revoking|flushing))/.test(step.from)
    )
      continue;
    if (step.event.endsWith('idled') && !/\.established\.(open|peerEnded)/.test(step.from)) continue;
    expect(types(step), `${step.from} ${step.event} → ${step.to}`).toContain('socket.reset');
  }
};

/** 6: a state that may hold a socket says so; at the end, and before another is opened, there is none. */
const socketsAreAccountedFor =
  (initially: boolean): Check =>
  (model) => {
    let open = initially;
    for (const step of model.steps) {
      if (step.event === 'socket.closed') open = false;
      for (const { type } of step.commands) {
        if (type === 'socket.open') {
          expect(open, 'at most one socket').toBe(false);
          open = true;
        }
        if (type === 'socket.abandon') open = false;
      }
      if (open) expect(step.snapshot.hasTag('holdsSocket'), `${step.to} may hold a socket`).toBe(true);
      if (step.snapshot.status === 'done') expect(open, `${step.to} holds no socket`).toBe(false);
    }
  };

/** Every newcomer is adopted or refused, one of the two; none is adopted after the end was asked for, or beyond the limit. */
const newcomersAreAnswered: Check = (model) => {
  let over = false;
  let clients = 0;
  for (const step of model.steps) {
    over ||= asked(step);
    if (step.event === 'client.closed') clients--;
    if (step.event !== 'client.arrived') continue;
    const answers = types(step).filter((type) => type === 'client.adopt' || type === 'client.refuse');
    expect(answers).toHaveLength(1);
    if (answers[0] === 'client.adopt') {
      clients++;
      expect(over).toBe(false);
    }
    expect(clients).toBeLessThanOrEqual(step.snapshot.context.settings.clientsMax);
    expect(step.snapshot.context.clients, 'the count is right').toBe(clients);
  }
};

/** A listener that does not listen has closed its handle. */
const handlesAreClosed: Check = (model) => {
  let listening = false;
  for (const step of model.steps) {
    if (step.event === 'server.failed' && step.from === 'serving.binding') listening = false;
    if (step.event === 'server.closed') listening = false;
    for (const { type } of step.commands) {
      if (type === 'server.listen') {
        expect(listening, 'it listens once').toBe(false);
        listening = true;
      }
      if (type === 'server.close') listening = false;
    }
    if (!/^serving\.(binding|listening)/.test(step.to)) expect(listening, step.to).toBe(false);
  }
};

/** 9 and 10: a FIN is passed on only after the peer's, once; a leg that is left is ended, reset or cut. */
const finsArePassedOn: Check = (model) => {
  const ended = new Set<string>();
  const told = { client: false, backend: false };
  const gone = { client: false, backend: false };
  let cut = false;
  for (const step of model.steps) {
    if (step.event === 'client.handedOver' && step.from.startsWith('routing')) {
      gone.client = true;
      expect(step.to, 'its backend alone is left').toBe('finishing.backendOnly');
    }
    const report = /^(client|backend)\.(ended|closed)$/.exec(step.event);
    if (report !== null && step.taken.length > 0) {
      const leg = report[1] as 'client' | 'backend';
      if (report[2] === 'ended') ended.add(leg);
      else gone[leg] = true;
    }
    for (const { type } of step.commands) {
      const command = /^(client|backend)\.(end|close|reset|abort|turnAway)$/.exec(type);
      if (command === null) continue;
      const leg = command[1] as 'client' | 'backend';
      const other = leg === 'client' ? 'backend' : 'client';
      told[leg] = true;
      if (command[2] === 'end') {
        const endsBoth = step.event === `${other}.finished`;
        expect(ended, `a FIN to the ${leg} comes from the ${other}`).toContain(endsBoth ? leg : other);
        expect(cut, 'no FIN after a cut').toBe(false);
      } else if (command[2] === 'close') {
        expect(ended, `the ${leg} is closed once the ${other} has ended, and that was passed on`).toContain(other);
        expect(step.event).toBe(`${leg}.finished`);
      } else {
        cut = true;
      }
    }
    const out = /^(client|backend)\.finished$/.exec(step.event)?.[1];
    if (out !== undefined && step.taken.length > 0) {
      const first = out === 'client' ? 'backend' : 'client';
      expect(types(step), 'once the FIN of one side is out, both are closed').toEqual([`${first}.end`, `${out}.close`]);
    }
    if (step.to.startsWith('finishing')) {
      for (const leg of ['client', 'backend'] as const) {
        if (!gone[leg]) expect(told[leg], `the ${leg} that is left was told (${step.to})`).toBe(true);
      }
    }
    if (step.snapshot.status === 'done') expect(gone).toEqual({ client: true, backend: true });
  }
};

/** 9: what is cut is cut on both sides, and does not end as if it were whole; what stands still is looked at. */
const cutsAreTold: Check = (model) => {
  let cut = false;
  for (const step of model.steps) {
    const event = shortName(step.event);
    const commands = types(step).filter((type) => type !== 'route.revoke');
    cut ||= commands.some((type) => /\.(abort|reset|turnAway)$/.test(type));
    if (event === 'session.abort' || event === 'relay.idled') {
      expect(commands, `${step.from} ${event}`).toEqual(['client.abort', 'backend.abort']);
      expect(step.snapshot.context.ending, `${step.from} ${event}`).not.toBe('ended');
      if (/^(relaying|draining)/.test(step.from)) expect(step.snapshot.context.ending).toBe('aborted');
    }
    if (commands.join() === 'client.abort,backend.abort' && !step.from.startsWith('finishing')) {
      expect(step.to).toMatch(/^finishing.both$/);
    }
    if (event.endsWith('Probe')) {
      expect(commands, `${step.from} ${event}`).toEqual(['relay.probe']);
      expect(step.to).toBe(step.from);
    }
  }
  const { outcome } = model;
  if (outcome === undefined) return;
  if (cut) expect(outcome.ending).not.toBe('ended');
  if (outcome.cause.manner === 'timeout') expect(outcome.ending).toMatch(/aborted|refused/);
  if (outcome.ending === 'closed') expect(model.steps.map(({ event }) => event)).toContain('session.close');
  if (model.steps.some(({ to }) => to.startsWith('draining'))) expect(outcome.ending).not.toBe('ended');
};

/** A client is turned away exactly if no backend came up for it; what is relayed is never mixed with last words. */
const refusalsAreTold: Check = (model) => {
  let joined = false;
  for (const step of model.steps) {
    const event = shortName(step.event);
    joined ||= types(step).includes('relay.start');
    const isRefusal = /^(route\.refused|session\.refuse|backend\.closed|routeTimeout|sessionConnectTimeout)$/.test(
      event,
    );
    const isWaiting = /^(routing|connecting)/.test(step.from) && step.taken.length > 0;
    expect(types(step).includes('client.turnAway'), `${step.from} ${event}`).toBe(isRefusal && isWaiting);
    if (types(step).includes('client.turnAway')) {
      expect(step.snapshot.context.ending).toBe('refused');
      expect(step.to).toBe(event === 'backend.closed' ? 'finishing.clientOnly' : 'finishing.both');
    }
    expect(step.snapshot.hasTag('joined'), step.to).toBe(joined && /^(relaying|draining)/.test(step.to));
  }
};

/**
 * Last words are written once the owner's listeners are off, and the end of our side follows them at once. They are
 * written where the client can read them as such, and nothing that is complete comes before them.
 */
const wordsComeLast: Check = ({ steps }, events) => {
  for (const [index, step] of steps.entries()) {
    const what = types(step);
    const { words } = (events[index - 1] ?? {}) as { words?: string };
    if (step.event === 'client.refuse' && step.from.startsWith('live.')) {
      const isComplete = steps[index - 1]?.snapshot.context.sent === 'all';
      const canRead = !/\.(identifying|handshaking)$/.test(step.from);
      const way = isComplete ? 'lingering' : words !== undefined && canRead ? 'explaining' : 'refusing';
      expect(step.to.split('.')[0], `${step.from} ${step.event} ${words}`).toBe(way);
    }
    const isExplained = step.to === 'explaining' && step.from !== 'explaining';
    expect(what.includes('socket.write'), `${step.from} ${step.event}`).toBe(isExplained);
    if (!isExplained) continue;
    expect(step.event).toBe('client.refuse');
    expect(step.commands).toContainEqual({ type: 'socket.write', words });
    expect(what.slice(-4)).toEqual(['socket.unlink', 'owner.release', 'socket.write', 'socket.end']);
  }
};

/** Other code gets the socket once no listener of its owner's is on it; only its close, or its owner, ends the client then. */
const givenOnceUnlinked: Check = (model) => {
  const own = model.steps.findIndex(({ event, taken }) => event === 'client.handOver' && taken.length > 0);
  for (const [index, step] of model.steps.entries()) {
    if (index === own && step.to !== step.from) {
      expect(types(step)).toEqual(['socket.unlink', 'owner.release', 'socket.give']);
    } else {
      expect(types(step), `${step.from} ${step.event}`).not.toContain('socket.give');
    }
    if (index <= own || own === -1 || !step.from.startsWith('lent') || step.to.startsWith('lent')) continue;
    expect(shortName(step.event)).toMatch(/^(socket\.closed|client\.abort|closeTimeout)$/);
  }
  const { outcome, steps } = model;
  const isGiven = steps.some((step) => types(step).includes('socket.give'));
  if (outcome?.ending === 'handedOver') expect(isGiven).toBe(true);
  if (isGiven) expect(outcome?.ending ?? 'handedOver').toMatch(/^(handedOver|closed|aborted)$/);
};

/**
 * A backend connects once the hook has said where the client goes, and not before; at once where there is no hook. The hook
 * is told when its answer is no longer wanted, and only then.
 */
const routesAreAwaited: Check = (model) => {
  for (const step of model.steps) {
    const isRouting = step.from.startsWith('routing');
    const { asksRoute } = (step.snapshot.context as SessionContext).settings;
    if (step.event === 'xstate.init') expect(step.to).toBe(asksRoute ? 'routing.open' : 'connecting.open');
    const isDue = step.event === 'xstate.init' ? !asksRoute : isRouting && step.event === 'route.chosen';
    expect(types(step).includes('backend.connect'), `${step.from} ${step.event}`).toBe(isDue);
    const isLeft = isRouting && !step.to.startsWith('routing');
    const isAnswered = /^route\.(chosen|refused)$/.test(step.event);
    expect(types(step).includes('route.revoke'), `${step.from} ${step.event}`).toBe(isLeft && !isAnswered);
  }
};

/** As long as anything is relayed or delivered it is looked at, again and again; what stands still is cut. */
const stillnessIsSeen: Check = ({ steps }) => {
  // Where it ends, and one step before: so every state is come by.
  for (const end of [steps.length - 1, steps.length - 2]) if (end > 0) isLookedAt(steps.slice(0, end + 1));
};

function isLookedAt(steps: readonly ReplayedStep[]): void {
  const last = steps.at(-1) as ReplayedStep;
  if (!/^(relaying|draining|finishing)/.test(last.to)) return;
  const clock = new SimulatedClock();
  const { settings } = last.snapshot.context as { settings: { idleTimeout: number } };
  const actor = createActor(last.snapshot.machine as AnyStateMachine, { input: { settings }, clock });
  let probes = 0;
  actor.on('relay.probe', () => probes++);
  actor.start();
  for (const { event } of steps.slice(1)) actor.send({ type: event });
  probes = 0;
  for (let times = 1; times < 4; times++) {
    clock.increment(settings.idleTimeout / QUIET_PROBES);
    expect(probes, `${last.to} is looked at`).toBe(times);
  }
  actor.send({ type: 'relay.idled' });
  expect(actor.getSnapshot().value, `${last.to} stands still`).toHaveProperty('finishing');
  actor.stop();
}

/** 11: backends first, then listeners; to stop, listeners first, backends last. */
const orderedStop: Check = (model) => {
  const order = all(model).map(({ type }) => type);
  const first = (type: string): number => order.indexOf(type);
  if (order.includes('listeners.start')) expect(first('backends.connect')).toBeLessThan(first('listeners.start'));
  if (order.includes('backends.close')) {
    const stop = order.findIndex((type) => type === 'listeners.close' || type === 'listeners.abort');
    expect(stop).toBeGreaterThanOrEqual(0);
    expect(stop).toBeLessThan(first('backends.close'));
    expect(first('sessions.await')).toBeLessThan(first('backends.close'));
    expect(first('listeners.await')).toBeLessThan(first('backends.close'));
    expect(order).toContain('listeners.await');
  }
  let over = false;
  for (const step of model.steps) {
    if (step.event === 'proxy.close' && step.from !== step.to) expect(types(step)[0]).toBe('listeners.close');
    const isCut =
      step.event === 'proxy.abort' && /^(idle|starting|running|draining|stopping.(refusing|cutting))/.test(step.from);
    if (isCut || (step.event === 'sessions.served' && step.taken.length > 0)) {
      for (const part of ['listeners', 'sessions', 'backends']) expect(types(step)).toContain(`${part}.abort`);
    }
    if (over) expect(types(step)).not.toContain('listeners.start');
    over ||= asked(step);
  }
};

/** A PROXY header comes before TLS, and both before the hook; a client is reset unless its handshake has failed. */
const preludeComesFirst: Check = (model) => {
  for (const { event, from, to, commands, snapshot } of model.steps) {
    const { speaksTls = false, isProxied = false } = snapshot.context.settings;
    const what = commands.map(({ type }) => type);
    const isStart = event === 'xstate.init';
    const isKnown = isProxied ? event === 'header.done' && to !== from : isStart;
    const isAsked = speaksTls ? event === 'handshake.done' && to !== from : isKnown;
    expect(what.includes('header.begin'), 'a header is read').toBe(isStart && isProxied);
    expect(what.includes('handshake.begin'), 'a handshake begins').toBe(isKnown && speaksTls);
    expect(what.includes('owner.admit'), 'the hook is called').toBe(isAsked);
    const isRefused = from.startsWith('live.accepted') && /^(refusing|alerting)$/.test(to);
    const isFailed = event === 'handshake.failed';
    expect(what.includes('handshake.end'), `${event}: the alert is sent`).toBe(isRefused && isFailed);
    if (isRefused) expect(what.includes('socket.reset'), `${event}: reset`).toBe(!isFailed);
  }
};

/** What has to be noted as a cause: by whom it came to a state's end, and why. */
const NEWS: Record<string, RegExp> = {
  backend:
    /^(active.choosing server.exhausted|active.connecting socket.failed|active.preparing (owner.failed|socket.(ended|failed|closed))|active.established.(open|peerEnded|localEnded) socket.(failed|closed)|active.established.open socket.(ended|finished)|active.established.* backend.renew|active.established.(open|peerEnded|localEnded) socket.idled|(idle|active.*|closing.*|lingering.*) backend.abort|(idle|active.*) backend.close|.* (choose|connect|prepare|close)Timeout|lingering.* lingerMax)$/,
  client:
    /^(live.accepted.identifying (header.failed|socket.ended|proxyHeaderTimeout)|live.accepted.handshaking handshake.failed|live.accepted.* (owner.refused|socket.(failed|closed)|acceptTimeout)|live.* client.(close|abort|refuse)|live.(accepted.(open|peerEnded)|established.*) client.handOver|lent.open client.close|lent.* client.abort|lent.closing closeTimeout|live.(accepted|established).open socket.ended|live.established.(open|peerEnded|localEnded) socket.(failed|closed)|live.established.open socket.finished|live.established.(open|peerEnded|localEnded) socket.idled|(closing|lingering.*) client.abort|closing closeTimeout|lingering.* lingerMax)$/,
  listener:
    /^((idle|serving.*|draining|refusing|cutting) listener.abort|(idle|serving.*) listener.close|serving.binding server.failed|serving.listening.* server.(failed|closed)|refusing clients.served)$/,
  session:
    /^((routing.*|connecting.*|relaying.*) session.close|(routing|connecting|relaying|draining).* session.abort|(routing|connecting|relaying|draining).* (client|backend).closed|routing.* (route.refused|client.handedOver)|(routing|connecting).* session.refuse|(routing|connecting).open client.ended|(relaying|draining).both (client|backend).ended|(relaying|draining).* relay.idled|.* (routeTimeout|sessionConnectTimeout|durationMax|closeTimeout))$/,
  proxy:
    /^((idle|starting.*|running) proxy.close|(idle|starting.*|running|draining|stopping.(refusing|listeners|backends)) proxy.abort|starting.connecting backends.failed|(idle|starting.*|running) listeners.failed|stopping.refusing sessions.served)$/,
};

/** Where an instance is, as a cause says it; the first that fits. */
const PHASES: Record<string, readonly (readonly [RegExp, string])[]> = {
  backend: [
    [/^idle/, 'idle'],
    [/^active.(disposing|failover)/, 'disposing'],
    [/^active.(waiting|exhausted)/, 'waiting'],
    [/^active.choosing/, 'choosing'],
    [/^active.connecting/, 'connecting'],
    [/^active.preparing/, 'preparing'],
    [/^active.established/, 'established'],
    [/^(active.renewing|closing|lingering)/, 'closing'],
  ],
  client: [
    [/^live.accepted/, 'accepted'],
    [/^(live.established|lent.open)/, 'established'],
    [/^(lent.closing|closing|lingering)/, 'closing'],
  ],
  listener: [
    [/^idle/, 'idle'],
    [/^serving.binding server/, 'binding'],
    [/^serving.listening.* server/, 'listening'],
    [/^serving/, 'serving'],
    [/^(draining|refusing|cutting)/, 'closing'],
  ],
  session: [
    [/^routing/, 'routing'],
    [/^connecting/, 'connecting'],
    [/^relaying/, 'established'],
    [/^draining/, 'closing'],
  ],
  proxy: [
    [/^idle/, 'idle'],
    [/^starting/, 'starting'],
    [/^running/, 'serving'],
    [/^(draining|stopping)/, 'closing'],
  ],
};

/** How something came about, by the end of its event. */
const MANNERS: Record<string, string> = {
  close: 'close',
  abort: 'abort',
  ended: 'end',
  finished: 'end',
  closed: 'destroy',
  idled: 'timeout',
  failed: 'error',
  refused: 'error',
  refuse: 'refusal',
  handOver: 'handOver',
  handedOver: 'handOver',
  exhausted: 'error',
};

/** With the code, if there is one. */
const mannerOf = (what: string): string => (what === 'renew' ? 'close renew' : `${MANNERS[what]} `);

/** A cause is noted when something happens that needs one, and says what that was. */
const causesTell =
  (machine: string): Check =>
  (model) => {
    for (const step of model.steps) {
      const event = shortName(step.event);
      const at = `${step.from} ${event}`;
      const { cause } = step.snapshot.context as { cause?: { manner: string; phase: string; code?: string } };
      if (!NEWS[machine]?.test(at)) continue;
      // A close that has sent all, and only its time is up, is no abort; and what lingers does so already.
      if (step.to.startsWith('lingering.reading') && /^(closing|lingering)/.test(step.from)) continue;
      if (step.from === step.to && step.from.startsWith('lingering')) continue;
      // Nor does anything that comes later change why a client was refused.
      if (step.from.startsWith('lingering') && step.snapshot.context.ending === 'refused') {
        const before = model.steps[model.steps.indexOf(step) - 1] as ReplayedStep;
        expect(cause, `${at}: why it was refused`).toBe(before.snapshot.context.cause);
        continue;
      }
      const told = `${cause?.manner} ${cause?.code ?? ''}`;
      // A leg says itself why it has closed.
      const isLeg = machine === 'session' && event.endsWith('closed');
      const timeout = /\.(both|open)$/.test(step.from) ? 'idleTimeout' : 'halfCloseTimeout';
      const expected =
        event !== step.event
          ? `timeout ${event}`
          : event.endsWith('.served')
            ? 'timeout drainTimeout'
            : isLeg
              ? 'reset ECONNRESET'
              : event.endsWith('.idled')
                ? `timeout ${timeout}`
                : mannerOf(event.slice(event.indexOf('.') + 1));
      const [, phase] = PHASES[machine]?.find(([states]) => states.test(at)) ?? [];
      if (told !== expected) throw new Error(`${at}: it notes “${told}”, not “${expected}”`);
      if (!isLeg && event !== 'closeTimeout' && cause?.phase !== phase) {
        throw new Error(`${at}: it notes “${cause?.phase}”, not “${phase}”`);
      }
    }
  };

const common = [finalOutcome, commandsBelong];

export const properties: Record<string, readonly Check[]> = {
  backend: [
    ...common,
    closeIsNoAbort,
    causesTell('backend'),
    closeIsFinal,
    dropsAreLosses,
    releasedOnce,
    completeIsKept,
    silenceIsSeen,
    timersRun,
    cutsAreResets,
    socketsAreAccountedFor(false),
  ],
  client: [
    ...common,
    closeIsNoAbort,
    causesTell('client'),
    preludeComesFirst,
    wordsComeLast,
    givenOnceUnlinked,
    closeIsFinal,
    dropsAreLosses,
    releasedOnce,
    completeIsKept,
    silenceIsSeen,
    timersRun,
    cutsAreResets,
    socketsAreAccountedFor(true),
  ],
  listener: [
    ...common,
    closeIsNoAbort,
    causesTell('listener'),
    newcomersAreAnswered,
    handlesAreClosed,
    deadlinesLetGo,
    timersRun,
  ],
  session: [
    ...common,
    causesTell('session'),
    finsArePassedOn,
    cutsAreTold,
    routesAreAwaited,
    refusalsAreTold,
    stillnessIsSeen,
    timersRun,
  ],
  proxy: [...common, closeIsNoAbort, causesTell('proxy'), orderedStop, timersRun],
  check: [...common, closeIsNoAbort, ...checkChecks],
  name: [...common, closeIsNoAbort, ...nameChecks],
  server: [...common, closeIsNoAbort, ...serverChecks],
  worker: [...common, ...workerChecks],
  cluster: [...common, ...clusterChecks],
};
