/** Checks of options, shared by everything that takes some: each says what was wrong, where, and what would be right. */
import { OptionError } from './errors.js';
import { type Limit, type LimitKind, type Limits, namesOf, type SettingsOf } from './machines/limits.js';
import { NEVER_MS } from './machines/vocabulary.js';
import type { Clock } from './runtime/clock.js';
import { bound } from './runtime/context.js';
import { nearest } from './text.js';

/** A wait in milliseconds; `false` (or `Infinity`) turns it off. */
export type Timeout = number | false;

export function timeout(name: string, value: Timeout | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (value === false || value === Number.POSITIVE_INFINITY) return NEVER_MS;
  if (typeof value !== 'number' || !(value > 0) || value > NEVER_MS) {
    throw new OptionError(name, value, `a number of milliseconds from 1 to ${NEVER_MS}, or false for none`);
  }
  return Math.ceil(value);
}

/** A whole number from `least` on; `Infinity` where there need be no limit. */
export function count(name: string, value: number | undefined, fallback: number, least = 1): number {
  if (value === undefined) return fallback;
  if (value === Number.POSITIVE_INFINITY) return value;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new OptionError(name, value, `a whole number from ${least} on, or Infinity`);
  }
  return value;
}

/** A whole number in a range. */
export function integer(
  name: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new OptionError(name, value, `a whole number from ${least} to ${most}`);
  }
  return value;
}

/** The idle time after which TCP asks for the peer, in milliseconds; below a second the system takes two hours. */
export function keepAlive(name: string, value: number | false | undefined): number | false {
  if (value === undefined || value === false) return false;
  if (typeof value !== 'number' || !(value >= 1_000 && value <= NEVER_MS)) {
    throw new OptionError(name, value, `a number of milliseconds from 1000 to ${NEVER_MS}, or false`);
  }
  return value;
}

/** Where time comes from. */
export function clock(name: string, value: Clock | undefined): Clock | undefined {
  if (value === undefined) return undefined;
  for (const method of ['now', 'setTimeout', 'clearTimeout'] as const) {
    if (typeof value?.[method] !== 'function') throw new OptionError(name, value, `an object with ${method}()`);
  }
  return value;
}

export function number(name: string, value: number | undefined, fallback: number, least: number, most: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new OptionError(name, value, `a number from ${least} to ${most}`);
  }
  return value;
}

export function port(name: string, value: unknown, least = 0): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > 65_535) {
    throw new OptionError(name, value, `a port from ${least} to 65535`);
  }
  return value as number;
}

export function flag(name: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new OptionError(name, value, 'true or false');
  return value;
}

export function text(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new OptionError(name, value, 'a string that is not empty');
  return value;
}

/** A function of the user's; it always runs in the async context in which it was given. */
export function hook<F extends (...args: never[]) => unknown>(name: string, value: F | undefined): F | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'function') throw new OptionError(name, value, 'a function');
  return bound(value);
}

export function signal(name: string, value: AbortSignal | undefined): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) throw new OptionError(name, value, 'an AbortSignal');
  return value;
}

type OptionOf<R> = (R extends Limit<'time'> ? Timeout : number) | undefined;

/** What users may give for these limits. */
type OptionsOf<L> = { readonly [K in keyof L]?: OptionOf<L[K]> };

/** The limits whose defaults the caller works out. */
type Open<L extends Limits> = { [K in keyof L]: L[K]['fallback'] extends number ? never : K }[keyof L];

/**
 * Checks the options for these limits; a limit that is not given has its default. A limit that the interface of the
 * options lacks does not compile.
 *
 * @param defaults the defaults that the table leaves open
 * @param path what comes before the names in errors
 */
export function limits<L extends Limits, O extends OptionsOf<L>>(
  table: L,
  options: O & (keyof L extends keyof O ? unknown : never),
  ...[defaults, path = '']: [Open<L>] extends [never]
    ? [defaults?: undefined, path?: string]
    : [defaults: Readonly<Record<Open<L>, number>>, path?: string]
): SettingsOf<L> {
  const open: Partial<Record<string, number>> = defaults ?? {};
  const settings: Record<string, number> = {};
  for (const name of namesOf(table)) {
    const { kind, least, fallback = open[name] } = table[name] as Limit;
    settings[name] = CHECKS[kind](`${path}${name}`, options[name] as never, fallback as number, least);
  }
  return settings as SettingsOf<L>;
}

const CHECKS = {
  time: timeout,
  wait: (name: string, value: number | undefined, fallback: number) => number(name, value, fallback, 1, 3_600_000),
  count,
} satisfies Record<LimitKind, unknown>;

/** The names of all options of an interface: one too few, or too many, does not compile. */
export const everyOption =
  <O>() =>
  <const N extends readonly (keyof O)[]>(
    ...names: N & (Exclude<keyof O, N[number]> extends never ? unknown : Exclude<keyof O, N[number]>)
  ): readonly string[] =>
    names as readonly string[];

const OF_EJECTION = 'given in "ejection", as in { ejection: { failures: 3, onError: "failCheck" } }';
const OF_SERVER = 'given for each server, in "servers"';
const OF_SET = 'given for all servers of a set, beside "servers"';
const inOtherWords = (name: string): string => `left out; here it is called "${name}"`;

/** Where an option belongs that was given in another place, and what HAProxy's words are called here. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['onError', OF_EJECTION],
  ['lostWithin', OF_EJECTION],
  ['connectionsMax', OF_SERVER],
  ['weight', OF_SERVER],
  ['backup', OF_SERVER],
  ['slowStart', OF_SET],
  ['onDown', OF_SET],
  ['onBackup', OF_SET],
  ['panic', OF_SET],
  ['maxconn', inOtherWords('connectionsMax')],
  ['maxqueue', inOtherWords('queueMax')],
  ['inter', inOtherWords('interval')],
  ['fastinter', inOtherWords('fastInterval')],
  ['downinter', inOtherWords('downInterval')],
]);

/** Refuses names that no code reads: a misspelt timeout must not silently be the default one. */
export function onlyKnown(what: string, options: unknown, known: readonly string[], path = ''): void {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    throw new OptionError(what, options, 'an object of options');
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known, 2);
    throw new OptionError(
      `${path}${name}`,
      (options as Record<string, unknown>)[name],
      near === undefined
        ? (ELSEWHERE.get(name) ?? `one that ${what} knows: ${[...new Set(known)].join(', ')}`)
        : `left out or spelt "${near}"`,
    );
  }
}
