/** Makes each event of the backend's machine happen on real loopback sockets. */
import type { Socket } from 'node:net';
import type { EventObject } from 'xstate';
import { Backend } from '../../src/adapters/backend.js';
import { backendConfig } from '../../src/adapters/backend-options.js';
import type { Hold } from '../../src/adapters/holds.js';
import { environmentOf } from '../../src/handle.js';
import { backendMachine } from '../../src/machines/index.js';
import { type Driver, ManualClock, type Path, shortName } from '../../src/testing/index.js';
import { backendSettings } from '../machines/bounds.js';
import {
  expectNothingLeft,
  type Gate,
  gate,
  isDestroyed,
  type Loopback,
  type Performances,
  performer,
  resetPeer,
  ScriptedServers,
  stayStill,
  writeUntilRefused,
} from './loopback.js';

/** Sooner than anything else. */
const SOON = 10;

/** A path to its end has it come before any probe; but not before the holders have had their time, if they need it. */
function lingerMaxOf(path: Path, holdTimeout: number): { lingerMax?: number } {
  if (!path.some(({ event }) => shortName(event.type) === 'lingerMax')) return {};
  const isHeld = path.some(
    ({ from, event }) => from === 'lingering.revoking' && shortName(event.type) === 'holdTimeout',
  );
  return { lingerMax: isHeld ? holdTimeout + SOON : SOON };
}

const DEADLINE = { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'drainTimeout' } as const;

export function backendDriver(loopback: Loopback, persistent: boolean, attemptsMax: number, onDemand: boolean) {
  return (path: Path): Driver<typeof backendMachine> => {
    const clock = new ManualClock();
    const servers = ScriptedServers.of(loopback, clock);
    const [live, dead] = servers.list as [(typeof servers.list)[0], (typeof servers.list)[0]];
    const waits = backendSettings(persistent, attemptsMax, onDemand);
    const settings = { ...waits, ...lingerMaxOf(path, waits.holdTimeout) };
    let isDeadline = false;
    let hook: Gate | undefined;
    let hold: Hold | undefined;
    const config = {
      ...backendConfig(
        {
          prepare: () => {
            hook = gate();
            return hook.promise;
          },
        },
        servers,
        persistent,
        false,
      ),
      input: { settings },
    };
    const backend = new Backend(config, environmentOf({ clock }));
    backend.begin();
    // Somebody holds whatever is offered, so that the holds end when the path says so.
    backend.on('established', () => {
      if (backend.connection !== undefined) hold = backend.hold();
    });
    const socket = (): Socket => backend.socket as Socket;
    /** A socket that is gone reports nothing but its close; TLS whose connection below is reset is gone, too. */
    const gone = (): string | undefined =>
      backend.socket === undefined || isDestroyed(backend.socket) ? 'its socket is gone' : undefined;
    const next = (index: number): string | undefined => path[index + 1]?.event.type;

    const perform: Performances = {
      'backend.connect': () => void backend.connect(),
      'backend.retry': () => backend.retryNow(),
      'backend.renew': () => void backend.renew(),
      'backend.close': () => void backend.close(),
      'backend.abort': ({ event }) => {
        isDeadline = (event as { deliver?: boolean }).deliver === true;
        if (isDeadline) backend.cut(DEADLINE);
        else void backend.abort();
      },
      'socket.idled': () => stayStill(backend, clock),
      // Where the connect is to fail, nobody listens there.
      'server.chosen': (_step, index) =>
        servers.answer(backend, { kind: 'chosen', server: next(index) === 'socket.failed' ? dead : live }),
      'server.deferred': () => servers.answer(backend, { kind: 'deferred', delayMs: 100 }),
      'server.exhausted': () => servers.refuse(backend),
      'socket.connected': () => gone(),
      'socket.ended': async () => {
        if (gone()) return gone();
        (await loopback.peerOf(socket())).end();
        return undefined;
      },
      'socket.finished': (step) => {
        if (gone()) return gone();
        if (socket().writableFinished) return 'it has finished before, and said so';
        if (!/^(active\.renewing\.flushing|closing\.flushing|lingering)/.test(step.from)) socket().end();
        return undefined;
      },
      'socket.failed': async (step) => {
        if (step.from === 'active.connecting') {
          return backend.server === live.name ? 'it connects to a server that listens' : undefined;
        }
        if (gone()) return gone();
        const peer = await loopback.peerOf(socket());
        const peerEnded = peer.writableEnded;
        if (peerEnded && socket().writableEnded) return 'neither side sends any more: a reset goes unseen';
        resetPeer(peer);
        if (peerEnded) await writeUntilRefused(socket());
        return undefined;
      },
      'socket.closed': async (step, index) => {
        // What was destroyed, reset or refused closes by itself; so does what both sides have ended.
        if (/destroying|bothEnded|parting/.test(step.from) || gone() || path[index - 1]?.event.type === 'socket.failed')
          return;
        if (/^(active\.renewing\.flushing|closing\.flushing|lingering)/.test(step.from))
          (await loopback.peerOf(socket())).end();
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
      perform: performer(backend, clock, perform),
      eventOf: (transition) =>
        transition.event === 'server.deferred'
          ? { type: 'server.deferred', delayMs: 100 }
          : transition.event === 'backend.abort' && isDeadline
            ? ({ type: transition.event, deliver: true, cause: DEADLINE } as EventObject)
            : { type: transition.event },
      dispose: async () => {
        isDeadline = false;
        hook?.resolve();
        hold?.release();
        void backend.abort();
        await backend.closed;
        loopback.dropPeers();
        expectNothingLeft(clock, [servers]);
      },
    };
  };
}
