/** Makes each event of the backend's machine happen on real loopback sockets. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { Backend, backendConfig, type Hold } from '../../src/adapters/backend.js';
import { backendMachine } from '../../src/machines/index.js';
import { type Choice, Servers } from '../../src/policies/servers.js';
import { type Driver, ManualClock, type Path, type Step, shortName } from '../../src/testing/index.js';
import { backendSettings } from '../machines/bounds.js';

/** A set of servers that answers when it is told to. */
class ScriptedServers extends Servers {
  #answer: Choice | undefined;

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
}

/** A server whose sockets do only what they are told, and a port where nobody listens. */
export class World {
  readonly sockets: Socket[] = [];
  readonly #server: NetServer;
  deadPort = 0;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.resume();
      this.sockets.push(socket);
      this.#server.emit('arrived', socket);
    });
  }

  static async create(): Promise<World> {
    const world = new World();
    world.#server.listen(0, '127.0.0.1');
    await once(world.#server, 'listening');
    const dead = createServer().listen(0, '127.0.0.1');
    await once(dead, 'listening');
    world.deadPort = (dead.address() as AddressInfo).port;
    dead.close();
    await once(dead, 'close');
    return world;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The server's end of a socket, which may take a moment to arrive. */
  async peerOf(socket: Socket): Promise<Socket> {
    const { localPort } = socket;
    for (;;) {
      const peer = this.sockets.find(({ remotePort, destroyed }) => remotePort === localPort && !destroyed);
      if (peer !== undefined) return peer;
      await once(this.#server, 'arrived');
    }
  }

  async dispose(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

/** Writes until an error says that the peer is gone: a reset after its FIN is seen by nothing else. */
async function writeUntilRefused(socket: Socket): Promise<void> {
  while (!socket.destroyed) {
    socket.write('x');
    await new Promise(setImmediate);
  }
}

export function backendDriver(world: World, persistent: boolean, attemptsMax: number) {
  return (path: Path): Driver<typeof backendMachine> => {
    const clock = new ManualClock();
    const servers = new ScriptedServers([{ port: world.port }, { port: world.deadPort }], { clock });
    const [live, dead] = servers.list as [(typeof servers.list)[0], (typeof servers.list)[0]];
    const settings = backendSettings(persistent, attemptsMax);
    let hook: PromiseWithResolvers | undefined;
    let hold: Hold | undefined;
    const config = {
      ...backendConfig(
        {
          prepare: () => {
            hook = withResolvers();
            return hook.promise;
          },
        },
        servers,
        persistent,
        false,
      ),
      settings,
    };
    const backend = new Backend(config, { clock });
    // Somebody always holds it, so that the holds end when the path says so.
    backend.on('established', () => {
      hold = backend.hold();
    });
    const socket = (): Socket => backend.socket as Socket;
    /** A socket that is gone reports nothing but its close. */
    const gone = (): string | undefined =>
      backend.socket === undefined || backend.socket.destroyed ? 'its socket is gone' : undefined;
    const next = (index: number): string | undefined => path[index + 1]?.event.type;

    const perform: Record<string, (step: Step, index: number) => void | string | Promise<void | string>> = {
      'backend.connect': () => void backend.connect(),
      'backend.retry': () => backend.retryNow(),
      'backend.close': () => void backend.close(),
      'backend.abort': () => void backend.abort(),
      // Where the connect is to fail, nobody listens there.
      'server.chosen': (_step, index) =>
        servers.answer(backend, { kind: 'chosen', server: next(index) === 'socket.failed' ? dead : live }),
      'server.deferred': () => servers.answer(backend, { kind: 'deferred', delayMs: 100 }),
      'server.exhausted': () =>
        servers.answer(backend, {
          kind: 'exhausted',
          cause: { initiator: 'system', manner: 'error', code: 'EACCES' },
        }),
      'socket.connected': () => gone(),
      'socket.ended': async () => {
        if (gone()) return gone();
        (await world.peerOf(socket())).end();
        return undefined;
      },
      'socket.finished': (step) => {
        if (gone()) return gone();
        if (step.from !== 'closing.flushing') socket().end();
        return undefined;
      },
      'socket.failed': async (step) => {
        if (step.from === 'active.connecting') {
          return backend.server === live.name ? 'it connects to a server that listens' : undefined;
        }
        if (gone()) return gone();
        const peer = await world.peerOf(socket());
        const peerEnded = peer.writableEnded;
        if (peerEnded && socket().writableEnded) return 'neither side sends any more: a reset goes unseen';
        peer.resetAndDestroy();
        if (peerEnded) await writeUntilRefused(socket());
        return undefined;
      },
      'socket.closed': async (step, index) => {
        // What was destroyed, reset or refused closes by itself; so does what both sides have ended.
        if (/destroying|bothEnded/.test(step.from) || gone() || path[index - 1]?.event.type === 'socket.failed') return;
        if (step.from === 'closing.flushing') (await world.peerOf(socket())).end();
        else socket().destroy();
      },
      'owner.prepared': () => hook?.resolve(),
      'owner.failed': () => hook?.reject(Object.assign(new Error('no'), { code: 'ELOGIN' })),
      'holds.emptied': () => {
        hook?.resolve();
        hold?.release();
      },
      // Raised by the abort's own timer.
      'backend.expired': () => clock.advance(settings.abortTimeout),
    };

    return {
      machine: backendMachine,
      input: { settings },
      handle: backend,
      perform: (step, index) => {
        const type = step.event.type;
        if (type.startsWith('xstate.after.')) {
          const name = shortName(type);
          const timer = backend.timers().find((running) => running.name === name);
          if (timer === undefined) return `${name} does not run`;
          clock.advance(timer.remainingMs);
          return undefined;
        }
        return perform[type]?.(step, index) ?? undefined;
      },
      eventOf: (transition) =>
        transition.event === 'server.deferred' ? { type: 'server.deferred', delayMs: 100 } : { type: transition.event },
      dispose: async () => {
        hook?.resolve();
        hold?.release();
        void backend.abort();
        await backend.closed;
        expectNothingLeft(clock, servers);
      },
    };
  };
}

function expectNothingLeft(clock: ManualClock, servers: Servers): void {
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
  for (const { name, connections } of servers.list) {
    if (connections !== 0) throw new Error(`${name} counts ${connections} connections that are gone`);
  }
}

interface PromiseWithResolvers {
  promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
