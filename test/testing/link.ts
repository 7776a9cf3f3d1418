/** A machine of a user's, with mistakes on purpose, and what makes it run on real sockets. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { emit, setup } from 'xstate';
import { compile } from '../../src/runtime/index.js';
import { type Driver, ManualClock, shortName } from '../../src/testing/index.js';

export type Mistake = 'wrong target' | 'forgotten event' | 'forgotten timer' | 'forgotten release';

interface LinkEvent {
  readonly type: 'socket.connected' | 'socket.closed' | 'greeting.received' | 'link.close';
}

interface LinkCommand {
  readonly type: 'socket.open' | 'socket.destroy';
}

const GREETING_MS = 3_000;

/** A client that waits for the greeting of its server. */
export function linkMachine(mistake?: Mistake) {
  const isWrong = (name: Mistake): boolean => name === mistake;
  return setup({
    types: { events: {} as LinkEvent, emitted: {} as LinkCommand },
    actions: { openSocket: emit({ type: 'socket.open' }), destroySocket: emit({ type: 'socket.destroy' }) },
    delays: { greetingTimeout: GREETING_MS },
  }).createMachine({
    id: 'link',
    initial: 'connecting',
    states: {
      connecting: {
        entry: 'openSocket',
        on: { 'socket.connected': 'waiting', 'socket.closed': 'lost', 'link.close': 'closing' },
      },
      waiting: {
        on: {
          'greeting.received': 'open',
          'socket.closed': isWrong('wrong target') ? 'open' : 'lost',
          'link.close': 'closing',
        },
        after: isWrong('forgotten timer') ? {} : { greetingTimeout: 'closing' },
      },
      open: {
        on: {
          'link.close': 'closing',
          ...(isWrong('forgotten event') ? {} : { 'socket.closed': 'lost' as const }),
        },
      },
      closing: {
        entry: isWrong('forgotten release') ? [] : 'destroySocket',
        on: { 'socket.closed': 'closed' },
      },
      closed: { type: 'final' },
      lost: { type: 'final' },
    },
  });
}

export type LinkMachine = ReturnType<typeof linkMachine>;

/** A server whose sockets do only what they are told. */
export class Peers {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      socket.resume();
    });
  }

  static async create(): Promise<Peers> {
    const peers = new Peers();
    peers.#server.listen(0, '127.0.0.1');
    await once(peers.#server, 'listening');
    return peers;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  arrival(): Promise<Socket> {
    return once(this.#server, 'connection').then(([socket]) => socket);
  }

  async dispose(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

let count = 0;

/**
 * Makes each event of the machine happen on a real socket.
 *
 * @param resets whether the peer resets instead of greeting
 */
export function linkDriver(machine: LinkMachine, peers: Peers, resets = false) {
  const runnable = compile(machine);
  return async (): Promise<Driver<LinkMachine>> => {
    const clock = new ManualClock();
    const arrived = peers.arrival();
    const id = `link#${++count}`;
    const report = (type: LinkEvent['type']): void => instance.send({ type });
    let socket: Socket | undefined;
    const perform = (command: LinkCommand): void => {
      if (command.type === 'socket.destroy') socket?.destroy();
      else socket = connect(peers.port, '127.0.0.1');
    };
    const instance = runnable.run(undefined, { id, clock, perform, finish() {} });
    instance.start();
    socket
      ?.on('data', () => report('greeting.received'))
      .on('error', () => {})
      .on('close', () => report('socket.closed'));
    // That it is connected is reported when the path says so.
    await once(socket as never, 'connect');
    const peer = await arrived;
    return {
      machine,
      input: undefined,
      handle: {
        id,
        get state() {
          return instance.state;
        },
      },
      perform({ event: { type }, from }) {
        if (type === 'socket.connected' || type === 'link.close') report(type);
        if (shortName(type) === 'greetingTimeout') clock.advance(GREETING_MS);
        if (type === 'greeting.received') resets ? peer.resetAndDestroy() : peer.write('220 hello\r\n');
        if (type === 'socket.closed' && from !== 'closing') peer.destroy();
      },
      async dispose() {
        report('link.close');
        await Promise.all([socket as unknown as Socket, peer].map((end) => end.closed || once(end, 'close')));
        if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
      },
    };
  };
}
