/** The PROXY protocol: headers as bytes, without a connection. The headers of HAProxy and nginx were recorded. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  encodeProxyHeader,
  NotSupportedError,
  OptionError,
  type ParsedProxyHeader,
  type ProxyHeader,
  ProxyHeaderError,
  type ProxyHeaderOptions,
  ProxyHeaderParser,
} from '../../src/index.js';
import { crc32c } from '../../src/sockets/crc32c.js';

// The machine may be busy with something else.
vi.setConfig({ testTimeout: 60_000 });

const SIGNATURE = '0d0a0d0a000d0a515549540a';
/** Signature, version and command, family and transport, length, and the rest as hex. */
const binary = (command: string, family: string, rest = '', length = rest.length / 2): Buffer =>
  Buffer.from(`${SIGNATURE}${command}${family}${length.toString(16).padStart(4, '0')}${rest}`, 'hex');
const line = (words: string): Buffer => Buffer.from(words, 'latin1');
const FOUR = 'c0000201c633640230390050';
const SIX = `20010db8${'0'.repeat(23)}120010db8${'0'.repeat(23)}2303901bb`;
const tlv = (type: string, value: string): string =>
  `${type}${(value.length / 2).toString(16).padStart(4, '0')}${value}`;
const hexOf = (value: string): string => Buffer.from(value).toString('hex');

const parse = (bytes: Buffer): ParsedProxyHeader | 'incomplete' => new ProxyHeaderParser().push(bytes);

function headerOf(bytes: Buffer): ProxyHeader {
  const parsed = parse(bytes);
  if (parsed === 'incomplete') throw new Error('The header is incomplete.');
  return parsed.header;
}

function errorOf(bytes: Buffer): ProxyHeaderError {
  try {
    parse(bytes);
  } catch (error) {
    if (error instanceof ProxyHeaderError) return error;
    throw error;
  }
  throw new Error('No error was thrown.');
}

/** What is there, addresses as text. */
function shown(header: ProxyHeader): Record<string, unknown> {
  const present = Object.entries(header).filter(
    ([name, value]) => value !== undefined && !(name === 'tlvs' && value.length === 0) && value !== false,
  );
  return Object.fromEntries(
    present.map(([name, value]) => [name, name === 'source' || name === 'destination' ? `${value}` : value]),
  );
}

/** Sent by HAProxy 2.6.12 and nginx 1.22.1 of Debian 12, with the options named, to a server that recorded them. */
const RECORDED: [source: string, hex: string, header: Record<string, unknown>][] = [
  [
    'haproxy send-proxy, IPv4',
    '50524f58592054435034203132372e302e302e31203132372e302e302e3120343337363220373030310d0a',
    { version: 1, command: 'PROXY', source: '127.0.0.1:43762', destination: '127.0.0.1:7001' },
  ],
  [
    'haproxy send-proxy, IPv6',
    '50524f58592054435036203a3a31203a3a3120333630323020373030320d0a',
    { version: 1, command: 'PROXY', source: '[::1]:36020', destination: '[::1]:7002' },
  ],
  [
    'haproxy send-proxy, a client by IPv4 of a listener on all IPv6 addresses',
    '50524f58592054435036203a3a666666663a3132372e302e302e31203a3a666666663a3132372e302e302e3120333635333220373030380d0a',
    { version: 1, command: 'PROXY', source: '[::ffff:127.0.0.1]:36532', destination: '[::ffff:127.0.0.1]:7008' },
  ],
  ['haproxy send-proxy, a Unix socket', '50524f585920554e4b4e4f574e0d0a', { version: 1, command: 'PROXY' }],
  [
    'nginx proxy_protocol, IPv4',
    '50524f58592054435034203132372e302e302e31203132372e302e302e3120353732353820373130310d0a',
    { version: 1, command: 'PROXY', source: '127.0.0.1:57258', destination: '127.0.0.1:7101' },
  ],
  [
    'nginx proxy_protocol, IPv6',
    '50524f58592054435036203a3a31203a3a3120343336303820373130320d0a',
    { version: 1, command: 'PROXY', source: '[::1]:43608', destination: '[::1]:7102' },
  ],
  ['nginx proxy_protocol, a Unix socket', '50524f585920554e4b4e4f574e0d0a', { version: 1, command: 'PROXY' }],
  [
    'haproxy send-proxy-v2, IPv4',
    '0d0a0d0a000d0a515549540a2111000c7f0000017f000001a8b41b5b',
    { version: 2, command: 'PROXY', source: '127.0.0.1:43188', destination: '127.0.0.1:7003' },
  ],
  [
    'haproxy send-proxy-v2, IPv6',
    '0d0a0d0a000d0a515549540a212100240000000000000000000000000000000100000000000000000000000000000001899e1b5c',
    { version: 2, command: 'PROXY', source: '[::1]:35230', destination: '[::1]:7004' },
  ],
  ['haproxy check-send-proxy, send-proxy-v2', '0d0a0d0a000d0a515549540a20000000', { version: 2, command: 'LOCAL' }],
  [
    'haproxy send-proxy-v2 proxy-v2-options crc32c,unique-id, a Unix socket',
    '0d0a0d0a000d0a515549540a2000000a030004826374b8050000',
    { version: 2, command: 'LOCAL' },
  ],
  [
    'haproxy send-proxy-v2 proxy-v2-options crc32c,unique-id',
    '0d0a0d0a000d0a515549540a2111003f7f0000017f000001dcba1b5e030004ec865ede05002937463030303030313a444342415f3746303030' +
      '3030313a314235455f36423038423330305f30303036',
    {
      version: 2,
      command: 'PROXY',
      source: '127.0.0.1:56506',
      destination: '127.0.0.1:7006',
      uniqueId: Buffer.from('7F000001:DCBA_7F000001:1B5E_6B08B300_0006'),
      crc32c: true,
    },
  ],
  [
    'haproxy send-proxy-v2-ssl-cn with all proxy-v2-options, a client without a certificate',
    '0d0a0d0a000d0a515549540a211100997f0000017f000001dbd81b5d030004e4c8aabb010002683202000b6578616d706c652e636f6d05002937' +
      '463030303030313a444244385f37463030303030313a314235445f36423038423330305f3030303920004401000000002100' +
      '07544c5376312e33250005454332353624001165636473612d776974682d534841323536230016544c535f4145535f3235365f47434d5f534841333834',
    {
      version: 2,
      command: 'PROXY',
      source: '127.0.0.1:56280',
      destination: '127.0.0.1:7005',
      alpn: 'h2',
      authority: 'example.com',
      uniqueId: Buffer.from('7F000001:DBD8_7F000001:1B5D_6B08B300_0009'),
      ssl: {
        tls: true,
        certOnConnection: false,
        certInSession: false,
        version: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        sigAlg: 'ecdsa-with-SHA256',
        keyAlg: 'EC256',
        tlvs: [],
      },
      crc32c: true,
    },
  ],
  [
    'haproxy send-proxy-v2-ssl-cn with all proxy-v2-options, a client with a certificate',
    '0d0a0d0a000d0a515549540a211100a57f0000017f000001dbda1b5d030004b73e143e010002683202000b6578616d706c652e636f6d05002937' +
      '463030303030313a444244415f37463030303030313a314235445f36423038423330305f30303041200050070000000021000754' +
      '4c5376312e332200096c6f63616c686f7374250005454332353624001165636473612d776974682d534841323536230016544c535f4145535f32' +
      '35365f47434d5f534841333834',
    {
      version: 2,
      command: 'PROXY',
      source: '127.0.0.1:56282',
      destination: '127.0.0.1:7005',
      alpn: 'h2',
      authority: 'example.com',
      uniqueId: Buffer.from('7F000001:DBDA_7F000001:1B5D_6B08B300_000A'),
      ssl: {
        tls: true,
        certOnConnection: true,
        certInSession: true,
        verify: 0,
        version: 'TLSv1.3',
        cn: 'localhost',
        cipher: 'TLS_AES_256_GCM_SHA384',
        sigAlg: 'ecdsa-with-SHA256',
        keyAlg: 'EC256',
        tlvs: [],
      },
      crc32c: true,
    },
  ],
];

const unixPath = (name: string): string => Buffer.from(name.padEnd(108, '\0')).toString('hex');

/** Right by the specification, beyond what was recorded. */
const VALID: [what: string, bytes: Buffer, header: Record<string, unknown>][] = [
  [
    'the longest line for IPv4',
    line('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'),
    { version: 1, command: 'PROXY', source: '255.255.255.255:65535', destination: '255.255.255.255:65535' },
  ],
  [
    'the longest line for IPv6',
    line(`PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'FFFF:'.repeat(7)}FFFF 65535 65535\r\n`),
    {
      version: 1,
      command: 'PROXY',
      source: `[${'ffff:'.repeat(7)}ffff]:65535`,
      destination: `[${'ffff:'.repeat(7)}ffff]:65535`,
    },
  ],
  [
    'ports of 0, and zeros within the groups of an IPv6 address',
    line('PROXY TCP6 2001:0DB8:0000:0000:0000:0000:0000:0001 2001:db8::2 0 0\r\n'),
    { version: 1, command: 'PROXY', source: '[2001:db8::1]:0', destination: '[2001:db8::2]:0' },
  ],
  [
    'UNKNOWN with the longest rest',
    line(`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`),
    { version: 1, command: 'PROXY' },
  ],
  ['UNKNOWN with any rest', line('PROXY UNKNOWN \0\xff  PROXY TCP4\r\n'), { version: 1, command: 'PROXY' }],
  [
    'UDP: the addresses are no connection’s, the TLVs count',
    binary('21', '12', FOUR + tlv('02', hexOf('a.example'))),
    { version: 2, command: 'PROXY', authority: 'a.example' },
  ],
  ['a transport of none', binary('21', '20', SIX), { version: 2, command: 'PROXY' }],
  [
    'a family of none, with a TLV',
    binary('21', '00', tlv('e0', '01')),
    { version: 2, command: 'PROXY', tlvs: [{ type: 0xe0, value: Buffer.from([1]) }] },
  ],
  ['LOCAL with a family and a block that mean nothing', binary('20', 'ff', 'ffffff'), { version: 2, command: 'LOCAL' }],
  [
    'Unix sockets',
    binary('21', '31', unixPath('') + unixPath('/run/proxy.sock')),
    { version: 2, command: 'PROXY', destinationPath: '/run/proxy.sock' },
  ],
  [
    'Unix sockets, one abstract, one with the longest path',
    binary('21', '31', unixPath('\0name') + unixPath('p'.repeat(108))),
    { version: 2, command: 'PROXY', sourcePath: '\0name', destinationPath: 'p'.repeat(108) },
  ],
  [
    'padding, empty values, and two TLVs of one custom type',
    binary(
      '21',
      '11',
      [FOUR, tlv('04', '000000'), tlv('04', ''), tlv('ea', ''), tlv('ea', '2a'), tlv('30', hexOf('blue'))].join(''),
    ),
    {
      version: 2,
      command: 'PROXY',
      source: '192.0.2.1:12345',
      destination: '198.51.100.2:80',
      netns: 'blue',
      tlvs: [
        { type: 0xea, value: Buffer.alloc(0) },
        { type: 0xea, value: Buffer.from([0x2a]) },
      ],
    },
  ],
  [
    'TLS with all fields, a certificate that was not verified, and a field of no known type',
    binary(
      '21',
      '21',
      SIX +
        tlv(
          '20',
          [
            '0600000013',
            tlv('26', hexOf('X25519')),
            tlv('27', hexOf('ed25519')),
            tlv('28', '3003'),
            tlv('2f', 'ff'),
          ].join(''),
        ),
    ),
    {
      version: 2,
      command: 'PROXY',
      source: '[2001:db8::1]:12345',
      destination: '[2001:db8::2]:443',
      ssl: {
        tls: false,
        certOnConnection: true,
        certInSession: true,
        verify: 0x13,
        group: 'X25519',
        sigScheme: 'ed25519',
        clientCert: Buffer.from([0x30, 0x03]),
        tlvs: [{ type: 0x2f, value: Buffer.from([0xff]) }],
      },
    },
  ],
  [
    'a header of 16,384 bytes',
    binary('21', '11', FOUR + tlv('ee', '00'.repeat(16_384 - 16 - 12 - 3))),
    {
      version: 2,
      command: 'PROXY',
      source: '192.0.2.1:12345',
      destination: '198.51.100.2:80',
      tlvs: [{ type: 0xee, value: Buffer.alloc(16_384 - 16 - 12 - 3) }],
    },
  ],
];

const HEADERS: [what: string, bytes: Buffer, header: Record<string, unknown>][] = [
  ...RECORDED.map(([what, hex, header]): [string, Buffer, Record<string, unknown>] => [
    what,
    Buffer.from(hex, 'hex'),
    header,
  ]),
  ...VALID,
];

describe('the parser reads', () => {
  test.each(HEADERS)('%s', (_, bytes, header) => {
    const parsed = parse(Buffer.concat([bytes, Buffer.from('rest')]));
    if (parsed === 'incomplete') throw new Error('The header is incomplete.');
    expect(shown(parsed.header)).toEqual(header);
    expect(parsed.byteLength).toBe(bytes.length);
    expect(parsed.rest.toString()).toBe('rest');
  });

  test.each(HEADERS.filter(([, { length }]) => length < 1_000))('%s, cut at every byte', (_, bytes) => {
    const whole = parse(bytes);
    const followed = Buffer.concat([bytes, Buffer.from('rest')]);
    for (let cut = 0; cut < bytes.length; cut++) {
      const parser = new ProxyHeaderParser();
      expect(parser.push(followed.subarray(0, cut))).toBe('incomplete');
      const parsed = parser.push(followed.subarray(cut));
      expect(parsed).toEqual({ ...(whole as ParsedProxyHeader), rest: Buffer.from('rest') });
    }
  });

  test.each(HEADERS)('%s, byte after byte', (_, bytes) => {
    const parser = new ProxyHeaderParser();
    for (const byte of bytes.subarray(0, -1)) expect(parser.push(Buffer.from([byte]))).toBe('incomplete');
    expect(parser.push(bytes.subarray(-1))).toEqual(parse(bytes));
  });

  test('a told address is a peer, as client.peer is', () => {
    const { source } = headerOf(line('PROXY TCP6 ::1 ::2 1 2\r\n'));
    expect(source).toMatchObject({ address: '::1', port: 1, family: 'IPv6' });
    expect(`${source}`).toBe('[::1]:1');
  });

  test('bytes that are no Buffer', () => {
    const bytes = new Uint8Array(line('xPROXY UNKNOWN\r\n12')).subarray(1);
    expect(new ProxyHeaderParser().push(bytes)).toMatchObject({ rest: Buffer.from('12') });
  });
});

const LINES: [bytes: string, reason: string, offset: number][] = [
  ['x', 'notProxy', 0],
  ['\n', 'notProxy', 0],
  ['GET / HTTP/1.1\r\n', 'notProxy', 0],
  ['PROXX', 'notProxy', 4],
  ['PROXY\t', 'notProxy', 5],
  ['PROXY\r', 'notProxy', 5],
  ['proxy TCP4', 'notProxy', 0],
  ['PROXY UNKNOWN\n', 'line', 13],
  ['PROXY UNKNOWN\rx', 'line', 14],
  ['PROXY UNKNOWN \r\r\n', 'line', 15],
  ['PROXY \r\n', 'family', 6],
  ['PROXY  TCP4 1.2.3.4 1.2.3.5 1 2\r\n', 'family', 6],
  ['PROXY TCP5 1.2.3.4 1.2.3.5 1 2\r\n', 'family', 6],
  ['PROXY tcp4 1.2.3.4 1.2.3.5 1 2\r\n', 'family', 6],
  ['PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n', 'family', 6],
  ['PROXY UNKNOWNS\r\n', 'family', 6],
  ['PROXY TCP4\r\n', 'line', 10],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n', 'line', 28],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 1 2 \r\n', 'line', 30],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n', 'line', 30],
  ['PROXY TCP4  1.2.3.4 1.2.3.5 1 2\r\n', 'address', 11],
  ['PROXY TCP4 1.2.3.999 1.2.3.5 1 2\r\n', 'address', 11],
  ['PROXY TCP4 1.2.3.256 1.2.3.5 1 2\r\n', 'address', 11],
  ['PROXY TCP4 1.2.3.04 1.2.3.5 1 2\r\n', 'address', 11],
  ['PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n', 'address', 19],
  ['PROXY TCP4 1.2.3.4 1.2.3.4.5 1 2\r\n', 'address', 19],
  ['PROXY TCP4 ::1 ::2 1 2\r\n', 'address', 11],
  ['PROXY TCP4 1.2.3.4 ::2 1 2\r\n', 'address', 19],
  ['PROXY TCP6 ::1 1.2.3.4 1 2\r\n', 'address', 15],
  ['PROXY TCP6 ::1::2 ::2 1 2\r\n', 'address', 11],
  ['PROXY TCP6 1:2:3:4:5:6:7 ::2 1 2\r\n', 'address', 11],
  ['PROXY TCP6 ::12345 ::2 1 2\r\n', 'address', 11],
  ['PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n', 'address', 11],
  ['PROXY TCP4 localhost 1.2.3.5 1 2\r\n', 'address', 11],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 65536 2\r\n', 'port', 27],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 1 70000\r\n', 'port', 29],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n', 'port', 27],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 00 2\r\n', 'port', 27],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 -1 2\r\n', 'port', 27],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 +1 2\r\n', 'port', 27],
  ['PROXY TCP4 1.2.3.4 1.2.3.5 1 0x2\r\n', 'port', 29],
  ['PROXY TCP4 1.2.3.4 1.2.3.5  2\r\n', 'port', 27],
  [`PROXY UNKNOWN ${'x'.repeat(107 - 14)}`, 'tooLong', 106],
  [`PROXY UNKNOWN ${'x'.repeat(106 - 14)}\r\n`, 'tooLong', 106],
  [`PROXY UNKNOWN ${'x'.repeat(106 - 14)}\r`, 'tooLong', 106],
];

const BINARIES: [what: string, bytes: Buffer, reason: string, offset: number][] = [
  ...Array.from({ length: 12 }, (_, at): [string, Buffer, string, number] => {
    const wrong = binary('21', '11', FOUR).subarray(0, at + 1);
    wrong[at] = (wrong[at] as number) ^ 0xff;
    return [`a wrong byte ${at} of the signature`, wrong, 'notProxy', at];
  }),
  ['version 1', binary('11', '11').subarray(0, 13), 'version', 12],
  ['version 3', binary('31', '11').subarray(0, 13), 'version', 12],
  ['command 2', binary('22', '11').subarray(0, 13), 'command', 12],
  ['command 5', binary('25', '11').subarray(0, 13), 'command', 12],
  ['family 4', binary('21', '41').subarray(0, 14), 'family', 13],
  ['transport 3', binary('21', '13').subarray(0, 14), 'family', 13],
  ['a length without room for IPv4', binary('21', '11', '', 11), 'tooShort', 14],
  ['a length without room for IPv6', binary('21', '21', '', 35), 'tooShort', 14],
  ['a length without room for UDP', binary('21', '22', '', 12), 'tooShort', 14],
  ['a length without room for Unix paths', binary('21', '31', '', 215), 'tooShort', 14],
  ['a header of 16,385 bytes', binary('21', '11', '', 16_385 - 16), 'tooLong', 14],
  ['a LOCAL header of 65,551 bytes', binary('20', '00', '', 65_535), 'tooLong', 14],
  ['a byte that is left over', binary('21', '11', `${FOUR}01`), 'tlv', 28],
  ['two bytes that are left over', binary('21', '11', `${FOUR + tlv('04', '')}0100`), 'tlv', 31],
  ['a TLV past the end', binary('21', '11', `${FOUR}ea0002ff`), 'tlv', 29],
  ['a TLV far past the end', binary('21', '11', `${FOUR}eaffff`), 'tlv', 29],
  ['a wrong checksum', binary('21', '11', FOUR + tlv('03', '00000000')), 'checksum', 31],
  ['a checksum of three bytes', binary('21', '11', FOUR + tlv('03', '000000')), 'tlv', 31],
  ['a checksum of five bytes', binary('21', '11', FOUR + tlv('03', '0000000000')), 'tlv', 31],
  ['a unique id of 129 bytes', binary('21', '11', FOUR + tlv('05', '00'.repeat(129))), 'tlv', 31],
  ['an authority that is not UTF-8', binary('21', '11', FOUR + tlv('02', 'ff')), 'tlv', 31],
  ['a network namespace that is not UTF-8', binary('21', '11', FOUR + tlv('30', 'c0')), 'tlv', 31],
  ['two authorities', binary('21', '11', FOUR + tlv('02', '61') + tlv('02', '61')), 'tlv', 32],
  ['two application protocols', binary('21', '11', FOUR + tlv('01', '61') + tlv('01', '61')), 'tlv', 32],
  ['two unique ids', binary('21', '11', FOUR + tlv('05', '61') + tlv('05', '61')), 'tlv', 32],
  ['two network namespaces', binary('21', '11', FOUR + tlv('30', '61') + tlv('30', '61')), 'tlv', 32],
  ['two TLVs about TLS', binary('21', '11', FOUR + tlv('20', '0000000000').repeat(2)), 'tlv', 36],
  ['a TLV about TLS of four bytes', binary('21', '11', FOUR + tlv('20', '00000000')), 'tlv', 31],
  ['a field about TLS past the end of its TLV', binary('21', '11', `${FOUR}20000801000000002100016161`), 'tlv', 37],
  [
    'a field about TLS past the end of its TLV, with bytes after it',
    binary('21', '11', `${FOUR + tlv('20', '0100000000210004')}e00001ff`),
    'tlv',
    37,
  ],
  ['a byte that is left over in a TLV about TLS', binary('21', '11', FOUR + tlv('20', '010000000021')), 'tlv', 36],
  ['a common name that is not UTF-8', binary('21', '11', FOUR + tlv('20', `0100000000${tlv('22', 'fe')}`)), 'tlv', 39],
  ['two common names', binary('21', '11', FOUR + tlv('20', `0100000000${tlv('22', '61').repeat(2)}`)), 'tlv', 40],
  ['two certificates', binary('21', '11', FOUR + tlv('20', `0100000000${tlv('28', '61').repeat(2)}`)), 'tlv', 40],
];

describe('the parser refuses', () => {
  test.each(LINES)('%j: %s at byte %i', (bytes, reason, offset) => {
    expect(errorOf(line(bytes))).toMatchObject({ reason, offset, code: 'ERR_PROXY_HEADER' });
  });

  test.each(BINARIES)('%s', (_, bytes, reason, offset) => {
    expect(errorOf(bytes)).toMatchObject({ reason, offset });
  });

  test('a wrong byte when it comes, whatever is still to come', () => {
    for (const { bytes, offset } of [
      ...LINES.filter(([, reason]) => reason === 'notProxy').map(([text, , at]) => ({ bytes: line(text), offset: at })),
      ...BINARIES.filter(([, , , at]) => at < 14).map(([, bytes, , at]) => ({ bytes, offset: at })),
    ]) {
      const parser = new ProxyHeaderParser();
      for (const byte of bytes.subarray(0, offset)) expect(parser.push(Buffer.from([byte]))).toBe('incomplete');
      expect(() => parser.push(bytes.subarray(offset, offset + 1))).toThrow(ProxyHeaderError);
    }
  });

  test('a second header, and bytes after an error', () => {
    const done = new ProxyHeaderParser();
    done.push(line('PROXY UNKNOWN\r\n'));
    expect(() => done.push(line('P'))).toThrow(NotSupportedError);
    const failed = new ProxyHeaderParser();
    expect(() => failed.push(line('x'))).toThrow(ProxyHeaderError);
    expect(() => failed.push(line('P'))).toThrow(NotSupportedError);
  });

  test('what is no bytes', () => {
    const parser = new ProxyHeaderParser();
    expect(() => parser.push('PROXY' as never)).toThrow(OptionError);
    expect(parser.push(line('PROXY'))).toBe('incomplete');
  });

  test('with a message that says what is wrong, and where', () => {
    expect(errorOf(line('PROXY TCP4 1.2.3.\x1b[2J 1.2.3.5 1 2\r\n')).message).toBe(
      'The PROXY header is invalid at byte 11: "1.2.3.?[2J" is no IPv4 address.',
    );
    expect(errorOf(binary('25', '11')).message).toBe(
      'The PROXY header is invalid at byte 12: command 5 is neither LOCAL (0) nor PROXY (1).',
    );
  });

  test('any single byte of a header with a checksum that was changed', () => {
    const bytes = encodeProxyHeader({ version: 2, source: at(4), destination: at(5), netns: 'n', crc32c: true });
    for (let index = 0; index < bytes.length; index++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[index] = (changed[index] as number) ^ (1 << bit);
        // LOCAL means nothing but itself; a longer length waits; and another type takes the checksum away.
        if (index === 12 && bit === 0) expect(headerOf(changed).command).toBe('LOCAL');
        else if (parsedOrError(changed) === 'incomplete') expect([14, 15]).toContain(index);
        else if (index === bytes.length - 7) expect(errorOrHeader(changed)).not.toMatchObject({ crc32c: true });
        else expect(errorOf(changed)).toBeInstanceOf(ProxyHeaderError);
      }
    }
  });
});

const at = (last: number): { address: string; port: number } => ({ address: `192.0.2.${last}`, port: last });

function parsedOrError(bytes: Buffer): ParsedProxyHeader | ProxyHeaderError | 'incomplete' {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof ProxyHeaderError) return error;
    throw error;
  }
}

function errorOrHeader(bytes: Buffer): ProxyHeader | ProxyHeaderError | 'incomplete' {
  const result = parsedOrError(bytes);
  return typeof result === 'object' && 'header' in result ? result.header : result;
}

describe('the encoder', () => {
  test.each(RECORDED.filter(([, , { command, crc32c }]) => command !== 'LOCAL' && crc32c !== true))(
    'writes the same bytes: %s',
    (_, hex) => {
      const bytes = Buffer.from(hex, 'hex');
      expect(encodeProxyHeader(headerOf(bytes)).toString('hex')).toBe(hex);
    },
  );

  test.each(HEADERS)('writes what it was given: %s', (_, bytes) => {
    const header = headerOf(bytes);
    expect(headerOf(encodeProxyHeader(header))).toEqual(header);
  });

  test('says that an address is unknown', () => {
    expect(encodeProxyHeader({ version: 1 }).toString()).toBe('PROXY UNKNOWN\r\n');
    expect(encodeProxyHeader({ version: 1, command: 'LOCAL' }).toString()).toBe('PROXY UNKNOWN\r\n');
    expect(encodeProxyHeader({ version: 1, destinationPath: '/s' }).toString()).toBe('PROXY UNKNOWN\r\n');
    expect(encodeProxyHeader({ version: 2, source: undefined }).toString('hex')).toBe(`${SIGNATURE}21000000`);
    expect(encodeProxyHeader({ version: 2, command: 'LOCAL' }).toString('hex')).toBe(`${SIGNATURE}20000000`);
  });

  test.each([1, 2] as const)(
    'writes addresses of two families as IPv6, and leaves a zone out: version %i',
    (version) => {
      const source = { address: '192.0.2.1', port: 1 };
      const destination = { address: 'fe80::1%eth0', port: 2 };
      const there = headerOf(encodeProxyHeader({ version, source, destination }));
      expect(`${there.source} ${there.destination}`).toBe('[::ffff:192.0.2.1]:1 [fe80::1]:2');
      const back = headerOf(encodeProxyHeader({ version, source: destination, destination: source }));
      expect(`${back.source} ${back.destination}`).toBe('[fe80::1]:2 [::ffff:192.0.2.1]:1');
    },
  );

  test('keeps a line short, however long an address is written', () => {
    const long = { address: '0000:0000:0000:0000:0000:ffff:255.255.255.255', port: 65_535 };
    expect(encodeProxyHeader({ version: 1, source: long, destination: long }).toString()).toBe(
      'PROXY TCP6 ::ffff:255.255.255.255 ::ffff:255.255.255.255 65535 65535\r\n',
    );
  });

  test('says that a certificate was not verified, unless it is told', () => {
    const { ssl } = headerOf(encodeProxyHeader({ version: 2, ssl: { certOnConnection: true } }));
    expect(ssl).toMatchObject({ tls: true, certOnConnection: true, certInSession: false, verify: 1 });
  });

  const both = { source: at(1), destination: at(2) };
  test.each<[option: string, options: unknown]>([
    ['header', undefined],
    ['header', null],
    ['header', []],
    ['sauce', { version: 1, sauce: at(1) }],
    ['version', {}],
    ['version', { version: 3 }],
    ['version', { version: '1' }],
    ['version', { version: 1, authority: 'a' }],
    ['version', { version: 1, crc32c: true }],
    ['version', { version: 1, tlvs: [{ type: 4, value: Buffer.alloc(0) }] }],
    ['command', { version: 2, command: 'local' }],
    ['command', { version: 2, command: 'LOCAL', ...both }],
    ['command', { version: 2, command: 'LOCAL', sourcePath: '/s' }],
    ['command', { version: 2, command: 'LOCAL', crc32c: true }],
    ['command', { version: 1, command: 'LOCAL', ...both }],
    ['source', { version: 2, source: null }],
    ['source', { version: 2, source: '192.0.2.1' }],
    ['source', { version: 2, destination: at(2) }],
    ['source', { version: 2, ...both, destinationPath: '/s' }],
    ['destination', { version: 2, source: at(1) }],
    ['source.address', { version: 2, ...both, source: { address: 'localhost', port: 1 } }],
    ['source.address', { version: 2, ...both, source: { address: '192.0.2.1%eth0', port: 1 } }],
    ['source.address', { version: 2, ...both, source: { address: '1\r\n', port: 1 } }],
    ['source.address', { version: 2, ...both, source: { port: 1 } }],
    ['destination.port', { version: 2, ...both, destination: { address: '::1', port: 65_536 } }],
    ['destination.port', { version: 2, ...both, destination: { address: '::1', port: '1' } }],
    ['destination.port', { version: 2, ...both, destination: { address: '::1' } }],
    ['sourcePath', { version: 2, sourcePath: '' }],
    ['sourcePath', { version: 2, sourcePath: '\0' }],
    ['sourcePath', { version: 2, sourcePath: 'a\0b' }],
    ['destinationPath', { version: 2, destinationPath: 'p'.repeat(109) }],
    ['alpn', { version: 2, alpn: '€' }],
    ['alpn', { version: 2, alpn: 2 }],
    ['authority', { version: 2, authority: Buffer.from('a') }],
    ['netns', { version: 2, netns: null }],
    ['uniqueId', { version: 2, uniqueId: 'id' }],
    ['uniqueId', { version: 2, uniqueId: Buffer.alloc(129) }],
    ['crc32c', { version: 2, crc32c: 1 }],
    ['ssl', { version: 2, ssl: true }],
    ['ssl.name', { version: 2, ssl: { name: 'localhost' } }],
    ['ssl.tls', { version: 2, ssl: { tls: 'TLSv1.3' } }],
    ['ssl.cn', { version: 2, ssl: { cn: 1 } }],
    ['ssl.verify', { version: 2, ssl: { verify: 0 } }],
    ['ssl.verify', { version: 2, ssl: { certInSession: true, verify: -1 } }],
    ['ssl.clientCert', { version: 2, ssl: { clientCert: 'PEM' } }],
    ['ssl.tlvs[0].type', { version: 2, ssl: { tlvs: [{ type: 0x22, value: Buffer.alloc(0) }] } }],
    ['tlvs', { version: 2, tlvs: {} }],
    ['tlvs[0]', { version: 2, tlvs: [null] }],
    ['tlvs[0].type', { version: 2, tlvs: [{ value: Buffer.alloc(0) }] }],
    ['tlvs[0].type', { version: 2, tlvs: [{ type: -1, value: Buffer.alloc(0) }] }],
    ['tlvs[0].type', { version: 2, tlvs: [{ type: 256, value: Buffer.alloc(0) }] }],
    ['tlvs[0].type', { version: 2, tlvs: [{ type: 2, value: Buffer.from('a.example') }] }],
    ['tlvs[0].type', { version: 2, tlvs: [{ type: 3, value: Buffer.alloc(4) }] }],
    ['tlvs[0].value', { version: 2, tlvs: [{ type: 0xe0, value: 'text' }] }],
    ['tlvs', { version: 2, tlvs: [{ type: 0xe0, value: Buffer.alloc(16_384 - 16 - 2) }] }],
    ['tlvs', { version: 2, authority: 'a'.repeat(70_000) }],
  ])('refuses a wrong %s (%#)', (option, options) => {
    let thrown: unknown;
    try {
      encodeProxyHeader(options as ProxyHeaderOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OptionError);
    expect(thrown).toMatchObject({ option });
  });
});

/** SOCKCHART_SEED=1 repeats a run, SOCKCHART_RUNS=20 makes it so many times as long. */
const seed = Number(process.env.SOCKCHART_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = 1_000 * Number(process.env.SOCKCHART_RUNS ?? 1);

const bytesOf = (constraints: fc.IntArrayConstraints): fc.Arbitrary<Buffer> =>
  fc.uint8Array(constraints).map((bytes) => Buffer.from(bytes));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const name = fc.string({ unit: 'grapheme', maxLength: 30 });
const address = fc.record({
  address: fc.oneof(fc.ipV4(), fc.ipV6()),
  port: fc.integer({ min: 0, max: 65_535 }),
});
const custom = fc.array(
  fc.record({
    type: fc.oneof(fc.constantFrom(0, 0xff), fc.integer({ min: 0x40, max: 0xff })),
    value: bytesOf({ maxLength: 40 }),
  }),
  {
    maxLength: 4,
  },
);
const ssl = fc
  .record({
    tls: fc.boolean(),
    certOnConnection: fc.boolean(),
    certInSession: fc.boolean(),
    verify: fc.integer({ min: 0, max: 0xffff_ffff }),
    version: maybe(name),
    cn: maybe(name),
    cipher: maybe(name),
    sigAlg: maybe(name),
    keyAlg: maybe(name),
    group: maybe(name),
    sigScheme: maybe(name),
    clientCert: maybe(bytesOf({ maxLength: 60 })),
    tlvs: custom,
  })
  .map(({ verify, ...rest }) => ({
    ...rest,
    verify: rest.certOnConnection || rest.certInSession ? verify : undefined,
  }));
const addressed = fc.oneof(
  fc.record({ source: address, destination: address }),
  fc.record({ sourcePath: fc.constantFrom(undefined, '\0abc', '/c'), destinationPath: fc.constantFrom('/run/s', 'é') }),
  fc.constant({}),
);
const second = fc
  .tuple(
    addressed,
    fc.record({
      alpn: maybe(fc.constantFrom('h2', 'http/1.1', '\x8a\x8a')),
      authority: maybe(name),
      uniqueId: maybe(bytesOf({ maxLength: 128 })),
      netns: maybe(name),
      ssl: maybe(ssl),
      tlvs: custom,
      crc32c: fc.boolean(),
    }),
  )
  .map(([addresses, fields]): ProxyHeaderOptions => ({ version: 2, command: 'PROXY', ...addresses, ...fields }));
const first = addressed.map((addresses): ProxyHeaderOptions => ({ version: 1, ...addresses }));
const options = fc.oneof(first, second, fc.constant<ProxyHeaderOptions>({ version: 2, command: 'LOCAL' }));

/** Feeds the bytes in pieces of these lengths, over and over. */
function inPieces(bytes: Buffer, lengths: readonly number[]): ParsedProxyHeader | ProxyHeaderError | 'incomplete' {
  const parser = new ProxyHeaderParser();
  let from = 0;
  for (let turn = 0; from < bytes.length; turn++) {
    const to = Math.min(bytes.length, from + (lengths[turn % lengths.length] ?? bytes.length));
    try {
      const parsed = parser.push(bytes.subarray(from, to));
      if (parsed !== 'incomplete') return { ...parsed, rest: Buffer.concat([parsed.rest, bytes.subarray(to)]) };
    } catch (error) {
      if (error instanceof ProxyHeaderError) return error;
      throw error;
    }
    from = to;
  }
  return 'incomplete';
}
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

/** Bytes are changed, taken out, put in or cut off. */
const change = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('set', 'insert', 'remove', 'cut'),
  byte: fc.oneof(fc.constantFrom(0, 0x0a, 0x0d, 0x20, 0x2e, 0x30, 0x3a, 0xff), fc.integer({ min: 0, max: 255 })),
});
function changed(bytes: Buffer, changes: readonly { at: number; kind: string; byte: number }[]): Buffer {
  const all = [...bytes];
  for (const { at: place, kind, byte } of changes) {
    const index = place % (all.length + 1);
    if (kind === 'set' && index < all.length) all[index] = byte;
    else if (kind === 'insert') all.splice(index, 0, byte);
    else if (kind === 'remove') all.splice(index, 1);
    else if (kind === 'cut') all.length = index;
  }
  return Buffer.from(all);
}

/** A header, an error that says where, or a wait for more; and the same for every cut. */
function holds(bytes: Buffer, cuts: readonly number[]): void {
  const whole = parsedOrError(bytes);
  expect(inPieces(bytes, cuts)).toEqual(whole);
  if (whole === 'incomplete') return;
  if (whole instanceof ProxyHeaderError) {
    expect(whole.offset).toBeLessThan(bytes.length);
    return;
  }
  const { header, byteLength, rest } = whole;
  expect(byteLength + rest.length).toBe(bytes.length);
  expect(bytes.subarray(byteLength).equals(rest)).toBe(true);
  const again = headerOf(
    encodeProxyHeader({ ...header, sourcePath: undefined, destinationPath: undefined } as ProxyHeader),
  );
  expect(again).toEqual({ ...header, sourcePath: undefined, destinationPath: undefined });
}

describe(`fuzz, SOCKCHART_SEED=${seed}`, () => {
  test('a header that is written is read as it was, however it is cut', () => {
    fc.assert(
      fc.property(options, lengths, bytesOf({ maxLength: 20 }), (given, cuts, rest) => {
        const bytes = encodeProxyHeader(given);
        const parsed = inPieces(Buffer.concat([bytes, rest]), cuts);
        if (parsed === 'incomplete' || parsed instanceof Error) throw new Error(`It was not read: ${parsed}`);
        expect(parsed.byteLength).toBe(bytes.length);
        expect(parsed.rest.equals(rest)).toBe(true);
        expect(encodeProxyHeader(parsed.header).equals(bytes)).toBe(true);
        const { version, command = 'PROXY', source, destination, sourcePath, destinationPath, ...fields } = given;
        expect(parsed.header).toMatchObject({ version, command });
        if (version === 2) expect(parsed.header).toMatchObject({ sourcePath, destinationPath, ...fields });
        expect(parsed.header.source?.port).toBe(source?.port);
        expect(parsed.header.destination?.port).toBe(destination?.port);
      }),
      { seed, numRuns },
    );
  });

  test('a header in which bytes were changed is read, refused, or incomplete', () => {
    const headers = fc.oneof(
      options.map(encodeProxyHeader),
      fc.constantFrom(...HEADERS.map(([, bytes]) => bytes).filter(({ length }) => length < 1_000)),
    );
    fc.assert(
      fc.property(headers, fc.array(change, { minLength: 1, maxLength: 4 }), lengths, (bytes, changes, cuts) =>
        holds(changed(bytes, changes), cuts),
      ),
      { seed, numRuns },
    );
  });

  test('random bytes after the start of a header are read, refused, or incomplete', () => {
    const starts = fc.constantFrom(
      ...['', 'PROXY ', 'PROXY TCP4 ', 'PROXY TCP6 ::1 '].map(line),
      ...['2111', '2121', '2131', '2112', '2100', '2000'].map((word) => Buffer.from(`${SIGNATURE}${word}00`, 'hex')),
    );
    fc.assert(
      fc.property(starts, bytesOf({ maxLength: 300 }), lengths, (start, bytes, cuts) =>
        holds(Buffer.concat([start, bytes]), cuts),
      ),
      { seed, numRuns },
    );
  });
});

describe('CRC32C', () => {
  // RFC 3720, section B.4, as numbers: there the bytes stand in the order of the wire.
  const up = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
  test.each([
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['32 incrementing bytes', up, 0x46dd794e],
    ['32 decrementing bytes', Buffer.from(up).reverse(), 0x113fdb5c],
    [
      'an iSCSI command',
      Buffer.from(
        '01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000',
        'hex',
      ),
      0xd9963a56,
    ],
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
    expect(crc32c(bytes.subarray(5), crc32c(bytes.subarray(0, 5)))).toBe(expected);
  });
});
