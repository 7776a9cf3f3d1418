/** How the PROXY protocol is spoken, at a listener and towards a server, and the checks of that. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Client } from './adapters/client.js';
import { OptionError } from './errors.js';
import { flag, hook, onlyKnown } from './options.js';
import type { Peer } from './sockets/peer.js';
import { encodeProxyHeader, type ProxyHeaderOptions } from './sockets/proxy-encoder.js';
import type { ProxyHeader } from './sockets/proxy-header.js';

/**
 * A listener behind other proxies, such as HAProxy (`send-proxy`, `send-proxy-v2`), nginx (`proxy_protocol on`) or a load
 * balancer of a cloud.
 *
 * @see https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */
export interface ListenProxyProtocol {
  /**
   * The addresses of the proxies: addresses, networks such as `10.0.0.0/8`, and `unix` for all programs that connect to a
   * Unix socket; or a `net.BlockList` of addresses. Each connection from there must begin with a PROXY header. A connection
   * from any other address is served as it is, and its bytes are not looked at: so no client can choose its own address.
   */
  readonly from: readonly string[] | BlockList;
}

/** How a client came that is behind another proxy. */
export interface Via {
  /** The address of the proxy; nothing where it has connected to a Unix socket. */
  readonly peer: Peer | undefined;
  /** All that the proxy says. */
  readonly header: ProxyHeader;
}

/** The fields of a PROXY header besides the addresses. */
export type ProxyFields = Pick<ProxyHeaderOptions, 'alpn' | 'authority' | 'uniqueId' | 'ssl' | 'netns' | 'tlvs'>;

/** A server that expects a PROXY header. */
export interface ServerProxyProtocol {
  /** 1: a line of text. 2: binary, with TLVs. */
  readonly version: 1 | 2;
  /**
   * What version 2 says about the client besides its addresses. It is called for each attempt to connect; if it throws, the
   * attempt has failed, with the error in `cause.error`.
   */
  readonly fields?: ((client: Client) => ProxyFields) | undefined;
  /** Add a checksum to headers of version 2. Default false. */
  readonly crc32c?: boolean | undefined;
}

/** @internal True for the connections that begin with a PROXY header. */
export type Trusts = (peer: Peer | undefined) => boolean;

const LISTEN_OPTIONS = ['from'];
const SERVER_OPTIONS = ['version', 'fields', 'crc32c'];
const UNIX = 'unix';

/**
 * @internal
 * @param isTcp true where every connection has an address, until its peer resets it. The system then no longer says whose
 * it was: without its header it must not be served as that of a client.
 */
export function listenProxyProtocol(name: string, options: ListenProxyProtocol, isTcp: boolean): Trusts {
  onlyKnown(name, options, LISTEN_OPTIONS, `${name}.`);
  const { from } = options;
  if (from instanceof BlockList) return (peer) => (peer === undefined ? isTcp : isIn(from, peer));
  if (!Array.isArray(from) || from.length === 0) {
    throw new OptionError(`${name}.from`, from, 'a net.BlockList, or an array of at least one address or network');
  }
  const list = new BlockList();
  for (const [index, entry] of from.entries()) {
    if (entry !== UNIX) add(list, `${name}.from[${index}]`, entry);
  }
  const trustsUnknown = isTcp || from.includes(UNIX);
  return (peer) => (peer === undefined ? trustsUnknown : isIn(list, peer));
}

function add(list: BlockList, name: string, entry: unknown): void {
  const [address = '', prefix, ...rest] = typeof entry === 'string' ? entry.split('/') : [];
  const family = isIP(address);
  const bits = family === 6 ? 128 : 32;
  const isRight = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
  if (family === 0 || !isRight || rest.length > 0 || address.includes('%')) {
    throw new OptionError(name, entry, 'an address, a network such as "10.0.0.0/8" or "fd00::/8", or "unix"');
  }
  list.addSubnet(address, prefix === undefined ? bits : Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
}

/** An IPv4 address may come as `::ffff:192.0.2.1`, which Node compares as IPv4. */
function isIn(list: BlockList, { address }: Peer): boolean {
  const bare = address.replace(/%.*$/, '');
  return list.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
}

/** @internal */
export function serverProxyProtocol(
  name: string,
  value: 1 | 2 | ServerProxyProtocol | undefined,
): ServerProxyProtocol | undefined {
  if (value === undefined) return undefined;
  const isShort = typeof value === 'number';
  const options = isShort ? { version: value } : value;
  if (options === null || typeof options !== 'object') throw new OptionError(name, value, '1, 2 or an object');
  onlyKnown(name, options, SERVER_OPTIONS, `${name}.`);
  const { version } = options;
  if (version !== 1 && version !== 2) throw new OptionError(isShort ? name : `${name}.version`, version, '1 or 2');
  const fields = hook(`${name}.fields`, options.fields);
  const crc32c = flag(`${name}.crc32c`, options.crc32c, false);
  if (version === 1 && (fields !== undefined || crc32c)) {
    throw new OptionError(`${name}.version`, version, '2, which alone has fields and a checksum');
  }
  return { version, fields, crc32c };
}

/**
 * @internal The header of a connection to a server. A connection that serves no client says `LOCAL`, or `UNKNOWN` in
 * version 1; so does one whose client has no address, but for the fields.
 */
export function proxyHeaderFor({ version, fields, crc32c }: ServerProxyProtocol, client: Client | undefined): Buffer {
  if (client === undefined) return encodeProxyHeader({ version, command: version === 1 ? 'PROXY' : 'LOCAL' });
  const { peer, via, socket } = client;
  const destination = via?.header.destination ?? localOf(socket);
  const addresses = peer !== undefined && destination !== undefined && { source: peer, destination };
  return encodeProxyHeader({ ...fields?.(client), version, ...addresses, crc32c: crc32c === true });
}

/** Nothing for a Unix socket, and for a connection that is gone. */
function localOf({ localAddress, localPort }: Client['socket']): { address: string; port: number } | undefined {
  if (localAddress === undefined || localPort === undefined) return undefined;
  return { address: localAddress, port: localPort };
}
