/** The listener: paths, descriptors, servers of others, limits and admission. */
import { once } from 'node:events';
import { existsSync, linkSync, lstatSync, readdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { type Client, createListener, type Listener } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { LIBRARY, runModule } from '../support/child.js';
import { LOOPBACK, makers } from '../support/make.js';
import { connectAndResetAtOnce, Reader, type Where } from '../support/peers.js';
import { how, why } from '../support/record.js';
import { gate, turns, until, within } from '../support/wait.js';

const bench = useBench();
const { makeListener } = makers(bench);

/** Leaves the file of a Unix socket on which nobody listens. */
async function leaveStale(path: string): Promise<void> {
  const bound = `${path}.dying`;
  const server = createServer();
  server.listen({ path: bound });
  await once(server, 'listening');
  // Node removes the name that it bound; a second name stays, as after a crash.
  linkSync(bound, path);
  server.close();
  await once(server, 'close');
  if (existsSync(bound)) unlinkSync(bound);
}

const clientOf = async (listener: Listener): Promise<Client> => {
  await until('a client', () => listener.clients.size > 0);
  return [...listener.clients][0] as Client;
};

describe('a path', () => {
  test('is gone after the close, and nothing else is left beside it', async () => {
    const path = bench.path();
    const listener = makeListener({ path });
    expect(await listener.start()).toEqual({ path });
    expect(lstatSync(path).isSocket()).toBe(true);
    await bench.dial({ path });
    await clientOf(listener);
    await listener.close({ timeoutMs: 20 });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('that is stale is taken over', async () => {
    const path = bench.path();
    await leaveStale(path);
    expect(lstatSync(path).isSocket()).toBe(true);
    const listener = makeListener({ path });
    await listener.start();
    listener.on('client', ({ socket }) => void socket.end('hello'));
    const reader = new Reader(await bench.dial({ path }));
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('hello');
    expect(readdirSync(dirname(path))).toHaveLength(1);
  });

  test('that somebody listens on is never touched', async () => {
    const path = bench.path();
    const server = await bench.greeter('mine', 'stay', { path });
    const { ino } = lstatSync(path);
    const listener = makeListener({ path });
    await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_BIND', cause: { code: 'EADDRINUSE' } });
    expect(lstatSync(path).ino).toBe(ino);
    expect(readdirSync(dirname(path))).toHaveLength(1);
    const reader = new Reader(await bench.dial({ path }));
    await reader.has(4);
    expect(server.server.listening).toBe(true);
  });

  test.each(['a file', 'a link that leads nowhere'])('on which there is %s is never touched', async (what) => {
    const path = bench.path();
    if (what === 'a file') writeFileSync(path, 'precious');
    else symlinkSync('/nonexistent/nowhere', path);
    const { ino } = lstatSync(path);
    const listener = makeListener({ path });
    await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_BIND', cause: { code: 'EADDRINUSE' } });
    expect(lstatSync(path).ino).toBe(ino);
    expect(readdirSync(dirname(path))).toHaveLength(1);
  });

  test('in a folder that does not exist', async () => {
    const listener = makeListener({ path: `${bench.path()}/none/s` });
    await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_BIND' });
    expect((await listener.closed).ending).toBe('failed');
  });

  test("of a newer server is not removed by an older one's close", async () => {
    const path = bench.path();
    const older = makeListener({ path });
    await older.start();
    older.suspend();
    const newer = makeListener({ path });
    newer.on('client', ({ socket }) => void socket.end('newer'));
    await newer.start();
    const { ino } = lstatSync(path);
    await older.close();
    expect(lstatSync(path).ino).toBe(ino);
    const reader = new Reader(await bench.dial({ path }));
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('newer');
  });

  test('that was replaced by somebody is not removed', async () => {
    const path = bench.path();
    const listener = makeListener({ path });
    await listener.start();
    unlinkSync(path);
    const server = await bench.echo({ path });
    await listener.close();
    expect(existsSync(path)).toBe(true);
    await bench.dial({ path });
    expect(await server.connection()).toBeDefined();
  });

  test('suspended and resumed', async () => {
    const path = bench.path();
    const listener = makeListener({ path });
    await listener.start();
    await bench.dial({ path });
    const early = await clientOf(listener);
    listener.suspend();
    expect(existsSync(path)).toBe(false);
    listener.resume();
    await until('it to listen', () => listener.matches('serving.listening'));
    await bench.dial({ path });
    await until('two clients', () => listener.clients.size === 2);
    await early.abort();
    expect(listener.clients.size).toBe(1);
    expect(listener.matches('serving.listening')).toBe(true);
  });

  test('closed while it is being claimed', async () => {
    const path = bench.path();
    await leaveStale(path);
    const listener = makeListener({ path });
    const starting = listener.start();
    await within(1_000, 'the close', listener.close());
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await turns(20);
    expect(readdirSync(dirname(path)).filter((name) => name !== 's')).toEqual([]);
    const probe = bench.dialing({ path });
    await once(probe, 'error');
  });

  test.skipIf(process.platform !== 'linux')('an abstract socket', async () => {
    const path = `\0sockchart-test-${process.pid}`;
    const listener = makeListener({ path });
    await listener.start();
    await bench.dial({ path });
    await clientOf(listener);
  });
});

describe('a descriptor', () => {
  test('cannot be suspended', () => {
    const listener = makeListener({ fd: 3 });
    expect(() => listener.suspend()).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }));
    expect(listener.state).toBe('idle');
  });

  test.skipIf(process.platform === 'win32')('is served', async () => {
    // The parent listens and never accepts; the program serves what it inherited.
    const owner = createServer();
    owner.listen(LOOPBACK);
    await once(owner, 'listening');
    const { port } = owner.address() as { port: number };
    const { fd } = (owner as unknown as { _handle: { fd: number } })._handle;
    const running = runModule(
      `
        import { createListener } from '${LIBRARY}';
        const listener = createListener({ fd: 3 });
        listener.on('client', ({ socket }) => socket.resume().end('inherited'));
        console.log(JSON.stringify(await listener.start()));
        try { listener.suspend(); } catch (error) { console.log(error.code); }
        listener.on('client', ({ closed }) => closed.then(() => listener.close()));
        console.log((await listener.closed).ending);
      `,
      [fd],
    );
    owner.close();
    const client = await bench.dial({ port });
    const reader = new Reader(client);
    client.end();
    expect(await reader.ends()).toBe('end');
    expect(reader.text).toBe('inherited');
    const { code, out } = await running;
    expect(out.trim().split('\n')).toEqual([
      JSON.stringify({ host: '127.0.0.1', port }),
      'ERR_NOT_SUPPORTED',
      'closed',
    ]);
    expect(code).toBe(0);
  });
});

describe("somebody else's server", () => {
  test('that does not listen yet', async () => {
    const server = createServer();
    const listener = makeListener({ ...LOOPBACK, server });
    const address = (await listener.start()) as { port: number };
    expect((server.address() as { port: number }).port).toBe(address.port);
    await bench.dial(address);
    const { socket } = await clientOf(listener);
    expect(socket.allowHalfOpen).toBe(true);
    await listener.abort();
    expect(server.listening).toBe(false);
  });

  test('that listens', async () => {
    const server = createServer();
    server.listen(LOOPBACK);
    await once(server, 'listening');
    const listener = makeListener({ server });
    const address = (await listener.start()) as { host: string; port: number };
    expect(address).toEqual({ host: '127.0.0.1', port: (server.address() as { port: number }).port });
    await bench.dial(address);
    await clientOf(listener);
    listener.suspend();
    listener.resume();
    await until('it to listen', () => listener.matches('serving.listening'));
    expect(server.address()).toMatchObject({ address: '127.0.0.1', port: address.port });
    await listener.abort();
    expect(server.listening).toBe(false);
  });

  test('a client that comes before the start is turned away, and its reset hurts nobody', async () => {
    const server = createServer();
    server.listen(LOOPBACK);
    await once(server, 'listening');
    bench.later(() => server.close(() => {}));
    makeListener({ server });
    const sockets: Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    const client = bench.dialing({ port: (server.address() as { port: number }).port });
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    const [socket] = sockets as [Socket];
    expect(socket.destroyed && socket.listenerCount('error') > 0).toBe(true);
  });

  test('that is closed by its owner', async () => {
    const server = createServer();
    const listener = makeListener({ ...LOOPBACK, server });
    await listener.start();
    server.close();
    expect(how(await within(1_000, 'the end', listener.closed))).toBe('closed owner/destroy/listening');
  });
});

describe('limits', () => {
  test('bindAttempts', async () => {
    const blocker = await bench.echo();
    const listener = makeListener({
      host: '127.0.0.1',
      port: blocker.port,
      bindAttempts: 3,
      bindBackoff: 5,
    });
    const attempts: number[] = [];
    listener.on('retry', ({ attempt }) => attempts.push(attempt));
    await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_BIND' });
    expect(attempts).toEqual([2, 3]);
  });

  test('a clientsMax that the limit on open files does not permit is warned of', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    bench.later(() => process.off('warning', warned));
    makeListener({ clientsMax: 100_000_000 });
    makeListener({ clientsMax: 10 });
    makeListener({});
    await until('the warning', () => warned.mock.calls.length > 0);
    await turns();
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[0]).toMatchObject({ code: 'SOCKCHART_CLIENTS_MAX' });
    expect(makeListener({}).clientsMax).toBeGreaterThan(100);
  });

  test.each([0, Number.NaN, -1, 1.5, '10' as unknown as number])('clientsMax %s is refused', (clientsMax) => {
    expect(() => createListener({ ...LOOPBACK, clientsMax })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', option: 'clientsMax' }),
    );
  });

  test('newcomers beyond clientsMax are reset and counted', async () => {
    const listener = makeListener({ clientsMax: 1 });
    const address = (await listener.start()) as Where;
    const totals: number[] = [];
    listener.on('refused', ({ total }) => totals.push(total));
    const first = await bench.dial(address);
    const client = await clientOf(listener);
    expect(listener.state).toBe('serving.listening.saturated');
    expect(await new Reader(bench.dialing(address)).ends()).toBe('reset');
    expect(await new Reader(bench.dialing(address)).ends()).toBe('reset');
    expect(totals).toEqual([1, 2]);
    // One that is reset already must not hurt either.
    await connectAndResetAtOnce((address as { port: number }).port);
    await until('the third', () => listener.refused === 3);
    first.resetAndDestroy();
    client.socket.resume();
    await client.closed;
    expect(listener.state).toBe('serving.listening.accepting');
    await bench.dial(address);
    await clientOf(listener);
    expect(listener.refused).toBe(3);
    expect(listener.toJSON()).toMatchObject({ clients: 1, refused: 3 });
  });
});

describe('admission', () => {
  const refusals: [string, (client: Client) => unknown, string][] = [
    ['says no', () => false, 'refused owner/refusal/accepted'],
    ['says no later', async () => false, 'refused owner/refusal/accepted'],
    [
      'throws',
      () => {
        throw Object.assign(new Error('no'), { code: 'NOT_YOU' });
      },
      'refused owner/error/accepted/NOT_YOU',
    ],
    ['rejects', () => Promise.reject(new TypeError('no')), 'refused owner/error/accepted/TypeError'],
    ['never answers', () => new Promise(() => {}), 'refused library/timeout/accepted/acceptTimeout'],
  ];

  test.each(refusals)('a hook that %s', async (_what, admit, expected) => {
    const asked = gate<Client>();
    const dropped = vi.fn();
    const released = vi.fn();
    const contexts: AbortSignal[] = [];
    const listener = makeListener({
      acceptTimeout: 60,
      admit: (client, { signal }) => {
        contexts.push(signal);
        client.on('dropped', dropped).on('released', released);
        asked.open(client);
        return admit(client);
      },
    });
    const told = vi.fn();
    listener.on('client', told);
    const reader = new Reader(bench.dialing((await listener.start()) as Where));
    const client = await within(1_000, 'a client', asked.promise);
    expect(how(await within(1_000, 'the refusal', client.closed))).toBe(expected);
    expect(await reader.ends()).toBe('reset');
    expect(told).not.toHaveBeenCalled();
    expect(dropped).not.toHaveBeenCalled();
    expect(released).toHaveBeenCalledTimes(1);
    expect(listener.clients.size).toBe(0);
    if (expected.includes('acceptTimeout')) expect(contexts[0]?.aborted).toBe(true);
  });

  test.each([undefined, true, null, 0, 'no'])('a hook that answers %s admits', async (answer) => {
    const listener = makeListener({ admit: () => answer });
    const admitted = gate<Client>();
    listener.on('client', (client) => admitted.open(client));
    await bench.dial((await listener.start()) as Where);
    expect((await within(1_000, 'the client', admitted.promise)).state).toBe('live.established.open');
  });

  test('its bytes are unread until then, and none is lost', async () => {
    const decided = gate<boolean>();
    const listener = makeListener({ admit: () => decided.promise });
    const read = gate<string>();
    listener.on('client', ({ socket }) => {
      const reader = new Reader(socket);
      void reader.ends().then(() => read.open(reader.text));
    });
    const socket = await bench.dial((await listener.start()) as Where);
    socket.end('early bytes');
    const client = await clientOf(listener);
    await turns();
    expect(client.socket.bytesRead).toBe(0);
    decided.open(true);
    expect(await read.promise).toBe('early bytes');
  });

  test('a hook that answers after the client is closed says nothing any more', async () => {
    const decided = gate<boolean>();
    const listener = makeListener({ admit: () => decided.promise });
    const told = vi.fn();
    listener.on('client', told);
    const socket = await bench.dial((await listener.start()) as Where);
    const client = await clientOf(listener);
    socket.resume();
    socket.on('end', () => socket.end());
    expect(how(await client.close())).toBe('closed owner/close/accepted');
    decided.open(true);
    await turns();
    expect(told).not.toHaveBeenCalled();
  });
});

describe('suspend and resume', () => {
  test('on the port that it had', async () => {
    const listener = makeListener({});
    const bound: unknown[] = [];
    listener.on('listening', (address) => bound.push(address));
    const address = (await listener.start()) as { port: number };
    await bench.dial(address);
    await clientOf(listener);
    listener.suspend();
    const refused = bench.dialing(address);
    await once(refused, 'error');
    listener.resume();
    await until('it to listen', () => listener.matches('serving.listening'));
    expect(bound).toEqual([address, address]);
    await bench.dial(address);
    await until('both', () => listener.clients.size === 2);
  });

  test('a resume whose port was taken meanwhile fails, after the last client', async () => {
    const listener = makeListener({});
    const address = (await listener.start()) as { host: string; port: number };
    const socket = await bench.dial(address);
    const client = await clientOf(listener);
    listener.suspend();
    await bench.echo(address);
    listener.resume();
    await until('the failure', () => listener.state === 'failing');
    expect(client.outcome).toBeUndefined();
    client.socket.resume();
    socket.resetAndDestroy();
    const outcome = await within(1_000, 'the end', listener.closed);
    expect(outcome.ending).toBe('failed');
    expect(why(outcome.cause)).toBe('system/error/binding/EADDRINUSE');
  });

  test('before the start and after the end', async () => {
    const listener = makeListener({});
    expect(() => listener.suspend()).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }));
    listener.resume();
    await listener.start();
    await listener.close();
    await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(() => listener.suspend()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
  });

  test('start during the drain', async () => {
    const listener = makeListener({});
    const socket = await bench.dial((await listener.start()) as Where);
    const client = await clientOf(listener);
    const closing = listener.close({ timeoutMs: 5_000 });
    await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    client.socket.resume();
    socket.resetAndDestroy();
    await closing;
  });
});

test('an accept that fails is told, and the listener listens on', async () => {
  const server = createServer();
  const listener = makeListener({ ...LOOPBACK, server });
  await listener.start();
  const warned = new Promise((resolve) => listener.once('warning', resolve));
  server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  expect(await warned).toMatchObject({ cause: { initiator: 'system', phase: 'listening', code: 'EMFILE' } });
  expect(listener.state).toBe('serving.listening.accepting');
});
