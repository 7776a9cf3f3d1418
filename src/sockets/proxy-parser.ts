/**
 * Reads PROXY headers. Where the specification leaves a choice: a header of another transport than a stream, or of none,
 * has no addresses (the real ones stay, as for `UNKNOWN`), and keeps its TLVs. Of the TLVs with a meaning of their own
 * each may come once. The rest of a `LOCAL` header is skipped, whatever is in it.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { NotSupportedError, ProxyHeaderError, type ProxyHeaderFault } from '../errors.js';
import { crc32c } from './crc32c.js';
import { asBuffer, FirstBytes } from './first-bytes.js';
import { SocketPeer } from './peer.js';
import {
  ADDRESSES,
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
  STREAM,
  TYPE,
  UNIQUE_ID_MAX,
  UNIX_PATH,
  ZEROS,
} from './proxy-header.js';

/** What {@link ProxyHeaderParser} found. */
export interface ParsedProxyHeader {
  /** What the header says. */
  readonly header: ProxyHeader;
  /** How many bytes the header takes. */
  readonly byteLength: number;
  /** The bytes of the last chunk that follow the header: the first data of the connection. Often it is empty. */
  readonly rest: Buffer;
}

/** The longest line of version 1, with its CRLF. */
const LINE_MAX = 107;
const LINE_START = Buffer.from('PROXY ', 'latin1');
const CR = 0x0d;
const LF = 0x0a;

const NOTHING = {
  source: undefined,
  destination: undefined,
  sourcePath: undefined,
  destinationPath: undefined,
  alpn: undefined,
  authority: undefined,
  uniqueId: undefined,
  ssl: undefined,
  netns: undefined,
  tlvs: [],
  crc32c: false,
} satisfies Omit<ProxyHeader, 'version' | 'command'>;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads a PROXY header of version 1 or 2 from the first bytes of a connection, however they are cut into chunks. One
 * parser reads one header.
 *
 * It is strict. A wrong byte before the addresses is refused when it comes; wrong addresses and TLVs are refused once the
 * header is complete. A header has at most 16,384 bytes; a longer one is refused as soon as its length is known.
 *
 * The parser has no clock: give a connection a few seconds, at least three, to send its header. Use it only for
 * connections from proxies that you trust, and never guess from the first bytes whether there is a header: otherwise
 * clients choose their own addresses.
 *
 * @example
 * ```ts
 * const parser = new ProxyHeaderParser();
 * socket.on('data', function read(chunk) {
 *   try {
 *     const parsed = parser.push(chunk);
 *     if (parsed === 'incomplete') return;
 *     socket.off('data', read).pause();
 *     socket.unshift(parsed.rest);
 *     serve(socket, parsed.header.source?.address ?? socket.remoteAddress);
 *   } catch (error) {
 *     socket.destroy(error);
 *   }
 * });
 * ```
 */
export class ProxyHeaderParser {
  readonly #held = new FirstBytes();
  #byteLength: number | undefined = undefined;
  #isOver = false;

  /**
   * Reads on.
   *
   * @returns the header, once it is complete
   * @throws {@link ProxyHeaderError} if the bytes are no valid header
   * @throws {@link NotSupportedError} if the parser has its result, or has thrown, before
   */
  push(chunk: Uint8Array): ParsedProxyHeader | 'incomplete' {
    const bytes = asBuffer('chunk', chunk);
    if (this.#isOver) throw new NotSupportedError('This parser has read its header: each connection needs a new one.');
    this.#isOver = true;
    const parsed = this.#parse(bytes);
    this.#isOver = parsed !== 'incomplete';
    return parsed;
  }

  #parse(chunk: Buffer): ParsedProxyHeader | 'incomplete' {
    const held = this.#held;
    const before = held.length;
    if (this.#byteLength === undefined) {
      held.add(chunk.subarray(0, LINE_MAX - before));
      this.#byteLength = measure(held.bytes);
      if (this.#byteLength === undefined) return 'incomplete';
    }
    const end = this.#byteLength - before;
    held.add(chunk.subarray(held.length - before, end));
    if (held.length < this.#byteLength) return 'incomplete';
    const bytes = held.bytes.subarray(0, this.#byteLength);
    const header = bytes[0] === LINE_START[0] ? readLine(bytes) : readBinary(bytes);
    return { header, byteLength: this.#byteLength, rest: chunk.subarray(end) };
  }
}

function refuse(reason: ProxyHeaderFault, offset: number, why: string): never {
  throw new ProxyHeaderError(reason, offset, why);
}

/** How long the header is, as soon as it can be known; refuses what is wrong until there. */
function measure(bytes: Buffer): number | undefined {
  if (bytes.length === 0) return undefined;
  return bytes[0] === LINE_START[0] ? measureLine(bytes) : measureBinary(bytes);
}

function begins(bytes: Buffer, expected: Buffer): void {
  for (let at = 0; at < expected.length && at < bytes.length; at++) {
    if (bytes[at] !== expected[at]) refuse('notProxy', at, `${hex(bytes[at])} is not ${hex(expected[at])}`);
  }
}

function measureLine(bytes: Buffer): number | undefined {
  begins(bytes, LINE_START);
  for (let at = LINE_START.length; at < bytes.length; at++) {
    if (bytes[at] === LF) refuse('line', at, 'a LF has no CR before it');
    if (bytes[at] !== CR || at + 1 === LINE_MAX) continue;
    if (at + 1 === bytes.length) return undefined;
    if (bytes[at + 1] !== LF) refuse('line', at + 1, 'a CR has no LF after it');
    return at + 2;
  }
  if (bytes.length >= LINE_MAX) refuse('tooLong', LINE_MAX - 1, `no CRLF is in the first ${LINE_MAX} bytes`);
  return undefined;
}

function measureBinary(bytes: Buffer): number | undefined {
  begins(bytes, SIGNATURE);
  if (bytes.length <= 12) return undefined;
  const { version, isLocal, command } = commandOf(bytes);
  if (version !== 2) refuse('version', 12, `the version is ${version}, and not 2`);
  if (command > 1) refuse('command', 12, `command ${command} is neither LOCAL (0) nor PROXY (1)`);
  if (bytes.length <= 13) return undefined;
  const { family, transport } = familyOf(bytes);
  if (!isLocal && family > 3) refuse('family', 13, `address family ${family} does not exist`);
  if (!isLocal && transport > 2) refuse('family', 13, `transport ${transport} does not exist`);
  if (bytes.length < FIXED) return undefined;
  const length = bytes.readUInt16BE(14);
  if (FIXED + length > HEADER_MAX) {
    refuse('tooLong', 14, `the header would have ${FIXED + length} bytes, and ${HEADER_MAX} are allowed`);
  }
  const least = isLocal ? 0 : (ADDRESSES[family] as number);
  if (length < least) refuse('tooShort', 14, `the length is ${length}, and the addresses need ${least}`);
  return FIXED + length;
}

const commandOf = (bytes: Buffer) => {
  const byte = bytes[12] as number;
  return { version: byte >> 4, command: byte & 0xf, isLocal: (byte & 0xf) === 0 };
};

const familyOf = (bytes: Buffer) => {
  const byte = bytes[13] as number;
  return { family: byte >> 4, transport: byte & 0xf };
};

function readLine(bytes: Buffer): ProxyHeader {
  const words = bytes.toString('latin1', 0, bytes.length - 2).split(' ');
  const [, protocol = '', source = '', destination = '', sourcePort = '', destinationPort = ''] = words;
  const startOf = (index: number): number => words.slice(0, index).join(' ').length + 1;
  const unknown = { version: 1, command: 'PROXY', ...NOTHING } as const;
  if (protocol === 'UNKNOWN') return unknown;
  if (protocol !== 'TCP4' && protocol !== 'TCP6') {
    refuse('family', startOf(1), `${shown(protocol)} is none of TCP4, TCP6 and UNKNOWN`);
  }
  if (words.length < 6) refuse('line', bytes.length - 2, 'the line ends before its second port');
  const family = protocol === 'TCP4' ? 'IPv4' : 'IPv6';
  const from = readAddress(source, family, startOf(2));
  const to = readAddress(destination, family, startOf(3));
  const header = {
    ...unknown,
    source: new SocketPeer(from, readPort(sourcePort, startOf(4)), family),
    destination: new SocketPeer(to, readPort(destinationPort, startOf(5)), family),
  };
  if (words.length > 6) refuse('line', startOf(6) - 1, 'the second port must end the line');
  return header;
}

function readAddress(word: string, family: 'IPv4' | 'IPv6', at: number): string {
  const isRight = family === 'IPv4' ? isIPv4(word) : isIPv6(word) && !word.includes('%');
  if (!isRight) refuse('address', at, `${shown(word)} is no ${family} address`);
  return family === 'IPv4' ? word : canonical(word);
}

function readPort(word: string, at: number): number {
  if (!/^(0|[1-9]\d{0,4})$/.test(word) || Number(word) > 65_535) refuse('port', at, `${shown(word)} is no port`);
  return Number(word);
}

function readBinary(bytes: Buffer): ProxyHeader {
  const { isLocal } = commandOf(bytes);
  if (isLocal) return { version: 2, command: 'LOCAL', ...NOTHING };
  const { family, transport } = familyOf(bytes);
  const header: Writable<ProxyHeader> = { version: 2, command: 'PROXY', ...NOTHING };
  if (transport === STREAM) readAddresses(header, family, bytes);
  readTlvs(header, bytes, FIXED + (ADDRESSES[family] as number));
  return header;
}

function readAddresses(header: Writable<ProxyHeader>, family: number, bytes: Buffer): void {
  if (family === FAMILY.IPv4) {
    header.source = new SocketPeer(bytes.subarray(16, 20).join('.'), bytes.readUInt16BE(24), 'IPv4');
    header.destination = new SocketPeer(bytes.subarray(20, 24).join('.'), bytes.readUInt16BE(26), 'IPv4');
  } else if (family === FAMILY.IPv6) {
    header.source = new SocketPeer(addressText(bytes, 16), bytes.readUInt16BE(48), 'IPv6');
    header.destination = new SocketPeer(addressText(bytes, 32), bytes.readUInt16BE(50), 'IPv6');
  } else if (family === FAMILY.unix) {
    header.sourcePath = pathText(bytes, 16);
    header.destinationPath = pathText(bytes, 16 + UNIX_PATH);
  }
}

function readTlvs(header: Writable<ProxyHeader>, bytes: Buffer, from: number): void {
  const tlvs: ProxyTlv[] = [];
  const seen = new Set<number>();
  for (const { type, value, at } of split(bytes, from)) {
    switch (type) {
      case TYPE.alpn:
        once(seen, type, at);
        header.alpn = value.toString('latin1');
        break;
      case TYPE.authority:
        once(seen, type, at);
        header.authority = utf8(value, at);
        break;
      case TYPE.crc32c:
        once(seen, type, at);
        if (value.length !== 4) refuse('tlv', at, `a checksum has 4 bytes, and not ${value.length}`);
        if (checksum(bytes, at) !== value.readUInt32BE()) refuse('checksum', at, 'the checksum is wrong');
        header.crc32c = true;
        break;
      case TYPE.noop:
        break;
      case TYPE.uniqueId:
        once(seen, type, at);
        if (value.length > UNIQUE_ID_MAX) {
          refuse('tlv', at, `a unique id has at most ${UNIQUE_ID_MAX} bytes, and not ${value.length}`);
        }
        header.uniqueId = value;
        break;
      case TYPE.ssl:
        once(seen, type, at);
        header.ssl = readSsl(bytes.subarray(0, at + value.length), at);
        break;
      case TYPE.netns:
        once(seen, type, at);
        header.netns = utf8(value, at);
        break;
      default:
        tlvs.push({ type, value });
    }
  }
  header.tlvs = tlvs;
}

function readSsl(bytes: Buffer, from: number): ProxySsl {
  if (bytes.length - from < SSL_FIXED) {
    refuse('tlv', from, `a TLV of type SSL has at least ${SSL_FIXED} bytes, and not ${bytes.length - from}`);
  }
  const flags = bytes[from] as number;
  const tlvs: ProxyTlv[] = [];
  const certOnConnection = (flags & SSL_FLAGS.certOnConnection) !== 0;
  const certInSession = (flags & SSL_FLAGS.certInSession) !== 0;
  const ssl: Writable<ProxySsl> = {
    tls: (flags & SSL_FLAGS.tls) !== 0,
    certOnConnection,
    certInSession,
    verify: certOnConnection || certInSession ? bytes.readUInt32BE(from + 1) : undefined,
    version: undefined,
    cn: undefined,
    cipher: undefined,
    sigAlg: undefined,
    keyAlg: undefined,
    group: undefined,
    sigScheme: undefined,
    clientCert: undefined,
    tlvs,
  };
  const seen = new Set<number>();
  for (const { type, value, at } of split(bytes, from + SSL_FIXED)) {
    const name = SSL_NAMES.get(type as never);
    if (name !== undefined) {
      once(seen, type, at);
      ssl[name] = utf8(value, at);
    } else if (type === SSL_CLIENT_CERT) {
      once(seen, type, at);
      ssl.clientCert = value;
    } else {
      tlvs.push({ type, value });
    }
  }
  return ssl;
}

/** The TLVs from there to the end of the bytes; `at` is where the value begins. */
function* split(bytes: Buffer, from: number): Generator<ProxyTlv & { at: number }> {
  for (let start = from; start < bytes.length; ) {
    const at = start + 3;
    if (at > bytes.length) refuse('tlv', start, `${bytes.length - start} bytes are left, too few for a TLV`);
    const end = at + bytes.readUInt16BE(start + 1);
    if (end > bytes.length) refuse('tlv', start + 1, `the TLV ends ${end - bytes.length} bytes after its container`);
    yield { type: bytes[start] as number, value: bytes.subarray(at, end), at };
    start = end;
  }
}

/** A second value would leave it open which of the two is meant. */
function once(seen: Set<number>, type: number, at: number): void {
  if (seen.has(type)) refuse('tlv', at - 3, `a TLV of type ${hex(type)} is given twice`);
  seen.add(type);
}

/** The checksum of the header as if the four bytes at this place were zero. */
const checksum = (bytes: Buffer, at: number): number =>
  crc32c(bytes.subarray(at + 4), crc32c(ZEROS, crc32c(bytes.subarray(0, at))));

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(value: Buffer, at: number): string {
  try {
    return UTF8.decode(value);
  } catch {
    return refuse('tlv', at, 'the text is not UTF-8');
  }
}

function addressText(bytes: Buffer, from: number): string {
  const groups: string[] = [];
  for (let at = from; at < from + 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return canonical(groups.join(':'));
}

/** A path ends at its first NUL, unless that is its first byte: so an abstract name begins. */
function pathText(bytes: Buffer, from: number): string | undefined {
  const path = bytes.subarray(from, from + UNIX_PATH);
  const end = path.indexOf(0, 1);
  const name = path.toString('utf8', 0, end === -1 ? UNIX_PATH : end);
  return name === '\0' ? undefined : name;
}

const hex = (byte: number | undefined): string => `0x${(byte as number).toString(16).padStart(2, '0')}`;

/** Text from outside, for a message. */
const shown = (word: string): string => `"${word.replace(/[^ -~]/g, '?')}"`;
