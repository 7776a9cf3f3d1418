/**
 * Names of servers, looked up for all attempts that wait for them. Node asks the system in a thread of a small pool, and such a
 * question cannot be cancelled: a name whose DNS does not answer would keep a thread per attempt, and take the other names
 * down. So each name is asked for once at a time, a few names at the same time, and the last good answer is kept.
 */
import type { LookupAddress, LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { builtin } from '../builtin.js';
import { type Member, MemberList } from '../members.js';
import { bound, inNoContext } from '../runtime/context.js';

type Options = Parameters<LookupFunction>[1];
type Callback = Parameters<LookupFunction>[2];

/** After this time the last good answer is used, and a name counts as silent. */
const PATIENCE_MS = 500;

/** Names that are remembered. */
const NAMES_MAX = 1_000;

/** Node answers names in at most half of the threads of its pool: `UV_THREADPOOL_SIZE`, 4 by default. */
const { UV_THREADPOOL_SIZE: POOL } = process.env;
const THREADS = Math.floor((Math.max(1, Number(POOL) || 4) + 1) / 2);

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

const loopbackOf = (family: Options['family']): readonly LookupAddress[] =>
  family === 4 || family === 6 ? LOOPBACK.filter((address) => address.family === family) : LOOPBACK;

/** What is known of one name, asked for with the same options. */
class Name implements Member<Name> {
  /** The last good answer. */
  good: readonly LookupAddress[] | undefined = undefined;
  /** Its last question was not answered in time. */
  isSilent = false;
  /** The attempts that wait for the answer. */
  waiting: Callback[] = [];
  isAsked = false;
  isLate = false;
  previous: Name | undefined = undefined;
  next: Name | undefined = undefined;

  constructor(
    readonly host: string,
    readonly options: Options,
  ) {}
}

const names = new Map<string, Name>();
/** Names that wait for a thread, the longest first. */
let queue = new MemberList<Name>();
let asked = 0;
let silent = 0;
/** Answers of an earlier era no longer count. */
let era = 0;

/**
 * As `dns.lookup`, for `net.connect`. Attempts that want the same name share one question. An attempt gets the last good answer
 * if the name is not answered in half a second, or answered by an error.
 */
export const lookUp: LookupFunction = (host, options, callback) => {
  const { family, hints } = options;
  const key = `${host} ${family} ${hints}`;
  let name = names.get(key);
  if (name === undefined) {
    name = new Name(host, { family, hints, all: true } as Options);
    names.set(key, name);
    if (names.size > NAMES_MAX) forgetOne();
  }
  // The answer is passed on in the context of the attempt, not of the attempt that happened to ask.
  name.waiting.push(bound(options.all === true ? callback : firstOf(callback)));
  if (name.isAsked) {
    if (name.isLate || (host === 'localhost' && queue.has(name))) makeDo(name);
    return;
  }
  name.isAsked = true;
  name.isLate = false;
  queue.add(name);
  inNoContext(askNext);
  if (!name.isAsked) return;
  inNoContext(waitFor, name);
};

/** Asks for as many names as there are threads; one thread is kept from names that were silent the last time. */
function askNext(): void {
  for (const name of queue) {
    if (asked >= THREADS) break;
    if (name.isSilent && silent >= Math.max(1, THREADS - 1)) continue;
    queue.delete(name);
    ask(name);
  }
  // What the system says of itself needs no thread.
  for (const name of queue) if (name.host === 'localhost') makeDo(name);
}

function ask(name: Name): void {
  const { isSilent } = name;
  const asksIn = era;
  asked++;
  if (isSilent) silent++;
  const answered = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]): void => {
    if (asksIn === era) {
      asked--;
      if (isSilent) silent--;
    }
    name.isAsked = false;
    name.isSilent = name.isLate;
    if (error === null) name.good = addresses;
    const { waiting, good } = name;
    name.waiting = [];
    for (const callback of waiting) {
      if (good === undefined) callback(error, []);
      else callback(null, [...good]);
    }
    askNext();
  };
  try {
    builtin.dns.lookup(name.host, name.options as LookupAllOptions, answered);
  } catch (error) {
    process.nextTick(answered, error as Error, []);
  }
}

/** A question that takes long is answered as well as it can be; the system goes on looking. */
function waitFor(name: Name): void {
  setTimeout(() => {
    if (!name.isAsked) return;
    name.isLate = true;
    name.isSilent = true;
    makeDo(name);
  }, PATIENCE_MS).unref();
}

function makeDo(name: Name): void {
  const known = name.good ?? (name.host === 'localhost' ? loopbackOf(name.options.family) : undefined);
  if (known === undefined) return;
  const { waiting } = name;
  name.waiting = [];
  for (const callback of waiting) process.nextTick(callback, null, [...known]);
}

/** @internal Forgets every name, and the questions that are out: for a simulation, whose next world has other names. */
export function forgetNames(): void {
  era++;
  names.clear();
  queue = new MemberList();
  asked = 0;
  silent = 0;
}

/** The name that is known for longest, of those that no attempt waits for. */
function forgetOne(): void {
  for (const [key, { isAsked, waiting }] of names) {
    if (isAsked || waiting.length > 0) continue;
    names.delete(key);
    return;
  }
}

function firstOf(callback: Callback): Callback {
  return (error, addresses) => {
    const first = (addresses as LookupAddress[])[0];
    if (first === undefined) callback(error ?? new Error('No address.'), '');
    else callback(null, first.address, first.family);
  };
}

/** A look-up of the user: what it throws, or rejects with, is its answer. */
export function guarded(lookup: LookupFunction): LookupFunction {
  const call = bound(lookup);
  return (host, options, callback) => {
    const fail = (error: unknown): void => process.nextTick(callback, error as Error, []);
    try {
      const result: unknown = call(host, options, callback);
      if (typeof (result as Promise<unknown> | undefined)?.then === 'function') {
        (result as Promise<unknown>).then(undefined, fail);
      }
    } catch (error) {
      fail(error);
    }
  };
}
