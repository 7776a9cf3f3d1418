/**
 * `createSession`: one client, joined to a server as a proxy joins its clients.
 *
 * @module
 */
export {
  createSession,
  Session,
  type SessionEvents,
  type SessionHooks,
  type SessionLimits,
  type SessionOptions,
  type TransformHook,
  type TransformHooks,
} from 'sockchart';
