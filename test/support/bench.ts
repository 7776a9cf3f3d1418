/** What every test on real sockets needs: peers that are cleaned up, and the proof that nothing was left open. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { Outcome, Servers } from '../../src/index.js';
import { CountingClock } from './clock.js';
import { blackhole, echo, type PeerServer, plainServer, refusingPort, tlsServer, type Where } from './peers.js';
import { until, within } from './wait.js';

interface Ended {
  readonly id: string;
  abort(): Promise<Outcome>;
}

const SOCKETS = new Set(['TCPSocketWrap', 'TCPServerWrap', 'PipeServerWrap', 'TCPConnectWrap', 'TLSWrap']);

/** Sockets and servers that are open in this process, and connects under way. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => SOCKETS.has(name)).length;
}

export class Bench {
  /** Give it to every handle: at the end, no timer may be left in it. */
  clock = new CountingClock();
  #handles: Ended[] = [];
  #sets: Servers[] = [];
  #peers: PeerServer[] = [];
  #sockets: Socket[] = [];
  #later: (() => unknown)[] = [];
  #before = 0;
  #folder: string | undefined;

  /** Ends this handle after the test, and checks that it left nothing. */
  keep<H extends Ended>(handle: H): H {
    this.#handles.push(handle);
    return handle;
  }

  /** Ends this set after the test: of a server that is ejected a timer is left otherwise. */
  keepSet(set: Servers): Servers {
    this.#sets.push(set);
    return set;
  }

  later(undo: () => unknown): void {
    this.#later.push(undo);
  }

  /** A path for a Unix socket. */
  path(name = 's'): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'sc-'));
    return join(this.#folder, name);
  }

  async peer(peer: PeerServer, where?: Where): Promise<PeerServer> {
    this.#peers.push(peer);
    return peer.listen(where);
  }

  server(handler: (socket: Socket, index: number) => void, where?: Where): Promise<PeerServer> {
    return this.peer(plainServer(handler), where);
  }

  echo(where?: Where): Promise<PeerServer> {
    return this.server(echo, where);
  }

  /** Accepts, and then neither reads nor writes nor ends. */
  silent(where?: Where): Promise<PeerServer> {
    return this.peer(
      plainServer(() => {}, true),
      where,
    );
  }

  /** Speaks first, and then ends, dies as soon as it may, or stays. */
  greeter(greeting: string, then: 'end' | 'reset' | 'stay', where?: Where): Promise<PeerServer> {
    return this.server((socket) => {
      if (then === 'end') socket.end(greeting);
      else if (then === 'stay') socket.write(greeting);
      // One turn later: a reset in the turn of the accept is a connect that failed.
      else socket.write(greeting, () => setImmediate(() => setImmediate(() => socket.resetAndDestroy())));
    }, where);
  }

  /** Accepts, and resets at the first byte. */
  resetter(where?: Where): Promise<PeerServer> {
    return this.server((socket) => void socket.once('data', () => socket.resetAndDestroy()), where);
  }

  tls(handler: (socket: Socket, index: number) => void = echo, where?: Where): Promise<PeerServer> {
    return this.peer(tlsServer(handler), where);
  }

  /** A port that refuses until somebody listens on it. */
  refusing(): Promise<number> {
    return refusingPort();
  }

  async blackhole(): Promise<number> {
    const { port, stop } = await blackhole();
    this.later(stop);
    return port;
  }

  /** Cleans up this socket. Its errors are no errors of the test. */
  own<S extends Socket>(socket: S): S {
    socket.on('error', () => {});
    this.#sockets.push(socket);
    return socket;
  }

  /** Dials without waiting; half open, so that it can read after its end. */
  dialing(where: Where): Socket {
    return this.own(
      connect(
        where.path === undefined
          ? { host: '127.0.0.1', ...where, port: where.port as number, allowHalfOpen: true }
          : { path: where.path, allowHalfOpen: true },
      ),
    );
  }

  async dial(where: Where): Promise<Socket> {
    const socket = this.dialing(where);
    await within(5_000, 'a connect', once(socket, 'connect'));
    return socket;
  }

  /** @internal */
  start(): void {
    this.clock = new CountingClock();
    this.#handles = [];
    this.#sets = [];
    this.#peers = [];
    this.#sockets = [];
    this.#later = [];
    this.#before = openSockets();
  }

  /** @internal */
  async finish(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (step: () => unknown): Promise<void> => {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    };
    for (const handle of this.#handles) {
      await attempt(() => within(5_000, `${handle.id} to end after an abort`, handle.abort()));
    }
    for (const set of this.#sets) set.end();
    for (const socket of this.#sockets) socket.destroy();
    // The library's side of everything is over: its peers must be able to see that without doing anything for it.
    for (const peer of this.#peers) await attempt(() => peer.left());
    await attempt(() => expect(this.clock.pending.size, 'timers that are still set').toBe(0));
    for (const peer of this.#peers) await attempt(() => peer.stop());
    for (const undo of this.#later.reverse()) await attempt(undo);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    await attempt(() => until('every socket to be closed', () => openSockets() <= this.#before));
    if (failures.length > 0) throw failures[0];
  }
}

/** Call it once at the top of a test file. */
export function useBench(): Bench {
  const bench = new Bench();
  beforeEach(() => bench.start());
  afterEach(() => bench.finish());
  return bench;
}
