/**
 * Transitions and causes in words, for the live page, the program and the readers of a recording. It imports only pure
 * data, because it also runs in browsers.
 */
import type { Cause, NameAnswer } from '../machines/vocabulary.js';
import { ARRIVALS, ENDINGS } from '../machines/words.js';
import type { StepInfo } from './protocol.js';

/** A reason in short: `client reset while established, ECONNRESET`; `peer reset …` where it is the instance's own peer. */
export function causeText({ initiator, manner, phase, code, error, leg }: Cause): string {
  const who = initiator === 'peer' && leg !== undefined ? leg : initiator;
  const why = code === undefined ? '' : `, ${code}`;
  return `${who} ${manner} while ${phase}${why}${thrown(initiator, code, error)}`;
}

/** What a hook threw, or what went wrong in the library. The system's errors say no more than their codes. */
function thrown(initiator: Cause['initiator'], code: string | undefined, error: unknown): string {
  if (error === undefined || initiator === 'peer' || initiator === 'system') return '';
  let text: string;
  try {
    text = error instanceof Error ? error.message : String(error);
  } catch {
    return '';
  }
  // As a recording has it: the name comes first, and was said.
  if (code !== undefined && text.startsWith(`${code}: `)) text = text.slice(code.length + 2);
  return text === '' || text === code ? '' : `: ${text.slice(0, 500)}`;
}

/** Names come from machines of users and from files: `constructor` must find nothing. */
function wordsOf<T>(words: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(words, name) ? words[name] : undefined;
}

const PEER: Readonly<Record<string, string>> = {
  end: 'ended the connection',
  reset: 'reset the connection',
  refusal: 'refused the connection',
  close: 'closed the connection',
  answer: 'answered',
};

const OWNER: Record<Cause['manner'], string> = {
  end: 'the owner ended the stream',
  reset: 'the owner reset the connection',
  refusal: 'the owner turned it away',
  timeout: 'the owner gave up waiting',
  error: 'a hook of the owner’s failed',
  close: 'the owner asked for a close',
  abort: 'the owner aborted it',
  destroy: 'other code destroyed the socket',
  handOver: 'the owner gave the socket to other code',
  limit: 'the owner’s limit was reached',
  answer: 'it answered',
  command: 'the owner asked for it',
};

const WHILE: Record<Cause['phase'], string> = {
  idle: 'before it had begun',
  routing: 'while a hook said where it goes',
  choosing: 'while a server was being chosen',
  waiting: 'while it waited for the next attempt',
  connecting: 'while it was connecting',
  preparing: 'while it was being prepared',
  disposing: 'while what came before was cleared away',
  binding: 'while it was binding',
  listening: 'while it was listening',
  accepted: 'while it was being admitted',
  established: 'while it was established',
  checking: 'during a check',
  resolving: 'during a look-up of its name',
  starting: 'while it was starting',
  serving: 'while it served',
  closing: 'while it was closing',
  command: 'when it was told to do something',
};

/**
 * A reason as a sentence: `the backend reset the connection 3 ms after it was established (ECONNRESET)`.
 *
 * @param peer the other side: `client`, `backend`, `server`
 * @param establishedMs how long it had been established, where that is known
 */
export function causeWords(cause: Cause, peer: string, establishedMs?: number): string {
  const { initiator, manner, phase, code, error, leg } = cause;
  if (cause.answer !== undefined) return answerWords(cause, cause.answer);
  const side = leg ?? peer;
  const who = side === 'client' || side === 'backend' || side === 'server' ? `the ${side}` : 'the peer';
  const when =
    phase === 'established' && establishedMs !== undefined
      ? `${durationText(establishedMs)} after it was established`
      : (wordsOf(WHILE, phase) ?? `while ${phase}`);
  // A code that the sentence has said already is not repeated.
  let said = false;
  let what: string;
  switch (initiator) {
    case 'peer':
      what = wordsOf(PEER, manner) === undefined ? `the connection to ${who} failed` : `${who} ${PEER[manner]}`;
      break;
    case 'owner':
      what = wordsOf(OWNER, manner) ?? `the owner decided so (${manner})`;
      break;
    case 'system':
      what = `the system reported ${manner === 'timeout' ? 'a timeout' : 'an error'}`;
      if (who !== 'the peer') what += ` on the connection to ${who}`;
      break;
    case 'library':
      said = code !== undefined && manner !== 'error';
      if (manner === 'timeout') what = said ? `${code} ran out` : 'a time limit ran out';
      else if (manner === 'limit') what = said ? `the limit ${code} was reached` : 'a limit was reached';
      else if (manner === 'refusal') what = said ? `it was turned away (${code})` : 'it was turned away';
      else if (manner === 'error') what = 'something failed';
      else what = `the library decided so (${manner})`;
      break;
    default:
      what = `${initiator} ${manner}`;
  }
  const more = `${code === undefined || said ? '' : code}${thrown(initiator, code, error)}`.replace(/^: /, '');
  return `${what} ${when}${more === '' ? '' : ` (${more})`}`;
}

/** Addresses that a sentence lists. */
const LISTED = 4;

/** What a look-up of a name has brought: `db.internal is at 10.0.0.7:5432, 10.0.0.8:5432`. */
function answerWords({ manner, code, initiator, error }: Cause, { name, addresses }: NameAnswer): string {
  if (manner === 'answer') {
    const more = addresses.length > LISTED ? ` and ${addresses.length - LISTED} more` : '';
    const where = addresses.length === 0 ? 'has no address' : `is at ${addresses.slice(0, LISTED).join(', ')}${more}`;
    return `${name} ${where}`;
  }
  if (manner === 'timeout') return `${name} was not answered in time`;
  const why = `${code ?? ''}${thrown(initiator, code, error)}`.replace(/^: /, '');
  return `the look-up of ${name} failed${why === '' ? '' : ` (${why})`}`;
}

/** The owner's requests, by the code of their cause. */
const REQUESTS: Readonly<Record<string, string>> = {
  add: 'it was added',
  page: 'an operator asked for it on the page',
};

/** What ran out, by the name of the timer. */
const TIMERS: Readonly<Record<string, string>> = {
  ejection: 'its rest after the failure is over',
  exclusion: 'the time for which it was excluded is over',
  slowStart: 'its slow start is over',
  removeTimeout: 'the deadline of its removal is here',
  checkTimeout: 'a check got no answer in time',
  connectTimeout: 'a connect got no answer in time',
};

/** Why a server is in its state, or what failed there: `the server refused the connection while it was being checked (ECONNREFUSED)`. */
export function serverWhy(cause: Cause): string {
  const { initiator, manner, phase, code, error } = cause;
  if (initiator === 'owner' && (manner === 'command' || manner === 'close' || manner === 'abort')) {
    return (wordsOf(REQUESTS, code ?? '') ?? 'the program asked for it') + thrown(initiator, code, error);
  }
  if (initiator === 'library' && manner === 'timeout') {
    const words = wordsOf(TIMERS, code ?? '');
    if (words !== undefined) return words;
  }
  if (initiator === 'peer' && manner === 'answer') {
    return phase === 'checking' ? 'a check passed' : 'a connection came up';
  }
  if (initiator === 'system' && manner === 'answer') return 'a look-up of its name says so';
  return causeWords(cause, 'server');
}

/** How a check ended: `passed in 3 ms`, `failed after 2.0 s: a check got no answer in time`. */
export function checkWords(result: string, tookMs: number | null | undefined, why: string | undefined): string {
  const took = tookMs == null ? '' : ` ${result === 'passed' ? 'in' : 'after'} ${durationText(tookMs)}`;
  const what = result === 'undecided' ? 'no verdict' : result;
  return `${what}${took}${why === undefined || why === '' ? '' : `: ${why}`}`;
}

/** What failed, and why. */
export function failureWords(of: string, why: string): string {
  if (of === 'connection') return `a connection was lost soon: ${why}`;
  return why;
}

/** `3 ms`, `1.2 s`, `4 min 5 s`, `2 h 10 min`. */
export function durationText(ms: number): string {
  if (ms < 1) return 'less than 1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The event as people read it: a timer by its name, without what XState adds. */
export function eventText(event: string): string {
  return /^xstate\.after\.([^.]+)\./.exec(event)?.[1] ?? event;
}

/** What a step is that leads nowhere else. */
export const STAYS: Readonly<Record<string, string>> = {
  'socket.failed': 'the socket has failed; its close follows',
  'socket.finished': 'our last byte is sent',
  'client.arrived': 'a client has come',
  'client.closed': 'a client has gone',
  'server.failed': 'an accept has failed; it listens on',
  stableAfter: 'it has been up for long enough: failures are counted anew',
  idleProbe: 'it was looked whether anything still moves',
  halfCloseProbe: 'it was looked whether anything still moves',
  finishProbe: 'it was looked whether anything still moves',
  lingerTimeout: 'it was looked whether anything still comes',
};

/** Where a step leads, in words: `the connection to the server is established`. */
export function stateWords(machine: string, state: string): string {
  const found = wordsOf(ARRIVALS, machine)?.find(([start]) => state === start || state.startsWith(`${start}.`));
  // The id of a user's machine need not be a noun: "reconnecting is lost".
  const who = Object.hasOwn(ARRIVALS, machine) ? `the ${machine}` : machine;
  return found?.[1] ?? wordsOf(ENDINGS, state) ?? `${who} is ${state.replaceAll('.', ', ')}`;
}

/**
 * A step of a history as a sentence: why it was taken, where it leads, and, after a loss, where it went on: `the backend
 * reset the connection 3 ms after it was established (ECONNRESET); failing over to 127.0.0.1:5433`.
 *
 * @param steps the history that it is a part of, oldest first
 */
export function stepWords(steps: readonly StepInfo[], index: number): string {
  const step = steps[index] as StepInfo;
  const { who, machine, from, event, to, cause, means, at, server } = step;
  const isOwn = !Object.hasOwn(ARRIVALS, machine);
  if (means === 'connect' && !isOwn) return `connecting to ${server ?? 'a server'}`;
  // The cause of an instance is the last one that it has noted: it is said where it is news.
  if (from === to || cause === undefined || isSame(cause, causeBefore(steps, index))) {
    if (isOwn) return ownWords(step);
    if (from !== to) return stateWords(machine, to);
    return wordsOf(STAYS, eventText(event)) ?? `${eventText(event)}: it stays as it is`;
  }
  const peer = event.startsWith('client.') ? 'client' : (wordsOf(PEERS, machine) ?? machine);
  const why = machine === 'server' ? serverWhy(cause) : causeWords(cause, peer, establishedFor(steps, index));
  const connects = (other: StepInfo): boolean => other.who === who && other.means === 'connect';
  const next = means === 'exhaust' ? undefined : steps.slice(index + 1).find(connects);
  if (next?.server === undefined) return `${why}; ${stateWords(machine, to)}`;
  const before = steps.slice(0, index + 1).findLast(connects)?.server ?? server;
  const how = next.server === before ? 'trying again' : 'failing over to';
  return `${why}; ${how} ${next.server}${next.at - at < 1 ? '' : ` after ${durationText(next.at - at)}`}`;
}

/** A step of a machine of the user's: of its states nothing is known but their names. */
function ownWords({ machine, from, event, to }: StepInfo): string {
  if (from === '') return `it begins: ${stateWords(machine, to)}`;
  const isTimer = event !== eventText(event);
  const what = isTimer ? `the timer ${eventText(event)} has fired` : `on ${event}`;
  return `${what}: ${from === to ? 'it stays as it is' : stateWords(machine, to)}`;
}

/** The other side of machines that are not named like it. */
const PEERS: Readonly<Record<string, string>> = { session: 'backend', check: 'server' };

function isSame(a: StepInfo['cause'], b: StepInfo['cause']): boolean {
  return a?.initiator === b?.initiator && a?.manner === b?.manner && a?.phase === b?.phase && a?.code === b?.code;
}

/** The cause that this instance had noted when it moved last. */
function causeBefore(steps: readonly StepInfo[], index: number): StepInfo['cause'] {
  const { who } = steps[index] as StepInfo;
  for (let before = index - 1; before >= 0; before--) {
    const step = steps[before] as StepInfo;
    if (step.who === who && step.from !== step.to) return step.cause;
  }
  return undefined;
}

/** How long this instance had been established when it took this step; nothing if it was not, or if that is not known. */
function establishedFor(steps: readonly StepInfo[], index: number): number | undefined {
  const { who, at } = steps[index] as StepInfo;
  for (let before = index - 1; before >= 0; before--) {
    const step = steps[before] as StepInfo;
    if (step.who !== who || step.means === undefined) continue;
    return step.means === 'establish' ? at - step.at : undefined;
  }
  return undefined;
}
