import type { Cause } from './machines/vocabulary.js';

/**
 * What this library throws and rejects with. `code` tells errors apart; `cause` is the {@link Cause} of the instance, if there
 * is one, and `cause.error` the error that a hook of the owner's threw, or that Node reported.
 */
export abstract class SockchartError extends Error {
  /** Tells errors apart, such as `ERR_CONNECT`. */
  abstract readonly code: string;
  /** The name of its class. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** An option that cannot be right: thrown at the call, before anything is opened. */
export class OptionError extends SockchartError {
  /** Always `ERR_INVALID_OPTION`. */
  readonly code = 'ERR_INVALID_OPTION';
  constructor(
    /** The option's name, with its path: `servers[1].port`. */
    readonly option: string,
    /** The value that was given. */
    readonly value: unknown,
    expected: string,
  ) {
    super(`Option "${option}" must be ${expected}; it is ${show(value)}.`);
  }
}

/** The handle has ended, or is about to end: to start again, make a new handle. */
export class ClosedError extends SockchartError {
  /** Always `ERR_CLOSED`. */
  readonly code = 'ERR_CLOSED';
  constructor(what: string, cause?: Cause) {
    super(`${what} is closed: to start again, make a new handle.`, { cause });
  }
}

/** A listener could not bind. */
export class BindError extends SockchartError {
  /** Why it could not bind. */
  declare readonly cause: Cause;
  /** Always `ERR_BIND`. */
  readonly code = 'ERR_BIND';
  constructor(where: string, cause: Cause) {
    super(`Could not listen on ${where}: ${cause.code ?? cause.manner}.`, { cause });
  }
}

/** No connection came up: the attempts are used up, every server is excluded, or the caller's bound was reached. */
export class ConnectError extends SockchartError {
  /** Why the last attempt failed. */
  declare readonly cause: Cause;
  /** Always `ERR_CONNECT`. */
  readonly code = 'ERR_CONNECT';
  constructor(message: string, cause: Cause) {
    const thrown = messageOf(cause.error);
    const why = thrown === '' ? '' : ` (${thrown})`;
    super(`${message}: ${cause.code ?? cause.manner} while ${cause.phase}${why}.`, { cause });
  }
}

/** A hold or a connection was asked for while there is none that can be written to. */
export class NotEstablishedError extends SockchartError {
  /** Always `ERR_NOT_ESTABLISHED`. */
  readonly code = 'ERR_NOT_ESTABLISHED';
  constructor(what: string, state: string, advice = 'wait for ready()') {
    super(`${what} is not established, but ${state}: ${advice}.`);
  }
}

/** What was asked for cannot be done with this kind of socket or in this state. */
export class NotSupportedError extends SockchartError {
  /** Always `ERR_NOT_SUPPORTED`. */
  readonly code = 'ERR_NOT_SUPPORTED';
}

/** A machine that cannot be compiled, or has parallel states and so cannot be run at all: thrown before it runs. */
export class CompileError extends SockchartError {
  /** Always `ERR_COMPILE`. */
  readonly code = 'ERR_COMPILE';
  constructor(
    /** The id of the state that is in the way: `door.open`. */
    readonly state: string,
    why: string,
    advice: string,
    verb = 'compile',
  ) {
    super(`Cannot ${verb} "${state}": ${why}. ${advice}.`);
  }
}

/** What is wrong with a PROXY header. */
export type ProxyHeaderFault =
  /** The first bytes are not those of a PROXY header. */
  | 'notProxy'
  /** The version is not 2. */
  | 'version'
  /** The command is neither LOCAL nor PROXY. */
  | 'command'
  /** The protocol of the line, or the address family or transport of the binary header, does not exist. */
  | 'family'
  /** The line has no CRLF where it should end, or a CR or LF elsewhere; or it has too few or too many words. */
  | 'line'
  /** An address is not of the family that the header names, or not in its canonical form. */
  | 'address'
  /** A port is not a whole number from 0 to 65535 without leading zeros. */
  | 'port'
  /** The length is smaller than that of the addresses. */
  | 'tooShort'
  /** The header is longer than the protocol, or this library, allows. */
  | 'tooLong'
  /** A TLV ends after the header, or its value is not what its type needs. */
  | 'tlv'
  /** The CRC32C checksum is wrong. */
  | 'checksum';

/** The first bytes of a connection are no valid PROXY header. */
export class ProxyHeaderError extends SockchartError {
  /** Always `ERR_PROXY_HEADER`. */
  readonly code = 'ERR_PROXY_HEADER';
  constructor(
    /** What is wrong with it. */
    readonly reason: ProxyHeaderFault,
    /** The first wrong byte, counted from the start of the connection. */
    readonly offset: number,
    why: string,
  ) {
    super(`The PROXY header is invalid at byte ${offset}: ${why}.`);
  }
}

/** A client speaks TLS, but its first message is no ClientHello that can be read. */
export class ClientHelloError extends SockchartError {
  /** Always `ERR_CLIENT_HELLO`. */
  readonly code = 'ERR_CLIENT_HELLO';
  constructor(
    /** `tooLong`: the message is longer than this library reads. */
    readonly reason: 'malformed' | 'tooLong',
    /** The first wrong byte of the handshake message; the headers of TLS records do not count. */
    readonly offset: number,
    why: string,
  ) {
    super(`The ClientHello is invalid at byte ${offset}: ${why}.`);
  }
}

/** How much of a wrong answer a message shows. */
const SHOWN_MAX = 60;

/** A server has answered a check, and not as expected: see {@link CheckExchange}. */
export class CheckError extends SockchartError {
  /** Always `ERR_CHECK`. */
  readonly code = 'ERR_CHECK';
  /** What it has answered: at most 16,384 bytes. */
  readonly answer: Buffer;
  constructor(answer: Buffer) {
    const shown = JSON.stringify(answer.toString('utf8', 0, SHOWN_MAX));
    const all = answer.length > SHOWN_MAX ? `begins with ${shown}` : `is ${shown}`;
    super(`The check failed: ${answer.length === 0 ? 'no answer came' : `the answer ${all}`}.`);
    this.answer = Buffer.from(answer);
  }
}

/** The message of what was thrown; empty where it has none. Anything can be thrown: also what throws when it is read. */
export function messageOf(thrown: unknown): string {
  try {
    const message = thrown instanceof Error ? thrown.message : '';
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  try {
    return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  } catch {
    return 'an object';
  }
}
