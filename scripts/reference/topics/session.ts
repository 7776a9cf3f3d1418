/**
 * `createSession`: one client, joined to a server as a proxy joins its clients.
 *
 * @module
 */
export { createSession, Session, type SessionEvents, type SessionLimits, type SessionOptions } from 'sockchart';
