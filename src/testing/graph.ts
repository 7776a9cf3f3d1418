/** Walks a machine. The only file that imports `@xstate/graph`. */
import { getAdjacencyMap, getSimplePaths } from '@xstate/graph';
import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  EventFromLogic,
  InputFrom,
  SnapshotFrom,
} from 'xstate';
import { refuseParallel, statePath } from '../runtime/xstate.js';

/** Options of {@link exploreMachine}. */
export interface ExploreOptions<M extends AnyStateMachine> {
  /** The input of the machine. */
  readonly input: InputFrom<M>;
  /**
   * What tells two snapshots of one state apart, such as a counter that a guard reads, with a bound: everything that
   * it may say multiplies the paths. Default: nothing.
   */
  readonly key?: (snapshot: SnapshotFrom<M>) => string | number;
  /** The events to send for a type, in a snapshot; none to leave it out. Default: one with nothing but its type. */
  readonly events?: (type: string, snapshot: SnapshotFrom<M>) => readonly EventFromLogic<M>[];
  /** Gives up after this many steps: a counter that `key` does not bound never ends. Default 100 000. */
  readonly stepsMax?: number;
}

/** One step of a path: an event, and where it leads. Timers are events too: `xstate.after.<timer>.<state id>`. */
export interface Step {
  /** The event. */
  readonly event: { readonly type: string };
  /** The state before, as a path. */
  readonly from: string;
  /** The state after, as a path. */
  readonly to: string;
}

/** Steps from the initial state. */
export type Path = readonly Step[];

/** All that a machine can do within bounds. Made by {@link exploreMachine}. */
export interface MachineGraph {
  /** How many snapshots can be reached, as told apart by `key`. */
  readonly states: number;
  /** How many ways lead from one of them to another, or back to itself. */
  readonly edges: number;
  /** The fewest paths that take every edge: the shortest way to it, and the edge. */
  edgePaths(): Path[];
  /** Every path that visits no snapshot twice; those that another one begins with are left out. */
  simplePaths(): Path[];
}

/**
 * Walks a machine from its initial state, through every event that some state acts on, timers included.
 *
 * @throws Error when it has not seen all after `stepsMax` steps
 * @throws CompileError for a machine with parallel states
 * @example
 * ```ts
 * const graph = exploreMachine(doorMachine, { input: undefined });
 * for (const path of graph.edgePaths()) {
 *   test(describePath(path), () => replay(doorMachine, undefined, path.map(({ event }) => event)));
 * }
 * ```
 */
export function exploreMachine<M extends AnyStateMachine>(machine: M, options: ExploreOptions<M>): MachineGraph {
  refuseParallel(machine.root);
  const { input, key = () => '', stepsMax = 100_000 } = options;
  const { events = (type: string) => [{ type } as EventFromLogic<M>] } = options;
  const traversal = {
    input,
    limit: stepsMax,
    serializeState: (snapshot: SnapshotFrom<M>) => `${pathOf(snapshot)} ${key(snapshot)}`,
    events: (snapshot: SnapshotFrom<M>) =>
      actedOn(snapshot)
        .flatMap((type) => [...events(type, snapshot)])
        .filter((event) => (snapshot as AnyMachineSnapshot).can(event)),
  };
  const adjacency = getAdjacencyMap(machine, traversal as never) as unknown as Record<
    string,
    { state: SnapshotFrom<M>; transitions: Record<string, { event: { type: string }; state: SnapshotFrom<M> }> }
  >;
  const nodes = Object.values(adjacency);
  return {
    states: nodes.length,
    edges: nodes.reduce((sum, { transitions }) => sum + Object.keys(transitions).length, 0),
    edgePaths: () => {
      const shortest = new Map<string, Path>([[Object.keys(adjacency)[0] as string, []]]);
      const paths: Path[] = [];
      for (const [name, way] of shortest) {
        const { state, transitions } = adjacency[name] as (typeof nodes)[number];
        for (const { event, state: next } of Object.values(transitions)) {
          const path = [...way, { event, from: pathOf(state), to: pathOf(next) }];
          paths.push(path);
          const nextName = traversal.serializeState(next);
          // A Map is walked in the order of insertion, and so breadth first.
          if (!shortest.has(nextName)) shortest.set(nextName, path);
        }
      }
      return withoutBeginnings(paths);
    },
    simplePaths: () =>
      withoutBeginnings(
        getSimplePaths(machine, traversal as never).map(({ steps }) => {
          let from = '';
          const path: Step[] = [];
          for (const { event, state } of steps) {
            const to = pathOf(state as SnapshotFrom<M>);
            if (event.type !== 'xstate.init') path.push({ event, from, to });
            from = to;
          }
          return path;
        }),
      ),
  };
}

/** A path in one line: `connecting –socket.connected→ preparing –prepareTimeout→ …`. */
export function describePath(path: Path): string {
  const [first] = path;
  if (first === undefined) return '(no step)';
  return path.reduce((line, { event, to }) => `${line} –${shortName(event.type)}→ ${to}`, first.from);
}

/** `xstate.after.connectTimeout.backend.active.connecting` is `connectTimeout`. */
export function shortName(type: string): string {
  return /^xstate\.after\.([^.]+)\./.exec(type)?.[1] ?? type;
}

/**
 * The names of all transitions of a machine that do something: `backend.active.waiting backend.retry #0`, where the
 * number tells apart those that guards choose between.
 */
export function transitionsOf(machine: AnyStateMachine): Map<unknown, string> {
  const names = new Map<unknown, string>();
  const visit = (node: AnyStateNode): void => {
    const all = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
    const counts = new Map<string, number>();
    for (const transition of new Set(all)) {
      const type = transition.eventType === '' ? 'always' : shortName(transition.eventType);
      const number = counts.get(type) ?? 0;
      counts.set(type, number + 1);
      if (transition.target !== undefined || transition.actions.length > 0) {
        names.set(transition, `${node.id} ${type} #${number}`);
      }
    }
    for (const child of Object.values(node.states) as AnyStateNode[]) visit(child);
  };
  visit(machine.root);
  return names;
}

function pathOf(snapshot: AnyMachineSnapshot): string {
  return statePath(snapshot.value);
}

/** The event types that the state, or one above it, acts on. */
function actedOn(snapshot: AnyMachineSnapshot): string[] {
  if (snapshot.status !== 'active') return [];
  const nodes = snapshot._nodes as AnyStateNode[];
  return [...new Set(nodes.flatMap((node) => node.ownEvents as string[]))];
}

/** Leaves out each path that is how another one begins. */
function withoutBeginnings(paths: readonly Path[]): Path[] {
  const text = (path: Path): string => path.map(({ event, to }) => `${JSON.stringify(event)}${to}`).join('\n');
  const sorted = paths.map((path) => ({ path, line: `${text(path)}\n` })).sort((a, b) => (a.line < b.line ? -1 : 1));
  return sorted.filter(({ line }, index) => sorted[index + 1]?.line.startsWith(line) !== true).map(({ path }) => path);
}
