/**
 * The statecharts, pure: no `node:` import, no clock, no randomness. Each runs on a plain XState actor, and emits
 * its commands.
 *
 * @example
 * ```ts
 * import { createActor } from 'xstate';
 * import { clientMachine, NEVER_MS } from 'sockchart/machines';
 *
 * const settings = {
 *   acceptTimeout: 10_000,
 *   proxyHeaderTimeout: 5_000,
 *   idleTimeout: NEVER_MS,
 *   halfCloseTimeout: 60_000,
 *   closeTimeout: 10_000,
 *   abortTimeout: 1_000,
 *   lingerTimeout: 5_000,
 *   lingerMax: 30_000,
 * };
 * const actor = createActor(clientMachine, { input: { settings } });
 * actor.on('*', (command) => console.log(command.type)); // owner.accept, owner.admit
 * actor.start();
 * ```
 *
 * @module
 */
import { backendMachine } from './backend.js';
import { checkMachine } from './check.js';
import { clientMachine } from './client.js';
import { clusterMachine } from './cluster.js';
import { listenerMachine } from './listener.js';
import { nameMachine } from './name.js';
import { proxyMachine } from './proxy.js';
import { serverMachine } from './server.js';
import { sessionMachine } from './session.js';
import { workerMachine } from './worker.js';

export * from './backend.js';
export * from './check.js';
export * from './client.js';
export * from './cluster.js';
export * from './listener.js';
export type { Means } from './means.js';
export * from './name.js';
export * from './proxy.js';
export * from './server.js';
export * from './session.js';
export * from './vocabulary.js';
export * from './worker.js';

/** All of them, from the whole to its parts. */
export const machines = [
  clusterMachine,
  workerMachine,
  proxyMachine,
  listenerMachine,
  sessionMachine,
  clientMachine,
  backendMachine,
  serverMachine,
  checkMachine,
  nameMachine,
] as const;
