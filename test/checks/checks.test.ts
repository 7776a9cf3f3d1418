/** What one check does, on real sockets. */
import { once as emitted } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as netConnect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import {
  CheckError,
  type ChecksOptions,
  type ParsedProxyHeader,
  ProxyHeaderParser,
  type ServerOptions,
} from '../../src/index.js';
import { CERTIFICATE, PeerServer, Reader, refusingPort } from '../support/peers.js';
import { gate, turns, until } from '../support/wait.js';
import { once } from './checking.js';

const servers: PeerServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function serve(handler: (socket: Socket, index: number) => void, path?: string): Promise<PeerServer> {
  const server = new PeerServer(createServer({ allowHalfOpen: true }), handler);
  servers.push(server);
  return server.listen(path === undefined ? {} : { path });
}

async function serveTls(handler: (socket: Socket) => void): Promise<PeerServer> {
  const server = new PeerServer(createTlsServer(CERTIFICATE), handler);
  servers.push(server);
  return server.listen();
}

const silent = (): void => {};
/** Each in a packet of its own. */
async function pieces(socket: Socket, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await new Promise((resolve) => socket.write(text, resolve));
    await turns();
  }
}

const TLS = { tls: { ca: CERTIFICATE.cert } };

describe('connect', () => {
  test('a server that accepts passes, and its connection is reset', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    await once({ port: server.port }, true, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      expect(checking.checks.state).toBe('waiting.steady');
      await until('the connection', () => readers.length > 0);
      expect(await readers[0]?.over).toBe('reset');
    });
  });

  test('a server that refuses fails', async () => {
    await once({ port: await refusingPort() }, true, async (checking) => {
      const refused = { initiator: 'peer', manner: 'refusal', code: 'ECONNREFUSED', phase: 'checking' };
      expect(await checking.cause()).toMatchObject(refused);
      expect(checking.checks.state).toBe('waiting.steady');
    });
  });

  test('a Unix socket: one that listens, and one that is not there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sockchart-check-'));
    try {
      const path = join(dir, 'socket');
      const server = await serve(silent, path);
      await once({ path }, true, async (checking) => expect(await checking.verdict()).toBe('passed'));
      await server.stop();
      await once({ path }, true, async (checking) => expect(await checking.cause()).toMatchObject({ code: 'ENOENT' }));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('TLS: the handshake is a part of the check', async () => {
    const server = await serveTls(silent);
    await once({ port: server.port, ...TLS }, true, async (checking) =>
      expect(await checking.verdict()).toBe('passed'),
    );
    await once({ port: server.port, tls: true }, true, async (checking) => {
      expect(await checking.cause()).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT', phase: 'checking' });
    });
    const plain = await serve((socket) => socket.end('no TLS here'));
    await once({ port: plain.port, ...TLS }, true, async (checking) => {
      expect(await checking.cause()).toMatchObject({ initiator: 'peer', manner: 'error' });
    });
  });

  test('a handshake that hangs takes too long, and is reset', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    await once({ port: server.port, ...TLS }, { timeout: 500 }, async (checking, clock) => {
      await until('the ClientHello', () => (readers[0]?.bytes ?? 0) > 0);
      clock.advance(499);
      expect(checking.verdicts).toEqual([]);
      clock.advance(1);
      expect(checking.verdicts).toEqual([
        { initiator: 'library', manner: 'timeout', code: 'checkTimeout', phase: 'checking' },
      ]);
      expect(await readers[0]?.over).toBe('reset');
    });
  });

  test.each([1, 2] as const)('a PROXY header of version %i says that there is no client', async (version) => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    await once({ port: server.port, proxyProtocol: version }, true, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      await until('the connection', () => readers.length > 0);
      await readers[0]?.over;
      const parsed = new ProxyHeaderParser().push(Buffer.from(readers[0]?.text ?? '', 'latin1')) as ParsedProxyHeader;
      expect(parsed.header).toMatchObject(
        version === 1 ? { version, command: 'PROXY' } : { version, command: 'LOCAL' },
      );
      expect(parsed.header.source).toBeUndefined();
    });
  });

  test.each<[string, ServerOptions, ChecksOptions]>([
    ['without the handshake', TLS, {}],
    ['without the answer', {}, { by: { send: 'PING', expect: 'PONG' } }],
  ])('a PROXY header %s is not enough', async (_without, options, checks) => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    await once(
      { port: server.port, proxyProtocol: 1, ...options },
      { timeout: 100, ...checks },
      async (checking, clock) => {
        await until('what follows the header', () => (readers[0]?.bytes ?? 0) > 'PROXY UNKNOWN\r\n'.length);
        clock.advance(100);
        expect(await checking.cause()).toMatchObject({ code: 'checkTimeout' });
      },
    );
  });

  test('the PROXY header comes before TLS', async () => {
    const headers: string[] = [];
    const tls = createTlsServer(CERTIFICATE, (socket) => {
      const reader = new Reader(socket);
      socket.on('data', () => reader.text === 'PING' && socket.write('PONG'));
    });
    const server = await serve((socket) => {
      socket.once('data', (chunk: Buffer) => {
        const end = chunk.indexOf('\r\n') + 2;
        headers.push(chunk.toString('latin1', 0, end));
        socket.pause();
        if (end < chunk.length) socket.unshift(chunk.subarray(end));
        tls.emit('connection', socket);
      });
    });
    const by = { send: 'PING', expect: 'PONG' };
    await once({ port: server.port, proxyProtocol: 1, ...TLS }, { by }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      expect(headers).toEqual(['PROXY UNKNOWN\r\n']);
    });
  });
});

describe('what is sent, and what must come', () => {
  const ping = { send: 'PING\r\n', expect: '+PONG' } as const;
  const redis = (socket: Socket): void => {
    socket.on('data', (chunk) => chunk.toString() === 'PING\r\n' && socket.write('+PONG\r\n'));
  };

  test.each<[string, ChecksOptions['by'], (socket: Socket) => void]>([
    ['text', ping, redis],
    ['bytes', { send: Buffer.from('PING\r\n'), expect: new Uint8Array([0x2b, 0x50]) }, redis],
    ['what a RegExp finds', { send: 'PING\r\n', expect: /^\+pong\r\n$/giy }, redis],
    ['a greeting, to which nothing is sent', { expect: '220 ' }, (socket) => socket.write('220 mail ready\r\n')],
    ['an answer in pieces', ping, (socket) => socket.on('data', () => void pieces(socket, ['+', 'PO', 'NG']))],
    ['an answer after other lines', { expect: /^OK$/m }, (socket) => void pieces(socket, ['busy\n', 'busy\n', 'OK\n'])],
    ['an answer with the end', { expect: 'bye' }, (socket) => socket.end('bye')],
  ])('%s', async (_what, by, answer) => {
    const server = await serve(answer);
    await once({ port: server.port }, { by }, async (checking) => expect(await checking.verdict()).toBe('passed'));
    await server.left();
  });

  test('after a PROXY header', async () => {
    const server = await serve((socket) => {
      const reader = new Reader(socket);
      socket.on('data', () => reader.text === 'PROXY UNKNOWN\r\nPING\r\n' && socket.write('+PONG\r\n'));
    });
    await once({ port: server.port, proxyProtocol: 1 }, { by: ping }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
    });
  });

  test('over TLS', async () => {
    const server = await serveTls(redis);
    await once({ port: server.port, ...TLS }, { by: ping }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
    });
  });

  test('another answer fails when the time is up, and the cause says what came', async () => {
    const server = await serve((socket) =>
      socket.on('data', () => socket.write('-NOAUTH Authentication required.\r\n')),
    );
    await once({ port: server.port }, { by: ping, timeout: 300 }, async (checking, clock) => {
      const socket = await server.connection();
      await emitted(socket, 'data');
      await until('the answer', () => socket.writableLength === 0 && socket.bytesWritten > 0);
      // The other end reads it in a turn of this loop.
      await turns(20);
      clock.advance(300);
      const { code, error } = await checking.cause();
      expect(code).toBe('checkTimeout');
      expect(error).toBeInstanceOf(CheckError);
      expect((error as CheckError).answer.toString()).toBe('-NOAUTH Authentication required.\r\n');
      expect((error as CheckError).message).toBe(
        'The check failed: the answer is "-NOAUTH Authentication required.\\r\\n".',
      );
    });
  });

  test('an end before the answer fails at once', async () => {
    const server = await serve((socket) => socket.end('+PO'));
    await once({ port: server.port }, { by: ping }, async (checking) => {
      const cause = await checking.cause();
      expect(cause).toMatchObject({ initiator: 'peer', manner: 'end', phase: 'checking' });
      expect((cause.error as CheckError).answer.toString()).toBe('+PO');
    });
  });

  test('a reset before the answer fails at once', async () => {
    const server = await serve((socket) => socket.on('data', () => socket.resetAndDestroy()));
    await once({ port: server.port }, { by: ping }, async (checking) => {
      const cause = await checking.cause();
      expect(cause).toMatchObject({ manner: 'reset', code: 'ECONNRESET' });
      expect(cause.error).not.toBeInstanceOf(CheckError);
    });
  });

  test('a part of the answer and a reset are a reset', async () => {
    const server = await serve((socket) => socket.write('+PO', () => socket.resetAndDestroy()));
    await once({ port: server.port }, { by: ping }, async (checking) => {
      expect(await checking.cause()).toMatchObject({ initiator: 'peer', manner: 'reset' });
    });
  });

  test('a stream that was paused is read', async () => {
    const server = await serve((socket) => socket.write('+PONG'));
    const connect: ServerOptions['connect'] = () => netConnect(server.port, '127.0.0.1').pause();
    await once({ connect }, { by: { expect: '+PONG' } }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
    });
  });

  test('more than 16,384 bytes without it fail at once, and no more is kept', async () => {
    // In two parts, of which neither is too long.
    const part = 'x'.repeat(10_000);
    const server = await serve((socket) => void pieces(socket, [part, part]));
    await once({ port: server.port }, { by: ping }, async (checking) => {
      const { code, error } = await checking.cause();
      expect(code).toBe('ERR_CHECK');
      expect((error as CheckError).answer).toEqual(Buffer.alloc(16_384, 'x'));
      expect((error as CheckError).message).toMatch(/begins with "x{60}"/);
    });
  });
});

describe('a hook that checks', () => {
  const echo = (socket: Socket): void => void socket.pipe(socket);

  test('resolves: passed; it gets the stream and the server, and its signal stays silent', async () => {
    const server = await serve(echo);
    const seen: unknown[] = [];
    let late: AbortSignal | undefined;
    const by: ChecksOptions['by'] = async (stream, { server: checked, signal }) => {
      late = signal;
      stream.write('hello');
      const [answer] = await emitted(stream, 'data', { signal });
      seen.push(String(answer), checked.name);
    };
    await once({ port: server.port, name: 'db' }, { by }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      expect(seen).toEqual(['hello', 'db']);
      await server.left();
    });
    expect(late?.aborted).toBe(false);
  });

  test.each<[string, ChecksOptions['by']]>([
    ['at once', (stream) => void stream.end()],
    [
      'and whose end it has seen',
      async (stream) => {
        stream.resume().end('QUIT\r\n');
        await emitted(stream, 'end');
      },
    ],
  ])('a stream that it has ended, %s, is closed, not reset', async (_when, by) => {
    const readers: Reader[] = [];
    const server = await serve((socket) => {
      readers.push(new Reader(socket));
      socket.on('end', () => socket.end());
    });
    await once({ port: server.port }, { by }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      await until('the connection', () => readers.length > 0);
      expect(await readers[0]?.over).toBe('end');
    });
  });

  const boom = Object.assign(new Error('boom'), { code: 'E_BOOM' });
  test.each<[string, ChecksOptions['by'], object]>([
    ['rejects', () => Promise.reject(boom), { manner: 'error', code: 'E_BOOM', error: boom }],
    [
      'throws',
      () => {
        throw boom;
      },
      { manner: 'error', code: 'E_BOOM', error: boom },
    ],
    ['resolves to false', async () => false, { manner: 'refusal' }],
    ['rejects with nothing', () => Promise.reject(undefined), { manner: 'error', code: 'UNKNOWN' }],
  ])('%s: failed', async (_how, by, expected) => {
    const server = await serve(echo);
    await once({ port: server.port }, { by }, async (checking) => {
      expect(await checking.cause()).toMatchObject({ initiator: 'owner', phase: 'checking', ...expected });
      await server.left();
    });
  });

  test('takes too long: its signal fires, the stream is reset, and what it does afterwards changes nothing', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    const done = gate();
    const signals: AbortSignal[] = [];
    const by: ChecksOptions['by'] = (_stream, { signal }) => {
      signals.push(signal);
      return done.promise;
    };
    await once({ port: server.port }, { by, timeout: 100, interval: 1_000 }, async (checking, clock) => {
      await until('the hook', () => signals.length > 0);
      clock.advance(100);
      expect(signals[0]?.aborted).toBe(true);
      expect(await readers[0]?.over).toBe('reset');
      expect(checking.verdicts).toMatchObject([{ code: 'checkTimeout' }]);
      // The next check runs while the hook of the first one is not done.
      clock.advance(1_000);
      await until('the next hook', () => signals.length > 1);
      done.open();
      await turns();
      expect(checking.verdicts).toEqual([expect.objectContaining({ code: 'checkTimeout' }), 'passed']);
    });
  });

  test('its stream answers an end by itself, as those of Node do', async () => {
    const server = await serve((socket) => socket.resume().end());
    const by: ChecksOptions['by'] = (stream) => emitted(stream.resume(), 'close');
    await once({ port: server.port }, { by }, async (checking) => expect(await checking.verdict()).toBe('passed'));
  });

  test('may speak TLS over the stream', async () => {
    const server = await serveTls((socket) => socket.write('ready'));
    const by: ChecksOptions['by'] = async (stream) => {
      const secure = tlsConnect({ socket: stream, ca: CERTIFICATE.cert, servername: 'localhost' });
      await emitted(secure, 'data');
    };
    await once({ port: server.port }, { by }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      await server.left();
    });
  });

  test('a stream that is lost while the hook waits is the matter of the hook', async () => {
    const server = await serve((socket) => socket.resetAndDestroy());
    const by: ChecksOptions['by'] = (stream, { signal }) => emitted(stream, 'data', { signal });
    await once({ port: server.port }, { by, timeout: 50 }, async (checking) => {
      expect(await checking.cause()).toMatchObject({ manner: 'reset', code: 'ECONNRESET' });
    });
  });
});

describe('a connect hook', () => {
  const dialling = (port: number): ServerOptions['connect'] => {
    return () => netConnect(port, '127.0.0.1');
  };

  test('opens the stream, for no client', async () => {
    const server = await serve(silent);
    const clients: unknown[] = [];
    const signals: AbortSignal[] = [];
    const connect: ServerOptions['connect'] = (_server, { client, signal }) => {
      clients.push(client);
      signals.push(signal);
      return netConnect(server.port, '127.0.0.1');
    };
    await once({ connect }, true, async (checking) => expect(await checking.verdict()).toBe('passed'));
    expect(clients).toEqual([undefined]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await server.left();
  });

  test('may promise the stream', async () => {
    const server = await serve((socket) => socket.write('ready'));
    const connect: ServerOptions['connect'] = async () => netConnect(server.port, '127.0.0.1');
    await once({ connect }, { by: { expect: 'ready' } }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
    });
    await server.left();
  });

  test('gives a stream that is destroyed before the answer, without an error: failed', async () => {
    const stream = new PassThrough();
    await once({ connect: () => stream }, { by: { expect: 'ready' } }, async (checking) => {
      await turns();
      stream.destroy();
      expect(await checking.cause()).toMatchObject({ initiator: 'owner', manner: 'destroy', phase: 'checking' });
    });
  });

  test('may give a stream that is no socket', async () => {
    const streams: Duplex[] = [];
    const connect: ServerOptions['connect'] = () => {
      const stream = new Duplex({
        read: silent,
        write(chunk, _encoding, callback) {
          this.push(`+${chunk}`);
          callback();
        },
      });
      streams.push(stream);
      return stream;
    };
    await once({ connect }, { by: { send: 'x', expect: '+x' } }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      expect(streams[0]?.destroyed).toBe(true);
    });
  });

  const boom = new Error('no tunnel');
  test.each<[string, ServerOptions['connect'], object]>([
    [
      'throws',
      () => {
        throw boom;
      },
      { initiator: 'owner', error: boom },
    ],
    ['rejects', () => Promise.reject(boom), { initiator: 'owner', error: boom }],
    ['gives no stream', () => 7 as never, { initiator: 'owner', code: 'ERR_INVALID_OPTION' }],
    ['gives a stream that fails', dialling(1), { initiator: 'peer', code: 'ECONNREFUSED' }],
  ])('%s: failed', async (_how, connect, expected) => {
    await once({ connect }, true, async (checking) => {
      expect(await checking.cause()).toMatchObject({ phase: 'checking', ...expected });
    });
  });

  test('gives its stream too late: its signal has fired, and the stream is reset', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    const late = gate<Socket>();
    const signals: AbortSignal[] = [];
    const connect: ServerOptions['connect'] = (_server, { signal }) => {
      signals.push(signal);
      return late.promise;
    };
    await once({ connect }, { by: { send: 'PING', expect: 'PONG' }, timeout: 100 }, async (checking, clock) => {
      clock.advance(100);
      expect(signals[0]?.aborted).toBe(true);
      expect(await checking.cause()).toMatchObject({ code: 'checkTimeout' });
      const socket = netConnect(server.port, '127.0.0.1');
      await emitted(socket, 'connect');
      late.open(socket);
      await until('the connection', () => readers.length > 0);
      expect(await readers[0]?.over).toBe('reset');
      expect(readers[0]?.bytes, 'it gets nothing').toBe(0);
      expect(checking.verdicts).toHaveLength(1);
    });
  });

  test('gives a socket that it connects too late: that is reset', async () => {
    const readers: Reader[] = [];
    const server = await serve((socket) => readers.push(new Reader(socket)));
    const socket = new Socket();
    await once({ connect: () => socket }, { timeout: 100 }, async (checking, clock) => {
      clock.advance(100);
      expect(await checking.cause()).toMatchObject({ code: 'checkTimeout' });
      socket.connect(server.port, '127.0.0.1');
      await until('the connection', () => readers.length > 0);
      expect(await readers[0]?.over).toBe('reset');
      expect(checking.verdicts).toHaveLength(1);
    });
  });

  test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'])(
    'a shortage of this process (%s) is no verdict, and is tried again',
    async (code) => {
      const server = await serve(silent);
      let attempts = 0;
      const connect: ServerOptions['connect'] = () => {
        if (++attempts < 3) throw Object.assign(new Error(code), { code });
        return netConnect(server.port, '127.0.0.1');
      };
      await once({ connect }, { interval: 1_000 }, async (checking, clock) => {
        expect(checking.checks.state).toBe('waiting.steady');
        clock.advance(1_000);
        expect(attempts).toBe(2);
        expect(checking.verdicts).toEqual([]);
        clock.advance(1_000);
        expect(await checking.verdict()).toBe('passed');
        expect(checking.undecided.map((cause) => [cause.code, cause.phase])).toEqual([
          [code, 'checking'],
          [code, 'checking'],
        ]);
      });
    },
  );
});

describe('an address of its own', () => {
  test('another port, without the TLS and the PROXY header of the server', async () => {
    const readers: Reader[] = [];
    const health = await serve((socket) => readers.push(new Reader(socket)));
    const options = { port: await refusingPort(), proxyProtocol: 1, ...TLS } as const;
    await once(options, { port: health.port }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      await until('the connection', () => readers.length > 0);
      await readers[0]?.over;
      expect(readers[0]?.bytes).toBe(0);
    });
  });

  test('with them, if that is wanted', async () => {
    const readers: Reader[] = [];
    const health = await serve((socket) => readers.push(new Reader(socket)));
    const options = { port: await refusingPort(), proxyProtocol: 1 } as const;
    await once(options, { port: health.port, proxyProtocol: true }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
      await until('the connection', () => readers.length > 0);
      await readers[0]?.over;
      expect(readers[0]?.text).toBe('PROXY UNKNOWN\r\n');
    });
  });

  test('another host, whose name is looked up', async () => {
    const health = await serve(silent);
    await once({ host: '192.0.2.1', port: health.port }, { host: 'localhost' }, async (checking) => {
      expect(await checking.verdict()).toBe('passed');
    });
  });
});
