/** What Node's servers emit, in which order. Each situation happens for real, and the model of a listener allows it. */
import { once } from 'node:events';
import { existsSync, linkSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accept, type Happening, NO_SERVER, seenServer } from '../model/accept.js';
import { connectAndResetAtOnce } from '../support/peers.js';
import { recordUncaught } from '../support/record.js';
import { turns, within } from '../support/wait.js';
import { Stage, whereOf } from './stage.js';
import { outcomeOf, read, since, watch, watchServer } from './watch.js';

let stage: Stage;
const traces: Happening[][] = [];
beforeEach(() => {
  stage = new Stage();
});
afterEach(async () => {
  await stage.close();
  for (const trace of traces.splice(0)) accept(seenServer, NO_SERVER, trace);
});

/** A server whose trace is held against the model at the end. */
function makeServer(options: object = {}): Server {
  const server = stage.ownServer(createServer(options));
  const trace: Happening[] = [];
  traces.push(trace);
  server.on('listening', () => trace.push('reported server.listening'));
  server.on('connection', () => trace.push('reported client.arrived'));
  server.on('error', () => trace.push('reported server.failed'));
  // As the library hears it: it also comes when the last socket of an earlier listen dies.
  server.on('close', () => !server.listening && trace.push('reported server.closed'));
  for (const call of ['listen', 'close'] as const) {
    const calls = server[call].bind(server) as (...args: unknown[]) => Server;
    server[call] = (...args: unknown[]) => {
      const result = calls(...args);
      trace.push(`called server.${call}`);
      return result;
    };
  }
  return server;
}

const HOST = '127.0.0.1';
const ANY = { host: HOST, port: 0 };

const happens = (emitter: Server | Socket, event: string): Promise<unknown> =>
  within(5_000, event, new Promise((resolve) => (emitter as Socket).once(event, resolve)));

const dial = (server: Server): Socket => stage.dial('TCP', whereOf(server));

/** A server that has listened, and what it emits from now on. */
async function listening(options: object = {}, where: object = ANY): Promise<{ server: Server; words: string[] }> {
  const server = makeServer(options);
  const words = watchServer(server);
  server.listen(where);
  await happens(server, 'listening');
  return { server, words };
}

async function connected(server: Server): Promise<{ socket: Socket; accepted: Socket }> {
  const arrived = once(server, 'connection') as Promise<[Socket]>;
  const socket = dial(server);
  await happens(socket, 'ready');
  return { socket, accepted: (await arrived)[0] };
}

describe('close()', () => {
  test('with a live connection: it does not listen any more, and closes when that has, before the connection says so', async () => {
    const { server, words } = await listening();
    const { accepted } = await connected(server);
    accepted.on('close', () => words.push('close of the connection'));
    server.close((error) => words.push(`callback ${outcomeOf(error)}`));
    words.push(`listening ${server.listening}`);
    await turns(20);
    words.push('destroy');
    accepted.destroy();
    await happens(accepted, 'close');
    expect(words).toEqual([
      'listening',
      'connection',
      'listening false',
      'destroy',
      'close',
      'callback ok',
      'close of the connection',
    ]);
  });

  test('of a server that does not listen, and a second time: ERR_SERVER_NOT_RUNNING, and it closes again', async () => {
    const words: string[] = [];
    const fresh = makeServer();
    watchServer(fresh, words);
    fresh.close((error) => words.push(`callback ${outcomeOf(error)}`));
    await turns();
    expect(words).toEqual(['close', 'callback ERR_SERVER_NOT_RUNNING']);
    const { server, words: more } = await listening();
    for (const time of ['first', 'second']) server.close((error) => more.push(`${time} ${outcomeOf(error)}`));
    await turns();
    expect(more).toEqual(['listening', 'close', 'first ok', 'second ERR_SERVER_NOT_RUNNING', 'close']);
  });

  test.each([
    ['a host', ANY, 'ERR_SERVER_NOT_RUNNING'],
    ['no host', { port: 0 }, 'ok'],
  ])('right after listen() with %s: it never listens', async (_what, where, outcome) => {
    const server = makeServer();
    const words = watchServer(server);
    server.listen(where);
    server.close((error) => words.push(`callback ${outcomeOf(error)}`));
    await turns(50);
    expect(words).toEqual(['close', `callback ${outcome}`]);
  });

  test('with clients that were not accepted yet: they are reset', async () => {
    const { server } = await listening();
    const socket = dial(server);
    const words = watch(socket);
    // They are in the queue of the system before the server is asked again.
    process.nextTick(() => process.nextTick(() => server.close()));
    await happens(socket, 'close');
    expect(words.at(-2)).toMatch(/^error ECONNRESET (connect|read) @destroyed$/);
  });
});

describe('listen()', () => {
  test('on a port that is taken: an error in the next tick, and the same server may try again', async () => {
    const { server: holder } = await listening();
    const server = makeServer();
    const words = watchServer(server);
    const where = whereOf(holder);
    server.listen(where, () => words.push('callback of the first'));
    words.push('called');
    await happens(server, 'error');
    holder.close();
    await happens(holder, 'close');
    server.listen(where, () => words.push('callback of the second'));
    await happens(server, 'listening');
    expect(words).toEqual([
      'called',
      'error EADDRINUSE listen',
      'listening',
      'callback of the first',
      'callback of the second',
    ]);
  });

  test('twice throws ERR_SERVER_ALREADY_LISTEN', async () => {
    const { server } = await listening();
    expect(() => server.listen(ANY)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
  });

  test('on the path of a server that is gone: EADDRINUSE', async () => {
    const path = stage.path();
    const { server: gone } = await listening({}, { path: `${path}.dying` });
    linkSync(`${path}.dying`, path);
    gone.close();
    await happens(gone, 'close');
    const server = makeServer();
    const words = watchServer(server);
    server.listen({ path });
    await happens(server, 'error');
    expect(words).toEqual(['error EADDRINUSE listen']);
  });

  test(`on a path that is too long: ${since({ 20: 'it is cut', 24: 'EINVAL' })}`, async () => {
    const path = `${stage.path()}${'x'.repeat(150)}`;
    const server = makeServer();
    const words = watchServer(server);
    server.listen({ path });
    await new Promise<void>((resolve) => server.once('listening', resolve).once('error', () => resolve()));
    expect(words).toEqual([since({ 20: 'listening', 24: 'error EINVAL listen' })]);
    expect(existsSync(path)).toBe(false);
  });

  test('a path that a newer server has taken is removed by the close of the older one', async () => {
    const path = stage.path();
    const { server: older } = await listening({}, { path });
    unlinkSync(path);
    await listening({}, { path });
    expect(existsSync(path)).toBe(true);
    older.close();
    await happens(older, 'close');
    expect(existsSync(path)).toBe(false);
  });
});

describe('accepting', () => {
  test('more than maxConnections: drop, and the client is connected, then ended', async () => {
    const { server, words } = await listening();
    server.maxConnections = 1;
    await connected(server);
    const late = dial(server);
    const seen = watch(late);
    late.resume();
    await happens(late, 'end');
    expect(words).toEqual(['listening', 'connection', 'drop']);
    expect(seen).toEqual(['connectionAttempt @opening', 'connect @open', 'ready @open', 'end @writeOnly']);
  });

  test(`with maxConnections 0: ${since({ 20: 'no limit', 22: 'all are dropped' })}`, async () => {
    const { server, words } = await listening();
    server.maxConnections = 0;
    const socket = dial(server);
    socket.resume();
    await happens(socket, 'ready');
    await turns(50);
    expect(words).toEqual(['listening', since({ 20: 'connection', 22: 'drop' })]);
  });

  test.each(['nothing', 'a byte'])(
    'one that is reset already, after %s: it looks open, and has no address',
    async (sent) => {
      const { server, words } = await listening();
      server.on('connection', (socket) => {
        words.push(`${socket.readyState} from ${socket.remoteAddress}`);
        watch(socket, words);
        read(socket, words);
      });
      const closed = new Promise((resolve) => server.on('connection', (socket) => socket.once('close', resolve)));
      await connectAndResetAtOnce((whereOf(server) as { port: number }).port, sent === 'a byte' ? 'x' : undefined);
      await within(5_000, 'its close', closed);
      const lost = ['error ECONNRESET read @destroyed', 'close after error'];
      expect(words).toEqual([
        'listening',
        'connection',
        'open from undefined',
        ...(sent === 'nothing'
          ? lost
          : ['data', ...since({ 20: ['end @writeOnly', 'finish @closed', 'close'], 24: lost })]),
      ]);
    },
  );

  test('one that is reset already, and whose error is listened for too late: uncaught', async () => {
    const uncaught = recordUncaught();
    try {
      const { server } = await listening();
      server.removeAllListeners('connection');
      const arrived = once(server, 'connection') as Promise<[Socket]>;
      const thrown = once(process, 'uncaughtException');
      await connectAndResetAtOnce((whereOf(server) as { port: number }).port);
      const [socket] = await arrived;
      await within(5_000, 'an error that nobody has caught', thrown);
      const late: unknown[] = [];
      socket.on('error', (error) => late.push(error));
      if (!socket.closed) await happens(socket, 'close');
      expect(late).toEqual([]);
      expect(uncaught.errors).toMatchObject([{ code: 'ECONNRESET' }]);
    } finally {
      uncaught.stop();
    }
  });

  test('a handler that throws: uncaught, and its socket stays', async () => {
    const uncaught = recordUncaught();
    try {
      const { server } = await listening();
      server.prependListener('connection', () => {
        throw new Error('mine');
      });
      const socket = dial(server);
      await happens(socket, 'ready');
      await turns(20);
      expect(uncaught.errors).toMatchObject([{ message: 'mine' }]);
      expect(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))).toBe(1);
      expect(socket.readyState).toBe('open');
      socket.destroy();
    } finally {
      uncaught.stop();
    }
  });

  test('pauseOnConnect: a listener for data does not start it, and resume() loses nothing', async () => {
    const { server } = await listening({ pauseOnConnect: true });
    const { socket, accepted } = await connected(server);
    const words: string[] = [];
    accepted.on('data', (bytes) => words.push(`data ${bytes}`));
    socket.write('first');
    await turns(20);
    words.push('resume');
    accepted.resume();
    await happens(accepted, 'data');
    expect(words).toEqual(['resume', 'data first']);
  });
});
