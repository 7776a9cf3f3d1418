/** Makes each event of the client's machine happen on real loopback sockets. */

import type { Socket } from 'node:net';
import type { EventObject } from 'xstate';
import { Client, type ClientOwner } from '../../src/adapters/client.js';
import { environmentOf } from '../../src/handle.js';
import { clientMachine } from '../../src/machines/index.js';
import { encodeProxyHeader } from '../../src/sockets/proxy-encoder.js';
import { type Driver, ManualClock, type Path, type Step, shortName } from '../../src/testing/index.js';
import { clientSettings } from '../machines/bounds.js';
import {
  expectNothingLeft,
  gate,
  gone,
  type Loopback,
  type Performances,
  performer,
  resetPeer,
  stayStill,
  writeUntilRefused,
} from './loopback.js';

const T = 1_000;
/** More than the system takes of a peer that does not read. */
const TOO_MUCH = 'x'.repeat(16 * 1_024 * 1_024);
/** Sooner than anything else. */
const SOON = 10;
const HEADER = encodeProxyHeader({ version: 1 });
const DEADLINE = { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'drainTimeout' } as const;

/** @param owned whether it has an owner that takes its listeners off, as in a proxy; else it was adopted by hand */
export function clientDriver(loopback: Loopback, owned: boolean, { lingerTimeout = T, isProxied = false } = {}) {
  return async (path: Path): Promise<Driver<typeof clientMachine>> => {
    const clock = new ManualClock();
    const hasLingered = path.some(({ event }) => shortName(event.type) === 'lingerMax');
    const hasHandshake = loopback.handshakes !== undefined;
    const settings = {
      ...clientSettings(T, lingerTimeout),
      ...(hasLingered && { lingerMax: SOON }),
      proxyHeaderTimeout: path.some(({ event }) => shortName(event.type) === 'proxyHeaderTimeout') ? SOON : 2 * T,
      speaksTls: hasHandshake,
      isProxied,
    };
    let isDeadline = false;
    let words: string | undefined;
    const taken: Socket[] = [];
    /** Whether its last words must not leave before something happens to its socket. */
    const isStuck = path.some(
      ({ from, event }) => from === 'explaining' && /^socket\.(failed|closed)$/.test(event.type),
    );
    const pair = await loopback.rawPair();
    const { accepted } = pair;
    let { peer } = pair;
    const admission = gate<boolean>();
    let signal: AbortSignal | undefined;
    let isDecided = false;
    const decide = (verdict: () => void): void => {
      isDecided = true;
      verdict();
    };
    const heard = { unlinked: 0, dropped: 0, released: 0, closed: 0 };
    const owner: ClientOwner = {
      clientEstablished: () => {},
      clientClosed: () => heard.closed++,
    };
    const called = gate();
    const config = loopback.over({
      input: { settings },
      // A hook that reads, as one for a header does, sees the client's end.
      admit: ({ socket }, context) => {
        signal = context.signal;
        socket.resume();
        called.resolve();
        return admission.promise;
      },
      ownerUnlinks: owned,
      handshakes: undefined,
      proxied: undefined,
    });
    const client = new Client(accepted, config, environmentOf({ clock }), owned ? owner : undefined);
    if (owned) {
      client.session = {
        legReadLast: () => true,
        legFinished: () => {},
        legEnded: () => {},
        legUnlinked: () => heard.unlinked++,
        legClosed: () => {},
        legHandedOver: () => true,
        legRefused: (words) => client.turnAway(undefined, words),
        legPeeked: () => ({ stop() {} }),
      };
    }
    client.on('dropped', () => heard.dropped++);
    client.on('released', () => heard.released++);
    client.begin();
    if (!hasHandshake && !isProxied) await called.promise;
    const isGone = (): string | undefined => (client.socket.destroyed ? 'its socket is gone' : undefined);
    const isUnknown = ({ from }: Step): boolean => /^live\.accepted\.(identifying|handshaking)$/.test(from);
    const isHandshaking = ({ from }: Step): boolean => from === 'live.accepted.handshaking';

    const perform: Performances = {
      'header.done': () => {
        peer.write(HEADER);
        return isGone();
      },
      'header.failed': () => {
        peer.write('This is no header.');
        return isGone();
      },
      'handshake.done': async () => {
        if (client.socket.writableEnded) return 'our end is out: the handshake fails';
        if (isGone()) return isGone();
        peer = loopback.secure(peer);
        await called.promise;
        return undefined;
      },
      'handshake.failed': () => void peer.write('This is no TLS, and long enough to be seen as such.'),
      'client.close': () => void client.close(),
      'client.abort': ({ event }) => {
        isDeadline = (event as { deliver?: boolean }).deliver === true;
        if (isDeadline) client.cut(DEADLINE);
        else void client.abort();
      },
      'client.refuse': ({ event }) => {
        words = (event as { words?: string }).words;
        if (words !== undefined && isStuck) {
          words = TOO_MUCH;
          peer.pause();
        }
        void client.refuse(words);
      },
      'client.handOver': () => void client.handOver((socket) => taken.push(socket)),
      'socket.idled': () => stayStill(client, clock),
      'owner.admitted': () => decide(() => admission.resolve(true)),
      'owner.refused': (step, index) => {
        if (isUnknown(step)) client.refuseAdmission(DEADLINE);
        else decide(() => (index % 2 === 0 ? admission.resolve(false) : admission.reject(new Error('no'))));
      },
      'socket.ended': () => {
        peer.end();
        return isGone();
      },
      'socket.finished': (step) => {
        const { socket } = client;
        if (socket.writableFinished) return 'it has finished before, and said so';
        if (!/^(closing|explaining|lingering)/.test(step.from)) socket.end();
        return isGone();
      },
      'socket.failed': async (step) => {
        const { socket } = client;
        if (isGone()) return isGone();
        if (isHandshaking(step)) {
          socket.destroy(new Error('Other code destroys it.'));
          return undefined;
        }
        const peerEnded = peer.writableEnded;
        if (peerEnded && socket.writableEnded) return 'neither side sends any more: a reset goes unseen';
        resetPeer(peer);
        if (peerEnded) await writeUntilRefused(socket);
        return undefined;
      },
      'socket.closed': (step) => {
        if (isHandshaking(step)) return 'a handshake whose socket is gone has failed first';
        if (/^(closing|lingering)/.test(step.from)) peer.end();
        else if (step.from === 'explaining' || step.from.startsWith('lent')) client.socket.destroy();
        else if (step.from.startsWith('live.') && !step.from.endsWith('bothEnded')) client.socket.destroy();
        return undefined;
      },
    };

    return {
      machine: clientMachine,
      input: { settings },
      handle: client,
      perform: performer(client, clock, perform),
      eventOf: ({ event: type }) => {
        if (type === 'client.refuse' && words !== undefined) return { type, words } as EventObject;
        return type === 'client.abort' && isDeadline
          ? ({ type, deliver: true, cause: DEADLINE } as EventObject)
          : { type };
      },
      dispose: async () => {
        isDeadline = false;
        const { ending } = await client.abort();
        if (signal?.aborted === isDecided)
          throw new Error('its hook was told to stop if, and only if, it had answered');
        admission.resolve(true);
        const expected = {
          unlinked: owned ? 1 : 0,
          dropped: ending === 'dropped' ? 1 : 0,
          released: 1,
          closed: owned ? 1 : 0,
        };
        if (JSON.stringify(heard) !== JSON.stringify(expected)) {
          throw new Error(`its owner heard ${JSON.stringify(heard)}, not ${JSON.stringify(expected)}`);
        }
        peer.destroy();
        await Promise.all([gone(accepted), gone(peer)]);
        expectNothingLeft(clock);
      },
    };
  };
}
