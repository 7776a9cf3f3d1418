/** ClientHellos: of Node and OpenSSL, and made by hand, however they are cut. */
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  type ClientHello,
  ClientHelloError,
  ClientHelloParser,
  NotSupportedError,
  OptionError,
} from '../../src/index.js';
/** Recorded from OpenSSL 3.0.19. */
import recorded from '../fixtures/client-hellos.json' with { type: 'json' };

// The machine may be busy with something else.
vi.setConfig({ testTimeout: 60_000 });

type Result = ReturnType<ClientHelloParser['push']>;

const parse = (bytes: Buffer): Result => new ClientHelloParser().push(bytes);

function resultOrError(bytes: Buffer): Result | ClientHelloError {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof ClientHelloError) return error;
    throw error;
  }
}

/** What Node sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  await new Promise<void>((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        bytes = Buffer.concat([bytes, chunk]);
        const message = unframed(bytes);
        if (message.length === 4 + message.readUIntBE(1, 3)) resolve();
        done();
      },
    });
    const socket = connect({ socket: wire, ...options });
    socket.on('error', () => {});
  });
  return bytes;
}

/** The message without its records, and in records of these lengths. */
function unframed(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    parts.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)));
  }
  return Buffer.concat(parts);
}
function framed(message: Buffer, ...lengths: number[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < message.length; turn++) {
    const part = message.subarray(at, at + (lengths[turn % lengths.length] ?? 16_384));
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
    at += part.length;
  }
  return Buffer.concat(parts);
}

const vector = (bytes: 1 | 2 | 3, ...parts: (string | Buffer)[]): Buffer => {
  const value = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(value.length, 0, bytes);
  return Buffer.concat([length, value]);
};
const extension = (type: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type >> 8, type & 0xff]), vector(2, value)]);
const messageOf = (...body: Buffer[]): Buffer => Buffer.concat([Buffer.from([1]), vector(3, ...body)]);
const FIXED = Buffer.concat([
  Buffer.from([3, 3]),
  Buffer.alloc(32),
  Buffer.from([0]),
  vector(2, '\x13\x01'),
  vector(1, '\0'),
]);
const withExtensions = (...extensions: Buffer[]): Buffer => messageOf(FIXED, vector(2, ...extensions));
const hostName = (name: string): Buffer => Buffer.concat([Buffer.from([0]), vector(2, name)]);
const serverName = (...names: Buffer[]): Buffer => extension(0, vector(2, ...names));
const alpn = (...names: string[]): Buffer => extension(16, vector(2, ...names.map((name) => vector(1, name))));

const MANY = Array.from({ length: 60 }, (_, index) => `protocol-${index}`);

const real: [what: string, bytes: Buffer, hello: ClientHello][] = [
  ...Object.values(recorded).map((hex, index): [string, Buffer, ClientHello] => [
    Object.keys(recorded)[index] as string,
    Buffer.from(hex, 'hex'),
    [
      { serverName: 'example.com', alpn: ['h2', 'http/1.1'], versions: ['TLSv1.2'] },
      { serverName: 'example.com', alpn: ['h2'], versions: ['TLSv1.3'] },
      { serverName: 'example.com', alpn: MANY, versions: ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1'] },
      { serverName: undefined, alpn: [], versions: ['TLSv1.2'] },
    ][index] as ClientHello,
  ]),
  [
    'Node, TLS 1.2',
    await helloOf({ servername: 'a.example', maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] }),
    { serverName: 'a.example', alpn: ['h2'], versions: ['TLSv1.2'] },
  ],
  [
    'Node, TLS 1.3',
    await helloOf({ servername: 'a.example', minVersion: 'TLSv1.3' }),
    { serverName: 'a.example', alpn: [], versions: ['TLSv1.3'] },
  ],
  ['Node, without a name', await helloOf({}), { serverName: undefined, alpn: [], versions: ['TLSv1.3', 'TLSv1.2'] }],
];

/** As long as it may be: Node needs two records for it. */
const LONGEST = await (async () => {
  const long = Array.from({ length: 50 }, (_, index) => `${index}`.padEnd(255, 'x'));
  const { length } = unframed(await helloOf({ servername: 'a.example', ALPNProtocols: [...long, 'x'] }));
  const left = 16_384 + 4 - length;
  const fill = Array.from({ length: Math.floor(left / 200) }, () => 'y'.repeat(199));
  const names = [...long, ...fill, 'x'.repeat(1 + (left % 200))];
  return { names, bytes: await helloOf({ servername: 'a.example', ALPNProtocols: names }) };
})();

describe('the parser reads', () => {
  test.each(real)('%s', (_, bytes, hello) => {
    expect(parse(bytes)).toEqual(hello);
  });

  test('a message split into records by its sender', () => {
    const bytes = Buffer.from(Object.values(recorded)[2] as string, 'hex');
    expect(bytes.readUInt16BE(3)).toBe(512);
    expect(unframed(bytes).length).toBeGreaterThan(2 * 512);
  });

  test('a message of 16,384 bytes, which takes two records', () => {
    const { bytes, names } = LONGEST;
    expect(unframed(bytes).length).toBe(4 + 16_384);
    expect(bytes.length).toBe(4 + 16_384 + 2 * 5);
    expect(parse(bytes)).toMatchObject({ serverName: 'a.example', alpn: names });
  });

  test.each(real)('%s, cut at every byte', (_, bytes, hello) => {
    for (let cut = 0; cut < bytes.length; cut++) {
      const parser = new ClientHelloParser();
      expect(parser.push(bytes.subarray(0, cut))).toBe('incomplete');
      expect(parser.push(bytes.subarray(cut))).toEqual(hello);
    }
  });

  test.each(real)('%s, byte after byte', (_, bytes, hello) => {
    const parser = new ClientHelloParser();
    for (const byte of bytes.subarray(0, -1)) expect(parser.push(Buffer.from([byte]))).toBe('incomplete');
    expect(parser.push(bytes.subarray(-1))).toEqual(hello);
  });

  test.each(real)('%s, in records of one byte, of two, and split at every byte', (_, bytes, hello) => {
    const message = unframed(bytes);
    expect(parse(framed(message, 1))).toEqual(hello);
    expect(parse(framed(message, 2, 1))).toEqual(hello);
    for (let cut = 1; cut < message.length; cut++) expect(parse(framed(message, cut, message.length))).toEqual(hello);
  });

  test('what comes after it', () => {
    const [, bytes, hello] = real[0] as (typeof real)[0];
    expect(parse(Buffer.concat([bytes, Buffer.from('anything')]))).toEqual(hello);
  });

  test('a message without extensions, of TLS 1.0', () => {
    const old = Buffer.concat([Buffer.from([3, 1]), FIXED.subarray(2)]);
    expect(parse(framed(messageOf(old)))).toEqual({ serverName: undefined, alpn: [], versions: ['TLSv1'] });
    expect(parse(framed(messageOf(FIXED, vector(2))))).toMatchObject({ versions: ['TLSv1.2'] });
  });

  test('values that mean nothing, and several extensions of them (GREASE)', () => {
    const versions = extension(43, vector(1, '\x7a\x7a\x03\x04\x03\x03'));
    const message = withExtensions(
      extension(0x0a0a, Buffer.alloc(0)),
      alpn('\x8a\x8a', 'h2'),
      versions,
      extension(0xfafa, Buffer.from([0])),
    );
    expect(parse(framed(message))).toEqual({
      serverName: undefined,
      alpn: ['\x8a\x8a', 'h2'],
      versions: ['TLSv1.3', 'TLSv1.2'],
    });
  });

  test('a name in capitals, with a dot at its end, and after a name of another kind', () => {
    const other = Buffer.concat([Buffer.from([1]), vector(2, 'other')]);
    const hello = parse(framed(withExtensions(serverName(other, hostName('A.Example.')))));
    expect(hello).toMatchObject({ serverName: 'a.example' });
    expect(parse(framed(withExtensions(serverName(other))))).toMatchObject({ serverName: undefined });
  });

  test('bytes that are no Buffer', () => {
    const [, bytes, hello] = real[0] as (typeof real)[0];
    expect(new ClientHelloParser().push(new Uint8Array(Buffer.concat([Buffer.from('x'), bytes])).subarray(1))).toEqual(
      hello,
    );
  });
});

describe('the parser says that it is not TLS', () => {
  test.each([
    'G',
    'SSH-2.0-OpenSSH',
    '\0\0\0\x08\x04\xd2\x16\x2f',
    '\x80\x2e\x01\x03\x01',
    '\x15\x03\x01\0\x02',
    '\n',
    '\x17\x03\x03',
  ])('at the first byte: %j', (text) => {
    expect(parse(Buffer.from(text, 'latin1').subarray(0, 1))).toBe('notTls');
    expect(parse(Buffer.from(text, 'latin1'))).toBe('notTls');
  });

  test('at the second byte', () => {
    const parser = new ClientHelloParser();
    expect(parser.push(Buffer.from([22]))).toBe('incomplete');
    expect(parser.push(Buffer.from([2]))).toBe('notTls');
  });

  test('no bytes are no answer', () => {
    expect(parse(Buffer.alloc(0))).toBe('incomplete');
  });
});

const split = framed(withExtensions(), 3);
const cut = (message: Buffer, length: number): Buffer => {
  const shorter = Buffer.from(message.subarray(0, length));
  shorter.writeUIntBE(length - 4, 1, 3);
  return framed(shorter);
};
const after = FIXED.length + 4;

describe('the parser refuses', () => {
  test.each<[what: string, bytes: Buffer, reason: ClientHelloError['reason'], offset: number]>([
    ['an empty record', Buffer.from('1603010000', 'hex'), 'malformed', 0],
    [
      'an empty record in the middle',
      Buffer.concat([split.subarray(0, 8), Buffer.from('1603010000', 'hex')]),
      'malformed',
      3,
    ],
    ['a record of 16,385 bytes', Buffer.from('1603014001', 'hex'), 'malformed', 0],
    [
      'a record of another type in the middle',
      Buffer.concat([split.subarray(0, 8), Buffer.from([21])]),
      'malformed',
      3,
    ],
    [
      'a record of another version in the middle',
      Buffer.concat([split.subarray(0, 8), Buffer.from([22, 4])]),
      'malformed',
      3,
    ],
    ['another message', Buffer.from('160303000102', 'hex'), 'malformed', 0],
    ['a message of 16,385 bytes', Buffer.from('160301000401004001', 'hex'), 'tooLong', 1],
    ['a message of 16 MiB', Buffer.from('1603010004' + '01ffffff', 'hex'), 'tooLong', 1],
    ['many small records', framed(messageOf(Buffer.alloc(10_000)), 1), 'tooLong', 3_072],
    ['an empty message', framed(messageOf()), 'malformed', 4],
    ['a message without a random value', cut(withExtensions(), 20), 'malformed', 6],
    [
      'a message that ends in its session id',
      framed(messageOf(FIXED.subarray(0, 34), Buffer.from([9]))),
      'malformed',
      39,
    ],
    ['no cipher suites', framed(messageOf(FIXED.subarray(0, 35), vector(2))), 'malformed', 39],
    ['no compression methods', framed(messageOf(FIXED.subarray(0, 39), vector(1))), 'malformed', 43],
    ['a message that ends after its cipher suites', framed(messageOf(FIXED.subarray(0, 39))), 'malformed', 43],
    ['half a length of extensions', framed(messageOf(FIXED, Buffer.from([0]))), 'malformed', after],
    ['extensions past the end', framed(messageOf(FIXED, Buffer.from([0, 1]))), 'malformed', after + 2],
    ['bytes after the extensions', framed(messageOf(FIXED, Buffer.from([0, 0, 0]))), 'malformed', after + 2],
    ['half an extension', framed(withExtensions(Buffer.from([0]))), 'malformed', after + 2],
    ['an extension past the end', framed(withExtensions(Buffer.from([0, 5, 0, 1]))), 'malformed', after + 6],
    ['two extensions of one type', framed(withExtensions(alpn('a'), alpn('a'))), 'malformed', after + 2 + 8],
    [
      'an empty extension of the server name',
      framed(withExtensions(extension(0, Buffer.alloc(0)))),
      'malformed',
      after + 6,
    ],
    ['an empty list of server names', framed(withExtensions(serverName())), 'malformed', after + 6],
    ['an empty server name', framed(withExtensions(serverName(hostName('')))), 'malformed', after + 9],
    ['two host names', framed(withExtensions(serverName(hostName('a'), hostName('b')))), 'malformed', after + 12],
    [
      'a server name of 255 bytes',
      framed(withExtensions(serverName(hostName('a'.repeat(255))))),
      'malformed',
      after + 8,
    ],
    ['a server name of a dot', framed(withExtensions(serverName(hostName('.')))), 'malformed', after + 8],
    ['a server name with a NUL', framed(withExtensions(serverName(hostName('a\0b')))), 'malformed', after + 8],
    ['a server name with a space', framed(withExtensions(serverName(hostName('a b')))), 'malformed', after + 8],
    ['a server name that is not ASCII', framed(withExtensions(serverName(hostName('\xe4')))), 'malformed', after + 8],
    [
      'bytes after the list of server names',
      framed(withExtensions(extension(0, Buffer.concat([vector(2, hostName('a')), Buffer.alloc(1)])))),
      'malformed',
      after + 12,
    ],
    ['an empty list of protocols', framed(withExtensions(alpn())), 'malformed', after + 6],
    ['an empty protocol', framed(withExtensions(alpn('a', ''))), 'malformed', after + 10],
    ['a protocol past the end', framed(withExtensions(extension(16, vector(2, '\x03ab')))), 'malformed', after + 9],
    ['no versions', framed(withExtensions(extension(43, vector(1)))), 'malformed', after + 6],
    ['half a version', framed(withExtensions(extension(43, vector(1, '\x03\x04\x03')))), 'malformed', after + 9],
  ])('%s', (_, bytes, reason, offset) => {
    const error = resultOrError(bytes);
    expect(error).toBeInstanceOf(ClientHelloError);
    expect(error).toMatchObject({ reason, offset, code: 'ERR_CLIENT_HELLO' });
  });

  test('the first byte after 18,432 bytes', () => {
    const bytes = framed(messageOf(Buffer.alloc(10_000)), 1);
    const parser = new ClientHelloParser();
    expect(parser.push(bytes.subarray(0, 18_432))).toBe('incomplete');
    expect(() => parser.push(bytes.subarray(18_432, 18_433))).toThrow(ClientHelloError);
  });

  test('with a message that says what is wrong, and where', () => {
    expect(resultOrError(Buffer.concat([split.subarray(0, 8), Buffer.from([21])]))).toMatchObject({
      message: 'The ClientHello is invalid at byte 3: a record of type 21 comes in the middle of it.',
    });
    expect(resultOrError(framed(withExtensions(alpn('a', ''))))).toMatchObject({
      message: `The ClientHello is invalid at byte ${after + 10}: an application protocol is too short.`,
    });
  });

  test('a second message, and bytes after an error or after what is not TLS', () => {
    for (const bytes of [(real[0] as (typeof real)[0])[1], Buffer.from('1603010000', 'hex'), Buffer.from('GET /')]) {
      const parser = new ClientHelloParser();
      try {
        parser.push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ClientHelloError);
      }
      expect(() => parser.push(bytes)).toThrow(NotSupportedError);
    }
  });

  test('what is no bytes', () => {
    expect(() => new ClientHelloParser().push('hello' as never)).toThrow(OptionError);
  });
});

/** SOCKCHART_SEED=1 repeats a run, SOCKCHART_RUNS=20 makes it so many times as long. */
const seed = Number(process.env.SOCKCHART_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = 1_000 * Number(process.env.SOCKCHART_RUNS ?? 1);

/** Feeds the bytes in pieces of these lengths, over and over. */
function inPieces(bytes: Buffer, lengths: readonly number[]): Result | ClientHelloError {
  const parser = new ClientHelloParser();
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const to = at + (lengths[turn % lengths.length] ?? bytes.length);
    try {
      const result = parser.push(bytes.subarray(at, to));
      if (result !== 'incomplete') return result;
    } catch (error) {
      if (error instanceof ClientHelloError) return error;
      throw error;
    }
    at = to;
  }
  return 'incomplete';
}
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

function holds(bytes: Buffer, cuts: readonly number[]): void {
  const whole = resultOrError(bytes);
  expect(inPieces(bytes, cuts)).toEqual(whole);
  if (whole instanceof ClientHelloError) expect(whole.offset).toBeLessThanOrEqual(bytes.length);
}

describe(`fuzz, SOCKCHART_SEED=${seed}`, () => {
  const messages = real.map(([, bytes]) => unframed(bytes));
  const change = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(0, 1, 2, 255), fc.integer({ min: 0, max: 255 })),
  });

  test('a message in which bytes were changed is read, refused, or incomplete', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...messages),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        lengths,
        (message, changes, records, isFramedFirst, cuts) => {
          const bytes = isFramedFirst ? framed(message, ...records) : Buffer.from(message);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          holds(isFramedFirst ? bytes : framed(bytes, ...records), cuts);
        },
      ),
      { seed, numRuns },
    );
  });

  test('random extensions are read or refused', () => {
    const some = fc.tuple(fc.constantFrom(0, 5, 16, 43, 0x1a1a), fc.uint8Array({ maxLength: 30 }));
    fc.assert(
      fc.property(fc.array(some, { maxLength: 6 }), lengths, (extensions, cuts) => {
        const message = withExtensions(...extensions.map(([type, value]) => extension(type, Buffer.from(value))));
        holds(framed(message), cuts);
        expect(parsedOrRefused(framed(message))).toBe(true);
      }),
      { seed, numRuns },
    );
  });

  test('random bytes are read, refused, incomplete, or not TLS', () => {
    const starts = fc.constantFrom(
      '',
      '16',
      '160301',
      '1603010100',
      '160301010001',
      '16030101000100001f',
      '160301010001000060',
    );
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 300 }), lengths, (start, bytes, cuts) =>
        holds(Buffer.concat([Buffer.from(start, 'hex'), bytes]), cuts),
      ),
      { seed, numRuns },
    );
  });
});

const parsedOrRefused = (bytes: Buffer): boolean => !['incomplete', 'notTls'].includes(resultOrError(bytes) as string);
