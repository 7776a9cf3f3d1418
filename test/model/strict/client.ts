/** The model of a client, which also knows what must come of every report and request, and how the client must end. */
import type { EventObject } from 'xstate';
import { nothingLost, type Sent } from '../../../src/machines/vocabulary.js';
import { type ClientModel, clientRules } from '../client.js';
import { type Chance, type ModelRules, must } from '../explore.js';

interface StrictClient extends ClientModel {
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
function follow(model: StrictClient, chance: Chance<ClientModel>, state: string): Chance<StrictClient> {
  const { what, event } = chance;
  const type = event?.type;
  const isAsked =
    type === 'client.close' ||
    (type === 'client.abort' &&
      chance.event !== undefined &&
      !('deliver' in chance.event && model.socket.local === 'finished'));
  const isOut = what === 'finished' && /^(live\.established|lent|closing|explaining)/.test(state);
  return {
    ...chance,
    event: type === 'client.close' ? ({ type, timeoutMs: CLOSE_MS } as EventObject) : event,
    model: {
      ...(chance.model as StrictClient),
      idled: model.idled || type === 'socket.idled',
      failed: type === 'socket.failed',
      flushed:
        isAsked && state.startsWith('live.accepted') ? model.socket.local === 'finished' : model.flushed || isOut,
      lost:
        model.lost ||
        (type === 'socket.failed' && /^(live\.established\.(?!both)|lent|closing|explaining|lingering)/.test(state)),
      // What finishes after a failure does not make it whole.
      whole: model.whole || (what === 'closed' && state.endsWith('bothEnded')),
    },
  };
}

export const strictClient: ModelRules<StrictClient> = {
  initial: {
    ...clientRules.initial,
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

  perform(model, command) {
    const { type } = command;
    const effect = clientRules.perform(model, command);
    const now = effect.model as StrictClient;
    if (type === 'socket.linger') return { ...effect, model: { ...now, letGo: true } };
    if (type === 'socket.give') return { ...effect, model: { ...now, flushed: now.socket.local === 'finished' } };
    if (type === 'socket.write') return { ...effect, model: { ...now, flushed: false } };
    if (type === 'handshake.end') return { ...effect, model: { ...now, reset: true } };
    if (type === 'socket.end') return { ...effect, model: { ...now, fin: true } };
    if (type === 'socket.reset') {
      const isAsked = now.closed || now.aborted || now.cut || now.fin;
      const undone = model.undone || (!model.lost && model.socket.local === 'finished');
      return {
        ...effect,
        model: {
          ...now,
          reset: true,
          undone,
          lost: now.lost || isAsked || now.established || now.given || (undone && now.letGo),
        },
      };
    }
    if (type !== 'owner.establish') return { ...effect, model: now };
    // The hook may have sent the last word already.
    const isFinished = now.socket.local === 'finished';
    return { model: { ...now, flushed: isFinished }, reports: isFinished ? [FINISHED] : [] };
  },

  chances: (model, state) => clientRules.chances(model, state).map((chance) => follow(model, chance, state)),

  check(model, state, isDone, context) {
    clientRules.check(model, state, isDone, context);
    const { socket, hook, established, dropped, over, closed, aborted, turnedAway, given } = model;
    must(!/(^|\.)closing$/.test(state) || context.closeTimeoutMs === CLOSE_MS, 'It closes in its own time');
    must(!aborted || !state.startsWith('lingering'), 'Its owner has aborted it, and it lingers (8)');
    if (state.startsWith('live.established')) {
      const ends = socket.peerEnded ? ['peerEnded', 'bothEnded'] : ['open', 'localEnded'];
      must(
        state.endsWith(ends[socket.local === 'finished' ? 1 : 0] as string),
        `It is ${state}, and its socket is not`,
      );
    }
    must(socket.phase !== 'none' || isDone, 'Its socket has closed, and it lives on (6)');
    must(!model.failed || /^(?!live)|bothEnded/.test(state), 'Its socket has failed, and it lives on (2)');
    must(state !== 'aborting' || !model.undone || aborted || model.letGo, 'It resets what is complete (8)');
    must(
      hook !== 'none' || model.identifying || model.handshaking || !state.startsWith('live.accepted'),
      'Its admission is decided, and it waits on',
    );
    must(model.identifying === (state === 'live.accepted.identifying'), 'It waits for a header that is there');
    must(model.handshaking === (state === 'live.accepted.handshaking'), 'It waits for a handshake that is over');
    if (!isDone) return;
    must(context.cause !== undefined, 'It ends without a cause');
    const isKept = model.flushed && !model.lost && state !== 'dropped';
    must(
      nothingLost(context.sent as Sent) === isKept,
      `It says that what was written is out: ${nothingLost(context.sent as Sent)} (8)`,
    );
    must(!model.destroyed || state === 'aborted', 'Its owner has destroyed it, and it ends as something else (2)');
    must(dropped === (state === 'dropped'), 'It ends as dropped, and was not, or the other way round (2)');
    const isEnded = established && !over && model.whole;
    must(isEnded === (state === 'ended'), 'It ends as if by itself, and did not, or the other way round (2)');
    const wasCut = model.reset || model.letGo;
    must(
      state !== 'refused' || ((!established || turnedAway) && (wasCut || model.fin)),
      'It ends as refused, and was not (9)',
    );
    must(
      state !== 'closed' || (closed && (!aborted || model.letGo) && (model.fin || given)),
      'It ends as closed, and was not (8)',
    );
    must((state === 'handedOver') === (given && !over), 'It ends as handed over, and was not, or the other way round');
    must(
      state !== 'aborted' || ((over || model.idled || model.destroyed) && wasCut),
      'It ends as aborted, and was not (9)',
    );
  },

  forget: (model) => ({ ...model, failed: false }),

  mayRest: clientRules.mayRest,
};
