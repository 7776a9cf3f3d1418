/**
 * Explores a machine together with a model of the world that it lives in: every interleaving of what peers, the system,
 * the owner and time may do, within small bounds. What must hold is asked of every state and every step; from every state
 * there has to be a way out that waits for nobody.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, type EventObject, initialTransition, transition } from 'xstate';
import { statePath } from '../../src/runtime/xstate.js';

/** Who makes something happen: only time can be relied on. */
export type Who = 'peer' | 'system' | 'owner' | 'time';

/** Something that may happen now: what becomes of the world, and what the machine is told, if anything. */
export interface Chance<W> {
  readonly who: Who;
  readonly what: string;
  readonly world: W;
  readonly event?: EventObject | undefined;
}

/** What a command does to the world, and what it reports at once. */
export interface Effect<W> {
  readonly world: W;
  readonly reports?: readonly EventObject[] | undefined;
}

export interface WorldModel<W> {
  readonly initial: W;
  /** What may happen to this world now; `state` is where the machine is. */
  chances(world: W, state: string): readonly Chance<W>[];
  /** Performs a command; throws where it must not come. */
  perform(world: W, command: EventObject): Effect<W>;
  /** Throws what is wrong with this state. */
  check(world: W, state: string, isDone: boolean, context: Readonly<Record<string, unknown>>): void;
  /** True where nothing needs to happen, unless the end was asked for. */
  mayRest(world: W, state: string): boolean;
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
}

interface Node<W> {
  readonly snapshot: AnyMachineSnapshot;
  readonly world: W;
  readonly from: Node<W> | undefined;
  readonly step: Step;
  readonly next: { readonly who: Who; readonly node: Node<W> }[];
}

interface Step {
  readonly who: Who | undefined;
  readonly what: string;
  readonly state: string;
  readonly commands: readonly string[];
}

/** What was violated, and the shortest way there, as a list and as a Mermaid sequence diagram. */
export class Violation extends Error {
  constructor(why: string, steps: readonly Step[]) {
    const list = steps.map(({ who, what, state, commands }, index) => {
      const did = commands.length === 0 ? '' : `  [${commands.join(', ')}]`;
      return `${String(index).padStart(3)}. ${who ?? ''} ${what} → ${state}${did}`;
    });
    super(`${why}\n\n${list.join('\n')}\n\n${diagramOf(steps, why)}`);
  }
}

function diagramOf(steps: readonly Step[], why: string): string {
  const lines = ['sequenceDiagram', '  participant world', '  participant machine'];
  for (const { who, what, state, commands } of steps) {
    if (who !== undefined) lines.push(`  world->>machine: ${who} ${what}`);
    for (const command of commands) lines.push(`  machine->>world: ${command}`);
    lines.push(`  note right of machine: ${state}`);
  }
  lines.push(`  note over world,machine: ${(why.split('\n')[0] ?? '').replaceAll(';', ',')}`);
  return lines.join('\n');
}

/** What a check says by throwing: it becomes a {@link Violation}. */
export function must(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise);
}

/** More would be a mistake in the bounds. */
const STATES_MAX = 200_000;

type Taken = readonly [AnyMachineSnapshot, readonly EventObject[]];

const commandsOf = (actions: readonly { type: string; params?: unknown }[]): EventObject[] =>
  actions.flatMap(({ type, params }) => (type === 'xstate.emit' ? [(params as { event: EventObject }).event] : []));

/**
 * What the machine remembers, as far as it decides: numbers that only grow do not, nor why something happened, and beyond
 * the limit one attempt is like another.
 */
function memoryOf({ context }: AnyMachineSnapshot): string {
  const { settings, incarnation: _incarnation, cause, ...rest } = context as Record<string, unknown>;
  const { attemptsMax, bindAttempts } = settings as { attemptsMax?: number; bindAttempts?: number };
  const { attempts } = rest as { attempts?: number };
  const most = attemptsMax ?? bindAttempts ?? Number.POSITIVE_INFINITY;
  const counted = attempts === undefined ? undefined : Math.min(attempts, most);
  return JSON.stringify({ ...rest, attempts: counted, cause: cause !== undefined });
}

const keyOf = (snapshot: AnyMachineSnapshot): string => `${statePath(snapshot.value)} ${memoryOf(snapshot)}`;

/** The waits that run in a state. */
function timersOf(snapshot: AnyMachineSnapshot): string[] {
  if (snapshot.status !== 'active') return [];
  return snapshot._nodes.flatMap(({ id, config }) =>
    Object.keys((config as { after?: object }).after ?? {}).map((name) => `xstate.after.${name}.${id}`),
  );
}

/** @throws Violation with the shortest way to what must not be */
export function explore<W extends object>(machine: AnyStateMachine, input: unknown, model: WorldModel<W>): Explored {
  const taken = new Map<string, Taken>();
  const step = (snapshot: AnyMachineSnapshot, event: EventObject): Taken => {
    const key = `${keyOf(snapshot)} ${JSON.stringify(event)}`;
    let result = taken.get(key);
    if (result === undefined) {
      const [next, actions] = transition(machine, snapshot, event);
      result = [next as AnyMachineSnapshot, commandsOf(actions as never)];
      taken.set(key, result);
    }
    return result;
  };

  const nodes = new Map<string, Node<W>>();
  const queue: Node<W>[] = [];
  let transitions = 0;

  /** Has the machine take an event, and the world its commands, until nothing is reported at once any more. */
  const settle = (from: Node<W> | undefined, first: Taken, world: W, who: Who | undefined, what: string): Node<W> => {
    let [snapshot, commands] = first;
    let now = world;
    const reports: EventObject[] = [];
    const done: string[] = [];
    const told: string[] = [what];
    const made = (): Node<W> => {
      const state = statePath(snapshot.value);
      return { snapshot, world: now, from, step: { who, what: told.join(', '), state, commands: done }, next: [] };
    };
    try {
      for (;;) {
        for (const command of commands) {
          done.push(command.type);
          const effect = model.perform(now, command);
          now = effect.world;
          reports.push(...(effect.reports ?? []));
        }
        const report = reports.shift();
        if (report === undefined) break;
        told.push(report.type);
        [snapshot, commands] = step(snapshot, report);
        if (told.length > 50) throw new Error('It never comes to rest');
      }
      model.check(now, statePath(snapshot.value), snapshot.status === 'done', snapshot.context);
    } catch (error) {
      throw new Violation((error as Error).message, pathTo(made()));
    }
    return made();
  };

  const enter = (node: Node<W>): Node<W> => {
    const key = `${keyOf(node.snapshot)} ${JSON.stringify(node.world)}`;
    const known = nodes.get(key);
    if (known !== undefined) return known;
    if (nodes.size >= STATES_MAX) throw new Error(`More than ${STATES_MAX} states.`);
    nodes.set(key, node);
    queue.push(node);
    return node;
  };

  const follow = (node: Node<W>, { who, what, world, event }: Chance<W>): Node<W> => {
    transitions++;
    const first: Taken = event === undefined ? [node.snapshot, []] : step(node.snapshot, event);
    return enter(settle(node, first, world, who, what));
  };

  const [start, actions] = initialTransition(machine, input as never);
  enter(
    settle(undefined, [start as AnyMachineSnapshot, commandsOf(actions as never)], model.initial, undefined, 'start'),
  );
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    if (node.snapshot.status === 'done') continue;
    const state = statePath(node.snapshot.value);
    const chances = [...model.chances(node.world, state)];
    for (const type of timersOf(node.snapshot)) {
      chances.push({ who: 'time', what: type.slice('xstate.after.'.length), world: node.world, event: { type } });
    }
    for (const chance of chances) node.next.push({ who: chance.who, node: follow(node, chance) });
  }

  wayOut([...nodes.values()], model);
  return { states: nodes.size, transitions };
}

function pathTo<W>(node: Node<W>): Step[] {
  const steps: Step[] = [];
  for (let at: Node<W> | undefined = node; at !== undefined; at = at.from) steps.unshift(at.step);
  return steps;
}

/**
 * Time alone leads from every state to one where it may rest, or to its end: once that was asked for, only to the end.
 * Whoever else may act is not waited for.
 */
function wayOut<W extends object>(nodes: readonly Node<W>[], model: WorldModel<W>): void {
  const mayStay = ({ snapshot, world }: Node<W>): boolean =>
    snapshot.status === 'done' || model.mayRest(world, statePath(snapshot.value));
  const reaches = new Set(nodes.filter(mayStay));
  for (let size = -1; size !== reaches.size; ) {
    size = reaches.size;
    for (const node of nodes) {
      if (reaches.has(node)) continue;
      if (node.next.some(({ who, node: next }) => who === 'time' && reaches.has(next))) reaches.add(node);
    }
  }
  for (const node of nodes) {
    if (!reaches.has(node)) throw new Violation('From here time alone leads to no end, and no rest', pathTo(node));
  }
}
