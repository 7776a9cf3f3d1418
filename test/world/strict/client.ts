/** The world of a client, which also knows what must come of every report and request, and how the client must end. */
import type { EventObject } from 'xstate';
import { isWhole, type Sent } from '../../../src/machines/vocabulary.js';
import { type ClientWorld, clientWorld } from '../client.js';
import { type Chance, must, type WorldModel } from '../explore.js';

interface StrictClient extends ClientWorld {
  /** It was told to send a FIN; it was reset. */
  readonly fin: boolean;
  readonly reset: boolean;
  readonly letGo: boolean;
  /** Nothing has moved for too long. */
  readonly idled: boolean;
  /** It was reset although all was with the system. */
  readonly undone: boolean;
  /** It was reset, by either side, while what was written mattered. */
  readonly lost: boolean;
  /** It has failed just now. */
  readonly failed: boolean;
  /** What was written while it could be, if anything, is out. */
  readonly flushed: boolean;
  /** Both sides had sent FIN when it closed. */
  readonly whole: boolean;
}

const CLOSE_MS = 7;
const FINISHED = { type: 'socket.finished' };

/** A request comes with a time of its own; a hook may have written what nobody knows of. */
function follow(world: StrictClient, chance: Chance<ClientWorld>, state: string): Chance<StrictClient> {
  const { what, event } = chance;
  const type = event?.type;
  const isAsked =
    type === 'client.close' ||
    (type === 'client.abort' &&
      chance.event !== undefined &&
      !('deliver' in chance.event && world.socket.local === 'finished'));
  const isOut = what === 'finished' && /^(live\.established|closing)/.test(state);
  return {
    ...chance,
    event: type === 'client.close' ? ({ type, timeoutMs: CLOSE_MS } as EventObject) : event,
    world: {
      ...(chance.world as StrictClient),
      idled: world.idled || type === 'socket.idled',
      failed: type === 'socket.failed',
      flushed:
        isAsked && state.startsWith('live.accepted') ? world.socket.local === 'finished' : world.flushed || isOut,
      lost: world.lost || (type === 'socket.failed' && /^(live\.established\.(?!both)|closing|lingering)/.test(state)),
      // What finishes after a failure does not make it whole.
      whole: world.whole || (what === 'closed' && state.endsWith('bothEnded')),
    },
  };
}

export const strictClient: WorldModel<StrictClient> = {
  initial: {
    ...clientWorld.initial,
    fin: false,
    reset: false,
    letGo: false,
    idled: false,
    undone: false,
    lost: false,
    failed: false,
    flushed: true,
    whole: false,
  },

  perform(world, command) {
    const { type } = command;
    const effect = clientWorld.perform(world, command);
    const now = effect.world as StrictClient;
    if (type === 'socket.linger') return { ...effect, world: { ...now, letGo: true } };
    if (type === 'socket.end') return { ...effect, world: { ...now, fin: true } };
    if (type === 'socket.reset') {
      const undone = world.undone || (!world.lost && world.socket.local === 'finished');
      return {
        ...effect,
        world: { ...now, reset: true, undone, lost: now.lost || now.over || now.established || (undone && now.letGo) },
      };
    }
    if (type !== 'owner.establish') return { ...effect, world: now };
    // The hook may have sent the last word already.
    const isFinished = now.socket.local === 'finished';
    return { world: { ...now, flushed: isFinished }, reports: isFinished ? [FINISHED] : [] };
  },

  chances: (world, state) => clientWorld.chances(world, state).map((chance) => follow(world, chance, state)),

  check(world, state, isDone, context) {
    clientWorld.check(world, state, isDone, context);
    const { socket, hook, established, dropped, over, closes, aborts } = world;
    must(state !== 'closing' || context.closeTimeoutMs === CLOSE_MS, 'It closes in its own time');
    must(socket.phase !== 'none' || isDone, 'Its socket has closed, and it lives on (6)');
    must(!world.failed || /^(?!live)|bothEnded/.test(state), 'Its socket has failed, and it lives on (2)');
    must(state !== 'aborting' || !world.undone || aborts > 0 || world.letGo, 'It resets what is complete (8)');
    must(hook !== 'none' || !state.startsWith('live.accepted'), 'Its admission is decided, and it waits on');
    if (!isDone) return;
    must(context.cause !== undefined, 'It ends without a cause');
    const isKept = world.flushed && !world.lost && state !== 'dropped';
    must(
      isWhole(context.sent as Sent) === isKept,
      `It says that what was written is out: ${isWhole(context.sent as Sent)} (8)`,
    );
    must(dropped === (state === 'dropped'), 'It ends as dropped, and was not, or the other way round (2)');
    const isEnded = established && !over && world.whole;
    must(isEnded === (state === 'ended'), 'It ends as if by itself, and did not, or the other way round (2)');
    const wasCut = world.reset || world.letGo;
    must(state !== 'refused' || (!established && wasCut), 'It ends as refused, and was not (9)');
    must(
      state !== 'closed' || (closes > 0 && (aborts === 0 || world.letGo) && world.fin),
      'It ends as closed, and was not (8)',
    );
    must(state !== 'aborted' || ((over || world.idled) && wasCut), 'It ends as aborted, and was not (9)');
  },

  forget: (world) => ({ ...world, failed: false }),

  mayRest: clientWorld.mayRest,
};
