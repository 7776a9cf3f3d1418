/// <reference types="node" preserve="true" />
/**
 * What this library is tested with, for machines and adapters of your own: walk a machine, replay its paths on the
 * pure machine, and take the same paths for real.
 *
 * @module
 */
export { fireTimer, ManualClock } from './clock.js';
export {
  commandFor,
  commandsOf,
  type EventCommand,
  type RandomWalk,
  startWalk,
  type WalkOptions,
} from './commands.js';
export { type Driven, type Driver, drivePath } from './drive.js';
export {
  describePath,
  type ExploreOptions,
  exploreMachine,
  type MachineGraph,
  type Path,
  type Step,
  shortName,
  transitionsOf,
} from './graph.js';
export { Model, type ReplayedStep, replay } from './replay.js';
export { type PeerMove, type SocketDriverOptions, socketDriver } from './socket-driver.js';
export { type TestMachineOptions, testMachine } from './suite.js';
export { acceptTable } from './table.js';
