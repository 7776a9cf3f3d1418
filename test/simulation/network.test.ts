/** The simulated network is held against the real one: what a socket emits, in which order, has to be the same. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Random } from '../runtime/random.js';
import { gate, until } from '../support/wait.js';
import { Network } from './network.js';
import { inhabit, SimulatedProcess } from './node.js';
import { Time } from './time.js';

const EVENTS = ['connect', 'ready', 'data', 'end', 'finish', 'drain', 'error', 'close'] as const;

/** What a socket emits; neighbouring reads are one, for how bytes are cut is nobody's promise. */
function record(log: string[], who: string, socket: Socket): void {
  let bytes = 0;
  for (const event of EVENTS) {
    socket.on(event, (value: unknown) => {
      if (event === 'data') {
        bytes += (value as Buffer).length;
        const last = log.findLastIndex((line) => line.startsWith(who));
        if (log[last]?.startsWith(`${who} data`)) log.splice(last, 1);
        log.push(`${who} data ${bytes}`);
      } else if (event === 'error') {
        log.push(`${who} error ${(value as NodeJS.ErrnoException).code} ${(value as NodeJS.ErrnoException).syscall}`);
      } else {
        log.push(event === 'close' ? `${who} close ${value}` : `${who} ${event}`);
      }
    });
  }
}

interface Stage {
  readonly log: string[];
  /** A server whose connections are recorded, and where it is. */
  serve(handler: (socket: Socket) => void, options?: object): Promise<{ server: Server; port: number }>;
  dial(port: number, options?: object): Socket;
  /** A port that nobody listens on. */
  unused(): Promise<number>;
}

type Scene = (stage: Stage) => Promise<unknown>;

const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));
const half = { allowHalfOpen: true };

/** Each leaves nothing open, but for servers. */
const SCENES: Record<string, Scene> = {
  refused: async ({ dial, unused }) => closed(dial(await unused())),

  'both end': async ({ serve, dial }) => {
    const { port } = await serve((socket) => {
      socket.on('end', () => socket.end('bye'));
      socket.resume();
    }, half);
    const socket = dial(port, half);
    await once(socket, 'connect');
    socket.end('hello');
    await closed(socket);
  },

  'the peer ends, half open is not allowed': async ({ serve, dial }) => {
    const { port } = await serve((socket) => socket.end('bye'));
    await closed(dial(port));
  },

  'an idle connection is reset': async ({ serve, dial }) => {
    const { port } = await serve((socket) => void setTurns(() => socket.resetAndDestroy()));
    await closed(dial(port));
  },

  'a reset while paused is seen by a write': async ({ serve, dial, log }) => {
    const accepted = gate<Socket>();
    const { port } = await serve(accepted.open);
    const socket = dial(port);
    await once(socket, 'connect');
    socket.pause();
    const peer = await accepted.promise;
    peer.resetAndDestroy();
    await closed(peer);
    await turns();
    log.push(`client 1 paused ${socket.readyState}`);
    socket.write('x', (error) => log.push(`client 1 write ${(error as NodeJS.ErrnoException | null)?.code}`));
    await closed(socket);
  },

  'bytes and a reset are read at once': async ({ serve, dial }) => {
    const accepted = gate<Socket>();
    const { port } = await serve(accepted.open);
    const socket = dial(port, half);
    await once(socket, 'connect');
    socket.pause();
    const peer = await accepted.promise;
    await new Promise((resolve) => peer.write('last words', resolve));
    await turns();
    peer.resetAndDestroy();
    await closed(peer);
    await turns();
    socket.resume();
    await turns();
    socket.end();
    await closed(socket);
  },

  'a reset after the end is seen by a write': async ({ serve, dial, log }) => {
    const accepted = gate<Socket>();
    const { port } = await serve(accepted.open, half);
    const socket = dial(port, half);
    const peer = await accepted.promise;
    peer.end();
    await once(socket, 'end');
    peer.resetAndDestroy();
    await closed(peer);
    await turns();
    log.push(`client 1 ended ${socket.readyState}`);
    socket.write('x', (error) => log.push(`client 1 write ${(error as NodeJS.ErrnoException | null)?.code}`));
    await closed(socket);
  },

  'destroyed with unread bytes': async ({ serve, dial }) => {
    const { port } = await serve((socket) => {
      socket.pause();
      setTurns(() => socket.destroy());
    });
    const socket = dial(port);
    await once(socket, 'connect');
    socket.write(Buffer.alloc(300_000));
    await closed(socket);
  },

  'a write after the peer has closed': async ({ serve, dial, log }) => {
    const accepted = gate<Socket>();
    const { port } = await serve(accepted.open, half);
    const socket = dial(port, half);
    const peer = await accepted.promise;
    peer.destroy();
    await once(socket, 'end');
    for (const number of [1, 2]) {
      socket.write('x', (error) =>
        log.push(`client 1 write ${number} ${(error as NodeJS.ErrnoException | null)?.code}`),
      );
      await turns();
    }
    await closed(socket);
  },

  'destroyed at once': async ({ serve, dial }) => {
    const { port } = await serve(() => {});
    const socket = dial(port);
    socket.destroy();
    await closed(socket);
  },

  'reset while it connects': async ({ serve, dial }) => {
    const { port } = await serve((socket) => socket.on('error', () => {}));
    const socket = dial(port);
    socket.resetAndDestroy();
    await closed(socket);
  },

  'written before it is connected': async ({ serve, dial }) => {
    const { port } = await serve((socket) => socket.pipe(socket), half);
    const socket = dial(port, half);
    socket.write('early');
    socket.end();
    await closed(socket);
  },

  'more than the system takes': async ({ serve, dial }) => {
    const { port } = await serve((socket) => {
      socket.resume();
      socket.on('end', () => socket.end());
    }, half);
    const socket = dial(port, half);
    socket.end(Buffer.alloc(8_000_000));
    await closed(socket);
  },

  'destroyed while a write waits': async ({ serve, dial, log }) => {
    const accepted = gate<Socket>();
    const { port } = await serve((socket) => accepted.open(socket.pause()));
    const socket = dial(port);
    await once(socket, 'connect');
    const told = gate();
    socket.write(Buffer.alloc(30_000_000), (error) => {
      log.push(`client 1 write ${(error as NodeJS.ErrnoException | null)?.code ?? 'taken'}`);
      told.open();
    });
    await turns();
    socket.destroy();
    await closed(socket);
    await told.promise;
    // It does not read, and so does not hear of that.
    const peer = await accepted.promise;
    peer.destroy();
    await closed(peer);
  },

  'the port is taken': async ({ serve, log }) => {
    const { port } = await serve(() => {});
    const server = createServer();
    server.listen({ host: '127.0.0.1', port });
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException];
    log.push(`${error.code} ${error.syscall}`);
  },

  'listens again on the same port, while its connections live': async ({ serve, dial, log }) => {
    const { server, port } = await serve((socket) => socket.end('bye'), half);
    const first = dial(port, half);
    await once(first, 'end');
    server.close();
    log.push(`listening ${server.listening}`);
    server.listen({ host: '127.0.0.1', port });
    await once(server, 'listening');
    first.end();
    await closed(first);
    const second = dial(port);
    await closed(second);
  },

  'reads into a buffer of its own': async ({ serve, dial, log }) => {
    const { port } = await serve((socket) => socket.end(Buffer.alloc(100_000, 'x')), half);
    const buffer = Buffer.alloc(1_000);
    let bytes = 0;
    const callback = (read: number): boolean => {
      bytes += read;
      return true;
    };
    const socket = dial(port, { onread: { buffer: () => buffer, callback } });
    await closed(socket);
    log.push(`${bytes} bytes, ${socket.bytesRead} read, ${buffer.toString('latin1', 0, 3)}`);
  },
};

/** A few turns of the real loop, which is long enough for the real loopback and, counted in events, for the simulated one. */
let turns: () => Promise<void>;
const setTurns = (then: () => void): void => void turns().then(then);

/** What was recorded on a stage. */
class Recorded {
  readonly log: string[] = [];
  readonly servers: Server[] = [];
  readonly accepted: Socket[] = [];
  readonly dialled: Socket[] = [];
  #connected = 0;

  dials(socket: Socket): void {
    record(this.log, `client ${this.dialled.push(socket)}`, socket);
    socket.once('connect', () => this.#connected++);
  }

  accepts(socket: Socket): void {
    record(this.log, `server ${this.accepted.push(socket)}`, socket);
  }

  /** Whoever has connected was accepted, and every socket has closed. */
  get isComplete(): boolean {
    const { accepted, dialled } = this;
    return accepted.length === this.#connected && [...accepted, ...dialled].every((socket) => socket.closed);
  }
}

function stageOn(host: string, recorded: Recorded): Stage {
  const { log, servers } = recorded;
  const serve: Stage['serve'] = async (handler, options = {}) => {
    const server = createServer(options, (socket) => {
      recorded.accepts(socket);
      handler(socket);
    });
    servers.push(server);
    server.listen({ host, port: 0 });
    await once(server, 'listening');
    return { server, port: (server.address() as AddressInfo).port };
  };
  return {
    log,
    serve,
    dial(port, options) {
      const socket = connect({ host, port, ...options });
      recorded.dials(socket);
      return socket;
    },
    async unused() {
      const { server, port } = await serve(() => {});
      server.close();
      await once(server, 'close');
      return port;
    },
  };
}

async function playReal(scene: Scene): Promise<string[]> {
  const recorded = new Recorded();
  // A loop that was late hears of the timer first: the sockets are asked once more.
  turns = () => new Promise((resolve) => setTimeout(() => setImmediate(() => setImmediate(resolve)), 30));
  await scene(stageOn('127.0.0.1', recorded));
  await until('every socket to be accepted and to close', () => recorded.isComplete);
  // Only so can it be seen that nothing more comes.
  await turns();
  for (const server of recorded.servers) server.close();
  return recorded.log;
}

async function playSimulated(scene: Scene, seed: number): Promise<string[]> {
  const recorded = new Recorded();
  const { log } = recorded;
  const time = new Time((error) => {
    throw error;
  });
  const way = { latency: [5, 50], segmentBytes: 65_483, sendBytes: 2_600_000, receiveBytes: 6_000_000 } as const;
  const process = new SimulatedProcess(time, new Network(time), '127.0.0.1', new Random(seed), () => way);
  process.latency = () => process.random.below(20);
  const leave = inhabit(process);
  try {
    turns = () => time.sleep(30);
    let isOver = false;
    const played = scene(stageOn('127.0.0.1', recorded))
      .then(turns)
      .then(() => {
        isOver = true;
      });
    const stop = await time.run(() => isOver, 100_000, 60_000);
    expect(stop, log.join('\n')).toBe('over');
    await played;
    return log;
  } finally {
    leave();
  }
}

/** What each socket tells: how they interleave is nobody's promise. */
const bySocket = (log: readonly string[]): string[] => [...log].sort((a, b) => compare(whose(a), whose(b)));
const whose = (line: string): string => /^(client|server) \d/.exec(line)?.[0] ?? '';
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

describe('on the simulated network a socket emits what it does on a real one', () => {
  test.each(Object.entries(SCENES))('%s', async (_name, scene) => {
    const real = bySocket(await playReal(scene));
    for (let seed = 1; seed <= 5; seed++) expect(bySocket(await playSimulated(scene, seed))).toEqual(real);
  });
});
