/**
 * The PROXY protocol, versions 1 and 2, as HAProxy's doc/proxy-protocol.txt specifies it: a proxy sends a header before
 * the first byte of a connection, with the addresses of the client. This file has its types and numbers;
 * `proxy-parser.ts` reads headers, and `proxy-encoder.ts` writes them.
 */
import { SocketAddress } from 'node:net';
import type { Peer } from './peer.js';

/**
 * A PROXY header: what a proxy says about the connection that it forwards.
 *
 * @see https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */
export interface ProxyHeader {
  /** 1: a line of text. 2: binary, with TLVs. */
  readonly version: 1 | 2;
  /**
   * `PROXY`: the proxy forwards the connection of a client. `LOCAL`: the proxy connects for itself, for instance for a
   * health check. Only version 2 has `LOCAL`, and all other fields are empty then.
   */
  readonly command: 'PROXY' | 'LOCAL';
  /**
   * The address of the client. A header of `LOCAL`, of `UNKNOWN`, of a Unix socket or of a transport other than a stream
   * has none; the address of the connection itself counts then.
   */
  readonly source: Peer | undefined;
  /** The address that the client connected to. It is absent where `source` is. */
  readonly destination: Peer | undefined;
  /** The path of the client's own Unix socket, which rarely has one. An abstract name begins with `\0`. */
  readonly sourcePath: string | undefined;
  /** The path of the Unix socket that the client connected to. */
  readonly destinationPath: string | undefined;
  /** The application protocol that TLS agreed on, such as `h2`. One character stands for one byte. */
  readonly alpn: string | undefined;
  /** The host name that the client connected to; with TLS it is the server name (SNI). */
  readonly authority: string | undefined;
  /** The proxy's id of the connection: at most 128 bytes. */
  readonly uniqueId: Buffer | undefined;
  /** The TLS connection between the client and the proxy. */
  readonly ssl: ProxySsl | undefined;
  /** The name of the network namespace. */
  readonly netns: string | undefined;
  /** All other TLVs, in their order. Types 0xE0 to 0xEF are for applications. */
  readonly tlvs: readonly ProxyTlv[];
  /** The header has a CRC32C checksum. The parser refuses a header with a wrong one. */
  readonly crc32c: boolean;
}

/** A field of a PROXY header of version 2: a type, and the bytes of its value. */
export interface ProxyTlv {
  /** From 0 to 255. */
  readonly type: number;
  /** What it says: its meaning depends on the type. */
  readonly value: Buffer;
}

/** What a PROXY header says about TLS between the client and the proxy. */
export interface ProxySsl {
  /** The client connected by TLS. */
  readonly tls: boolean;
  /** The client presented a certificate on this connection. */
  readonly certOnConnection: boolean;
  /** The client presented a certificate at least once in the TLS session that this connection belongs to. */
  readonly certInSession: boolean;
  /**
   * 0: the proxy verified the client's certificate. Any other number: it did not. Absent if the client presented no
   * certificate.
   */
  readonly verify: number | undefined;
  /** The version of TLS, such as `TLSv1.3`. */
  readonly version: string | undefined;
  /** The common name of the client's certificate. */
  readonly cn: string | undefined;
  /** The cipher suite, such as `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string | undefined;
  /** The algorithm that signed the proxy's certificate, such as `RSA-SHA256`. */
  readonly sigAlg: string | undefined;
  /** The algorithm of the key of the proxy's certificate, such as `RSA2048`. */
  readonly keyAlg: string | undefined;
  /** The algorithm of the key exchange, such as `secp256r1`. */
  readonly group: string | undefined;
  /** The algorithm with which the proxy signed the handshake, such as `rsa_pss_rsae_sha256`. */
  readonly sigScheme: string | undefined;
  /** The client's certificate, as DER. */
  readonly clientCert: Buffer | undefined;
  /** All other fields, in their order. */
  readonly tlvs: readonly ProxyTlv[];
}

/**
 * The longest header in bytes. The protocol would allow 65,551. The addresses take at most 216, and all that is
 * registered, with a client's certificate, a few thousand; HAProxy reads 16,384 unless its buffers are made larger.
 */
export const HEADER_MAX = 16_384;
export const SIGNATURE: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Signature, version and command, family and transport, length. */
export const FIXED = 16;

export const STREAM = 1;
export const FAMILY = { unspecified: 0, IPv4: 1, IPv6: 2, unix: 3 } as const;
/** How many bytes the addresses and ports take, by family. */
export const ADDRESSES = [0, 12, 36, 216] as const;
export const UNIX_PATH = 108;

export const TYPE = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
} as const;
export const UNIQUE_ID_MAX = 128;

export const SSL_TEXTS = {
  version: 0x21,
  cn: 0x22,
  cipher: 0x23,
  sigAlg: 0x24,
  keyAlg: 0x25,
  group: 0x26,
  sigScheme: 0x27,
} as const;
export const SSL_CLIENT_CERT = 0x28;
/** A byte of flags, and four of the verification's result. */
export const SSL_FIXED = 5;
export const SSL_FLAGS = { tls: 0x01, certOnConnection: 0x02, certInSession: 0x04 } as const;

export const SSL_NAMES = new Map(
  Object.entries(SSL_TEXTS).map(([name, type]) => [type, name as keyof typeof SSL_TEXTS]),
);

/** Stands for the checksum while that is computed. */
export const ZEROS: Buffer = Buffer.alloc(4);

/** An IPv6 address as Node shows it. */
export const canonical = (address: string): string => new SocketAddress({ address, family: 'ipv6' }).address;
