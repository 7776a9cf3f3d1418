/** The model of a backend, which also knows what must come of every report and request, and how the backend must end. */
import type { EventObject } from 'xstate';
import { nothingLost, type Sent } from '../../../src/machines/vocabulary.js';
import { type BackendModel, backendRules } from '../backend.js';
import { type Chance, type ModelRules, must } from '../explore.js';
import { isDestroyed } from '../socket.js';

interface StrictBackend extends BackendModel {
  /** It was told to send a FIN; it was reset, and has to be where something may have been written. */
  readonly fin: boolean;
  readonly reset: boolean;
  readonly mustReset: boolean;
  readonly letGo: boolean;
  /** It was reset although all was with the system. */
  readonly undone: boolean;
  /** It was reset, by either side, while what was written mattered. */
  readonly lost: boolean;
  /** What the socket has just reported. */
  readonly news: 'failed' | 'ended' | undefined;
  /** What was written while it could be, if anything, is out. */
  readonly flushed: boolean;
  /** Both sides had sent FIN when it closed. */
  readonly whole: boolean;
  /** The set of servers was told that this connection is gone. */
  readonly left: boolean;
  /** There was a drop, or the owner has destroyed the socket, and no connection since. */
  readonly toRepair: boolean;
  /** The owner was told that it backs off; that it is exhausted, now and before this attempt. */
  readonly retried: boolean;
  readonly exhausted: boolean;
  readonly rested: boolean;
  /** It makes no attempt until the owner asks; the owner has asked since the drop. */
  readonly resting: boolean;
  readonly wanted: boolean;
  /** The owner wants another connection. */
  readonly renewed: boolean;
  /** The owner wants it to start afresh; the set of servers was told. */
  readonly afresh: 'no' | 'asked' | 'restored';
  /** The owner wants the next attempt now. */
  readonly hastened: boolean;
  /** A server was to be had; none was. */
  readonly chosen: boolean;
  readonly gaveUp: boolean;
  /** The owner waits no longer for those who were told to let go. */
  readonly impatient: boolean;
}

const FACTS = {
  fin: false,
  reset: false,
  mustReset: false,
  letGo: false,
  undone: false,
  lost: false,
  news: undefined,
  flushed: true,
  whole: false,
  left: false,
  toRepair: false,
  retried: false,
  exhausted: false,
  rested: false,
  resting: false,
  wanted: false,
  renewed: false,
  afresh: 'no',
  hastened: false,
  chosen: false,
  gaveUp: false,
  impatient: false,
} as const;

const CLOSE_MS = 7;
const BACKOFF_MS = 100;
const FINISHED = { type: 'socket.finished' };

type Command = EventObject & { readonly repair: boolean; readonly delayMs: number; readonly cause: unknown };

/** What a command tells the owner, or the model. */
const followed: Record<string, (model: StrictBackend, command: Command) => Partial<StrictBackend>> = {
  'server.drop': () => ({ left: true }),
  'server.choose'({ dropped, destroyed, left }) {
    must(!(dropped || destroyed) || left, 'It has lost a server, and the set of servers was not told');
    return { retried: false, exhausted: false, hastened: false, gaveUp: false };
  },
  'server.renew': () => ({ renewed: false }),
  'server.rest'({ wanted }) {
    must(!wanted, 'It rests, and was asked for a connection');
    return { resting: true };
  },
  'server.forget': () => ({ gaveUp: true }),
  'server.restore': () => ({ afresh: 'restored' }),
  'socket.open'({ chosen }) {
    must(chosen, 'It opens a socket, and no server was chosen');
    return { chosen: false, fin: false, rested: false, afresh: 'no', left: false };
  },
  'socket.end': ({ flushed, socket }) => ({ fin: true, flushed: flushed || socket.local === 'finished' }),
  'socket.linger': () => ({ letGo: true }),
  'socket.reset': ({ undone, lost, owned, flushed, socket }) => ({
    reset: true,
    undone: undone || (flushed && !lost && socket.phase === 'open' && socket.local === 'finished'),
    lost: lost || owned || socket.local === 'finished',
  }),
  'owner.prepare'({ toRepair }, { repair }) {
    must(repair === toRepair, 'It repairs what was not dropped, or the other way round');
    return { flushed: false, undone: false, lost: false, letGo: false };
  },
  'owner.establish': ({ socket }) => ({ toRepair: false, flushed: socket.local === 'finished' }),
  'owner.drop'({ socket }, { cause }) {
    must(cause !== undefined, 'It drops without a cause');
    must(!socket.peerEnded || socket.local !== 'finished', 'It drops what both sides have ended (2)');
    return { toRepair: true, lost: true, wanted: false };
  },
  'owner.retry'(_model, { delayMs }) {
    must(delayMs === BACKOFF_MS, 'It announces another wait');
    return { retried: true };
  },
  'owner.exhaust'(_model, { cause }) {
    must(cause !== undefined, 'It is exhausted without a cause');
    return { exhausted: true, rested: true };
  },
};

/** What was the last incarnation's is cleared away there. */
const CLEARED = /^(idle|active\.(disposing\.destroying|choosing|waiting|exhausted|connecting))/;
/** Something may have been written there, and is not known to be out. */
const WRITTEN = /^(active\.(preparing|established|renewing)|closing\.(holding|revoking|flushing))/;

/** What was written matters, and its socket is there. */
const HELD = /^(active\.(established\.(?!both)|renewing)|closing\.(holding|revoking|flushing)|lingering)/;

/** It is over, but for those who were told to let go. */
const DONE_WITH = /^(releasing|dropping\.revoking)$/;

function changed(model: StrictBackend, { what, event }: Chance<BackendModel>, state: string): Partial<StrictBackend> {
  const isHeard = WRITTEN.test(state);
  switch (event?.type) {
    case 'socket.failed':
      return { news: 'failed', lost: model.lost || HELD.test(state) };
    case 'socket.ended':
      return { news: 'ended' };
    case 'socket.finished':
      return { flushed: model.flushed || isHeard };
    case 'socket.closed':
      return {
        whole: model.whole || (what === 'closed' && state.endsWith('bothEnded')),
        ...(isDestroyed({ event }, state) && { toRepair: true, wanted: false }),
      };
    case 'server.chosen':
      return { chosen: true };
    case 'server.exhausted':
      return { gaveUp: true };
    case 'backend.connect':
      return { wanted: true, resting: false, ...(state === 'active.exhausted' && { afresh: 'asked' as const }) };
    case 'backend.renew':
      return {
        wanted: true,
        resting: false,
        renewed: state.startsWith('active.established'),
        ...(state === 'active.exhausted' && { afresh: 'asked' as const }),
      };
    case 'backend.retry':
      return { hastened: /^active\.(exhausted|waiting)$/.test(state) };
    case 'backend.close':
      return { impatient: DONE_WITH.test(state) };
    case 'backend.abort':
      return { impatient: DONE_WITH.test(state), mustReset: WRITTEN.test(state) && !('deliver' in event) };
    default:
      return {};
  }
}

function follow(model: StrictBackend, chance: Chance<BackendModel>, state: string): Chance<StrictBackend> {
  const { what, event } = chance;
  const now = { ...(chance.model as StrictBackend), ...changed(model, chance, state) };
  return {
    ...chance,
    event: event?.type === 'backend.close' ? ({ type: event.type, timeoutMs: CLOSE_MS } as EventObject) : event,
    // A handshake that has ended, and has connected nevertheless, is none.
    model: what === 'connected' ? { ...now, socket: { ...now.socket, peerEnded: false } } : now,
  };
}

export const strictBackend: ModelRules<StrictBackend> = {
  initial: { ...backendRules.initial, ...FACTS },

  perform(model, command) {
    const effect = backendRules.perform(model, command);
    const now = { ...(effect.model as StrictBackend), ...followed[command.type]?.(model, command as Command) };
    // The hook may have sent the last word already.
    const hasFinished = command.type === 'owner.establish' && now.socket.local === 'finished';
    return { model: now, reports: hasFinished ? [FINISHED] : effect.reports };
  },

  chances(before, state) {
    const model = CLEARED.test(state) ? { ...before, flushed: true, lost: false, undone: false } : before;
    return backendRules.chances(model, state).map((chance) => follow(model, chance, state));
  },

  check(model, state, isDone, context) {
    backendRules.check(model, state, isDone, context);
    const { socket, owned, choosing, hook, awaited, told, established, dropped, over, connected, closed, aborted } =
      model;
    const { settings, attempts, sent } = context as {
      settings: { persistent: boolean; onDemand: boolean; attemptsMax: number };
      attempts: number;
      sent: Sent;
    };
    const flushed = nothingLost(sent);
    const is = (states: RegExp): boolean => states.test(state);

    must(!is(/^closing/) || context.closeTimeoutMs === CLOSE_MS, 'It closes in its own time');
    const isUnasked = !connected && !over;
    must(!isUnasked || is(/^idle/), 'It starts by itself');
    must(!is(/^idle/) || isUnasked || model.resting, 'It rests, and nobody is told');
    must(!model.resting || settings.onDemand, 'It rests, and was told to go on');
    const goesOn = is(/^active\.(choosing|waiting|connecting)/) && model.toRepair;
    must(!settings.onDemand || !goesOn || model.wanted, 'It goes on after a drop, and was not asked to');
    must(!model.renewed || !settings.persistent, 'It was told to connect anew, and does not');
    must(!over || !is(/^active/), 'It goes on after the end was asked for (1)');
    must(
      choosing === (state === 'active.choosing'),
      'It waits for a choice that was made, or does not for one that was not',
    );
    must(!is(/^active\.waiting/) || model.retried, 'It backs off, and nobody is told');
    must(!is(/^active\.exhausted/) || model.exhausted, 'It is exhausted, and nobody is told');
    must(settings.persistent || !is(/^active\.(failover|exhausted|renewing)/), 'It goes on after its one conversation');
    must(!settings.persistent || !is(/^(dropp|fail)/), 'It is lost, and not replaced');
    const mustGoOn = settings.persistent && model.destroyed && !over;
    must(!mustGoOn || is(/^(active|idle)/), 'Its owner has destroyed a socket, and it does not go on (2)');
    must(!model.impatient || !DONE_WITH.test(state), 'It waits on for those whom nobody waits for');
    const isGone = model.news === 'failed' || socket.phase === 'none';
    must(!is(/^closing\.holding/) || !isGone, 'Its socket is gone, and its holders are not told');
    must(!is(/^closing\.destroying/) || flushed, 'It destroys what has to be written (8)');
    must(!model.hastened, 'It was told to try now, and does not');
    must(model.afresh !== 'asked', 'It was told to start afresh, and does not');
    must(model.afresh !== 'restored' || attempts === 0 || !choosing, 'It starts afresh, and counts on');
    must(!is(/^active\.connecting/) || attempts > 0, 'It does not count its attempts (5)');
    const isSpent = attempts >= settings.attemptsMax;
    must(!is(/^(active\.exhausted|failed)/) || model.gaveUp || isSpent, 'It gives up too early');
    must(!choosing || !isSpent || model.rested, 'It tries more often than it may (5)');

    must(!is(/^active\.connecting/) || socket.phase !== 'open', 'It has connected, and nothing comes of it');
    must(!is(/^active\.preparing/) || hook === 'running', 'Its hook has settled, and nothing comes of it');
    must(!is(/^active\.established/) || established, 'It was never offered');
    const hasSocket = is(
      /^active\.(connecting|preparing|established)|flushing$|destroying$|lingering\.reading$|parting$/,
    );
    must(!hasSocket || socket.phase !== 'none', 'Its socket has closed, and nothing comes of it');
    const isDying = is(/^(active\.(disposing|failover)|dropping|aborting|parting|closing\.destroying)/);
    must(!isDying || /none|closing/.test(socket.phase), 'It waits for its socket, and has not destroyed it');
    must(!is(/^active\.(choosing|waiting|exhausted)/) || socket.phase === 'none', 'It goes on, and has a socket');
    const isUp = is(/^active\.(preparing|established\.(?!both))/);
    must(!isUp || model.news !== 'failed', 'It has failed, and it goes on (2)');
    must(!is(/^active\.preparing/) || model.news !== 'ended', 'It has ended, and it goes on');
    must(!settings.persistent || !is(/\.peerEnded$/), 'Its peer has ended, and it goes on (2)');
    if (is(/^active\.established/)) {
      const ends = socket.peerEnded ? ['peerEnded', 'bothEnded'] : ['open', 'localEnded'];
      must(
        state.endsWith(ends[socket.local === 'finished' ? 1 : 0] as string),
        `It is ${state}, and its socket is not`,
      );
    }

    const isLinked = is(/^(active\.(preparing|established|renewing\.holding)|closing\.holding)/);
    must(isLinked === socket.linked, 'It is linked, or not, and is wrong');
    const isOwned = isLinked || is(/^active\.failover|^releasing|revoking$/);
    must(isOwned === owned, 'It is released too late, or too early (3)');
    const isWaiting = is(/^active\.failover|^releasing|holding$|revoking$/);
    must(isWaiting === awaited, 'It waits for holders and does not ask them, or the other way round');
    must(!isWaiting || told !== is(/holding$/), 'It waits for holders who know nothing, or hurries them');
    must(!is(/flushing$/) || model.fin, 'It waits for a FIN that was not sent (8)');
    must(!is(/^abort/) || !model.undone || (aborted && !model.cut) || model.letGo, 'It resets what is complete (8)');
    must(!is(/^(abort|linger)/) || !model.mustReset || model.reset, 'It is aborted, and not reset (9)');

    if (!isDone) return;
    must(context.cause !== undefined, 'It ends without a cause');
    const isKept = (model.flushed && !model.lost && state !== 'dropped') || state === 'failed';
    must(flushed === isKept, `It says that what was written is out: ${flushed} (8)`);
    must(
      settings.persistent || !model.destroyed || state === 'aborted',
      'Its owner has destroyed it, and it ends as something else (2)',
    );
    must(state !== 'dropped' || dropped, 'It ends as dropped, and was not (2)');
    must(settings.persistent || !dropped || state === 'dropped', 'It was dropped, and ends as something else (2)');
    must((state === 'ended') === model.whole, 'It ends as if by itself, and did not, or the other way round (2)');
    must(state !== 'failed' || (!settings.persistent && !established && !over), 'It fails, and need not');
    must(state !== 'closed' || (closed && (!aborted || model.letGo)), 'It ends as closed, and was not');
    must(state !== 'aborted' || over || model.lost || model.letGo, 'It ends as aborted, and was not');
  },

  forget: (model) => ({
    ...model,
    reset: false,
    undone: false,
    mustReset: false,
    news: undefined,
    hastened: false,
    renewed: false,
    wanted: model.wanted && model.toRepair,
    impatient: false,
  }),

  mayRest: backendRules.mayRest,
};
