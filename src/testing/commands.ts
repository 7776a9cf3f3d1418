import type { AnyStateMachine, EventObject, InputFrom } from 'xstate';
import { Drive, type Driver, PATIENCE_MS } from './drive.js';
import { describeEvent, type ExploreOptions, type Path, Walk } from './graph.js';
import { Model } from './replay.js';

/** Options of {@link startWalk}. */
export interface WalkOptions<M extends AnyStateMachine> {
  /** The input of the machine. */
  readonly input: InputFrom<M>;
  /** Makes the events happen on real sockets; it gets an empty path. Default: only the pure machine is stepped. */
  readonly driver?: (path: Path) => Driver<M> | Promise<Driver<M>>;
  /** How long a step may take to happen on real sockets, in milliseconds. Default 2000. */
  readonly patienceMs?: number;
}

/** A machine that is stepped along, on real sockets where there is a driver. Made by {@link startWalk}. */
export interface RandomWalk<M extends AnyStateMachine> {
  /** The pure machine, as far as it has come. */
  readonly model: Model<M>;
  /**
   * Makes an event happen. A driver may say that it cannot happen any more; then nothing happens.
   *
   * @throws Error when it does not happen, or when the handle does something else than the machine
   */
  take(event: EventObject): Promise<void>;
  /**
   * Ends everything. Call it also after an error.
   *
   * @throws Error when the driver cannot end everything
   */
  end(): Promise<void>;
}

/** One event as fast-check's model runner wants it: an `AsyncCommand` whose model is a {@link RandomWalk}. */
export interface EventCommand<M extends AnyStateMachine> {
  /** The event. */
  readonly event: EventObject;
  /** Whether the event would do something now. */
  check(walk: RandomWalk<M>): boolean;
  /** Makes it happen. */
  run(walk: RandomWalk<M>): Promise<void>;
  /** The event in a few words. */
  toString(): string;
}

/** Starts a walk: a pure machine, and with a driver a handle on real sockets that must do the same. */
export async function startWalk<M extends AnyStateMachine>(
  machine: M,
  options: WalkOptions<M>,
): Promise<RandomWalk<M>> {
  const { input, driver, patienceMs = PATIENCE_MS } = options;
  if (driver === undefined) {
    const model = new Model(machine, input);
    return {
      model,
      take: async (event) => void model.send(event),
      end: async () => {},
    };
  }
  const drive = await Drive.start([], driver, patienceMs);
  return {
    model: drive.model,
    take: async (event) => void (await drive.take({ event, from: drive.model.state, to: '' })),
    end: () => drive.end(),
  };
}

/**
 * The events of a machine as commands for the model runner of fast-check: random walks beside the exhaustive ones. All
 * events are those that {@link exploreMachine} sends with the same options; the walks themselves are not bounded by `key`.
 *
 * @throws Error when the machine cannot be explored
 * @example
 * ```ts
 * import fc from 'fast-check';
 *
 * const options = { input: { openMs: 1_000 } };
 * const commands = commandsOf(doorMachine, options).map((command) => fc.constant(command));
 * await fc.assert(
 *   fc.asyncProperty(fc.commands(commands, { maxCommands: 100 }), async (steps) => {
 *     const walk = await startWalk(doorMachine, options);
 *     try {
 *       await fc.asyncModelRun(() => ({ model: walk, real: walk }), steps);
 *     } finally {
 *       await walk.end();
 *     }
 *   }),
 * );
 * ```
 */
export function commandsOf<M extends AnyStateMachine>(machine: M, options: ExploreOptions<M>): EventCommand<M>[] {
  return new Walk(machine, options).events().map((event) => commandFor(event));
}

/**
 * One event as a command, for payloads that fast-check makes up:
 * `fc.nat().map((amount) => commandFor<typeof doorMachine>({ type: 'pay', amount }))`.
 */
export function commandFor<M extends AnyStateMachine>(event: EventObject): EventCommand<M> {
  return {
    event,
    check: ({ model: { snapshot } }) => snapshot.status === 'active' && snapshot.can(event),
    run: (walk) => walk.take(event),
    toString: () => describeEvent(event),
  };
}
