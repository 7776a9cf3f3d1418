/** TLS sessions of the clients of one listener, kept here instead of in tickets: the least recently used goes first. */
import type { Server as TlsServer } from 'node:tls';

interface Entry {
  readonly session: Buffer;
  readonly until: number;
}

/** How OpenSSL writes the version of a session of TLS 1.3, near its beginning. Node finds such a session by no id. */
const TLS13 = Buffer.from([0x02, 0x02, 0x03, 0x04]);
const HEAD_BYTES = 16;

/** The sessions that a listener keeps. */
export class SessionCache {
  readonly #entries = new Map<string, Entry>();
  readonly #entriesMax: number;
  #ageMs: number;
  readonly #now: () => number;

  constructor(entriesMax: number, ageMs: number, now: () => number) {
    this.#entriesMax = entriesMax;
    this.#ageMs = ageMs;
    this.#now = now;
  }

  /** Has a server use it. */
  serve(server: TlsServer): void {
    server.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
      this.#put(id.toString('latin1'), session);
      done();
    });
    server.on('resumeSession', (id: Buffer, answer: (error: Error | null, session: Buffer | null) => void) => {
      answer(null, this.#get(id.toString('latin1')));
    });
  }

  /** No client resumes a session of before; those that follow live for `ageMs`. */
  restart(ageMs: number): void {
    this.#entries.clear();
    this.#ageMs = ageMs;
  }

  #put(id: string, session: Buffer): void {
    if (session.subarray(0, HEAD_BYTES).includes(TLS13)) return;
    const entries = this.#entries;
    entries.delete(id);
    entries.set(id, { session, until: this.#now() + this.#ageMs });
    if (entries.size <= this.#entriesMax) return;
    const [longest] = entries.keys();
    entries.delete(longest as string);
  }

  #get(id: string): Buffer | null {
    const entries = this.#entries;
    const entry = entries.get(id);
    if (entry === undefined) return null;
    entries.delete(id);
    if (this.#now() >= entry.until) return null;
    entries.set(id, entry);
    return entry.session;
  }
}
