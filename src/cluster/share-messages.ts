/** What workers say to the primary, and the primary to them, about what they share. */
import type { Cause } from '../machines/vocabulary.js';
import type { ServerOrder, SetOrder, Wish } from '../upstream/sharing.js';
import { checkedCause, checkedReport, type Fields, fieldsOf, isCount, isText, packCause } from './fields.js';

/** Another version of the library, after an update on the disk, may mean something else: what it says changes nothing. */
export const SHARE_VERSION = 1;

/** What is lent to workers: places at a server, the one trial of it, the one right to check it, dials of a second. */
export type Kind = 'places' | 'trial' | 'checks' | 'dials';

/** Whether a server may be chosen, for all that a worker knows; or traffic has judged it; or its owner has taken it out. */
export type Standing = 'choosable' | 'judged' | 'out' | 'other';

/** A server as a worker has it. */
export interface ServerFacts {
  /** The same in all workers. */
  readonly key: string;
  readonly name: string;
  /** How many connections it may have in all; `Infinity` for no limit. */
  readonly limit: number;
  /** How many this worker has. */
  readonly inUse: number;
  /** Equal for equal checks; empty without checks. */
  readonly checks: string;
  readonly state: string;
  readonly standing: Standing;
}

/** A server that was judged by its traffic. */
export interface Judged {
  readonly cause: Cause;
  readonly isLoss: boolean;
  readonly restMs: number;
  readonly ejections: number;
}

/** What the others know of a server. */
export interface Known {
  readonly key: string;
  readonly health: number | undefined;
  readonly orders: readonly ServerOrder[];
  readonly judged: Judged | undefined;
}

interface Lent {
  readonly set: string;
  /** Of the server; empty for dials. */
  readonly key: string;
  readonly kind: Kind;
}

interface OfServer {
  readonly set: string;
  readonly key: string;
}

/** What goes both ways: told by one, and passed on to the others. */
export type Told =
  | ({ readonly do: 'checked'; readonly cause: Cause | undefined; readonly tookMs: number | undefined } & OfServer)
  | ({ readonly do: 'judged'; readonly judged: Judged } & OfServer)
  | ({ readonly do: 'proven' } & OfServer)
  | ({ readonly do: 'order'; readonly order: ServerOrder; readonly isOwn: boolean } & OfServer)
  | ({ readonly do: 'list'; readonly order: SetOrder } & OfServer)
  | { readonly do: 'failed'; readonly set: string };

export type ShareToPrimary =
  | Told
  | {
      readonly do: 'join';
      readonly set: string;
      readonly servers: readonly ServerFacts[];
      /** Dials of a second; 0 for no limit. */
      readonly perSecond: number;
      /** The part of the servers that may be ejected. */
      readonly ejectedShare: number;
    }
  | { readonly do: 'add'; readonly set: string; readonly server: ServerFacts }
  | ({ readonly do: 'gone' } & OfServer)
  | { readonly do: 'leave'; readonly set: string }
  | ({ readonly do: 'limit'; readonly limit: number; readonly inUse: number } & OfServer)
  | ({ readonly do: 'state'; readonly state: string; readonly standing: Standing; readonly health: number } & OfServer)
  | ({ readonly do: 'want'; readonly total: number; readonly isUrgent: boolean } & Lent)
  | ({ readonly do: 'give'; readonly units: number; readonly recent: readonly number[] } & Lent)
  /** It lives, and checks. */
  | { readonly do: 'beat' };

export type ShareToWorker =
  | Told
  | {
      readonly do: 'joined';
      readonly set: string;
      readonly known: readonly Known[];
      readonly list: readonly ListOrder[];
    }
  | ({
      readonly do: 'granted';
      readonly units: number;
      readonly recent: readonly number[];
      /** Nothing more comes, unless it is asked for. */
      readonly isMet: boolean;
    } & Lent)
  | ({ readonly do: 'recalled'; readonly units: number; readonly fair: number; readonly isUrgent: boolean } & Lent)
  | ({ readonly do: 'revoked' } & Lent);

/** An order about the list of a set, and the server that it is about, if it is about one. */
export interface ListOrder {
  readonly key: string;
  readonly order: SetOrder;
}

type Checks<M extends { readonly do: string }> = {
  readonly [K in M['do']]: (fields: Fields) => Omit<Extract<M, { do: K }>, 'do'> | undefined;
};

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);
const isLimit = (value: unknown): value is number => value === Number.POSITIVE_INFINITY || isCount(value);

const STANDINGS: ReadonlySet<unknown> = new Set<Standing>(['choosable', 'judged', 'out', 'other']);
const isStanding = (value: unknown): value is Standing => STANDINGS.has(value);
const KINDS: ReadonlySet<unknown> = new Set<Kind>(['places', 'trial', 'checks', 'dials']);
const WISHES: ReadonlySet<unknown> = new Set<Wish['type']>(['up', 'drain', 'maintain', 'restore']);

function ofServer({ set, key }: Fields): OfServer | undefined {
  return isText(set) && isText(key) ? { set, key } : undefined;
}

function lent(fields: Fields): Lent | undefined {
  const server = ofServer(fields);
  const { kind } = fields;
  return server !== undefined && KINDS.has(kind) ? { ...server, kind: kind as Kind } : undefined;
}

function ages(value: unknown): readonly number[] | undefined {
  return Array.isArray(value) && value.every((one) => isNumber(one) && one >= 0) ? value : undefined;
}

function facts(value: unknown): ServerFacts | undefined {
  const { key, name, limit, inUse, checks, state, standing } = fieldsOf(value) ?? {};
  if (!isText(key) || !isText(name) || !isText(checks) || !isText(state) || !isStanding(standing)) return undefined;
  return isLimit(limit) && isCount(inUse) ? { key, name, limit, inUse, checks, state, standing } : undefined;
}

function listOf<T>(value: unknown, one: (value: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const checked = value.map(one);
  return checked.every((item) => item !== undefined) ? (checked as T[]) : undefined;
}

function judgedOf(value: unknown): Judged | undefined {
  const { cause, isLoss, restMs, ejections } = fieldsOf(value) ?? {};
  const checked = checkedCause(cause);
  if (checked === undefined || !isFlag(isLoss) || !isCount(ejections)) return undefined;
  return isNumber(restMs) && restMs >= 0 ? { cause: checked, isLoss, restMs, ejections } : undefined;
}

/** An order, made of what is checked. */
export function checkedOrder(value: unknown): ServerOrder | undefined {
  const { type, cause, weight, connectionsMax } = fieldsOf(value) ?? {};
  if (WISHES.has(type)) {
    const checked = cause === undefined ? undefined : checkedReport(cause);
    if (cause !== undefined && checked === undefined) return undefined;
    return { type: type as Wish['type'], ...(checked !== undefined && { cause: checked }) };
  }
  if (type === 'weight') return isCount(weight) && weight <= 256 ? { type, weight } : undefined;
  if (type !== 'connectionsMax') return undefined;
  return isLimit(connectionsMax) && connectionsMax > 0 ? { type, connectionsMax } : undefined;
}

/** What is in the options the set checks itself, before it changes anything. */
function setOrder(value: unknown): SetOrder | undefined {
  const { type, options, list } = fieldsOf(value) ?? {};
  const checked = fieldsOf(options);
  if (checked === undefined) return undefined;
  if (type === 'add' || type === 'remove') return { type, options: checked };
  return type === 'replace' && Array.isArray(list) ? { type, list, options: checked } : undefined;
}

function listOrder(value: unknown): ListOrder | undefined {
  const { key, order } = fieldsOf(value) ?? {};
  const checked = setOrder(order);
  return isText(key) && checked !== undefined ? { key, order: checked } : undefined;
}

function known(value: unknown): Known | undefined {
  const { key, health, orders, judged } = fieldsOf(value) ?? {};
  const checked = listOf(orders, checkedOrder);
  const verdict = judged === undefined ? undefined : judgedOf(judged);
  if (!isText(key) || checked === undefined || (judged !== undefined && verdict === undefined)) return undefined;
  return health === undefined || isCount(health) ? { key, health, orders: checked, judged: verdict } : undefined;
}

const TOLD: Checks<Told> = {
  checked(fields) {
    const server = ofServer(fields);
    const { cause, tookMs } = fields;
    const checked = cause === undefined ? undefined : checkedCause(cause);
    if (cause !== undefined && checked === undefined) return undefined;
    return server && (tookMs === undefined || isNumber(tookMs)) ? { ...server, cause: checked, tookMs } : undefined;
  },
  judged(fields) {
    const server = ofServer(fields);
    const { judged } = fields;
    const checked = judgedOf(judged);
    return server && checked && { ...server, judged: checked };
  },
  proven: (fields) => ofServer(fields),
  order(fields) {
    const server = ofServer(fields);
    const { order, isOwn } = fields;
    const checked = checkedOrder(order);
    return server && checked && { ...server, order: checked, isOwn: isOwn === true };
  },
  list(fields) {
    const server = ofServer(fields);
    const { order } = fields;
    const checked = setOrder(order);
    return server && checked && { ...server, order: checked };
  },
  failed: ({ set }) => (isText(set) ? { set } : undefined),
};

const TO_PRIMARY: Checks<ShareToPrimary> = {
  ...TOLD,
  join({ set, servers, perSecond, ejectedShare }) {
    const checked = listOf(servers, facts);
    if (!isText(set) || checked === undefined || !isCount(perSecond) || !isNumber(ejectedShare)) return undefined;
    return { set, servers: checked, perSecond, ejectedShare };
  },
  add({ set, server }) {
    const checked = facts(server);
    return isText(set) && checked ? { set, server: checked } : undefined;
  },
  gone: (fields) => ofServer(fields),
  leave: ({ set }) => (isText(set) ? { set } : undefined),
  limit(fields) {
    const server = ofServer(fields);
    const { limit, inUse } = fields;
    return server && isLimit(limit) && isCount(inUse) ? { ...server, limit, inUse } : undefined;
  },
  state(fields) {
    const server = ofServer(fields);
    const { state, standing, health } = fields;
    if (!isText(state) || !isStanding(standing) || !isCount(health)) return undefined;
    return server && { ...server, state, standing, health };
  },
  want(fields) {
    const what = lent(fields);
    const { total, isUrgent } = fields;
    return what && isCount(total) && isFlag(isUrgent) ? { ...what, total, isUrgent } : undefined;
  },
  give(fields) {
    const what = lent(fields);
    const { units, recent } = fields;
    const checked = ages(recent);
    return what && checked && isCount(units) ? { ...what, units, recent: checked } : undefined;
  },
  beat: () => ({}),
};

const TO_WORKER: Checks<ShareToWorker> = {
  ...TOLD,
  joined({ set, known: servers, list }) {
    const checked = listOf(servers, known);
    const orders = listOf(list, listOrder);
    return isText(set) && checked && orders ? { set, known: checked, list: orders } : undefined;
  },
  granted(fields) {
    const what = lent(fields);
    const { units, recent, isMet } = fields;
    const checked = ages(recent);
    return what && checked && isCount(units) && isFlag(isMet) ? { ...what, units, recent: checked, isMet } : undefined;
  },
  recalled(fields) {
    const what = lent(fields);
    const { units, fair, isUrgent } = fields;
    return what && isCount(units) && isCount(fair) && isFlag(isUrgent) ? { ...what, units, fair, isUrgent } : undefined;
  },
  revoked: (fields) => lent(fields),
};

function checkedShare<M extends { readonly do: string }>(value: unknown, checks: Checks<M>): M | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const { do: what } = fields;
  if (!isText(what) || !Object.hasOwn(checks, what)) return undefined;
  const said = checks[what as M['do']](fields);
  return said === undefined ? undefined : ({ do: what, ...said } as unknown as M);
}

/** What a worker says about what is shared; nothing if it is malformed. */
export const shareToPrimary = (value: unknown): ShareToPrimary | undefined => checkedShare(value, TO_PRIMARY);

/** The same, from the primary. */
export const shareToWorker = (value: unknown): ShareToWorker | undefined => checkedShare(value, TO_WORKER);

/** An error in a cause may be anything: it travels as data. */
export function packTold<M extends ShareToPrimary>(message: M): M {
  if (message.do === 'checked' && message.cause !== undefined) return { ...message, cause: packCause(message.cause) };
  if (message.do === 'order' && 'cause' in message.order && message.order.cause !== undefined) {
    return { ...message, order: { ...message.order, cause: packCause(message.order.cause) } };
  }
  if (message.do !== 'judged') return message;
  return { ...message, judged: { ...message.judged, cause: packCause(message.judged.cause) } };
}
