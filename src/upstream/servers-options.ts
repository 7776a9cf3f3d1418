/** What a set of servers is told, and how it judges them by their traffic. */
import type { LookupFunction } from 'node:net';
import { OptionError } from '../errors.js';
import type { Environment } from '../handle.js';
import { namesOf, SERVERS_LIMITS } from '../machines/limits.js';
import type { ServerSettings } from '../machines/server.js';
import type { Cause } from '../machines/vocabulary.js';
import { everyOption, integer, limits, number, onlyKnown, type Timeout } from '../options.js';
import type { Clock } from '../runtime/clock.js';
import type { Runtime } from '../runtime/instance.js';
import type { ServersBackoffOptions } from './backoff.js';
import type { Balance } from './balance/balance.js';
import type { RetryBudgetOptions } from './budget.js';
import type { ChecksOptions } from './check-options.js';
import type { Governor, GovernorOptions } from './governor.js';

/** How a server is ejected: it gets no new connection for a while, and then one, which tries it. */
export interface EjectionOptions {
  /** Attempts in a row that fail until the server is ejected. Default 1. */
  readonly failures?: number | undefined;
  /** The first ejection, in milliseconds. Default `downFor`. */
  readonly baseMs?: number | undefined;
  /** How many times as long the next one in a row is. One is forgotten for each `baseMs` in which the server works. Default 3. */
  readonly factor?: number | undefined;
  /** The longest one, in milliseconds. Default 300 000. */
  readonly maxMs?: number | undefined;
  /** The part of it that is random, from 0 to 1. Default 0.1. */
  readonly jitter?: number | undefined;
  /** At most this share of the servers is ejected at a time, from 0 to 1; one that works always stays. Default 1. */
  readonly share?: number | undefined;
  /**
   * A connection that is lost within this time, in milliseconds, counts as a failure: a server may accept connections and lose
   * them. Default 0: no loss counts.
   */
  readonly lostWithin?: number | undefined;
  /**
   * What so many failures do. The words other than `eject` are HAProxy's, for servers with checks: check it faster
   * (`fastCheck`), count them as a failed check (`failCheck`), as all but the last one (`suddenDeath`), or as all of them
   * (`markDown`). Default `eject`.
   */
  readonly onError?: 'eject' | 'fastCheck' | 'failCheck' | 'suddenDeath' | 'markDown' | undefined;
}

/** How the share of a server grows after it was down or ejected: to the power of 1 / `aggression`. */
export interface SlowStartOptions {
  /** In milliseconds. */
  readonly durationMs: number;
  /** Default 1: in proportion to the time. */
  readonly aggression?: number | undefined;
}

/** Options of a set of servers. */
export interface ServersOptions {
  /** How the next server is chosen. Default `roundRobin`. */
  readonly balance?: Balance | undefined;
  /** Waits between rounds of attempts. Default: from 100 ms to 10 s, twice as long each time. */
  readonly backoff?: ServersBackoffOptions | undefined;
  /** Retries of all connections together. Default: 20 % of the first attempts and 10 a second, at most 100 at once. */
  readonly retryBudget?: RetryBudgetOptions | undefined;
  /**
   * How long a server whose connect failed is chosen only if no other can be, in milliseconds; `false` to forget at
   * once. Default 10 000, as nginx's `fail_timeout`.
   */
  readonly downFor?: Timeout | undefined;
  /**
   * Says which failures no later attempt can mend: such a failure excludes the server until {@link Servers.restore}.
   * Default {@link isPermanent}.
   */
  readonly isPermanent?: ((cause: Cause) => boolean) | undefined;
  /** How the hosts of all servers are looked up that have no `lookup` of their own. Default: see {@link ServerOptions.lookup}. */
  readonly lookup?: LookupFunction | undefined;
  /**
   * Check each server all the time, also without clients: `true`, or how. See {@link ServerOptions.checks} for one
   * server. Default `false`.
   */
  readonly checks?: boolean | ChecksOptions | undefined;
  /** What failures of traffic do to a server. Default: the first one ejects it for `downFor`, while the set can spare it. */
  readonly ejection?: EjectionOptions | undefined;
  /**
   * Below this share of servers that work, from 0 to 1, all are used, since most of them cannot have failed at once; those that
   * are excluded, or that you took out, are not. While it is not 0, a connection that no other server can serve also tries
   * servers that are ejected. 0 turns it off. Default 0.5.
   */
  readonly panic?: number | undefined;
  /**
   * How many connections may wait that may go to any server of the set. One more is refused at once, with `queueMax` as the code of
   * its cause. Those that may go to one server alone do not count: see {@link ServerOptions.queueMax}. Default: no limit.
   */
  readonly queueMax?: number | undefined;
  /** While no server can be chosen, a connection fails at once, or waits in the queue, at most its `queueTimeout`. Default `fail`. */
  readonly whenNoneUp?: 'fail' | 'wait' | undefined;
  /**
   * How long the share of a server, and its `connectionsMax`, grow after it was down or ejected, in milliseconds: from a tenth to all.
   * A number, or with `aggression`: above 1 it grows faster at first, below 1 more slowly. Default 0: at once.
   */
  readonly slowStart?: number | SlowStartOptions | undefined;
  /** What becomes of the sessions of a server that its checks call down, or that is in maintenance. Default `keep`. */
  readonly onDown?: 'keep' | 'cut' | undefined;
  /** What becomes of the sessions of servers with `backup` when another server works again. Default `keep`. */
  readonly onBackup?: 'keep' | 'cut' | undefined;
  /** How long a server that is removed keeps its sessions, in milliseconds; then they are cut. Default 30 000. */
  readonly removeTimeout?: Timeout | undefined;
  /**
   * How many connections may be dialled a second: a {@link Governor}, which several sets can share, or its options. What is over
   * the limit waits in the queue, at most its `queueTimeout`; checks do not count. Default: no limit.
   */
  readonly governor?: Governor | GovernorOptions | undefined;
  /**
   * In a worker of a cluster: the name under which the sets of all workers are one. They check each server once, keep
   * `connectionsMax` and the governor together, and know each other's ejections and orders: see
   * [docs/cluster.md](../docs/cluster.md). `false`: this process alone. Default: the set of a proxy is shared under the name of the proxy
   * (`proxy#1`, in the order in which the module makes them), any other set is not. Elsewhere it changes nothing.
   */
  readonly shareAs?: string | false | undefined;
  /** What runs the machines of its servers. Default: see {@link HandleOptions.runtime}. */
  readonly runtime?: Runtime | undefined;
  /** Where time comes from. Default: the process's own. */
  readonly clock?: Clock | undefined;
  /** Randomness from 0 to 1, for jitter and for balancers. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export const SERVERS_OPTIONS = [
  ...namesOf(SERVERS_LIMITS),
  'balance',
  'backoff',
  'retryBudget',
  'isPermanent',
  'lookup',
  'checks',
  'ejection',
  'panic',
  'whenNoneUp',
  'slowStart',
  'onDown',
  'onBackup',
  'governor',
  'shareAs',
  'runtime',
  'clock',
  'random',
] as const satisfies readonly (keyof ServersOptions)[];

/**
 * True for a failure that no later attempt can mend: an option that Node refuses. All other failures may pass by
 * themselves: a certificate is renewed, a Unix path gets the right mode. A server that is excluded so is chosen again
 * after {@link Servers.restore}.
 *
 * @example
 * ```ts
 * // A server whose certificate was revoked is not tried again either.
 * const servers = new Servers(list, {
 *   isPermanent: (cause) => isPermanent(cause) || cause.code === 'CERT_REVOKED',
 * });
 * ```
 */
export function isPermanent({ phase, code = '' }: Cause): boolean {
  return phase === 'command' && (code === 'ERR_SOCKET_BAD_PORT' || code.startsWith('ERR_INVALID_'));
}

/** @internal What Node calls a certificate, or a list of revoked ones, that it does not take. */
export const BAD_CERTIFICATE =
  /^(?:CERT_|CRL_|ERROR_IN_C(?:ERT|RL)_|UNABLE_TO_(?:GET|DECRYPT|DECODE|VERIFY)_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERR_TLS_CERT_ALTNAME_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$)/;

const EJECTION = everyOption<EjectionOptions>()(
  'failures',
  'baseMs',
  'factor',
  'maxMs',
  'jitter',
  'share',
  'lostWithin',
  'onError',
);
const ON_ERROR = ['eject', 'fastCheck', 'failCheck', 'suddenDeath', 'markDown'] as const;
const DAY_MS = 86_400_000;
/** In as many steps as HAProxy's. */
const STEPS = 20;
/** How long sessions that were cut may linger until they are reset. */
const CUT_MS = 31_000;

/** @internal How a set judges its servers, checked. */
export interface Judgement {
  /** What the machine of a server without checks is told. */
  readonly settings: ServerSettings;
  readonly ejectedShare: number;
  readonly lostWithin: number;
  readonly panic: number;
  readonly waits: boolean;
  readonly queueMax: number;
  readonly aggression: number;
  readonly cutsOnDown: boolean;
  readonly cutsOnBackup: boolean;
}

/** @internal What all servers of a set share. */
export interface ServerConfig {
  readonly judgement: Judgement;
  readonly lookup: LookupFunction | undefined;
  readonly checks: ChecksOptions | undefined;
  readonly environment: Environment;
  readonly random: () => number;
}

/** One of some words. */
function oneOf<const W extends string>(name: string, value: string | undefined, words: readonly [W, ...W[]]): W {
  if (value === undefined) return words[0];
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw new OptionError(name, value, words.map((word) => `"${word}"`).join(' or '));
}

/** @internal @throws OptionError */
export function judgementOf(options: ServersOptions): Judgement {
  const { downFor, removeTimeout, queueMax } = limits(SERVERS_LIMITS, options);
  const { ejection = {} } = options;
  onlyKnown('ejection', ejection, EJECTION, 'ejection.');
  // `downFor: false` forgets a failure at once.
  const isOff = options.downFor === false && ejection.baseMs === undefined;
  const baseMs = integer('ejection.baseMs', ejection.baseMs, Math.min(DAY_MS, Math.max(1, downFor)), 1, DAY_MS);
  const { durationMs, aggression } = slowStartOf(options.slowStart);
  return {
    settings: {
      rise: 1,
      fall: 1,
      init: 'fullyUp',
      failures: isOff ? Number.POSITIVE_INFINITY : integer('ejection.failures', ejection.failures, 1, 1, 1_000_000),
      onError: oneOf('ejection.onError', ejection.onError, ON_ERROR),
      baseMs,
      factor: number('ejection.factor', ejection.factor, 3, 1, 100),
      maxMs: integer('ejection.maxMs', ejection.maxMs, Math.max(300_000, baseMs), isOff ? 1 : baseMs, DAY_MS),
      jitter: number('ejection.jitter', ejection.jitter, 0.1, 0, 1),
      slowStart: durationMs,
      steps: STEPS,
      removeTimeout,
      cutTimeout: CUT_MS,
    },
    ejectedShare: isOff ? 0 : number('ejection.share', ejection.share, 1, 0, 1),
    lostWithin: integer('ejection.lostWithin', ejection.lostWithin, 0, 0, DAY_MS),
    panic: number('panic', options.panic, 0.5, 0, 1),
    waits: oneOf('whenNoneUp', options.whenNoneUp, ['fail', 'wait']) === 'wait',
    queueMax,
    aggression,
    cutsOnDown: oneOf('onDown', options.onDown, ['keep', 'cut']) === 'cut',
    cutsOnBackup: oneOf('onBackup', options.onBackup, ['keep', 'cut']) === 'cut',
  };
}

function slowStartOf(slowStart: ServersOptions['slowStart'] = 0): { durationMs: number; aggression: number } {
  if (typeof slowStart !== 'object') {
    return { durationMs: integer('slowStart', slowStart, 0, 0, DAY_MS), aggression: 1 };
  }
  onlyKnown('slowStart', slowStart, ['durationMs', 'aggression'], 'slowStart.');
  if (slowStart.durationMs === undefined) {
    throw new OptionError('slowStart.durationMs', undefined, 'given, in milliseconds');
  }
  return {
    durationMs: integer('slowStart.durationMs', slowStart.durationMs, 0, 0, DAY_MS),
    aggression: number('slowStart.aggression', slowStart.aggression, 1, 0.1, 10),
  };
}
