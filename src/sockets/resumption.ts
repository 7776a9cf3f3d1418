/**
 * TLS sessions towards servers: a connection that resumes one needs no certificate, and a round trip less. Rules:
 *
 * 1. One is kept for each server of a set, with its `tls` options: no other server, and no other options, ever see it.
 * 2. A resumption verifies no certificate. So only the session of a server that was verified is kept, and it is
 *    offered for an hour after that; a session that a resumed connection brings is as old as the first.
 * 3. A server that does not know it any more makes a full handshake. One that fails instead gets no other for an hour.
 */
import type { TLSSocket } from 'node:tls';
import type { CheckedServerTls } from '../tls.js';

const SESSION_MS = 3_600_000;

/** What is known for one server. */
interface Kept {
  session: Buffer | undefined;
  verifiedAt: number;
  /** When a server that failed at a resumption may be offered a session again. */
  restsUntil: number;
}

/** One connection. */
interface Resuming {
  readonly kept: Kept;
  readonly dialledAt: number;
  readonly offered: Buffer | undefined;
  /** When the server of the offered session was verified. */
  readonly verifiedAt: number;
}

const RESUMING = Symbol('sockchart.resuming');

type ResumingSocket = TLSSocket & { [RESUMING]?: Resuming; readonly secureConnecting?: boolean };

const sessions = new WeakMap<CheckedServerTls, Kept>();

/** A connection begins: what it may resume, if there is anything. */
export function resuming(tls: CheckedServerTls, now: number): Resuming | undefined {
  if (!tls.resume) return undefined;
  let kept = sessions.get(tls);
  if (kept === undefined) {
    kept = { session: undefined, verifiedAt: 0, restsUntil: 0 };
    sessions.set(tls, kept);
  }
  const isOffered = now < kept.verifiedAt + SESSION_MS && now >= kept.restsUntil;
  return { kept, dialledAt: now, offered: isOffered ? kept.session : undefined, verifiedAt: kept.verifiedAt };
}

/** Keeps the sessions that the server gives to this connection: one with TLS 1.2, several after a handshake of TLS 1.3. */
export function keepSessions(socket: TLSSocket, resuming: Resuming): void {
  (socket as ResumingSocket)[RESUMING] = resuming;
  socket.on('session', onSession);
  if (resuming.offered !== undefined) socket.on('close', onClose);
}

/** Node emits it only once the certificate was looked at. */
function onSession(this: ResumingSocket, session: Buffer): void {
  const { kept, dialledAt, verifiedAt } = this[RESUMING] as Resuming;
  if (!this.authorized) return;
  const since = this.isSessionReused() ? verifiedAt : dialledAt;
  if (since < kept.verifiedAt) return;
  kept.session = session;
  kept.verifiedAt = since;
}

function onClose(this: ResumingSocket): void {
  if (!this.secureConnecting) return;
  const { kept, offered, dialledAt } = this[RESUMING] as Resuming;
  if (kept.session === offered) kept.session = undefined;
  const { code } = (this.errored ?? {}) as NodeJS.ErrnoException;
  if (code?.startsWith('ERR_SSL_') === true) kept.restsUntil = dialledAt + SESSION_MS;
}
