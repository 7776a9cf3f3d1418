/** What TLS can be told, at a listener and towards a server, and the checks of that. */
import { isIP } from 'node:net';
import type { ConnectionOptions, SecureContext, SecureContextOptions } from 'node:tls';
import { builtin } from './builtin.js';
import { OptionError } from './errors.js';
import { flag, hook, integer, onlyKnown, text } from './options.js';

/** A certificate, its key, and how TLS is spoken: what `tls.createSecureContext` takes. */
export type TlsContext = Pick<
  SecureContextOptions,
  | 'ca'
  | 'cert'
  | 'ciphers'
  | 'crl'
  | 'dhparam'
  | 'ecdhCurve'
  | 'honorCipherOrder'
  | 'key'
  | 'maxVersion'
  | 'minVersion'
  | 'passphrase'
  | 'pfx'
  | 'secureOptions'
  | 'sessionIdContext'
  | 'sessionTimeout'
  | 'sigalgs'
  | 'ticketKeys'
>;

/** What may differ by name: versions and ciphers are agreed on before the name is looked at. */
export type TlsCertificate = Pick<TlsContext, 'ca' | 'cert' | 'crl' | 'key' | 'passphrase' | 'pfx'>;

const CERTIFICATE = [
  'ca',
  'cert',
  'crl',
  'key',
  'passphrase',
  'pfx',
] as const satisfies readonly (keyof TlsCertificate)[];

const CONTEXT = [
  'ca',
  'cert',
  'ciphers',
  'crl',
  'dhparam',
  'ecdhCurve',
  'honorCipherOrder',
  'key',
  'maxVersion',
  'minVersion',
  'passphrase',
  'pfx',
  'secureOptions',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
] as const satisfies readonly (keyof TlsContext)[];

/** TLS at a listener. */
export interface ListenTls extends TlsContext {
  /**
   * Certificates by the name that a client asks for (SNI): `example.com`, or `*.example.com` for every name that has
   * one label more. What is not given there of `ca` and `crl` is the listener's. A client that asks for another name, or for none,
   * gets the certificate beside this option.
   */
  readonly names?: Readonly<Record<string, TlsCertificate>> | undefined;
  /** Protocols to choose from by ALPN, the most wanted first. A client that offers only others is refused; one that offers none is not. */
  readonly ALPNProtocols?: readonly string[] | undefined;
  /**
   * Asks for the client's certificate (mutual TLS), which one of `ca` must have signed. Sessions are not resumed then, for
   * a client that resumes one is not verified again. Default false.
   */
  readonly requestCert?: boolean | undefined;
  /** Refuses a client without such a certificate. Default true; with false, `socket.authorized` tells. */
  readonly rejectUnauthorized?: boolean | undefined;
  /**
   * Keeps so many TLS sessions in this process, each for `sessionTimeout` seconds (default 300), in place of tickets: no
   * ticket key can open a recorded connection later. A client of TLS 1.2 resumes its session; a client of TLS 1.3 always
   * makes a full handshake, for Node finds its session only by a ticket. Not with `requestCert`, nor with `ticketKeys`.
   * Default: none are kept, and sessions are resumed by tickets.
   */
  readonly sessionCacheMax?: number | undefined;
}

const LISTEN = ['names', 'ALPNProtocols', 'requestCert', 'rejectUnauthorized', 'sessionCacheMax', ...CONTEXT] as const;

const SESSION_SECONDS = 300;

/** TLS towards a server. Its certificate is verified unless `rejectUnauthorized` is false. */
export interface ServerTls extends TlsContext {
  /** The name to ask for (SNI) and to verify. Default: the server's `host`. */
  readonly servername?: string | undefined;
  /** Protocols to offer by ALPN. */
  readonly ALPNProtocols?: readonly string[] | undefined;
  /** False takes any certificate: a machine between the two can read and change everything. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Verifies that the certificate is that of the name, in place of `tls.checkServerIdentity`. */
  readonly checkServerIdentity?: ConnectionOptions['checkServerIdentity'] | undefined;
  /**
   * Resumes the TLS session of an earlier connection to the same server of the same set, within an hour of the last full
   * handshake. A resumption verifies nothing anew, so only a session of a server whose certificate was verified is
   * resumed; a server that does not know it any more makes a full handshake. Default true. `socket.isSessionReused()`
   * tells.
   */
  readonly resume?: boolean | undefined;
}

const SERVER = [
  'servername',
  'ALPNProtocols',
  'rejectUnauthorized',
  'checkServerIdentity',
  'resume',
  ...CONTEXT,
] as const;

/** @internal What a listener's handshakes need, checked. */
export interface CheckedListenTls {
  readonly context: TlsContext;
  readonly names: ReadonlyMap<string, SecureContext>;
  readonly ALPNProtocols: string[] | undefined;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly sessionCacheMax: number | undefined;
  /** How long a session of the cache may be resumed. */
  readonly sessionMs: number;
}

/** @internal `name` is the option's path: `listen[0].tls`. */
export function listenTls(name: string, options: ListenTls): CheckedListenTls {
  mustBeObject(name, options);
  onlyKnown(name, options, LISTEN, `${name}.`);
  const requestCert = flag(`${name}.requestCert`, options.requestCert, false);
  if (requestCert && options.ca === undefined) {
    // Without it, a certificate of any public authority would be let in.
    throw new OptionError(`${name}.ca`, undefined, 'the authority that has signed the clients’ certificates');
  }
  const sessionCacheMax = sessionCacheOf(name, options);
  const given = contextOf(name, options);
  // A session that is resumed is not verified again.
  const withoutTickets = requestCert || sessionCacheMax !== undefined;
  const { SSL_OP_NO_TICKET } = builtin.crypto.constants;
  const context = withoutTickets ? { ...given, secureOptions: (given.secureOptions ?? 0) | SSL_OP_NO_TICKET } : given;
  const { ca, crl, secureOptions } = context;
  const inherited = {
    ...(ca !== undefined && { ca }),
    ...(crl !== undefined && { crl }),
    ...(secureOptions !== undefined && { secureOptions }),
  };
  const names = new Map<string, SecureContext>();
  if (options.names !== undefined) mustBeObject(`${name}.names`, options.names);
  for (const [host, own] of Object.entries(options.names ?? {})) {
    const path = `${name}.names["${host}"]`;
    if (isIP(host) !== 0 || !/^(\*\.)?[^*\s]+$/.test(host)) {
      throw new OptionError(path, host, 'for a name such as example.com or *.example.com');
    }
    mustBeObject(path, own);
    onlyKnown(path, own, CERTIFICATE, `${path}.`);
    needsCertificate(path, own);
    names.set(asAsked(host), createContext(path, { ...inherited, ...contextOf(path, own) }));
  }
  if (names.size === 0) needsCertificate(name, context);
  createContext(name, context);
  if (options.rejectUnauthorized !== undefined && !requestCert) {
    throw new OptionError(`${name}.rejectUnauthorized`, options.rejectUnauthorized, 'left out without requestCert');
  }
  return {
    context,
    names,
    ALPNProtocols: protocols(`${name}.ALPNProtocols`, options.ALPNProtocols),
    requestCert,
    rejectUnauthorized: flag(`${name}.rejectUnauthorized`, options.rejectUnauthorized, true),
    sessionCacheMax,
    sessionMs: (options.sessionTimeout ?? SESSION_SECONDS) * 1_000,
  };
}

function sessionCacheOf(name: string, options: ListenTls): number | undefined {
  const { sessionCacheMax, requestCert, ticketKeys } = options;
  if (sessionCacheMax === undefined) return undefined;
  const path = `${name}.sessionCacheMax`;
  if (requestCert) {
    throw new OptionError(
      path,
      sessionCacheMax,
      'left out with requestCert: a session that is resumed is not verified again',
    );
  }
  if (ticketKeys !== undefined) {
    throw new OptionError(path, sessionCacheMax, 'left out with ticketKeys: no tickets are given with it');
  }
  return integer(path, sessionCacheMax, 0, 1, 10_000_000);
}

/** @internal What was given, with what is given now in its place, in an object of our own; a certificate goes with its key. */
export function renewed(before: ListenTls, now: ListenTls): ListenTls {
  mustBeObject('tls', now);
  const given: { -readonly [O in keyof ListenTls]: ListenTls[O] } = Object.fromEntries(
    Object.entries(now).filter(([, value]) => value !== undefined),
  );
  if (given.names !== null && typeof given.names === 'object') given.names = { ...given.names };
  if (given.key === undefined && given.cert === undefined && given.pfx === undefined) return { ...before, ...given };
  const { key: _key, cert: _cert, pfx: _pfx, passphrase: _passphrase, ...rest } = before;
  return { ...rest, ...given };
}

/** @internal What a server is dialled with after TCP, checked; made once. */
export interface CheckedServerTls {
  readonly options: Pick<
    ConnectionOptions,
    'host' | 'servername' | 'ALPNProtocols' | 'rejectUnauthorized' | 'checkServerIdentity' | 'secureContext'
  >;
  readonly resume: boolean;
}

/** @internal `name` is the option's path: `servers[0].tls`. */
export function serverTls(
  name: string,
  options: boolean | ServerTls | undefined,
  host: string,
): CheckedServerTls | undefined {
  if (options === undefined || options === false) return undefined;
  const given: ServerTls = options === true ? {} : options;
  mustBeObject(name, given);
  onlyKnown(name, given, SERVER, `${name}.`);
  const servername =
    given.servername === undefined
      ? isIP(host) === 0
        ? host
        : undefined
      : text(`${name}.servername`, given.servername);
  if (servername !== undefined && isIP(servername) !== 0) {
    throw new OptionError(`${name}.servername`, servername, 'a name: TLS knows no addresses there');
  }
  const ALPNProtocols = protocols(`${name}.ALPNProtocols`, given.ALPNProtocols);
  const checkServerIdentity = hook(`${name}.checkServerIdentity`, given.checkServerIdentity);
  const resume = flag(`${name}.resume`, given.resume, true);
  const dialled = {
    // What is verified where no name is asked for: an address may be in the certificate, too.
    host,
    rejectUnauthorized: flag(`${name}.rejectUnauthorized`, given.rejectUnauthorized, true),
    secureContext: createContext(name, contextOf(name, given)),
    ...(servername !== undefined && { servername }),
    ...(ALPNProtocols !== undefined && { ALPNProtocols }),
    ...(checkServerIdentity !== undefined && { checkServerIdentity: whatItThrows(checkServerIdentity) }),
  };
  return { options: dialled, resume };
}

/** @internal A name as clients ask for it. */
export function asAsked(host: string): string {
  const name = host.toLowerCase().replace(/\.$/, '');
  return name.startsWith('*.') ? `*.${builtin.url.domainToASCII(name.slice(2))}` : builtin.url.domainToASCII(name);
}

/** What the owner's hook throws fails the attempt like what it returns, instead of ending the process. */
function whatItThrows(check: NonNullable<ConnectionOptions['checkServerIdentity']>) {
  return (...args: Parameters<typeof check>): Error | undefined => {
    try {
      return check(...args);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };
}

/** Without showing what it is: it may well be a key. */
function mustBeObject(name: string, options: unknown): void {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    throw new OptionError(name, typeof options, 'an object of options');
  }
}

function contextOf(name: string, options: TlsContext): TlsContext {
  if ((options.cert === undefined) !== (options.key === undefined)) {
    const [missing, there] = options.cert === undefined ? ['cert', 'key'] : ['key', 'cert'];
    throw new OptionError(`${name}.${missing}`, undefined, `given together with ${there}`);
  }
  return Object.fromEntries(
    CONTEXT.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  ) as TlsContext;
}

function needsCertificate(name: string, { cert, pfx }: TlsContext): void {
  if (cert === undefined && pfx === undefined) {
    throw new OptionError(`${name}.cert`, undefined, 'a certificate, with its key; or pfx');
  }
}

/** A wrong certificate or key is found here; the error shows neither of them. */
function createContext(name: string, options: TlsContext): SecureContext {
  try {
    return builtin.tls.createSecureContext(options as SecureContextOptions);
  } catch (error) {
    // Node ends some messages by what it was given.
    const why = (error as Error).message.replace(/\s*Received[\s\S]*$/, '');
    throw new OptionError(name, `{ ${Object.keys(options).join(', ')} }`, `what OpenSSL takes ("${why}")`);
  }
}

function protocols(name: string, value: readonly string[] | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  const isName = (one: unknown): boolean => typeof one === 'string' && one.length > 0 && Buffer.byteLength(one) < 256;
  if (!Array.isArray(value) || value.length === 0 || !value.every(isName)) {
    throw new OptionError(name, value, 'a list of names such as ["http/1.1"]');
  }
  return [...value];
}
