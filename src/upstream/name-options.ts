/** What a name that is as many servers as it has addresses is told. */
import { isIP } from 'node:net';
import { OptionError } from '../errors.js';
import { NAME_LIMITS } from '../machines/limits.js';
import type { HoldSettings, NameSettings } from '../machines/name.js';
import { NEVER_MS } from '../machines/vocabulary.js';
import type { AddressLookup } from '../names/found.js';
import { everyOption, flag, hook, integer, limits, number, onlyKnown, type Timeout } from '../options.js';
import type { ServerOptions } from './server-options.js';

/**
 * How long the last good answer counts while look-ups fail, in milliseconds, counted from that answer; `false`: for ever. The
 * words are those of HAProxy's `hold`.
 */
export interface HoldOptions {
  /** The name does not exist (NXDOMAIN). Default 30 000. */
  readonly nx?: Timeout | undefined;
  /** The name server refuses to answer. Default 30 000. */
  readonly refused?: Timeout | undefined;
  /** There is no answer in time. Default 30 000. */
  readonly timeout?: Timeout | undefined;
  /** Any other failure, such as SERVFAIL, or an answer without an address. Default 30 000. */
  readonly other?: Timeout | undefined;
  /** An answer does not have an address any more: how long its server is still used. Default 0. */
  readonly obsolete?: Timeout | undefined;
}

/** How a name is looked up that is as many servers as it has addresses. */
export interface AddressesOptions {
  /**
   * Who knows the addresses: the DNS (`dns`); the system, as `dns.lookup` asks it, with `/etc/hosts` and search domains (`system`);
   * or a function of yours, for a registry such as Consul or etcd. What the function throws is a failure. Default `dns`.
   *
   * @example
   * ```ts
   * by: async (service, { signal }) => {
   *   const answer = await fetch(`http://127.0.0.1:8500/v1/health/service/${service}?passing`, { signal });
   *   return (await answer.json()).map(({ Node, Service }) => ({ address: Service.Address || Node.Address, port: Service.Port }));
   * },
   * ```
   */
  readonly by?: 'dns' | 'system' | AddressLookup | undefined;
  /**
   * `srv`: the name is that of a service (`_postgres._tcp.example.org`). Its records say the ports, weights and priorities: those of the
   * lowest priority come first, the others are backups. Default `srv` for a host that begins with an underscore, else `address`.
   */
  readonly records?: 'address' | 'srv' | undefined;
  /** Name servers to ask, with `by: 'dns'`: addresses, with a port if it is not 53. Default: those of the system. */
  readonly nameservers?: readonly string[] | undefined;
  /** Wait between two look-ups, in milliseconds; longer where the answer says that it is good for longer. Default 5 000. */
  readonly interval?: number | undefined;
  /** The same after a look-up that has failed. Default 1 000. */
  readonly failureInterval?: number | undefined;
  /** How long a look-up may take, in milliseconds; then it is tried again. Default 1 000. */
  readonly timeout?: number | undefined;
  /** Look-ups in a row without an answer in time, until that is a failure. Default 3. */
  readonly tries?: number | undefined;
  /** Servers of this name; further addresses are not used. Default 100. */
  readonly serversMax?: number | undefined;
  /** The part of a wait, from 0 to 0.5, that is random, so that names are not all looked up at once. Default 0.1. */
  readonly spread?: number | undefined;
  /** How long what was known counts while look-ups fail: one time for all failures, or by the kind of failure. */
  readonly hold?: Timeout | HoldOptions | undefined;
  /** True: an answer without an address is one; its servers leave. Default false: it is a failure. */
  readonly mayBeEmpty?: boolean | undefined;
  /** False: look the name up at each `interval`, also where the answer says that it is good for longer. Default true. */
  readonly respectTtl?: boolean | undefined;
}

const OPTIONS = everyOption<AddressesOptions>()(
  'by',
  'records',
  'nameservers',
  'interval',
  'failureInterval',
  'timeout',
  'tries',
  'serversMax',
  'spread',
  'hold',
  'mayBeEmpty',
  'respectTtl',
);
const HOLD = everyOption<HoldOptions>()('nx', 'refused', 'timeout', 'other', 'obsolete');
const HOLD_MS = 30_000;
const DAY_MS = 86_400_000;
const TRIES_MOST = 100;
const SERVERS_MOST = 10_000;

/** @internal Checked. */
export interface CheckedAddresses {
  readonly settings: NameSettings;
  readonly by: 'dns' | 'system' | AddressLookup;
  readonly isService: boolean;
  readonly nameservers: readonly string[] | undefined;
  readonly serversMax: number;
  /** How long the server of an address that is not in the answer any more is still used. */
  readonly obsoleteMs: number;
  readonly mayBeEmpty: boolean;
  readonly respectsTtl: boolean;
}

/**
 * @internal
 * @param name of the server, for errors
 * @throws OptionError
 */
export function checkedAddresses(name: string, server: ServerOptions): CheckedAddresses {
  const path = `${name}.addresses`;
  const options = optionsOf(path, server.addresses);
  const { by = 'dns', records, nameservers, hold } = options;
  const { host } = server;
  if (server.path !== undefined || host === undefined || isIP(host) !== 0) {
    throw new OptionError(path, server.addresses, 'left out where there is no host that is a name');
  }
  if (server.lookup !== undefined) {
    throw new OptionError(
      `${name}.lookup`,
      server.lookup,
      'left out where addresses is given: `addresses.by` looks the name up',
    );
  }
  if (by !== 'dns' && by !== 'system') {
    if (typeof by !== 'function') throw new OptionError(`${path}.by`, by, '"dns", "system" or a function');
  }
  if (records !== undefined && records !== 'address' && records !== 'srv') {
    throw new OptionError(`${path}.records`, records, '"address" or "srv"');
  }
  if (records !== undefined && by !== 'dns') {
    throw new OptionError(`${path}.records`, records, 'left out where by is not "dns"');
  }
  const isService = by === 'dns' && (records ?? (host.startsWith('_') ? 'srv' : 'address')) === 'srv';
  mustFit(name, server, isService);
  const counts = { tries: TRIES_MOST, serversMax: SERVERS_MOST };
  for (const [option, most] of Object.entries(counts) as ['tries' | 'serversMax', number][]) {
    integer(`${path}.${option}`, options[option], NAME_LIMITS[option].fallback, 1, most);
  }
  const { serversMax, ...settings } = limits(NAME_LIMITS, options, undefined, `${path}.`);
  const { obsolete, ...held } = holdOf(`${path}.hold`, hold);
  return {
    settings: { ...settings, spread: number(`${path}.spread`, options.spread, 0.1, 0, 0.5), hold: held },
    by: typeof by === 'function' ? (hook<AddressLookup>(`${path}.by`, by) as AddressLookup) : by,
    isService,
    nameservers: nameserversOf(`${path}.nameservers`, nameservers, by),
    serversMax,
    obsoleteMs: obsolete,
    mayBeEmpty: flag(`${path}.mayBeEmpty`, options.mayBeEmpty, false),
    respectsTtl: flag(`${path}.respectTtl`, options.respectTtl, true),
  };
}

function optionsOf(path: string, addresses: boolean | AddressesOptions | undefined): AddressesOptions {
  if (addresses === true) return {};
  onlyKnown(path, addresses, OPTIONS, `${path}.`);
  return addresses as AddressesOptions;
}

/** The records of a service say the ports and weights, and the DNS must not choose the name that a certificate is for. */
function mustFit(name: string, { port, weight, backup, tls }: ServerOptions, isService: boolean): void {
  if (!isService) return;
  for (const [option, value] of Object.entries({ port, weight, backup })) {
    if (value === undefined) continue;
    throw new OptionError(`${name}.${option}`, value, 'left out where the host is a service, whose records say it');
  }
  const isVerified = tls === true || (typeof tls === 'object' && tls !== null && tls.rejectUnauthorized !== false);
  if (isVerified && (tls === true || tls.servername === undefined)) {
    throw new OptionError(
      `${name}.tls.servername`,
      undefined,
      'given where the host is a service: the name that the certificate has to be for',
    );
  }
}

function nameserversOf(
  name: string,
  nameservers: readonly string[] | undefined,
  by: unknown,
): readonly string[] | undefined {
  if (nameservers === undefined) return undefined;
  if (by !== 'dns') throw new OptionError(name, nameservers, 'left out where by is not "dns"');
  const right = 'a list of at least one address, such as ["192.0.2.53", "127.0.0.1:5353"]';
  if (!Array.isArray(nameservers) || nameservers.length === 0) throw new OptionError(name, nameservers, right);
  for (const one of nameservers as readonly unknown[]) if (!isNameserver(one)) throw new OptionError(name, one, right);
  return [...(nameservers as readonly string[])];
}

function isNameserver(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (isIP(value) !== 0) return true;
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(value) ?? [];
  return (isIP(v6 ?? '') === 6 || isIP(v4 ?? '') === 4) && Number(port) > 0 && Number(port) <= 65_535;
}

function holdOf(path: string, hold: Timeout | HoldOptions | undefined): HoldSettings & { readonly obsolete: number } {
  if (hold === undefined || typeof hold === 'number' || hold === false) {
    const ms = heldMs(path, hold, HOLD_MS);
    return { nx: ms, refused: ms, timeout: ms, other: ms, obsolete: 0 };
  }
  onlyKnown(path, hold, HOLD, `${path}.`);
  return {
    nx: heldMs(`${path}.nx`, hold.nx, HOLD_MS),
    refused: heldMs(`${path}.refused`, hold.refused, HOLD_MS),
    timeout: heldMs(`${path}.timeout`, hold.timeout, HOLD_MS),
    other: heldMs(`${path}.other`, hold.other, HOLD_MS),
    obsolete: heldMs(`${path}.obsolete`, hold.obsolete, 0),
  };
}

const heldMs = (path: string, value: Timeout | undefined, fallback: number): number =>
  value === false || value === Number.POSITIVE_INFINITY ? NEVER_MS : integer(path, value, fallback, 0, DAY_MS);
