/** What the active checks of servers are told, and the checks of that. */
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Exchange } from '../checks/check.js';
import type { CheckedChecks } from '../checks/checks.js';
import { OptionError } from '../errors.js';
import { CHECK_LIMITS, namesOf } from '../machines/limits.js';
import type { ServerSettings } from '../machines/server.js';
import { everyOption, flag, hook, limits, number, onlyKnown, port, text } from '../options.js';
import { guarded, lookUp } from './lookup.js';
import type { Server } from './server.js';

/** What a hook that checks a server gets besides the stream. */
export interface CheckHookContext {
  /** The server that is checked. */
  readonly server: Server;
  /** Fires when the check takes longer than its `timeout`, or is no longer wanted. What the hook does after that changes nothing. */
  readonly signal: AbortSignal;
}

/**
 * Checks a server by a conversation on a fresh stream to it, after its TLS handshake. The check has passed when the promise
 * resolves, and failed when it rejects (the error is in `cause.error`), resolves to `false`, or takes too long.
 * Then the library resets the stream; if you have called `stream.end()`, it closes the stream without a reset.
 */
export type CheckHook = (stream: Socket, context: CheckHookContext) => unknown;

/** What is sent, and what must come. */
export interface CheckExchange {
  /** Sent as soon as the connection is up, a string as UTF-8. Default: nothing, for protocols in which the server begins. */
  readonly send?: string | Uint8Array | undefined;
  /**
   * What the first 16,384 bytes of the answer must contain: text, bytes, or what a RegExp finds in the text of all that has
   * come so far (UTF-8).
   */
  readonly expect: string | Uint8Array | RegExp;
}

/**
 * How servers are checked. The words and the rules are those of HAProxy.
 *
 * @example
 * ```ts
 * new Servers([{ port: 6379 }, { port: 6380 }], {
 *   checks: { by: { send: 'PING\r\n', expect: '+PONG' }, interval: 1_000 },
 * });
 * ```
 */
export interface ChecksOptions {
  /**
   * What a check does:
   *
   * - `'connect'`: the connection comes up, its TLS handshake included
   * - `{ send, expect }`: after that, the server answers as expected
   * - a function: whatever you like
   *
   * Default `'connect'`.
   */
  readonly by?: 'connect' | CheckExchange | CheckHook | undefined;
  /** Wait between two checks while all is well, in milliseconds. Default 2 000. */
  readonly interval?: number | undefined;
  /** The same while some checks have failed, or passed again, but not enough of them. Default: `interval`. */
  readonly fastInterval?: number | undefined;
  /** The same while the server is down. Default: `interval`. */
  readonly downInterval?: number | undefined;
  /** How long one check may take, in milliseconds. Default: `interval`. */
  readonly timeout?: number | undefined;
  /** Checks in a row that have to pass until a server that is down is up. Default 2. */
  readonly rise?: number | undefined;
  /** Checks in a row that have to fail until a server that is up is down. Default 3. */
  readonly fall?: number | undefined;
  /**
   * What a server is taken for before its first check:
   *
   * - `up`: it may be chosen, and one check that fails brings it down
   * - `fullyUp`: it may be chosen, and `fall` checks have to fail
   * - `down`: it may not be chosen, and one check that passes brings it up
   * - `fullyDown`: it may not be chosen, and `rise` checks have to pass
   *
   * Default `up`, as in HAProxy.
   */
  readonly init?: 'up' | 'fullyUp' | 'down' | 'fullyDown' | undefined;
  /** The part of each interval that is random, from 0 to 0.5: at most so much longer or shorter. Default 0.05. */
  readonly spread?: number | undefined;
  /** Where a check goes, if not to the host of the server. */
  readonly host?: string | undefined;
  /** The TCP port that a check goes to, if not to that of the server. */
  readonly port?: number | undefined;
  /** The Unix socket that a check goes to, in place of a host and a port. */
  readonly path?: string | undefined;
  /** Speak TLS as with the server. Default: as with the server; where a check goes to another address, `false`. */
  readonly tls?: boolean | undefined;
  /** Send the PROXY header that the server gets; it says that there is no client. Default: as for `tls`. */
  readonly proxyProtocol?: boolean | undefined;
}

const OPTIONS = everyOption<ChecksOptions>()(
  'by',
  ...namesOf(CHECK_LIMITS),
  'init',
  'spread',
  'host',
  'port',
  'path',
  'tls',
  'proxyProtocol',
);

const INITS = ['up', 'fullyUp', 'down', 'fullyDown'] as const;

const EXCHANGE_OPTIONS = everyOption<CheckExchange>()('send', 'expect');

/** `true` for all defaults, `false` for no checks. */
type Checked = boolean | ChecksOptions | undefined;

/** @internal Checks what holds for all servers of a set, and is not `false`. */
export function sharedChecks(checks: Checked): ChecksOptions | undefined {
  return checks === undefined || checks === false ? undefined : optionsOf('checks', checks);
}

/** @internal What the machine of a server is told; {@link checksOf} checks the options afterwards. @param settings without checks */
export function settingsOf(settings: ServerSettings, own: Checked, shared: ChecksOptions | undefined): ServerSettings {
  if (own === false || (own === undefined && shared === undefined)) return settings;
  const { rise, fall, init = 'up' } = { ...shared, ...(typeof own === 'object' && own) };
  return { ...settings, rise: rise ?? CHECK_LIMITS.rise.fallback, fall: fall ?? CHECK_LIMITS.fall.fallback, init };
}

/**
 * @internal What holds for one server: its own options, and for the rest those of its set.
 *
 * @param name of the server, for errors
 * @param lookup how the server looks its host up, if the user has said so
 * @param onError what a failure of traffic does: without checks it can but eject
 * @throws OptionError
 */
export function checksOf(
  name: string,
  server: Server,
  own: Checked,
  shared: ChecksOptions | undefined,
  lookup: LookupFunction | undefined,
  onError: ServerSettings['onError'],
): CheckedChecks | undefined {
  if (own === false || (own === undefined && shared === undefined)) {
    if (onError === 'eject') return undefined;
    const expected = `"eject" where a server has no checks, as ${server.name} has none`;
    throw new OptionError('ejection.onError', onError, expected);
  }
  const path = own === undefined ? 'checks' : `${name}.checks`;
  const options: ChecksOptions = { ...shared, ...(own !== undefined && optionsOf(path, own)) };
  const { interval = CHECK_LIMITS.interval.fallback } = options;
  const defaults = { fastInterval: interval, downInterval: interval, timeout: interval };
  const settings = limits(CHECK_LIMITS, options, defaults, `${path}.`);
  const spread = number(`${path}.spread`, options.spread, 0.05, 0, 0.5);
  const at = addressOf(path, server, options, lookup);
  return {
    settings: { ...settings, spread },
    rise: settings.rise,
    fall: settings.fall,
    init: oneOf(`${path}.init`, options.init ?? 'up', INITS),
    timeout: settings.timeout,
    by: mannerOf(`${path}.by`, options.by),
    at,
    tls: inherited(`${path}.tls`, options.tls, server.tls, at),
    proxyProtocol: inherited(`${path}.proxyProtocol`, options.proxyProtocol, server.proxyProtocol, at),
  };
}

function optionsOf(name: string, checks: true | ChecksOptions): ChecksOptions {
  if (checks === true) return {};
  onlyKnown(name, checks, OPTIONS, `${name}.`);
  for (const count of ['rise', 'fall'] as const) {
    if (checks[count] === Number.POSITIVE_INFINITY) {
      throw new OptionError(`${name}.${count}`, checks[count], 'a whole number from 1 on');
    }
  }
  return checks;
}

function oneOf<const T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw new OptionError(
    name,
    value,
    allowed
      .map((one) => `"${one}"`)
      .join(', ')
      .replace(/, (?="\w+"$)/, ' or '),
  );
}

function mannerOf(name: string, by: ChecksOptions['by'] = 'connect'): CheckedChecks['by'] {
  if (by === 'connect') return by;
  if (typeof by === 'function') return hook(name, by) as CheckedChecks['by'];
  if (by === null || typeof by !== 'object') {
    throw new OptionError(name, by, '"connect", an object with expect and perhaps send, or a function');
  }
  onlyKnown(name, by, EXCHANGE_OPTIONS, `${name}.`);
  const { send, expect } = by;
  // A RegExp with these flags would remember where it has found something.
  const expected =
    expect instanceof RegExp
      ? new RegExp(expect.source, expect.flags.replace(/[gy]/g, ''))
      : bytesOf(`${name}.expect`, expect);
  return { send: send === undefined ? undefined : bytesOf(`${name}.send`, send), expect: expected } satisfies Exchange;
}

function bytesOf(name: string, value: unknown): Buffer {
  if ((typeof value !== 'string' && !(value instanceof Uint8Array)) || value.length === 0) {
    throw new OptionError(
      name,
      value,
      `a string, bytes${name.endsWith('expect') ? ' or a RegExp' : ''}, and not empty`,
    );
  }
  return Buffer.from(value as Uint8Array);
}

/** A check that goes to another address inherits nothing, as in HAProxy. */
function inherited(name: string, value: boolean | undefined, own: unknown, at: CheckedChecks['at']): boolean {
  const isWanted = flag(name, value, at === undefined && own !== undefined);
  if (isWanted && own === undefined) throw new OptionError(name, value, 'left out where the server has no such option');
  return isWanted;
}

/** Where checks go, if not to the server itself. */
function addressOf(
  name: string,
  server: Server,
  { host, port: to, path }: ChecksOptions,
  lookup: LookupFunction | undefined,
): CheckedChecks['at'] {
  if (host === undefined && to === undefined && path === undefined) return undefined;
  if (server.connect !== undefined) {
    const [option = '', value] =
      Object.entries({ host, port: to, path }).find(([, given]) => given !== undefined) ?? [];
    throw new OptionError(`${name}.${option}`, value, 'left out where connect is given, which opens the socket');
  }
  const addressMs = (connectTimeout: number): number => server.addressMs(connectTimeout);
  if (path !== undefined) {
    if (host !== undefined || to !== undefined) {
      throw new OptionError(`${name}.path`, path, 'left out when a host or a port is given');
    }
    const unix = text(`${name}.path`, path);
    return { host: '', port: undefined, path: unix, lookup: undefined, localAddress: undefined, addressMs };
  }
  const { family, localAddress } = server;
  const where = host === undefined ? server.host : text(`${name}.host`, host);
  const version = isIP(where);
  if (family !== undefined && version !== 0 && version !== family) {
    throw new OptionError(`${name}.host`, where, `an IPv${family} address, as the server has its family`);
  }
  return {
    host: where,
    port: port(`${name}.port`, to ?? server.port, 1),
    path: undefined,
    lookup: where === server.host ? server.lookup : version !== 0 ? undefined : lookupOf(family, lookup),
    localAddress,
    addressMs,
  };
}

function lookupOf(family: 4 | 6 | undefined, lookup: LookupFunction | undefined): LookupFunction {
  const ask = lookup === undefined ? lookUp : guarded(lookup);
  if (family === undefined) return ask;
  return (host, options, callback) => ask(host, { ...options, family, hints: 0 }, callback);
}
