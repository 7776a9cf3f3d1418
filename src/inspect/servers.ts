/** The servers as the page shows them: all of them once, and then what has changed. */

import type { Cause } from '../machines/vocabulary.js';
import { shortState } from '../machines/words.js';
import type { CheckResult } from '../upstream/server-history.js';
import type { ServerInfo } from '../upstream/server-info.js';
import { now } from './plain.js';
import type { CheckInfo, ServerChanges, ServerRow, ServersNews } from './protocol.js';
import type { LiveServer, LiveServers, Registry } from './registry.js';
import { failureWords, serverWhy } from './words.js';

/** A server as it was at the last look. */
interface Seen {
  /** Without its checks. */
  readonly row: ServerRow;
  /** Its last checks, which go on. */
  readonly checks: readonly CheckResult[] | undefined;
  /** The last one of the last look. */
  readonly lastCheck: CheckResult | undefined;
  /** What its times lack to be milliseconds since the epoch. */
  readonly shiftMs: number;
}

/** A moment that follows from a timer differs by what it takes to look: that is no news. */
const SAME_MOMENT_MS = 50;

export class ServerTable {
  readonly #registries: readonly Registry[];
  #seen = new Map<LiveServer, Seen>();
  #sets: ServersNews['sets'] = [];
  #at = 0;

  constructor(registries: readonly Registry[]) {
    this.#registries = registries;
  }

  /** Looks, and tells what has changed since the last look; nothing if nothing has. */
  news(): ServersNews | undefined {
    const before = this.#seen;
    const seen = new Map<LiveServer, Seen>();
    const servers: ServerChanges[] = [];
    const sets = setsOf(this.#registries);
    for (const [set, { list, clock }] of sets.entries()) {
      const shiftMs = shiftOf(clock);
      for (const server of list) {
        const old = before.get(server);
        const next = look(server, set, shiftMs, old);
        const changes = old === undefined ? wholeOf(next) : changesOf(old, next);
        if (changes !== undefined) servers.push(changes);
        seen.set(server, next);
      }
    }
    const gone: string[] = [];
    for (const [server, { row }] of before) if (!seen.has(server)) gone.push(row.id);
    const told = sets.map(setInfo);
    const isSame =
      told.length === this.#sets.length && told.every(({ waiting }, at) => waiting === this.#sets[at]?.waiting);
    this.#seen = seen;
    this.#sets = told;
    this.#at = now();
    if (isSame && servers.length === 0 && gone.length === 0) return undefined;
    return { at: this.#at, isWhole: false, sets: told, servers, gone };
  }

  /** All that was seen at the last look. */
  whole(): ServersNews {
    return { at: this.#at, isWhole: true, sets: this.#sets, servers: [...this.#seen.values()].map(wholeOf), gone: [] };
  }

  /** Forgets: nobody looks any more. */
  clear(): void {
    this.#seen = new Map();
    this.#sets = [];
  }
}

/** Several proxies may share one set. */
export const setsOf = (registries: readonly Registry[]): readonly LiveServers[] => [
  ...new Set(registries.map(({ servers }) => servers)),
];

export const setInfo = ({ waiting }: LiveServers): ServersNews['sets'][number] =>
  waiting === undefined ? {} : { waiting };

/** One server, with its checks. */
export const rowOf = (server: LiveServer, set: number, { clock }: LiveServers): ServerRow =>
  wholeOf(look(server, set, shiftOf(clock), undefined));

function look(server: LiveServer, set: number, shiftMs: number, before: Seen | undefined): Seen {
  const info = server.info?.();
  const checks = info?.checks;
  const row = info === undefined ? shortRow(server, set) : wholeRow(server, set, info, shiftMs);
  return { row: before === undefined ? row : steady(before.row, row), checks, lastCheck: checks?.at(-1), shiftMs };
}

/** Of an object in place of a server. */
const shortRow = (server: LiveServer, set: number): ServerRow => ({
  id: numbered(server),
  set,
  name: server.name,
  state: stateOf(server, undefined),
  why: whyOf(server.cause),
  connections: server.connections,
  failures: server.failures,
});

/** One literal: rows of one shape are made and compared fast, and there may be a thousand. */
const wholeRow = (server: LiveServer, set: number, info: ServerInfo, shiftMs: number): ServerRow => ({
  id: info.id,
  set,
  name: info.name,
  state: stateOf(server, info.checks),
  why: whyOf(info.cause),
  connections: info.connections,
  failures: info.failures,
  since: moment(info.since, shiftMs),
  endsAt: moment(info.endsAt, shiftMs),
  backup: info.backup || undefined,
  weight: info.weight,
  share: Math.round(info.share * 1e4) / 1e4,
  recovery: info.recovery,
  connectionsMax: info.connectionsMax,
  waiting: info.waiting,
  chosen: info.chosen,
  failed: info.failed,
  ejections: info.ejections,
  failedAt: moment(info.lastFailure?.at, shiftMs),
  failure: info.lastFailure && failureWords(info.lastFailure.of, whyOf(info.lastFailure.cause)),
  nextCheckAt: moment(info.nextCheckAt, shiftMs),
});

const moment = (at: number | undefined, shiftMs: number): number | undefined =>
  at === undefined ? undefined : Math.round(at + shiftMs);

const began = new WeakMap<LiveServers['clock'], number>();

/** A clock that does not know when it began is looked at once. */
export function shiftOf(clock: LiveServers['clock']): number {
  if (clock.timeOrigin !== undefined) return 0;
  const shiftMs = began.get(clock) ?? now() - clock.now();
  began.set(clock, shiftMs);
  return shiftMs;
}

/** That nothing is known against it makes no server answer: it is up when it has, or when a check has passed. */
function stateOf({ state, hasAnswered }: LiveServer, checks: readonly CheckResult[] | undefined): string {
  const [word = ''] = shortState(state).split('.');
  return word === 'up' && !hasAnswered && checks?.at(-1)?.result !== 'passed' ? 'untried' : word;
}

/** The old moments where the new ones are the same. */
function steady(old: ServerRow, row: ServerRow): ServerRow {
  const endsAt = steadyMoment(old.endsAt, row.endsAt);
  const nextCheckAt = steadyMoment(old.nextCheckAt, row.nextCheckAt);
  return endsAt === row.endsAt && nextCheckAt === row.nextCheckAt ? row : { ...row, endsAt, nextCheckAt };
}

const steadyMoment = (was: number | undefined, is: number | undefined): number | undefined =>
  was !== undefined && is !== undefined && Math.abs(was - is) < SAME_MOMENT_MS ? was : is;

const wholeOf = ({ row, checks, lastCheck, shiftMs }: Seen): ServerRow =>
  checks === undefined ? row : { ...row, checks: checksBetween(checks, undefined, lastCheck, shiftMs) };

function changesOf(old: Seen, next: Seen): ServerChanges | undefined {
  const [was, is] = [old.row as unknown as Fields, next.row as unknown as Fields];
  let fields: Fields | undefined;
  for (const name in is) {
    if (is[name] === was[name]) continue;
    fields ??= {};
    fields[name] = is[name] ?? null;
  }
  const { checks, lastCheck, shiftMs } = next;
  const isChecked = checks !== undefined && lastCheck !== old.lastCheck;
  if (fields === undefined && !isChecked) return undefined;
  const { id } = next.row;
  const changes = { ...fields, id };
  return isChecked ? { ...changes, checks: checksBetween(checks, old.lastCheck, lastCheck, shiftMs) } : changes;
}

type Fields = Record<string, unknown>;

/** Those after one check, up to another one. */
function checksBetween(
  checks: readonly CheckResult[],
  after: CheckResult | undefined,
  until: CheckResult | undefined,
  shiftMs: number,
): CheckInfo[] {
  const first = after === undefined ? 0 : checks.indexOf(after) + 1;
  const end = until === undefined ? 0 : checks.indexOf(until) + 1;
  return checks.slice(first, end).map((check) => checkInfo(check, shiftMs));
}

const checkInfo = ({ at, result, tookMs, cause }: CheckResult, shiftMs: number): CheckInfo => {
  const took = tookMs === undefined ? null : Math.round(tookMs * 10) / 10;
  const info = [Math.round(at + shiftMs), result, took] as const;
  return cause === undefined ? info : [...info, whyOf(cause)];
};

/** Many looks find the same cause: it is put into words once. */
const whys = new WeakMap<Cause, string>();

export function whyOf(cause: Cause): string {
  let why = whys.get(cause);
  if (why === undefined) {
    why = serverWhy(cause);
    whys.set(cause, why);
  }
  return why;
}

/** Names for what has none. */
const numbers = new WeakMap<LiveServer, number>();
let numbersGiven = 0;

function numbered(server: LiveServer): string {
  let number = numbers.get(server);
  if (number === undefined) {
    number = ++numbersGiven;
    numbers.set(server, number);
  }
  return `server/${number}`;
}
