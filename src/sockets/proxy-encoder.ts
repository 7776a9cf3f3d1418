/** Writes PROXY headers. */
import { isIP, isIPv4 } from 'node:net';
import { OptionError } from '../errors.js';
import { everyOption, flag, integer, onlyKnown, port as portNumber, text } from '../options.js';
import { crc32c } from './crc32c.js';
import { asBuffer } from './first-bytes.js';
import type { Peer } from './peer.js';
import {
  canonical,
  FAMILY,
  FIXED,
  HEADER_MAX,
  type ProxyHeader,
  type ProxySsl,
  type ProxyTlv,
  SIGNATURE,
  SSL_CLIENT_CERT,
  SSL_FIXED,
  SSL_FLAGS,
  SSL_NAMES,
  SSL_TEXTS,
  STREAM,
  TYPE,
  UNIQUE_ID_MAX,
  UNIX_PATH,
  ZEROS,
} from './proxy-header.js';

/** What {@link encodeProxyHeader} takes. A header that was parsed is good, too. */
export interface ProxyHeaderOptions extends Partial<Omit<ProxyHeader, 'version' | 'source' | 'destination' | 'ssl'>> {
  /** 1: a line of text. 2: binary, with TLVs. */
  readonly version: 1 | 2;
  /** The address of the client: `client.peer`, for instance. Without it the header says that the address is unknown. */
  readonly source?: Pick<Peer, 'address' | 'port'> | undefined;
  /** The address that the client connected to. It is needed where `source` is given. */
  readonly destination?: Pick<Peer, 'address' | 'port'> | undefined;
  /** The TLS connection between the client and this proxy. `tls` is true unless you say otherwise. */
  readonly ssl?: Partial<ProxySsl> | undefined;
}

const HEADER_OPTIONS = everyOption<ProxyHeaderOptions>()(
  'version',
  'command',
  'source',
  'destination',
  'sourcePath',
  'destinationPath',
  'alpn',
  'authority',
  'uniqueId',
  'ssl',
  'netns',
  'tlvs',
  'crc32c',
);
const SSL_OPTIONS = everyOption<ProxySsl>()(
  'tls',
  'certOnConnection',
  'certInSession',
  'verify',
  'version',
  'cn',
  'cipher',
  'sigAlg',
  'keyAlg',
  'group',
  'sigScheme',
  'clientCert',
  'tlvs',
);

/**
 * A PROXY header as bytes: write them to a server that expects them, in one write, before anything else; with TLS
 * before the handshake.
 *
 * Without addresses, the header says that they are unknown. If one address is IPv4 and the other IPv6, the former is
 * written as an IPv6 address (`::ffff:192.0.2.1`). The zone of an address (`fe80::1%eth0`) is left out. Version 1 has no
 * TLVs; for Unix paths and for `LOCAL` it says `PROXY UNKNOWN`.
 *
 * @throws {@link OptionError} if an option is wrong, or the header would have more than 16,384 bytes. Receivers may take
 * far less: a header of up to 536 bytes fits into every TCP segment.
 *
 * @example
 * ```ts
 * const header = encodeProxyHeader({
 *   version: 2,
 *   source: client.peer,
 *   destination: { address: '192.0.2.1', port: 443 },
 *   authority: 'example.com',
 *   tlvs: [{ type: 0xe0, value: Buffer.from('blue') }],
 *   crc32c: true,
 * });
 * ```
 */
export function encodeProxyHeader(options: ProxyHeaderOptions): Buffer {
  onlyKnown('header', options, HEADER_OPTIONS);
  const { version, command = 'PROXY', source, destination, sourcePath, destinationPath } = options;
  if (version !== 1 && version !== 2) throw new OptionError('version', version, '1 or 2');
  if (command !== 'PROXY' && command !== 'LOCAL') throw new OptionError('command', command, '"PROXY" or "LOCAL"');
  const from = endpoint('source', source);
  const to = endpoint('destination', destination);
  if (from !== undefined && to === undefined) {
    throw new OptionError('destination', destination, 'an address and a port, as source is given');
  }
  if (to !== undefined && from === undefined) throw new OptionError('source', source, 'given with destination');
  const paths = [pathBytes('sourcePath', sourcePath), pathBytes('destinationPath', destinationPath)] as const;
  const hasPath = sourcePath !== undefined || destinationPath !== undefined;
  const tlvs = encodeTlvs(options);
  const hasChecksum = flag('crc32c', options.crc32c, false);
  if (from !== undefined && hasPath) throw new OptionError('source', source, 'left out, as a Unix path is given');
  const hasTlvs = tlvs.length > 0 || hasChecksum;
  if (command === 'LOCAL' && (from !== undefined || hasPath || hasTlvs)) {
    throw new OptionError('command', command, '"PROXY", as addresses or TLVs are given');
  }
  if (version === 1 && hasTlvs) throw new OptionError('version', version, '2, as TLVs are given');
  if (version === 1) return line(from, to);
  const [family, addresses] = block(from, to, hasPath ? paths : undefined);
  if (hasChecksum) tlvs.push(tlv(TYPE.crc32c, ZEROS));
  const fixed = Buffer.concat([SIGNATURE, Buffer.alloc(FIXED - SIGNATURE.length)]);
  const bytes = Buffer.concat([fixed, addresses, ...tlvs]);
  if (bytes.length > HEADER_MAX) throw tooLong(bytes.length);
  bytes[12] = 0x20 | (command === 'PROXY' ? 1 : 0);
  bytes[13] = family === FAMILY.unspecified ? 0 : (family << 4) | STREAM;
  bytes.writeUInt16BE(bytes.length - FIXED, 14);
  if (hasChecksum) bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4);
  return bytes;
}

const tooLong = (length: number): OptionError =>
  new OptionError('tlvs', length, `so small that the whole header has at most ${HEADER_MAX} bytes`);

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

function endpoint(name: string, value: ProxyHeaderOptions['source']): Endpoint | undefined {
  if (value === undefined) return undefined;
  if (value === null || typeof value !== 'object')
    throw new OptionError(name, value, 'an object with address and port');
  const { address, port } = value;
  if (typeof address !== 'string' || isIP(address) === 0) {
    throw new OptionError(`${name}.address`, address, 'an IPv4 or IPv6 address');
  }
  const bare = address.replace(/%.*$/, '');
  return { address: isIPv4(bare) ? bare : canonical(bare), port: portNumber(`${name}.port`, port) };
}

function pathBytes(name: string, value: string | undefined): Buffer {
  const bytes = Buffer.alloc(UNIX_PATH);
  if (value === undefined) return bytes;
  const path = Buffer.from(text(name, value));
  if (path.length > UNIX_PATH || path.indexOf(0, 1) !== -1 || value === '\0') {
    throw new OptionError(name, value, `a path of at most ${UNIX_PATH} bytes, with a NUL only before an abstract name`);
  }
  path.copy(bytes);
  return bytes;
}

/** If one of the two is IPv6, both are written so. */
const isSix = (from: Endpoint, to: Endpoint): boolean => !isIPv4(from.address) || !isIPv4(to.address);
const asSix = (address: string): string => (isIPv4(address) ? `::ffff:${address}` : address);

function line(from: Endpoint | undefined, to: Endpoint | undefined): Buffer {
  if (from === undefined || to === undefined) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const words = isSix(from, to) ? ['TCP6', asSix(from.address), asSix(to.address)] : ['TCP4', from.address, to.address];
  return Buffer.from(`PROXY ${words.join(' ')} ${from.port} ${to.port}\r\n`, 'latin1');
}

type Block = readonly [family: number, bytes: Buffer];

function block(from: Endpoint | undefined, to: Endpoint | undefined, paths: readonly Buffer[] | undefined): Block {
  if (paths !== undefined) return [FAMILY.unix, Buffer.concat(paths)];
  if (from === undefined || to === undefined) return [FAMILY.unspecified, Buffer.alloc(0)];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(from.port, 0);
  ports.writeUInt16BE(to.port, 2);
  return isSix(from, to)
    ? [FAMILY.IPv6, Buffer.concat([sixBytes(asSix(from.address)), sixBytes(asSix(to.address)), ports])]
    : [FAMILY.IPv4, Buffer.concat([fourBytes(from.address), fourBytes(to.address), ports])];
}

const fourBytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

function sixBytes(address: string): Buffer {
  const dotted = /\d+\.[\d.]+$/.exec(address)?.[0];
  if (dotted !== undefined) {
    const [high, low] = [fourBytes(dotted).readUInt16BE(0), fourBytes(dotted).readUInt16BE(2)];
    return sixBytes(`${address.slice(0, -dotted.length)}${high.toString(16)}:${low.toString(16)}`);
  }
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function string(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new OptionError(name, value, 'a string');
  return value;
}

function encodeTlvs({ alpn, authority, uniqueId, ssl, netns, tlvs }: ProxyHeaderOptions): Buffer[] {
  const all: Buffer[] = [];
  if (alpn !== undefined) {
    const bytes = Buffer.from(string('alpn', alpn), 'latin1');
    if (bytes.toString('latin1') !== alpn) throw new OptionError('alpn', alpn, 'a string of characters up to U+00FF');
    all.push(tlv(TYPE.alpn, bytes));
  }
  if (authority !== undefined) all.push(tlv(TYPE.authority, Buffer.from(string('authority', authority))));
  if (uniqueId !== undefined) {
    const bytes = asBuffer('uniqueId', uniqueId);
    if (bytes.length > UNIQUE_ID_MAX) {
      throw new OptionError('uniqueId', uniqueId, `a Buffer of at most ${UNIQUE_ID_MAX} bytes`);
    }
    all.push(tlv(TYPE.uniqueId, bytes));
  }
  if (ssl !== undefined) all.push(tlv(TYPE.ssl, encodeSsl(ssl)));
  if (netns !== undefined) all.push(tlv(TYPE.netns, Buffer.from(string('netns', netns))));
  all.push(...encodeList('tlvs', tlvs, RESERVED));
  return all;
}

/** The types that have an option of their own. */
const RESERVED = new Set<number>(Object.values(TYPE).filter((type) => type !== TYPE.noop));
const SSL_RESERVED = new Set<number>([...Object.values(SSL_TEXTS), SSL_CLIENT_CERT]);

function encodeSsl(ssl: Partial<ProxySsl>): Buffer {
  onlyKnown('ssl', ssl, SSL_OPTIONS, 'ssl.');
  let flags = flag('ssl.tls', ssl.tls, true) ? SSL_FLAGS.tls : 0;
  if (flag('ssl.certOnConnection', ssl.certOnConnection, false)) flags |= SSL_FLAGS.certOnConnection;
  if (flag('ssl.certInSession', ssl.certInSession, false)) flags |= SSL_FLAGS.certInSession;
  const hasCert = (flags & (SSL_FLAGS.certOnConnection | SSL_FLAGS.certInSession)) !== 0;
  if (ssl.verify !== undefined && !hasCert) {
    throw new OptionError('ssl.verify', ssl.verify, 'left out, as the client presented no certificate');
  }
  const fixed = Buffer.alloc(SSL_FIXED);
  fixed[0] = flags;
  fixed.writeUInt32BE(integer('ssl.verify', ssl.verify, 1, 0, 0xffff_ffff), 1);
  const all: Buffer[] = [fixed];
  for (const [type, name] of SSL_NAMES) {
    const value = ssl[name];
    if (value !== undefined) all.push(tlv(type, Buffer.from(string(`ssl.${name}`, value))));
  }
  if (ssl.clientCert !== undefined) all.push(tlv(SSL_CLIENT_CERT, asBuffer('ssl.clientCert', ssl.clientCert)));
  return Buffer.concat([...all, ...encodeList('ssl.tlvs', ssl.tlvs, SSL_RESERVED)]);
}

function encodeList(name: string, tlvs: readonly ProxyTlv[] | undefined, reserved: Set<number>): Buffer[] {
  if (tlvs === undefined) return [];
  if (!Array.isArray(tlvs)) throw new OptionError(name, tlvs, 'an array of TLVs');
  return tlvs.map((given: ProxyTlv, index) => {
    const path = `${name}[${index}]`;
    if (given === null || typeof given !== 'object') {
      throw new OptionError(path, given, 'an object with type and value');
    }
    const type = integer(`${path}.type`, given.type, -1, 0, 0xff);
    if (type === -1 || reserved.has(type)) {
      throw new OptionError(
        `${path}.type`,
        given.type,
        'a number from 0 to 255 of a type that has no option of its own',
      );
    }
    return tlv(type, asBuffer(`${path}.value`, given.value));
  });
}

function tlv(type: number, value: Buffer): Buffer {
  if (value.length > HEADER_MAX) throw tooLong(value.length);
  const bytes = Buffer.allocUnsafe(3 + value.length);
  bytes[0] = type;
  bytes.writeUInt16BE(value.length, 1);
  value.copy(bytes, 3);
  return bytes;
}
