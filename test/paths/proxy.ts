/** Makes each event of the proxy's machine happen on real loopback sockets. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createBackend } from '../../src/adapters/backend.js';
import type { Hold } from '../../src/adapters/holds.js';
import { proxyMachine } from '../../src/machines/index.js';
import { createProxy } from '../../src/proxy/proxy.js';
import type { Session } from '../../src/proxy/session.js';
import { type Driver, ManualClock, type Path, shortName } from '../../src/testing/index.js';
import { until } from '../support/wait.js';
import {
  expectNothingLeft,
  gone,
  isDestroyed,
  type Loopback,
  type Performances,
  Port,
  performer,
  portOf,
  resetPeer,
  ScriptedServers,
  type SlowName,
} from './loopback.js';

const T = 1_000;
const settings = { drainTimeout: T, abortTimeout: T, lingerMax: T };

/** What lives in the proxy waits for ever: what ends it is the path. */
const NEVER = { queueTimeout: false, connectTimeout: false, closeTimeout: false } as const;

export function proxyDriver(loopback: Loopback, name: SlowName) {
  return async (path: Path): Promise<Driver<typeof proxyMachine>> => {
    const clock = new ManualClock();
    const servers = new ScriptedServers([{ port: loopback.port, tls: loopback.tls }], { clock });
    const [live] = servers.list as [(typeof servers.list)[0]];
    const backend = createBackend({ ...NEVER, servers, clock, whenExhausted: 'wait', abortTimeout: false });
    // The first serves, the second is the one that is lost.
    const ports = [await Port.create(), await Port.create()] as const;
    const fronts = [serve(), serve()] as const;
    const proxy = createProxy({
      ...NEVER,
      ...settings,
      listen: fronts.map((server, index) => ({
        server,
        host: name.name,
        port: ports[index]?.number as number,
        tls: loopback.listenTls,
      })),
      admit: ({ socket }) => {
        socket.resume();
        return session === undefined ? true : new Promise(() => {});
      },
      servers: [{ port: loopback.port, tls: loopback.tls }],
      backends: [backend],
      clock,
      acceptTimeout: false,
      sessionConnectTimeout: false,
      idleTimeout: false,
      halfCloseTimeout: false,
    });
    /** One client has a session, another one is never admitted. */
    let peer: Socket | undefined;
    let newcomer: Socket | undefined;
    let session: Session | undefined;
    let hold: Hold | undefined;

    /** What its reports claim of all its parts. */
    const isTrue: Record<string, () => boolean> = {
      'backends.established': () => backend.connection !== undefined,
      'backends.closed': () => backend.outcome !== undefined,
      'listeners.bound': () => fronts.every(({ listening }) => listening),
      'listeners.closed': () => proxy.listeners.every(({ outcome }) => outcome !== undefined),
      'sessions.emptied': () =>
        proxy.sessions.length === 0 && proxy.listeners.every(({ clients }) => clients.size === 0),
    };
    const lies: string[] = [];

    const perform: Performances = {
      'proxy.start': () => void proxy.start(),
      'proxy.close': () => void proxy.close(),
      'proxy.abort': () => void proxy.abort(),
      'backends.established': () => servers.answer(backend, { kind: 'chosen', server: live }),
      'backends.failed': () => servers.refuse(backend),
      'listeners.bound': async () => {
        for (const port of ports) port.free();
        const established = new Promise<Session>((resolve) => proxy.once('established', resolve));
        name.resolve();
        await once(fronts[1], 'listening');
        // It serves somebody from now on.
        peer = await loopback.dial(portOf(fronts[0]));
        session = await established;
        // Nothing outlasts a cut for longer than a session whose backend somebody holds.
        hold = session.backend.hold();
        newcomer = await loopback.dial(portOf(fronts[0]));
        await until('the newcomer', () => proxy.listeners[0]?.clients.size === 2);
        const deadline = path.findIndex(({ event }) => shortName(event.type) === 'drainTimeout');
        if (deadline === -1 || path[deadline + 1]?.event.type === 'sessions.served') return;
        // Nobody is served at the deadline.
        hold.release();
        resetPeer(peer);
        await session.closed;
      },
      'listeners.failed': async (step) => {
        if (step.from === 'running') {
          fronts[1].close();
          return;
        }
        if (step.from !== 'starting.binding') {
          // The owner of all closes each of them.
          for (const listener of proxy.listeners) void listener.close();
          return;
        }
        ports[0].free();
        await ports[1].take();
        name.resolve();
      },
      'sessions.emptied': async (step, index) => {
        if (session === undefined) return;
        hold?.release();
        if (/^stopping/.test(step.from)) return;
        if (path[index + 1]?.event.type === 'proxy.abort') {
          // Its client's leg ends last, and its owner aborts as soon as the session has ended: its listener has not yet.
          resetPeer(newcomer);
          await until('the newcomer to be gone', () => proxy.listeners[0]?.clients.size === 1);
          session.on('closed', () => void proxy.abort());
          resetPeer(await loopback.peerOf(session.backend.socket as Socket));
        } else {
          resetPeer(peer);
          await session.closed;
          resetPeer(newcomer);
        }
      },
      abortTimeout: () => {
        clock.advance(T);
        return 'its parts had the same time, and began before';
      },
      cutTimeout: () => {
        clock.advance(2 * T);
        return 'its parts had the same time, and began before';
      },
      // These come by themselves.
      'sessions.served': () => {},
      'listeners.closed': () => {},
      'backends.closed': async () => {
        if (backend.socket !== undefined && !isDestroyed(backend.socket)) (await loopback.peerOf(backend.socket)).end();
      },
    };

    return {
      machine: proxyMachine,
      input: { settings },
      handle: proxy,
      perform: performer(proxy, clock, perform),
      eventOf: ({ event: type }) => {
        if (isTrue[type]?.() === false) lies.push(type);
        return { type };
      },
      dispose: async () => {
        hold?.release();
        void proxy.abort();
        for (const port of ports) port.free();
        name.resolve();
        await proxy.closed;
        await Promise.all([backend.closed, session?.closed, ...proxy.listeners.map(({ closed }) => closed)]);
        if (session !== undefined) await Promise.all([session.client.closed, session.backend.closed]);
        for (const socket of [peer, newcomer]) {
          if (socket === undefined) continue;
          socket.destroy();
          await gone(socket);
        }
        if (lies.length > 0) throw new Error(`it said too early: ${lies}`);
        if (fronts.some(({ listening }) => listening)) throw new Error('a server listens on');
        if (proxy.sessions.length > 0) throw new Error(`${proxy.sessions.length} sessions are left`);
        expectNothingLeft(clock, [servers, proxy.servers]);
      },
    };
  };
}

function serve() {
  return createServer({ allowHalfOpen: true, pauseOnConnect: true });
}
