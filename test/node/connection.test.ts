/**
 * What Node's sockets emit while they are connected, in which order, and what the library makes of it. Each situation
 * happens for real, to either end of a connection: to a bare socket, to one whose reports are held against the
 * model, and to one that an instance of the library owns.
 */
import { once } from 'node:events';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { turns } from '../support/wait.js';
import { emitted, expectedOver, lived, type Scene, type Situation, traced } from './scene.js';
import { EVERYWHERE, type Over, type Side } from './stage.js';
import { since } from './watch.js';

const SIDES: readonly Side[] = ['dialled', 'accepted'];
/** Where there is a RST. */
const RESETTABLE: readonly Over[] = ['TCP', 'TLS'];

/** More than the buffers of the system take. */
const MUCH = Buffer.alloc(8_000_000);

const RESET = 'error ECONNRESET read @destroyed, close after error';
const BROKEN = 'error EPIPE write @destroyed, close after error';
const ENDED = 'end @writeOnly, finish @closed, close';

/** What libuv says of a socket that is connected to nobody. */
const ENOTCONN = -constants.errno.ENOTCONN;

/** In one tick: the socket cannot read before both are there. */
async function dataAndReset({ peer, resetPeer, closed }: Scene): Promise<void> {
  peer.write('x');
  resetPeer();
  await closed();
}

const situations: readonly Situation[] = [
  {
    what: 'we end, and the peer answers',
    act: async ({ peer, end, closed }) => {
      peer.on('end', () => peer.end());
      end();
      await closed();
    },
    emits: 'finish @readOnly, end @closed, close',
    instance: 'open, localEnded, bothEnded, ended owner/end/established',
  },
  {
    what: 'the peer ends, and later we do',
    act: async ({ peer, end, emitted, closed }) => {
      peer.end();
      await emitted('end');
      end();
      await closed();
    },
    emits: ENDED,
    instance: 'open, peerEnded, bothEnded, ended peer/end/established',
  },
  {
    what: 'the peer ends a socket that is not half open',
    halfOpen: false,
    act: async ({ peer, closed }) => {
      peer.end();
      await closed();
    },
    emits: ENDED,
  },
  {
    what: 'the same, and nobody reads',
    halfOpen: false,
    unread: true,
    act: async ({ peer, closed }) => {
      peer.end();
      await closed();
    },
    emits: ENDED,
  },
  {
    what: 'the same, paused with a byte that is unread',
    halfOpen: false,
    act: async ({ socket, peer, note, closed }) => {
      socket.pause();
      peer.end('x');
      await once(peer, 'finish');
      await turns(20);
      note('resume');
      socket.resume();
      await closed();
    },
    emits: `resume, data, ${ENDED}`,
  },
  {
    what: 'the peer ends, and nobody answers',
    act: async ({ peer, emitted }) => {
      peer.end();
      await emitted('end');
      await turns(20);
    },
    emits: 'end @writeOnly',
    instance: 'open, peerEnded',
  },
  {
    what: 'we end, and the peer never does',
    act: async ({ end, emitted }) => {
      end();
      await emitted('finish');
      await turns(20);
    },
    emits: 'finish @readOnly',
    instance: 'open, localEnded',
  },
  {
    what: 'the same, with a timeout',
    act: async ({ socket, end, emitted }) => {
      end();
      await emitted('finish');
      socket.setTimeout(10);
      await emitted('timeout');
      await turns(20);
    },
    emits: 'finish @readOnly, timeout @readOnly',
    instance: 'open, localEnded',
  },
  {
    what: 'the peer resets an idle connection',
    act: async ({ resetPeer, closed }) => {
      resetPeer();
      await closed();
    },
    emits: RESET,
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'the peer resets after our end',
    over: RESETTABLE,
    act: async ({ end, resetPeer, emitted, closed }) => {
      end();
      await emitted('finish');
      await turns(20);
      resetPeer();
      await closed();
    },
    emits: `finish @readOnly, ${RESET}`,
    instance: 'open, localEnded, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'the peer destroys, and leaves something unread',
    over: ['TCP', 'Unix'],
    act: async ({ socket, peer, closed }) => {
      socket.write('x');
      peer.destroy();
      await closed();
    },
    emits: RESET,
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'data and a reset in one poll',
    over: ['TCP'],
    halfOpen: false,
    act: dataAndReset,
    emits: since({ 20: `data, ${ENDED}`, 24: `data, ${RESET}` }),
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    // Towards the client the reset overtakes the bytes.
    what: 'data and a reset in one poll',
    over: ['TLS'],
    sides: ['accepted'],
    halfOpen: false,
    act: dataAndReset,
    emits: since({ 20: `data, ${ENDED}`, 24: `data, ${RESET}` }),
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'the same, and its end is looked at: no address, no peer',
    over: ['TCP'],
    halfOpen: false,
    act: (scene) => {
      const { socket, note } = scene;
      socket.on('end', () => note(`from ${socket.remoteAddress} and getpeername ${getpeername(socket)}`));
      return dataAndReset(scene);
    },
    emits: since({
      20: `data, end @writeOnly, from undefined and getpeername ${ENOTCONN}, finish @closed, close`,
      24: `data, ${RESET}`,
    }),
  },
  {
    what: 'the peer resets while nobody reads, and then somebody does',
    over: ['TCP'],
    sides: ['accepted'],
    paused: true,
    act: async ({ socket, note, resetPeer, closed }) => {
      resetPeer();
      await turns(20);
      note(`resume ${socket.readyState}`);
      socket.resume();
      await closed();
    },
    emits: `resume open, ${RESET}`,
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'the same, after a byte',
    over: ['TCP'],
    sides: ['accepted'],
    halfOpen: false,
    paused: true,
    act: async ({ socket, peer, note, resetPeer, closed }) => {
      peer.write('x');
      resetPeer();
      await turns(20);
      note('resume');
      socket.resume();
      await closed();
    },
    emits: since({ 20: `resume, data, ${ENDED}`, 24: `resume, data, ${RESET}` }),
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'the peer resets while nobody reads, and then somebody writes',
    over: ['TCP'],
    sides: ['accepted'],
    paused: true,
    act: async ({ note, write, resetPeer, closed }) => {
      resetPeer();
      await turns(20);
      note('write');
      write();
      await closed();
    },
    emits: 'write, written ECONNRESET, error ECONNRESET write @destroyed, close after error',
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'TLS is read while it is paused, and so hears of the reset',
    over: ['TLS'],
    sides: ['accepted'],
    paused: true,
    act: async ({ resetPeer, closed }) => {
      resetPeer();
      await closed();
    },
    emits: RESET,
    instance: 'open, dropped peer/reset/established/ECONNRESET',
  },
  {
    what: 'the peer ends, and then resets: only a write shows it',
    over: RESETTABLE,
    act: async ({ peer, note, write, resetPeer, emitted, closed }) => {
      peer.end();
      await emitted('end');
      resetPeer();
      await turns(20);
      note('write');
      write();
      await closed();
    },
    emits: `end @writeOnly, write, written EPIPE, ${BROKEN}`,
    instance: 'open, peerEnded, dropped peer/reset/established/EPIPE',
  },
  {
    what: 'we write to a peer that has ended and closed',
    act: async ({ over, peer, write, emitted, closed }) => {
      peer.end();
      await emitted('end');
      peer.destroy();
      await once(peer, 'close');
      write();
      // The first one is taken, and answered by a reset; a Unix socket knows at once.
      if (over !== 'Unix') {
        await turns(20);
        write();
      }
      await closed();
    },
    emits: {
      TCP: `end @writeOnly, written ok, written EPIPE, ${BROKEN}`,
      Unix: `end @writeOnly, written EPIPE, ${BROKEN}`,
      TLS: `end @writeOnly, written ok, written EPIPE, ${BROKEN}`,
    },
    instance: 'open, peerEnded, dropped peer/reset/established/EPIPE',
  },
  {
    what: 'we write while we hear of the end, not half open, and once more when it has closed',
    halfOpen: false,
    act: async ({ socket, peer, write, closed }) => {
      socket.on('end', () => write());
      peer.end();
      await closed();
      write();
    },
    emits: 'end @writeOnly, written ok, finish @closed, close, written EPIPE',
  },
  {
    what: 'we write after our end',
    act: async ({ end, write, closed }) => {
      end();
      write();
      await closed();
    },
    emits: 'written ERR_STREAM_WRITE_AFTER_END, error ERR_STREAM_WRITE_AFTER_END @destroyed, close after error',
    instance: 'open, dropped system/error/established/ERR_STREAM_WRITE_AFTER_END',
  },
  {
    what: 'we write after a destroy',
    act: async ({ socket, note, destroy, write, closed }) => {
      destroy();
      note(`write is ${socket.write('x')}`);
      write();
      await closed();
    },
    emits: 'write is false, written ERR_STREAM_DESTROYED, close',
    instance: 'open, aborted owner/destroy/established',
  },
  {
    what: 'we destroy with writes in flight',
    act: async ({ socket, peer, note, destroy, write, closed }) => {
      peer.pause();
      for (let count = 0; count < 3; count++) write(MUCH);
      await turns();
      destroy();
      await closed();
      await turns();
      note(`errored ${(socket.errored as NodeJS.ErrnoException | null)?.code}`);
    },
    emits: since({
      20: 'written ok, written ERR_STREAM_DESTROYED, written ERR_STREAM_DESTROYED, close, errored undefined',
      22: 'written ECANCELED, written ECANCELED, written ECANCELED, close, errored ECANCELED',
    }),
    instance: 'open, aborted owner/destroy/established',
  },
  {
    what: 'we destroy it for an error, and then for another',
    act: async ({ destroy, closed }) => {
      destroy(Object.assign(new Error('one'), { code: 'EONE' }));
      destroy(Object.assign(new Error('two'), { code: 'ETWO' }));
      await closed();
    },
    emits: 'error EONE @destroyed, close after error',
    instance: 'open, dropped system/error/established/EONE',
  },
  {
    what: 'we destroy it while we read the last byte: its end comes later',
    act: async ({ socket, peer, destroy, closed }) => {
      socket.pause();
      peer.end('x');
      await once(peer, 'finish');
      await turns(20);
      socket.on('data', () => destroy());
      socket.resume();
      await closed();
    },
    emits: 'data, end @destroyed, close',
    instance: 'open, peerEnded, aborted owner/destroy/established',
  },
  {
    what: 'we destroy it when its end is sent: its finish comes later',
    act: async ({ socket, end, destroy, closed }) => {
      socket.on('prefinish', () => destroy());
      end();
      await closed();
    },
    emits: 'finish @destroyed, close',
    instance: 'open, localEnded, aborted owner/destroy/established',
  },
  {
    what: 'a timeout, once for each time it is idle',
    act: async ({ socket, peer, emitted }) => {
      const idleMs = 15;
      socket.setTimeout(idleMs);
      await emitted('timeout');
      // That there is no other can only be waited for. Timers of one length fire in the order in which they were set,
      // however late they are: that of another timeout would have been set before this one.
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      peer.write('x');
      await emitted('timeout');
      socket.setTimeout(0);
    },
    emits: 'timeout @open, data, timeout @open',
  },
];

function getpeername(socket: object): number {
  return (socket as { _handle: { getpeername(out: object): number } })._handle.getpeername({});
}

describe.each(EVERYWHERE)('over %s', (over) => {
  const here = situations
    .filter((situation) => (situation.over ?? EVERYWHERE).includes(over))
    .flatMap((situation) => (situation.sides ?? SIDES).map((side) => ({ situation, side })));

  describe('a bare socket emits', () => {
    for (const { situation, side } of here) {
      const expected = expectedOver(situation.emits, over);
      test(`${situation.what} (${side}): ${expected}`, async () => {
        expect(await emitted(situation, over, side)).toEqual(expected.split(', '));
      });
    }
  });

  describe('the library makes of it, and the model allows', () => {
    for (const { situation, side } of here) {
      if (situation.instance === undefined) continue;
      const expected = expectedOver(situation.instance, over);
      test(`${situation.what} (${side}): ${expected}`, async () => {
        expect(await lived(situation, over, side)).toBe(expected);
        expect(await traced(situation, over, side)).not.toEqual([]);
      });
    }
  });
});
