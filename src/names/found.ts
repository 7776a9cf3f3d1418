/** What a look-up of a name brings: the addresses that it has found, or why it has found none. */
import { isIP } from 'node:net';
import { OptionError } from '../errors.js';
import type { LookupFailure } from '../machines/name.js';
import { type Cause, NEVER_MS, type Report } from '../machines/vocabulary.js';
import { flag, integer, onlyKnown, port } from '../options.js';
import { hookReportOf } from '../sockets/socket.js';
import { hostAndPort } from '../text.js';
import { weightOf } from '../upstream/balance/weight.js';

/** One address of a name. */
export interface FoundAddress {
  /** An IPv4 or IPv6 address. */
  readonly address: string;
  /** Default: the `port` of the server. */
  readonly port?: number | undefined;
  /** From 0 to 256. Default: the `weight` of the server. */
  readonly weight?: number | undefined;
  /** Default: the `backup` of the server. */
  readonly backup?: boolean | undefined;
}

/** What a look-up of yours has found. */
export interface FoundAddresses {
  /** In any order. */
  readonly addresses: readonly (string | FoundAddress)[];
  /** For how long that is good, in milliseconds: the name is not looked up again before. Default 0. */
  readonly ttlMs?: number | undefined;
}

/** What a look-up of yours gets besides the name. */
export interface LookupContext {
  /** Fires when the answer is no longer wanted: it took longer than `timeout`, or the name is closed. */
  readonly signal: AbortSignal;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Only addresses of this version of IP are used; nothing for both. */
  readonly family: 4 | 6 | undefined;
}

/** Looks up a name: in a registry such as Consul or etcd, for example. */
export type AddressLookup = (
  host: string,
  context: LookupContext,
) =>
  | readonly (string | FoundAddress)[]
  | FoundAddresses
  | PromiseLike<readonly (string | FoundAddress)[] | FoundAddresses>;

/** @internal One server that a name has. */
export interface Place {
  /** Its address and port: what makes it the same server. */
  readonly key: string;
  readonly address: string;
  readonly port: number | undefined;
  readonly weight: number | undefined;
  readonly backup: boolean | undefined;
}

/** @internal Why there is no answer. */
export interface Failed {
  readonly failure: LookupFailure;
  readonly cause: Report;
}

/** @internal What a part of an answer lacks. */
export interface Missing extends Failed {
  /** Only addresses of this version of IP are missing; nothing where any may be. */
  readonly family: 4 | 6 | undefined;
}

/** @internal An answer, in an order that does not depend on that of the answer. */
export interface Found {
  readonly places: readonly Place[];
  readonly ttlMs: number;
  /** A part was not answered: what is known of it is not gone. */
  readonly missing: Missing | undefined;
}

/** @internal What is fixed for all addresses of a name. */
export interface PlaceRules {
  readonly port: number | undefined;
  readonly needsPort: boolean;
  readonly family: 4 | 6 | undefined;
}

/** @internal The same places in the same order, whatever the order of the answer; each once. */
export const inOrder = (places: Iterable<Place>): Place[] => sortedBy(places, ({ key }) => key);

/** @internal In the order of their keys; of those with the same key the first one. */
export function sortedBy<T>(items: Iterable<T>, keyOfItem: (item: T) => string): T[] {
  const byKey = new Map<string, T>();
  for (const item of items) if (!byKey.has(keyOfItem(item))) byKey.set(keyOfItem(item), item);
  return [...byKey.keys()].sort().map((key) => byKey.get(key) as T);
}

/** @internal */
export const keyOf = (address: string, to: number | undefined): string =>
  to === undefined ? address : hostAndPort(address, to);

const WHAT = 'a list of addresses, such as ["10.0.0.7", { address: "10.0.0.8", port: 5432 }], or { addresses, ttlMs }';
const FOUND = ['addresses', 'ttlMs'];
const ADDRESS = ['address', 'port', 'weight', 'backup'];

/** @internal What a look-up of the user's has answered. @throws OptionError for what is no answer */
export function foundOf(answer: unknown, rules: PlaceRules): Found {
  const name = 'the answer of addresses.by';
  if (answer === null || typeof answer !== 'object') throw new OptionError(name, answer, WHAT);
  const { addresses, ttlMs } = (Array.isArray(answer) ? { addresses: answer } : answer) as FoundAddresses;
  if (!Array.isArray(answer)) onlyKnown(name, answer, FOUND);
  if (!Array.isArray(addresses)) throw new OptionError(name, answer, WHAT);
  const places = (addresses as readonly (string | FoundAddress)[]).map((one) => placeOf(name, one, rules));
  const wanted = places.filter(({ address }) => rules.family === undefined || isIP(address) === rules.family);
  return { places: inOrder(wanted), ttlMs: integer(`${name}: ttlMs`, ttlMs, 0, 0, NEVER_MS), missing: undefined };
}

function placeOf(name: string, one: string | FoundAddress, rules: PlaceRules): Place {
  const given: FoundAddress = typeof one === 'string' ? { address: one } : one;
  onlyKnown(name, given, ADDRESS);
  const { address } = given;
  if (typeof address !== 'string' || isIP(address) === 0) {
    throw new OptionError(`${name}: address`, address, 'an IP address, such as 192.0.2.1 or 2001:db8::1');
  }
  const to = given.port ?? rules.port;
  if (to !== undefined || rules.needsPort) port(`${name}: port`, to, 1);
  return {
    key: keyOf(address, to),
    address,
    port: to,
    weight: given.weight === undefined ? undefined : weightOf(`${name}: weight`, given.weight),
    backup: given.backup === undefined ? undefined : flag(`${name}: backup`, given.backup, false),
  };
}

const FAILURES: Readonly<Record<string, LookupFailure>> = {
  ENOTFOUND: 'nx',
  EREFUSED: 'refused',
  ETIMEOUT: 'timeout',
  ETIMEDOUT: 'timeout',
  ECANCELLED: 'timeout',
  TimeoutError: 'timeout',
};

/** @internal */
export const failureOf = (error: unknown): LookupFailure => FAILURES[String(hookReportOf(error).code)] ?? 'other';

/** Where a look-up is given up, Node's resolver says that it was cancelled. Its user wants to know that nobody has answered. */
function asSilence(error: unknown): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ECANCELLED') return error;
  const silence = new Error(error.message.replace('ECANCELLED', 'ETIMEOUT'));
  return Object.assign(silence, error, { code: 'ETIMEOUT' });
}

/** @internal What an error of a look-up says. @param isOwners a function of the user's has thrown it */
export function failedBy(error: unknown, isOwners: boolean): Failed {
  const report = hookReportOf(isOwners ? error : asSilence(error));
  const failure = failureOf(error);
  if (isOwners) return { failure, cause: report };
  const manner: Cause['manner'] = failure === 'refused' ? 'refusal' : failure === 'timeout' ? 'timeout' : 'error';
  return { failure, cause: { ...report, initiator: 'system', manner } };
}

/** @internal An answer that has no address is a failure, unless the user says otherwise. */
export const EMPTY: Failed = {
  failure: 'other',
  cause: { initiator: 'system', manner: 'error', code: 'ENODATA' },
};
