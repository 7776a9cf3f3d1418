/**
 * The five statecharts, pure: no `node:` import, no clock, no randomness. Each runs on a plain XState actor, and emits
 * its commands.
 *
 * @example
 * ```ts
 * import { createActor } from 'xstate';
 * import { clientMachine, NEVER_MS } from 'sockchart/machines';
 *
 * const settings = {
 *   acceptTimeout: 10_000,
 *   idleTimeout: NEVER_MS,
 *   halfCloseTimeout: 60_000,
 *   closeTimeout: 10_000,
 *   abortTimeout: 1_000,
 *   lingerTimeout: 5_000,
 *   lingerMax: 30_000,
 * };
 * const actor = createActor(clientMachine, { input: { settings } });
 * actor.on('*', (command) => console.log(command.type)); // owner.admit
 * actor.start();
 * ```
 *
 * @module
 */
export * from './backend.js';
export * from './client.js';
export * from './listener.js';
export * from './proxy.js';
export * from './session.js';
export * from './vocabulary.js';
