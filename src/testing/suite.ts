import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from 'xstate';
import { OptionError } from '../errors.js';
import { integer } from '../options.js';
import { type Driver, drivePath } from './drive.js';
import { describePath, type ExploreOptions, type MachineGraph, type Path, shortName, Walk } from './graph.js';
import { type Model, namesOf, replayPath } from './replay.js';

/** Options of {@link testMachine}. */
export interface TestMachineOptions<M extends AnyStateMachine> extends ExploreOptions<M> {
  /** The `test` of vitest, of `node:test` or of Jest: it gets a name and an async function without parameters. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /** Makes the events of a path happen on real sockets, see {@link drivePath}. Default: each path is only replayed. */
  readonly driver?: (path: Path) => Driver<M> | Promise<Driver<M>>;
  /** Checks what must hold after each replayed path, such as that what was opened is closed: it throws where it does not. */
  readonly check?: (model: Model<M>, path: Path) => void;
  /** The paths to test. Default: `(graph) => graph.edgePaths()`. */
  readonly paths?: (graph: MachineGraph) => readonly Path[];
  /** The last test fails when fewer transitions were taken. Default: all that the machine has. */
  readonly transitionsMin?: number;
  /** How long a step may take to happen on real sockets, in milliseconds. Default 5000. */
  readonly patienceMs?: number;
}

/**
 * Registers one test for each path of a machine, and a last one that counts the transitions that were taken:
 * `transitions 15/16; never taken: open –pay→ paid [isEnough]`.
 *
 * Each path is replayed on the pure machine: no function action runs, no actor starts, and nothing is logged. With a
 * `driver`, the path is then taken on real sockets, and the last test counts only what happened there.
 *
 * @throws Error when the machine cannot be explored, see {@link exploreMachine}
 * @throws OptionError for an option that cannot be right
 * @example
 * ```ts
 * import { test } from 'vitest'; // or 'node:test', or '@jest/globals'
 *
 * testMachine(doorMachine, { test, input: { openMs: 1_000 } });
 * ```
 */
export function testMachine<M extends AnyStateMachine>(machine: M, options: TestMachineOptions<M>): void {
  const walk = new Walk(machine, options);
  const { test, driver, check, paths: choose = (graph) => graph.edgePaths(), patienceMs } = options;
  for (const name of ['test', 'driver', 'check', 'paths'] as const) {
    const value = options[name];
    if (typeof value !== 'function' && (name === 'test' || value !== undefined)) {
      throw new OptionError(name, value, name === 'test' ? 'the test() of vitest, node:test or Jest' : 'a function');
    }
  }
  const names = namesOf(machine);
  const transitionsMin = integer('transitionsMin', options.transitionsMin, names.size, 0, names.size);
  const paths = choose(walk);
  const taken = new Set<string>();
  /** What the paths take that were replayed: a real one may stop early. */
  const replayed = new Set<string>();
  const stops: string[] = [];
  let left = paths.length;
  const running: Promise<unknown>[] = [];
  for (const path of paths) {
    test(`${machine.id}: ${describePath(path)}`, async () => {
      left--;
      const model = replayPath(machine, options.input, path);
      for (const step of model.steps) for (const name of step.taken) replayed.add(name);
      check?.(model, path);
      if (driver === undefined) {
        for (const step of model.steps) for (const name of step.taken) taken.add(name);
        return;
      }
      const drive = drivePath(path, driver, patienceMs);
      running.push(drive);
      const driven = await drive;
      for (const name of driven.taken) taken.add(name);
      if (driven.stopped !== undefined) stops.push(`${describePath(path)}: ${driven.stopped}`);
    });
  }
  const inWalk = new Set([...walk.taken].flatMap((transition) => names.get(transition) ?? []));
  test(`${machine.id}: ${coverage(machine, inWalk).line}`, async () => {
    // Where tests run side by side the paths may be under way.
    await Promise.allSettled(running);
    const { line, missing } = coverage(machine, taken);
    if (taken.size >= transitionsMin) return;
    const least = transitionsMin === names.size ? '' : `, of at least ${transitionsMin}`;
    throw new Error(
      [
        `${machine.id}: ${line}${least}`,
        ...missing.map((transition) => {
          const isLeftOut = left === 0 && walk.taken.has(transition) && !replayed.has(names.get(transition) as string);
          const why = isLeftOut
            ? 'none of "paths" takes it; one of edgePaths() does'
            : reason(walk, transition, options);
          return `  ${describeTransition(transition)}: ${why}`;
        }),
        ...(left > 0 ? [`${left} of ${paths.length} paths did not run.`] : []),
        ...(stops.length > 0 ? ['Paths that stopped early:', ...stops.map((stop) => `  ${stop}`)] : []),
      ].join('\n'),
    );
  });
}

/** A transition as a machine has it. */
interface Definition {
  readonly source: AnyStateNode;
  readonly target: readonly AnyStateNode[] | undefined;
  readonly eventType: string;
  readonly guard: unknown;
  readonly actions: readonly unknown[];
}

function coverage(machine: AnyStateMachine, taken: ReadonlySet<string>): { line: string; missing: Definition[] } {
  const names = namesOf(machine);
  const missing = [...names].filter(([, name]) => !taken.has(name)).map(([transition]) => transition as Definition);
  const never = missing.length === 0 ? '' : `; never taken: ${missing.map(describeTransition).join(', ')}`;
  return { line: `transitions ${names.size - missing.length}/${names.size}${never}`, missing };
}

/** `waiting –retry→ failed [isExhausted]`. */
function describeTransition({ source, target, eventType, guard }: Definition): string {
  const event = eventType === '' ? 'always' : shortName(eventType);
  const to = target?.map(pathOf).join(', ') ?? pathOf(source);
  return `${pathOf(source)} –${event}→ ${to}${guard === undefined ? '' : ` [${guardName(guard)}]`}`;
}

const pathOf = ({ path, machine }: AnyStateNode): string => (path.length === 0 ? machine.id : path.join('.'));

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  const { type, name } = guard as { type?: string; name?: string };
  return type ?? (name || 'a guard');
}

/** Why the walk did not take a transition, and what would help. */
function reason<M extends AnyStateMachine>(
  walk: Walk<M>,
  transition: Definition,
  options: TestMachineOptions<M>,
): string {
  const { source, eventType, guard } = transition;
  if (walk.taken.has(transition)) return 'it was explored, and did not happen';
  const isIn = (snapshot: AnyMachineSnapshot): boolean => snapshot._nodes.includes(source);
  if (![...walk.places.values()].some(({ snapshot }) => isIn(snapshot))) return `no path enters ${pathOf(source)}`;
  if (guard === undefined) return 'another transition takes the event first';
  const reads = readsOf(walk.machine, guard, eventType);
  const advice: string[] = [];
  const fields = walk.untold().filter((field) => reads.context.has(field));
  const from = fields.map((field) => `context.${field}`);
  if (fields.length > 0) {
    const key = fields.length === 1 ? from[0] : `\`${from.map((field) => `\${${field}}`).join(' ')}\``;
    advice.push(`"key" does not tell ${fields.join(', ')} apart, so give key: ({ context }) => ${key}`);
  }
  if (reads.event.size > 0) {
    const payload = options.events === undefined ? 'the event had nothing but its type, so give' : 'give';
    advice.push(`${payload} one whose ${[...reads.event].join(', ')} the guard accepts, by "events"`);
  }
  return ['its guard was never true', ...advice].join('; ');
}

type Guard = ((given: object, params: unknown) => unknown) & { guards?: readonly unknown[]; check?: unknown };

/** The fields of the context and of the event that a guard looks at. */
function readsOf(
  machine: AnyStateMachine,
  guard: unknown,
  eventType: string,
): { context: Set<string>; event: Set<string> } {
  const reads = { context: new Set<string>(), event: new Set<string>() };
  const noting = (fields: Set<string>, known: object): object =>
    new Proxy(known, {
      get(_, field) {
        if (field in known) return Reflect.get(known, field);
        fields.add(String(field));
        return undefined;
      },
    });
  const ask = (one: unknown): void => {
    const { type, params } = (typeof one === 'object' ? one : { type: one }) as { type: unknown; params?: unknown };
    const run = (typeof type === 'string' ? machine.implementations.guards[type] : type) as Guard | undefined;
    if (run?.guards !== undefined) run.guards.forEach(ask);
    else if (typeof run === 'function' && run.check === undefined) {
      try {
        const given = { context: noting(reads.context, {}), event: noting(reads.event, { type: eventType }) };
        run(given, typeof params === 'function' ? params(given) : params);
      } catch {
        // What it has read until then is enough.
      }
    }
  };
  ask(guard);
  return reads;
}
