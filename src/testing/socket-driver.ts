/** Drives the paths of a machine that is attached to a socket: on loopback sockets, with a peer that does what a step asks for. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { AnyStateMachine, InputFrom } from 'xstate';
import type { Attached, SocketUse } from '../adapters/attach.js';
import { fireTimer, ManualClock } from './clock.js';
import type { Driver } from './drive.js';
import type { Path, Step } from './graph.js';
import { leakOf } from './leak.js';
import { Leftovers } from './leftovers.js';

/**
 * What the peer does for an event to happen: `connects` means that it takes the connection, `ends` that it sends a FIN,
 * `resets` that it resets the connection, or refuses it where there is none yet, `sends` that it sends these bytes. A function gets the peer's socket
 * and the step, and may do anything else.
 */
export type PeerMove =
  | 'connects'
  | 'ends'
  | 'resets'
  | { readonly sends: string | Uint8Array }
  | ((peer: Socket, step: Step) => unknown);

/** Options of {@link socketDriver}. */
export interface SocketDriverOptions<M extends AnyStateMachine> {
  /** The machine. */
  readonly machine: M;
  /** The input that {@link attach} starts it with. */
  readonly input?: InputFrom<M> | undefined;
  /** Attaches the machine to sockets that are dialled to this port of 127.0.0.1, with this clock. */
  readonly attach: (port: number, clock: ManualClock) => Attached<M>;
  /** By the type of an event: what the peer does for it. Any other event is sent to the instance, and timers fire by the clock. */
  readonly peer: Readonly<Record<string, PeerMove>>;
}

/**
 * Makes a driver for {@link drivePath}: each path has a server, a clock and an instance of its own.
 *
 * After a path whose machine has ended, no timer may be set, and the machine must not have left its socket open. After each step, a machine that
 * goes on must not rest with a socket open where a timer opens another one without a command for this one, nor in a state
 * without the tag `holdsSocket` if some state has that tag. After any path no timer of Node's may run that was started on it, such as that of an actor whose function returns nothing that clears it.
 *
 * @example
 * ```ts
 * const driver = socketDriver({
 *   machine: greetingMachine,
 *   attach: (port, clock) => attach(() => connect(port, '127.0.0.1'), greeting, { clock, events, commands }),
 *   peer: {
 *     'socket.connected': 'connects',
 *     'greeting.received': { sends: '220 hello\r\n' },
 *     'socket.closed': 'resets',
 *   },
 * });
 * for (const path of paths) test(describePath(path), () => drivePath(path, driver));
 * ```
 */
export function socketDriver<M extends AnyStateMachine>(
  options: SocketDriverOptions<M>,
): (path: Path) => Promise<Driver<M>> {
  return async (path) => {
    const peer = new Peer();
    await peer.listen(0);
    const { port } = peer;
    await peer.prepare(path, 0, options.peer);
    const clock = new ManualClock();
    const leftovers = new Leftovers();
    let handle: Attached<M>;
    try {
      handle = leftovers.run(() => options.attach(port, clock));
    } catch (error) {
      peer.close();
      await leftovers.end();
      throw error;
    }
    /** The step whose event was sent, and did not come of the socket. */
    let sent: Step | undefined;
    return {
      machine: options.machine,
      input: options.input as InputFrom<M>,
      handle,
      async perform(step, index) {
        const leak = leakOf(options.machine, handle as never);
        if (leak !== undefined) throw new Error(leak);
        const move = options.peer[step.event.type];
        // Where nothing listens the connection was refused, and that comes by itself.
        const isRefused = move === 'resets' && peer.refuses;
        // A server that closes resets what it has not accepted.
        if (move !== undefined && move !== 'resets') await peer.newest();
        if (isRefused && handle.state === step.from) await dialled(handle as never);
        // A step may have the next socket opened at once.
        await peer.prepare(path, index + 1, options.peer);
        if (isRefused || move === 'connects') return undefined;
        if (move !== undefined) {
          await peer.move(move, step);
        } else if (step.event.type.startsWith('xstate.after.')) {
          return leftovers.run(() => fireTimer(handle.instance, clock, step));
        } else {
          sent = step;
          leftovers.run(() => handle.instance.send(step.event as never));
        }
        return undefined;
      },
      eventOf({ event: type }) {
        return [sent?.event, handle.heard].find((event) => event?.type === type) ?? { type };
      },
      async dispose() {
        const { isOver } = handle;
        const leak = leakOf(options.machine, handle as never);
        if (!isOver) handle.abort();
        // A peer that stays open is no reason for a socket to stay.
        peer.close();
        await handle.closed;
        const [left] = await leftovers.end();
        if (left !== undefined)
          throw new Error(`${handle.id} was over, and a timer still ran that was started at ${left}`);
        if (leak !== undefined) throw new Error(leak);
        if (!isOver) return;
        if (handle.isLeaky) throw new Error(`${handle.id} has ended in "${handle.state}" and left its socket open`);
        if (clock.pending > 0) throw new Error(`${handle.id} has ended in "${handle.state}" and left a timer running`);
      },
    };
  };
}

/** A command may take a while to open the socket: a server that listens again before that would not refuse it. */
async function dialled(attached: Attached<AnyStateMachine> & SocketUse): Promise<void> {
  if (attached.socket !== undefined) return;
  await new Promise<void>((resolve) => {
    attached.onSocket = resolve;
  });
}

/** The other end of the socket. */
class Peer {
  port = 0;
  readonly #sockets: Socket[] = [];
  readonly #server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume();
    this.#sockets.push(socket);
  });

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** A connection that the next step of the peer wants refused finds nobody who listens. */
  async prepare(path: Path, from: number, moves: SocketDriverOptions<AnyStateMachine>['peer']): Promise<void> {
    const next = path.slice(from).find(({ event }) => moves[event.type] !== undefined);
    const isWanted = next === undefined || moves[next.event.type] !== 'resets';
    if (isWanted && !this.#server.listening) await this.listen(this.port);
    else if (!isWanted && this.#server.listening) this.#server.close();
  }

  async move(move: Exclude<PeerMove, 'connects'>, step: Step): Promise<void> {
    const socket = await this.newest();
    if (move === 'resets') socket.resetAndDestroy();
    else if (move === 'ends') socket.end();
    else if (typeof move === 'function') await move(socket, step);
    else socket.write(move.sends);
  }

  /** It has no connection, and takes none. */
  get refuses(): boolean {
    return !this.#server.listening && this.#sockets.every((socket) => socket.destroyed);
  }

  /** It may have connected for its side before it is accepted on this one. */
  async newest(): Promise<Socket> {
    const open = this.#sockets.findLast((socket) => !socket.destroyed);
    if (open !== undefined) return open;
    const [socket] = await once(this.#server, 'connection');
    return socket as Socket;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
