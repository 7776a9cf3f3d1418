/** What the drivers of all machines share: real peers on loopback that do only what they are told. */
import { constants } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type TlsOptions, connect as tlsConnect } from 'node:tls';
import { expect } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import type { Backend } from '../../src/adapters/backend.js';
import { type ClientConfig, overTls } from '../../src/adapters/client.js';
import type { Clock } from '../../src/runtime/clock.js';
import type { RunningTimer } from '../../src/runtime/instance.js';
import { Handshakes } from '../../src/sockets/handshake.js';
import { rawOf, reset } from '../../src/sockets/socket.js';
import {
  type Driver,
  describePath,
  drivePath,
  type ManualClock,
  type Path,
  type Step,
  shortName,
  transitionsOf,
} from '../../src/testing/index.js';
import { type CheckedServerTls, type ListenTls, type ServerTls, serverTls } from '../../src/tls.js';
import type { Choice } from '../../src/upstream/requester.js';
import type { Server } from '../../src/upstream/server.js';
import { Servers } from '../../src/upstream/servers.js';
import { CERTIFICATE, refusingPort } from '../support/peers.js';

const HOST = '127.0.0.1';

type Perform = (step: Step, index: number) => unknown;

/** What makes each type of event happen; a string says why that is impossible after the steps before. */
export type Performances = Record<string, Perform>;

/** A set of servers that answers when it is told to. */
export class ScriptedServers extends Servers {
  #answer: Choice | undefined;

  /** The server of a loopback, and one that nobody listens at. */
  static of({ port, deadPort, shared }: Loopback, clock: Clock): ScriptedServers {
    const servers = new ScriptedServers([{ port }, { port: deadPort }], { clock });
    if (shared !== undefined) Object.assign(servers.list[0] as Server, { tls: shared });
    return servers;
  }

  override choose(): Choice {
    const answer = this.#answer ?? ({ kind: 'full' } as const);
    this.#answer = undefined;
    if (answer.kind === 'chosen') answer.server.connections++;
    return answer;
  }

  answer(backend: Backend, choice: Choice): void {
    this.#answer = choice;
    backend.serverFreed();
  }

  /** No server may be tried: nobody may even open a socket there. */
  refuse(backend: Backend): void {
    this.answer(backend, { kind: 'exhausted', cause: { initiator: 'system', manner: 'error', code: 'EACCES' } });
  }
}

export type Over = 'TCP' | 'TLS';

/**
 * No tickets after the handshake: with a reset in the same poll, Node 20 and 22 would take them for data and an end, and
 * once our own end is out nobody can tell.
 */
const SAYS_NOTHING = { maxVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET };

/** Made once: it costs more than a handshake. */
const TRUST = createSecureContext({ ca: CERTIFICATE.cert });

/** A server whose sockets do only what they are told, accepted sockets for whoever wants one, and a dead port. */
export class Loopback {
  /** The server's ends that live, and the newest by the port of the other end: ports are used again. */
  readonly #live = new Set<Socket>();
  readonly #byPort = new Map<number, Socket>();
  readonly #server: NetServer;
  readonly #front: NetServer;
  /** Nobody listens there, and nobody else can: it is the local port of a connection that lives. */
  deadPort = 0;
  #dead: Socket | undefined;
  /** What a server of this loopback is dialled with, and what a client's raw socket is handed to. */
  readonly tls: ServerTls | undefined;
  /** The same, checked once for all paths: that costs more than what most of them do. */
  readonly shared: CheckedServerTls | undefined;
  readonly handshakes: Handshakes | undefined;
  /** What a listener is told to speak as these pairs do. */
  readonly listenTls: ListenTls | undefined;

  private constructor(front: Over, back: Over) {
    const options = { allowHalfOpen: true, noDelay: true };
    const accept = (socket: Socket): void => {
      quieten(socket);
      this.#live.add(socket);
      socket.on('close', () => this.#live.delete(socket));
      this.#byPort.set(socket.remotePort as number, socket);
      this.#server.emit('arrived', socket);
    };
    if (back === 'TLS') {
      this.#server = createTlsServer({ ...options, ...CERTIFICATE, ...SAYS_NOTHING } as TlsOptions, accept);
      this.tls = { ca: CERTIFICATE.cert };
      this.shared = serverTls('tls', this.tls, HOST);
    } else {
      this.#server = createServer(options, accept);
    }
    if (front === 'TLS') {
      this.listenTls = CERTIFICATE;
      this.handshakes = new Handshakes(CERTIFICATE);
    }
    this.#front = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  }

  /** @param front what its pairs speak; @param back what its server speaks */
  static async create(front: Over = 'TCP', back: Over = front): Promise<Loopback> {
    const loopback = new Loopback(front, back);
    for (const server of [loopback.#server, loopback.#front]) {
      server.listen(0, HOST);
      await once(server, 'listening');
    }
    const arrived = once(loopback.#front, 'connection') as Promise<[Socket]>;
    loopback.#dead = await dial(portOf(loopback.#front));
    loopback.#live.add((await arrived)[0]);
    loopback.deadPort = loopback.#dead.localPort as number;
    return loopback;
  }

  get port(): number {
    return portOf(this.#server);
  }

  /** The server's end of a socket, which may take a moment to arrive. */
  async peerOf(socket: Socket): Promise<Socket> {
    const localPort = socket.localPort as number;
    for (;;) {
      const peer = this.#byPort.get(localPort);
      if (peer !== undefined && !peer.destroyed) return peer;
      await once(this.#server, 'arrived');
    }
  }

  /** Ends the server's ends of a path, so that the next socket that gets the same port is not taken for the other end of one. */
  dropPeers(): void {
    for (const peer of this.#byPort.values()) peer.destroy();
    this.#byPort.clear();
  }

  /** A connection: the end that was accepted, untouched and paused, and the end of its peer. */
  async pair(): Promise<{ accepted: Socket; peer: Socket }> {
    const arrived = once(this.#front, 'connection');
    const peer = await this.dial(portOf(this.#front));
    const [accepted] = (await arrived) as [Socket];
    return { accepted, peer };
  }

  /** The same, and over TLS the peer has not begun its handshake: {@link secure} does. */
  async rawPair(): Promise<{ accepted: Socket; peer: Socket }> {
    const arrived = once(this.#front, 'connection');
    const peer = await dial(portOf(this.#front));
    const [accepted] = (await arrived) as [Socket];
    return { accepted, peer };
  }

  /** The same configuration for the clients of these pairs. */
  over(config: ClientConfig): ClientConfig {
    return this.handshakes === undefined ? config : overTls(config, this.handshakes);
  }

  /** The peer's end of a new connection; over TLS, its handshake has begun. */
  async dial(port: number): Promise<Socket> {
    return this.secure(await dial(port));
  }

  /** Begins the handshake of a peer's end. */
  secure(raw: Socket): Socket {
    if (this.handshakes === undefined || raw.destroyed) return raw;
    const peer = tlsConnect({ socket: raw, secureContext: TRUST, servername: 'localhost' });
    peer.allowHalfOpen = true;
    quieten(peer);
    return peer;
  }

  async dispose(): Promise<void> {
    this.#dead?.destroy();
    for (const server of [this.#server, this.#front]) {
      const closed = once(server, 'close');
      server.close();
      for (const socket of this.#live) socket.destroy();
      await closed;
    }
  }
}

/** A name that resolves when it is told to: until then, a server is binding. */
export class SlowName {
  readonly #lookup = dns.lookup;
  readonly #waiting: (() => void)[] = [];

  constructor(readonly name: string) {
    const lookup = this.#lookup as (...args: unknown[]) => void;
    dns.lookup = ((host: string, ...rest: unknown[]) => {
      const answer = rest.at(-1) as (error: null, address: string, family: number) => void;
      if (host === name) this.#waiting.push(() => answer(null, HOST, 4));
      else lookup(host, ...rest);
    }) as typeof dns.lookup;
  }

  resolve(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  dispose(): void {
    dns.lookup = this.#lookup;
  }
}

/** A port that is free or taken, as one wants. */
export class Port {
  #holder: NetServer;
  number = 0;

  private constructor() {
    this.#holder = createServer(quieten);
  }

  static async create(): Promise<Port> {
    const port = new Port();
    // No outgoing connection, of whatever program, takes it while it is free.
    port.number = await refusingPort();
    await port.take();
    return port;
  }

  async take(): Promise<void> {
    if (this.#holder.listening) return;
    this.#holder.listen(this.number, HOST);
    await once(this.#holder, 'listening');
    this.number = portOf(this.#holder);
  }

  free(): void {
    if (this.#holder.listening) this.#holder.close();
  }
}

export function portOf(server: NetServer): number {
  return (server.address() as AddressInfo).port;
}

/** The peer's end of a new connection, which may have been reset already. */
async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: HOST, port, allowHalfOpen: true, noDelay: true });
  quieten(socket);
  await once(socket, 'connect').catch(() => {});
  return socket;
}

/** Waits for the end of a handshake that was begun in this turn, or whose other side has not heard of it yet. */
export async function shaken(peer: Socket): Promise<void> {
  if (rawOf(peer) === undefined || peer.closed) return;
  await Promise.race([once(peer, 'secureConnect'), once(peer, 'close')]).catch(() => {});
}

/** A peer resets its end: over TLS, the connection below. */
export function resetPeer(peer: Socket | undefined): void {
  if (peer === undefined) return;
  if (rawOf(peer) === undefined) peer.resetAndDestroy();
  else reset(peer);
}

/** Whether a socket is being destroyed: over TLS, also where the connection below was reset. */
export function isDestroyed(socket: Socket): boolean {
  return socket.destroyed || rawOf(socket)?.destroyed === true;
}

/** Reads and forgets: a peer's errors are its own affair, and what nobody reads hides how a stream ends. */
function quieten(socket: Socket): void {
  socket.on('error', () => {});
  socket.resume();
}

/** Writes until an error says that the peer is gone: a reset after its FIN is seen by nothing else. */
export async function writeUntilRefused(socket: Socket): Promise<void> {
  while (!socket.destroyed) {
    socket.write('x');
    await new Promise(setImmediate);
  }
}

/** Waits for a socket that is being destroyed. */
export async function gone(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

export interface Gate<T = void> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

/** A promise that somebody else settles. */
export function gate<T = void>(): Gate<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Performs a step as the table says; a timer that is not in it, by letting its time pass, and not a millisecond less. */
export function performer(
  handle: { readonly state: string; timers(): RunningTimer[] },
  clock: ManualClock,
  table: Performances,
): Perform {
  return (step, index) => {
    const name = shortName(step.event.type);
    const perform = table[name];
    if (perform !== undefined) return perform(step, index);
    const timer = handle.timers().find((running) => running.name === name);
    if (timer === undefined) return `no timer runs for ${name}`;
    const { state } = handle;
    clock.advance(timer.remainingMs - 1);
    if (handle.state !== state || !handle.timers().some((running) => running.name === name)) {
      throw new Error(`${name} fired a millisecond too early`);
    }
    clock.advance(1);
    return undefined;
  };
}

/** Lets time pass in which nothing moves, until that is found out. */
export function stayStill(handle: { state: string; timers(): RunningTimer[] }, clock: ManualClock): string | undefined {
  const { state } = handle;
  for (let probes = 0; probes < 8; probes++) {
    const probe = handle.timers().find(({ name }) => /Probe$|^lingerTimeout$/.test(name));
    if (probe === undefined) return 'no probe runs';
    clock.advance(probe.remainingMs);
    if (handle.state !== state) return undefined;
  }
  return 'something moved';
}

export function expectNothingLeft(clock: ManualClock, servers: readonly Servers[] = []): void {
  for (const { name, connections } of servers.flatMap(({ list }) => list)) {
    if (connections !== 0) throw new Error(`${name} counts ${connections} connections that are gone`);
  }
  // A server that was ejected has a timer of its own.
  for (const set of servers) set.end();
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
}

/** Takes paths for real, one after the other; notes the transitions taken, and prints how far it came. */
export async function takePaths<M extends AnyStateMachine>(
  name: string,
  paths: readonly Path[],
  makeDriver: (path: Path) => Driver<M> | Promise<Driver<M>>,
  taken: Set<string>,
): Promise<void> {
  let steps = 0;
  let stopped = 0;
  for (const path of paths) {
    const driven = await drivePath(path, makeDriver, 10_000).catch((error: Error) => {
      throw new Error(`on the path ${describePath(path)}: ${(error as Error).message}`, { cause: error });
    });
    steps += driven.steps;
    for (const transition of driven.taken) taken.add(transition);
    if (driven.stopped !== undefined) stopped++;
  }
  console.log(`${name}: ${paths.length} paths, ${steps} steps on real sockets; ${stopped} stopped early`);
}

/** Every transition was taken, but those that no real socket can make: each of them is listed with the reason. */
export function expectTaken(
  machine: AnyStateMachine,
  taken: ReadonlySet<string>,
  impossible: Readonly<Record<string, string>> = {},
): void {
  const missing = [...transitionsOf(machine).values()].filter((name) => !taken.has(name));
  expect(missing.sort()).toEqual(Object.keys(impossible).sort());
}
