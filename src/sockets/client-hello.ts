/**
 * Reads the ClientHello of a TLS client that is not terminated here: enough of it to choose a server by its name (RFC
 * 6066) and its application protocol (RFC 7301). RFC 8446 has the records in section 5.1, and the message in section
 * 4.1.2; TLS 1.0 to 1.3 share both.
 */
import { ClientHelloError, NotSupportedError } from '../errors.js';
import { asBuffer, FirstBytes } from './first-bytes.js';

/** What a TLS client says before it is answered. With Encrypted Client Hello these are the outer, public values. */
export interface ClientHello {
  /** The name of the server that the client wants (SNI): in lower case, without a dot at its end. */
  readonly serverName: string | undefined;
  /** The application protocols that the client offers (ALPN), its preference first. One character stands for one byte. */
  readonly alpn: readonly string[];
  /**
   * The versions of TLS that the client offers, its preference first: `['TLSv1.3', 'TLSv1.2']`. A client older than TLS 1.3
   * offers its highest version only.
   */
  readonly versions: readonly string[];
}

/**
 * The longest message in bytes. The protocol allows 16 MiB. Today's messages have 200 to 2,000 bytes, and a few thousand
 * with a large session ticket; HAProxy and nginx read 16 KiB unless their buffers are made larger.
 */
const MESSAGE_MAX = 16_384;
/** The same with the headers of its records, which a client may make as small as it likes. */
export const BYTES_MAX = MESSAGE_MAX + 2_048;
/** The longest record. */
const RECORD_MAX = 16_384;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** Of the message: its type, and three bytes of length. */
const MESSAGE_HEADER = 4;
const EXTENSION = { serverName: 0, alpn: 16, supportedVersions: 43 } as const;
const HOST_NAME = 0;
/** A name in DNS has at most 253 characters, and perhaps a dot at its end. */
const NAME_MAX = 254;
const VERSIONS = new Map([
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLSv1.1'],
  [0x0303, 'TLSv1.2'],
  [0x0304, 'TLSv1.3'],
]);

/**
 * Reads the ClientHello from the first bytes of a connection, however they are cut into chunks and TLS records. One
 * parser reads one message. It consumes nothing: keep the bytes, for the server needs them.
 *
 * A message has at most 16,384 bytes, and at most 2,048 more with the headers of its records; a longer one is refused as
 * soon as its length is known. The parser has no clock: bound the wait, for a client that waits for the server to speak
 * first sends nothing.
 *
 * @example
 * ```ts
 * const parser = new ClientHelloParser();
 * const chunks: Buffer[] = [];
 * socket.on('data', function read(chunk) {
 *   try {
 *     chunks.push(chunk);
 *     const hello = parser.push(chunk);
 *     if (hello === 'incomplete') return;
 *     socket.off('data', read).pause();
 *     socket.unshift(Buffer.concat(chunks));
 *     route(socket, hello === 'notTls' ? undefined : hello.serverName);
 *   } catch (error) {
 *     socket.destroy(error);
 *   }
 * });
 * ```
 */
export class ClientHelloParser {
  readonly #message = new FirstBytes();
  /** How many bytes of the header of a record have come, and the length that it tells. */
  #headerBytes = 0;
  #recordLength = 0;
  /** How many bytes of the present record are to come. */
  #recordLeft = 0;
  /** How many bytes have come. */
  #bytes = 0;
  #isOver = false;

  /**
   * Reads on.
   *
   * @returns the message, once it is complete; `notTls` at the first byte that no TLS client sends first
   * @throws {@link ClientHelloError} if the client speaks TLS, but its message is malformed or too long
   * @throws {@link NotSupportedError} if the parser has its result, or has thrown, before
   */
  push(chunk: Uint8Array): ClientHello | 'incomplete' | 'notTls' {
    const bytes = asBuffer('chunk', chunk);
    if (this.#isOver) throw new NotSupportedError('This parser has its result: each connection needs a new one.');
    this.#isOver = true;
    const result = this.#parse(bytes);
    this.#isOver = result !== 'incomplete';
    return result;
  }

  #parse(chunk: Buffer): ClientHello | 'incomplete' | 'notTls' {
    for (let at = 0; at < chunk.length; ) {
      if (this.#recordLeft === 0) {
        if (!this.#readHeader(chunk[at++] as number)) return 'notTls';
        this.#bytes++;
      } else {
        const part = chunk.subarray(at, at + this.#recordLeft);
        this.#message.add(part);
        this.#recordLeft -= part.length;
        this.#bytes += part.length;
        at += part.length;
        const length = measure(this.#message.bytes);
        if (length !== undefined && this.#message.length >= length) return read(this.#message.bytes, length);
      }
      if (this.#bytes > BYTES_MAX) refuse(this.#message.length, `${BYTES_MAX} bytes came before its end`, 'tooLong');
    }
    return 'incomplete';
  }

  /** Type, version (of which the second byte says nothing), and length. False if no TLS client begins so. */
  #readHeader(byte: number): boolean {
    const at = this.#headerBytes++;
    const before = this.#message.length;
    const isWrong = (at === 0 && byte !== HANDSHAKE) || (at === 1 && byte !== 3);
    if (isWrong && before === 0) return false;
    if (isWrong) refuse(before, `a record of ${at === 0 ? 'type' : 'version'} ${byte} comes in the middle of it`);
    if (at === 3) this.#recordLength = byte << 8;
    if (at < 4) return true;
    this.#headerBytes = 0;
    this.#recordLeft = this.#recordLength | byte;
    if (this.#recordLeft === 0) refuse(before, 'a record is empty');
    if (this.#recordLeft > RECORD_MAX) refuse(before, `a record of ${this.#recordLeft} bytes is too long`);
    return true;
  }
}

function refuse(offset: number, why: string, reason: ClientHelloError['reason'] = 'malformed'): never {
  throw new ClientHelloError(reason, offset, why);
}

/** How long the message is, with its header, as soon as it can be known. */
function measure(message: Buffer): number | undefined {
  if (message[0] !== CLIENT_HELLO) refuse(0, `the first message is of type ${message[0]}, and not a ClientHello`);
  if (message.length < MESSAGE_HEADER) return undefined;
  const length = message.readUIntBE(1, 3);
  if (length > MESSAGE_MAX) refuse(1, `it has ${length} bytes, and ${MESSAGE_MAX} are read`, 'tooLong');
  return MESSAGE_HEADER + length;
}

/** Reads numbers and vectors, and never past its end. */
class Cursor {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, from: number, end: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /** @returns where the bytes begin that it skips */
  skip(length: number, what: string): number {
    const from = this.#at;
    if (length > this.#end - from) refuse(from, `${what} ends too early`);
    this.#at = from + length;
    return from;
  }

  number(bytes: 1 | 2, what: string): number {
    return this.#bytes.readUIntBE(this.skip(bytes, what), bytes);
  }

  /** The contents of a vector, after its length of one or two bytes. */
  vector(lengthBytes: 1 | 2, what: string, least = 0): Cursor {
    const at = this.#at;
    const length = this.number(lengthBytes, what);
    if (length < least) refuse(at, `${what} is too short`);
    const from = this.skip(length, what);
    return new Cursor(this.#bytes, from, this.#at);
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at, this.#end);
  }

  mustEnd(what: string): void {
    if (!this.isAtEnd) refuse(this.#at, `${what} has more bytes than it should`);
  }
}

function read(message: Buffer, length: number): ClientHello {
  const body = new Cursor(message, MESSAGE_HEADER, length);
  const legacyVersion = body.number(2, 'the version');
  body.skip(32, 'the random value');
  body.vector(1, 'the session id');
  body.vector(2, 'the list of cipher suites', 2);
  body.vector(1, 'the list of compression methods', 1);
  let serverName: string | undefined;
  let alpn: string[] | undefined;
  let versions: string[] | undefined;
  // A client may leave out all extensions, and their length.
  const extensions = body.isAtEnd ? body : body.vector(2, 'the list of extensions');
  body.mustEnd('the message');
  const seen = new Set<number>();
  while (!extensions.isAtEnd) {
    const { at } = extensions;
    const type = extensions.number(2, 'an extension');
    const extension = extensions.vector(2, 'an extension');
    if (seen.has(type)) refuse(at, `extension ${type} is given twice`);
    seen.add(type);
    if (type === EXTENSION.serverName) serverName = readServerName(extension);
    else if (type === EXTENSION.alpn) alpn = readAlpn(extension);
    else if (type === EXTENSION.supportedVersions) versions = readVersions(extension);
  }
  return { serverName, alpn: alpn ?? [], versions: versions ?? named([legacyVersion]) };
}

function readServerName(extension: Cursor): string | undefined {
  const list = extension.vector(2, 'the list of server names', 1);
  extension.mustEnd('the extension of the server name');
  let found: string | undefined;
  while (!list.isAtEnd) {
    const { at } = list;
    const type = list.number(1, 'a server name');
    const name = list.vector(2, 'a server name', 1).text();
    if (type !== HOST_NAME) continue;
    if (found !== undefined) refuse(at, 'it has two host names');
    if (name.length > NAME_MAX || name === '.' || !/^[!-~]+$/.test(name)) refuse(at, 'its host name cannot be one');
    found = name.toLowerCase().replace(/\.$/, '');
  }
  return found;
}

function readAlpn(extension: Cursor): string[] {
  const list = extension.vector(2, 'the list of application protocols', 2);
  extension.mustEnd('the extension of the application protocols');
  const protocols: string[] = [];
  while (!list.isAtEnd) protocols.push(list.vector(1, 'an application protocol', 1).text());
  return protocols;
}

function readVersions(extension: Cursor): string[] {
  const list = extension.vector(1, 'the list of versions', 2);
  extension.mustEnd('the extension of the versions');
  const versions: number[] = [];
  while (!list.isAtEnd) versions.push(list.number(2, 'a version'));
  return named(versions);
}

/** Without numbers that mean no version; clients add such (GREASE, RFC 8701) so that servers learn to ignore them. */
const named = (versions: readonly number[]): string[] => versions.flatMap((version) => VERSIONS.get(version) ?? []);
