/** Events, commands and context of the server's machine, and its functions. */

import { type Cause, type Ending, NEVER_MS, type Outcome, type Report } from '../vocabulary.js';
import type { Pace } from './check.js';

/** What all servers of one configuration share. */
export interface ServerSettings {
  /** Checks that must pass in a row until a server that is down is up; 1 without checks. */
  readonly rise: number;
  /** Checks that must fail in a row until a server that is up is down; 1 without checks. */
  readonly fall: number;
  /** What is known of it before its first check: see `init` of the checks. */
  readonly init: 'up' | 'down' | 'fullyUp' | 'fullyDown';
  /** Failures of traffic in a row that are a reason to act; `Infinity` for none. */
  readonly failures: number;
  /** What follows then. */
  readonly onError: 'eject' | 'fastCheck' | 'failCheck' | 'suddenDeath' | 'markDown';
  /** The first ejection, in milliseconds; the next one in a row is `factor` times as long, and none is longer than `maxMs`. */
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** The part of an ejection that is random. */
  readonly jitter: number;
  /** How long its share grows after it was down, in milliseconds; 0 for no slow start. */
  readonly slowStart: number;
  /** In so many steps. */
  readonly steps: number;
  /** How long a server that is removed keeps its sessions, in milliseconds. */
  readonly removeTimeout: number;
  /** How long sessions that were cut may take to end, in milliseconds. */
  readonly cutTimeout: number;
}

export interface ServerInput {
  readonly settings: ServerSettings;
  /** Why there is this server, if not because its owner has added it. */
  readonly cause?: Cause | undefined;
}

export interface ServerContext {
  readonly settings: ServerSettings;
  /** HAProxy's counter, from 0 to rise + fall - 1: it is up from `rise` on. */
  health: number;
  /** Attempts that failed in a row. */
  failures: number;
  /** Connections in a row that were lost soon after they came up. */
  losses: number;
  /** Ejections in a row. */
  ejections: number;
  /** How long the present ejection or exclusion takes. */
  restMs: number;
  /** It was ejected because it loses connections: that it accepts one proves nothing. */
  loses: boolean;
  /** Traffic has judged it, and it has yet to prove that it works. */
  isDoubted: boolean;
  /** It has been up: what follows is no start of the process. */
  hasServed: boolean;
  hasAddress: boolean;
  /** The step of its slow start. */
  step: number;
  removeTimeoutMs: number;
  /** Over how much time its sessions are cut at the end. */
  spreadMs: number;
  /** A complete stream is not reset: false once its owner has asked for an abort. */
  delivers: boolean;
  /** False once its sessions were cut. */
  flushed: boolean;
  /** Why it is as it is. */
  cause: Cause;
}

/** What an ejection came to in the process whose traffic has judged. */
export interface Verdict {
  /** How long it takes, in milliseconds. */
  readonly restMs: number;
  /** Ejections in a row, this one included. */
  readonly ejections: number;
}

export type ServerEvent =
  /** Its owner takes it back. */
  | { type: 'server.up'; cause?: Report }
  /** Nothing new; sessions go on, and so do checks. */
  | { type: 'server.drain'; cause?: Report }
  /** Nothing new, and no checks. */
  | { type: 'server.maintain'; cause?: Report }
  /** Its owner removes it: it drains for good. */
  | { type: 'server.close'; timeoutMs?: number; spreadMs?: number; cause?: Report }
  /** Its owner removes it and cuts its sessions now. */
  | { type: 'server.abort'; cause?: Report; deliver?: boolean }
  /** What kept traffic from it was mended. */
  | { type: 'server.restore'; cause?: Report }
  | { type: 'check.passed' }
  | { type: 'check.failed'; cause: Report }
  /** An attempt has come up; sent only while something is held against it. */
  | { type: 'traffic.connected' }
  /**
   * An attempt has failed. `mayEject`: the set can spare it. `mends`: an attempt is of no use for so many milliseconds.
   * `random`: from 0 to 1, for the jitter. `verdict`: that of another process that shares the server, whose traffic has judged it.
   */
  | { type: 'traffic.failed'; cause: Report; mayEject: boolean; random: number; mends?: number; verdict?: Verdict }
  /** A connection was lost within `lostWithin`. */
  | { type: 'traffic.dropped'; cause: Report; mayEject: boolean; random: number; verdict?: Verdict }
  /** A connection has lasted longer; sent only after losses. */
  | { type: 'traffic.lasted' }
  /** One connection tries it. */
  | { type: 'trial.granted' }
  /** That connection is over, and has told nothing. */
  | { type: 'trial.givenUp' }
  | { type: 'sessions.emptied' }
  /** Its name has its address. */
  | { type: 'address.found'; cause?: Report }
  /** Its name has not been answered for too long: it may have its address, or not. */
  | { type: 'address.lost'; cause?: Report }
  /** Its name has other addresses now. */
  | { type: 'address.gone'; cause?: Report };

export type ServerCommand =
  /** Report `sessions.emptied` when it has no connection, which may be now. */
  | { type: 'sessions.await' }
  /** End its sessions, spread over a time; with `deliver`, the sockets of complete streams linger. */
  | { type: 'sessions.cut'; spreadMs: number; cause: Cause; deliver: boolean }
  /** It is down or in maintenance: end its sessions if its owner wants that. */
  | { type: 'sessions.release'; cause: Cause }
  | { type: 'checks.start' }
  | { type: 'checks.pause' }
  | { type: 'checks.resume' }
  | { type: 'checks.stop' }
  | { type: 'pace.set'; pace: Pace }
  /** What its user sees has changed. */
  | { type: 'owner.changed'; cause: Cause }
  /** The set works out anew which servers may be chosen. */
  | { type: 'set.changed' }
  /** Connections that wait may find a server now, or wait for this one in vain. */
  | { type: 'waiters.serve' };

export interface Given {
  readonly context: ServerContext;
}

export interface GivenEvent extends Given {
  readonly event: {
    readonly type: string;
    readonly timeoutMs?: number;
    readonly spreadMs?: number;
    readonly deliver?: boolean;
    readonly mayEject?: boolean;
    readonly mends?: number;
    readonly random?: number;
    readonly verdict?: Verdict;
  };
}

/** The most that the counter may have. */
export const fullOf = ({ rise, fall }: ServerSettings): number => rise + fall - 1;

function creditOf(settings: ServerSettings): number {
  const { init, rise } = settings;
  if (init === 'fullyDown') return 0;
  if (init === 'down') return rise - 1;
  return init === 'up' ? rise : fullOf(settings);
}

const ADDED: Cause = { initiator: 'owner', manner: 'command', phase: 'idle', code: 'add' };

export const startOf = ({ input: { settings, cause = ADDED } }: { readonly input: ServerInput }): ServerContext => ({
  settings,
  health: creditOf(settings),
  failures: 0,
  losses: 0,
  ejections: 0,
  restMs: 0,
  loses: false,
  isDoubted: false,
  hasServed: false,
  hasAddress: true,
  step: 0,
  removeTimeoutMs: settings.removeTimeout,
  spreadMs: 0,
  delivers: true,
  flushed: true,
  cause,
});

export const outcomeOf = ({
  context: { cause, flushed },
  event,
}: Given & { readonly event: { readonly output?: unknown } }): Outcome => ({
  ending: event.output as Ending,
  cause,
  flushed,
});

// Health.
const passed = ({ health, settings }: ServerContext): number =>
  health + 1 >= settings.rise ? fullOf(settings) : health + 1;
const failed = (health: number, { rise }: ServerSettings): number => (health <= rise ? 0 : health - 1);

/** What failures of traffic do to the counter where its checks decide. */
export function marked({ health, settings }: ServerContext): number {
  const { onError, rise } = settings;
  if (onError === 'markDown') return 0;
  if (onError === 'failCheck') return failed(health, settings);
  return onError === 'suddenDeath' ? failed(Math.min(health, rise + 1), settings) : health;
}

export const healthAfterPass = ({ context }: Given): number => passed(context);
export const healthAfterFailure = ({ context }: Given): number => failed(context.health, context.settings);
export const healthAfterTraffic = ({ context }: Given): number => marked(context);
export const creditAgain = ({ context }: Given): number => context.settings.rise;
/** HAProxy forgets the errors of traffic after a check that passes. An ejection does not: its failures are of another kind. */
export const failuresAfterPass = ({ context: { failures, settings } }: Given): number =>
  settings.onError === 'eject' ? failures : 0;

// Context.
export const isLoss = (event: GivenEvent['event']): boolean => event.type === 'traffic.dropped';
export const oneFailureMore = ({ context, event }: GivenEvent): number => context.failures + (isLoss(event) ? 0 : 1);
export const oneLossMore = ({ context, event }: GivenEvent): number => context.losses + (isLoss(event) ? 1 : 0);
export const oneEjectionMore = ({ context, event }: GivenEvent): number =>
  event.verdict?.ejections ?? context.ejections + 1;
export const oneEjectionLess = ({ context }: Given): number => Math.max(0, context.ejections - 1);
export const wasLoss = ({ event }: GivenEvent): boolean => isLoss(event);
export const nextStep = ({ context }: Given): number => context.step + 1;
export const askedRemoveTimeout = ({ context, event }: GivenEvent): number =>
  event.timeoutMs ?? context.settings.removeTimeout;
export const askedSpread = ({ event }: GivenEvent): number => event.spreadMs ?? 0;
export const isToDeliver = ({ event }: GivenEvent): boolean => event.deliver === true;
export const ejectionMs = ({ context: { ejections, settings }, event }: GivenEvent): number => {
  if (event.verdict !== undefined) return event.verdict.restMs;
  const { baseMs, factor, maxMs, jitter } = settings;
  return Math.round(Math.min(maxMs, baseMs * factor ** ejections) * (1 - jitter * (event.random as number)));
};
export const exclusionMs = ({ event }: GivenEvent): number => event.mends as number;

// Commands.
export const cut = ({ context: { spreadMs, cause, delivers } }: Given): ServerCommand => ({
  type: 'sessions.cut',
  spreadMs,
  cause,
  deliver: delivers,
});
export const abort = ({ context: { cause } }: Given): ServerCommand => ({
  type: 'sessions.cut',
  spreadMs: 0,
  cause,
  deliver: false,
});
export const release = ({ context: { cause } }: Given): ServerCommand => ({ type: 'sessions.release', cause });
export const changed = ({ context: { cause } }: Given): ServerCommand => ({ type: 'owner.changed', cause });
export const pace = ({ context: { health, settings } }: Given): ServerCommand => ({
  type: 'pace.set',
  pace: health === fullOf(settings) ? 'normal' : health === 0 ? 'down' : 'fast',
});

// Delays.
export const ejection = ({ context }: Given): number => context.restMs;
/** An ejection is forgotten after as much time as the first one took. */
export const forgiveness = ({ context: { ejections, settings } }: Given): number =>
  ejections > 0 ? settings.baseMs : NEVER_MS;
export const slowStartStep = ({ context }: Given): number =>
  Math.ceil(context.settings.slowStart / context.settings.steps);
export const removeTimeout = ({ context }: Given): number => context.removeTimeoutMs;
export const cutTimeout = ({ context: { settings, spreadMs } }: Given): number =>
  Math.min(NEVER_MS, settings.cutTimeout + spreadMs);
