import type { AnyStateMachine } from 'xstate';
import { OptionError, SockchartError } from '../errors.js';
import { integer } from '../options.js';
import { coverage, type Definition, describeTransition, reason } from './coverage.js';
import { type Driver, followPath } from './drive.js';
import { describePath, type ExploreOptions, type MachineGraph, type Path, Walk } from './graph.js';
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
  /** How long a step may take to happen on real sockets, in milliseconds. Default 2000: less than the test itself may take. */
  readonly patienceMs?: number;
}

/**
 * Registers one test for each path of a machine, and a last one that counts the transitions that were taken:
 * `transitions 15/16; never taken: open –pay→ paid [isEnough]`.
 *
 * Each path is replayed on the pure machine: no function action runs, no actor starts, and nothing is logged. With a
 * `driver`, the path is then taken on real sockets, and the last test counts only what happened there. A transition whose path
 * failed does not fail the last test as well. A machine that cannot be explored ({@link exploreMachine}) gets one test, which fails and says why.
 *
 * @throws OptionError for an option that cannot be right
 * @throws CompileError for a machine with parallel states
 * @example
 * ```ts
 * import { test } from 'vitest'; // or 'node:test', or '@jest/globals'
 *
 * testMachine(doorMachine, { test, input: { openMs: 1_000 } });
 * ```
 */
export function testMachine<M extends AnyStateMachine>(machine: M, options: TestMachineOptions<M>): void {
  const explored = explore(machine, options);
  const { test, driver, check, paths: choose = (graph) => graph.edgePaths(), patienceMs } = options;
  for (const name of ['test', 'driver', 'check', 'paths'] as const) {
    const value = options[name];
    if (typeof value !== 'function' && (name === 'test' || value !== undefined)) {
      throw new OptionError(name, value, name === 'test' ? 'the test() of vitest, node:test or Jest' : 'a function');
    }
  }
  if (!(explored instanceof Walk)) {
    test(`${machine.id}: explored`, () => Promise.reject(explored.error));
    return;
  }
  const walk = explored;
  const names = namesOf(machine);
  const transitionsMin = integer('transitionsMin', options.transitionsMin, names.size, 0, names.size);
  const paths = choose(walk);
  const taken = new Set<string>();
  /** What the paths take that were replayed: a real one may stop early, or fail. */
  const replayed = new Set<string>();
  /** What the paths would have taken that failed. Their own tests say why. */
  const failed = new Set<string>();
  /** Paths that failed before it was known what they take. */
  let unknown = 0;
  const stops: string[] = [];
  let left = paths.length;
  const running: Promise<unknown>[] = [];
  for (const path of paths) {
    test(`${machine.id}: ${describePath(path)}`, async () => {
      left--;
      unknown++;
      const model = replayPath(machine, options.input, path);
      unknown--;
      const names = model.steps.flatMap((step) => step.taken);
      for (const name of names) replayed.add(name);
      try {
        if (driver === undefined) for (const name of names) taken.add(name);
        check?.(model, path);
        if (driver === undefined) return;
        const drive = followPath(path, driver, taken, patienceMs);
        running.push(drive);
        const { stopped } = await drive;
        if (stopped !== undefined) stops.push(`${describePath(path)}: ${stopped}`);
      } catch (error) {
        for (const name of names) failed.add(name);
        throw error;
      }
    });
  }
  const inWalk = new Set([...walk.taken].flatMap((transition) => names.get(transition) ?? []));
  // Chosen paths, and real ones, may take fewer than the walk has found.
  const found = driver === undefined && options.paths === undefined ? '' : ' explored';
  test(`${machine.id}: ${coverage(machine, inWalk, found).line}`, async () => {
    // Where tests run side by side the paths may be under way.
    await Promise.allSettled(running);
    const { line, missing } = coverage(machine, taken);
    const whyNot = (transition: Definition): string => {
      const name = names.get(transition) as string;
      if (!walk.taken.has(transition) || left > 0) return reason(walk, transition, options);
      if (failed.has(name) || (unknown > 0 && !replayed.has(name))) return ITS_PATH_FAILED;
      if (!replayed.has(name)) return 'none of "paths" takes it; one of edgePaths() does';
      return reason(walk, transition, options);
    };
    const reasons = missing.map((transition) => ({ transition, why: whyNot(transition) }));
    const excused = reasons.filter(({ why }) => why === ITS_PATH_FAILED).length;
    if (taken.size + excused >= transitionsMin) return;
    const least = transitionsMin === names.size ? '' : `, of at least ${transitionsMin}`;
    throw new Error(
      [
        `${machine.id}: ${line}${least}`,
        ...reasons.map(({ transition, why }) => `  ${describeTransition(transition)}: ${why}`),
        ...(left > 0 ? [`${left} of ${paths.length} paths did not run.`] : []),
        ...(stops.length > 0 ? ['Paths that stopped early:', ...stops.map((stop) => `  ${stop}`)] : []),
      ].join('\n'),
    );
  });
}

/** Where the mistake is one of the machine, the other tests of the file have to run: an accepted table may say where it is. */
function explore<M extends AnyStateMachine>(machine: M, options: ExploreOptions<M>): Walk<M> | { error: unknown } {
  try {
    return new Walk(machine, options);
  } catch (error) {
    if (error instanceof SockchartError) throw error;
    return { error };
  }
}

/** That is a failure already, and no second one. */
const ITS_PATH_FAILED = 'its path failed, see above';
