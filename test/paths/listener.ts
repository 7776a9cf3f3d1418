/** Makes each event of the listener's machine happen on real loopback sockets. */

import { createServer, type Socket } from 'node:net';
import type { EventObject } from 'xstate';
import type { Client } from '../../src/adapters/client.js';
import { Listener, type ListenerOwner } from '../../src/adapters/listener.js';
import { environmentOf } from '../../src/handle.js';
import { listenerMachine } from '../../src/machines/index.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { type Driver, ManualClock, type Path, shortName } from '../../src/testing/index.js';
import { clientSettings } from '../machines/bounds.js';
import { until } from '../support/wait.js';
import {
  expectNothingLeft,
  gone,
  type Loopback,
  type Performances,
  Port,
  performer,
  portOf,
  resetPeer,
  type SlowName,
  shaken,
} from './loopback.js';

const T = 1_000;
const SETTINGS = { clientsMax: 2, bindAttempts: 2, bindBackoff: T, drainTimeout: T, abortTimeout: T, lingerMax: T };

const DEADLINE = { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'drainTimeout' } as const;

/** Its clients leave only when the path wants it. */
const CLIENT = {
  input: { settings: clientSettings(NEVER_MS) },
  ownerUnlinks: true,
  handshakes: undefined,
  proxied: undefined,
};

/** Reads, so that a reset is seen, and never decides. */
function neverAdmit({ socket }: Client): Promise<never> {
  socket.resume();
  return new Promise(() => {});
}

export function listenerDriver(loopback: Loopback, name: SlowName) {
  return async (path: Path): Promise<Driver<typeof listenerMachine>> => {
    const clock = new ManualClock();
    const port = await Port.create();
    const takes = (name: string): boolean => path.some(({ event }) => shortName(event.type) === name);
    // Whichever of the two times the path waits for is over first.
    const settings = { ...SETTINGS, admissionTimeout: takes('admissionTimeout') ? T / 2 : 2 * T };
    // Whom the deadline turns away was never admitted.
    const admits = !takes('drainTimeout') || takes('clients.served') || path.some(({ from }) => from === 'failing');
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const peers: Socket[] = [];
    const accepted: Socket[] = [];
    /** What somebody else has accepted, to be handed over while the listener does not listen. */
    const foreign: Awaited<ReturnType<Loopback['pair']>>[] = [];
    for (const { from, event } of path) {
      if (event.type === 'client.arrived' && !from.startsWith('serving.listening')) foreign.push(await loopback.pair());
    }
    let closedTimes = 0;
    let isDeadline = false;
    const owner: ListenerOwner = {
      clientEstablished: ({ socket }) => {
        socket.resume();
      },
      clientClosed: () => {},
      listenerBound: () => {},
      listenerClosed: () => closedTimes++,
    };
    server.on('connection', (socket) => accepted.push(socket));
    const listener = new Listener(
      { server, host: name.name, port: port.number, tls: loopback.listenTls },
      { settings, client: { ...CLIENT, admit: admits ? undefined : neverAdmit }, serverOptions: {} },
      environmentOf({ clock }),
      owner,
    );
    /** Makes these clients leave. */
    const leave = (clients: readonly Client[]): void => {
      for (const { socket } of clients) {
        resetPeer(peers.find(({ localPort }) => localPort === socket.remotePort));
      }
    };

    const perform: Performances = {
      'listener.start': () => void listener.start(),
      'listener.suspend': () => listener.suspend(),
      'listener.resume': () => listener.resume(),
      'listener.close': () => void listener.close(),
      'listener.abort': ({ event }) => {
        isDeadline = (event as { deliver?: boolean }).deliver === true;
        if (isDeadline) listener.cut(DEADLINE);
        else void listener.abort();
      },
      'server.listening': () => {
        port.free();
        name.resolve();
      },
      'server.failed': async (step) => {
        if (step.from === 'serving.binding') {
          await port.take();
          name.resolve();
        } else {
          // An accept that fails: the kernel cannot be made to fail one on loopback. Out of files, it says nothing.
          server.emit('error', Object.assign(new Error('accept EPROTO'), { code: 'EPROTO', syscall: 'accept' }));
        }
      },
      'server.closed': () => {
        // Node tells of a close when the last socket has died, but before that socket itself does.
        server.close();
        leave([...listener.clients]);
      },
      'client.arrived': async () => {
        const pair = server.listening ? undefined : foreign.pop();
        const peer = pair?.peer ?? (await loopback.dial(portOf(server)));
        peers.push(peer);
        // As where several share one port: a server takes over what another one has accepted.
        if (pair !== undefined) server.emit('connection', pair.accepted);
        await shaken(peer);
        if (admits)
          await until('the admission', () => [...listener.clients].every((one) => !one.matches('live.accepted')));
      },
      // It comes by itself.
      'clients.served': () =>
        listener.matches('cutting', 'aborting', 'aborted') ? undefined : 'the last clients are leaving already',
      'client.closed': (step) => {
        if (!/^(aborting|cutting|refusing)/.test(step.from)) leave([...listener.clients].slice(0, 1));
      },
    };

    return {
      machine: listenerMachine,
      input: { settings },
      handle: listener,
      perform: performer(listener, clock, perform),
      eventOf: ({ event: type }) =>
        type === 'listener.abort' && isDeadline ? ({ type, deliver: true, cause: DEADLINE } as EventObject) : { type },
      dispose: async () => {
        isDeadline = false;
        await listener.abort();
        // It does not wait for ever for its clients, but they end all the same.
        await Promise.all([...listener.clients].map(({ closed }) => closed));
        port.free();
        name.resolve();
        for (const pair of foreign) pair.accepted.destroy();
        peers.push(...foreign.map(({ peer }) => peer));
        for (const peer of peers) peer.destroy();
        await Promise.all([...peers, ...accepted].map(gone));
        for (const event of ['connection', 'listening', 'error', 'close']) {
          const left = server.listenerCount(event) - (event === 'connection' ? 1 : 0);
          if (left !== 0) throw new Error(`${left} listeners for ${event} are left on its server`);
        }
        if (server.listening) throw new Error('its server listens on');
        if (listener.clients.size > 0) throw new Error(`${listener.clients.size} clients live on`);
        if (closedTimes !== 1) throw new Error(`its end was told ${closedTimes} times`);
        expectNothingLeft(clock);
      },
    };
  };
}
