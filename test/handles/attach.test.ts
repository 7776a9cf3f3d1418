/** A machine of a reader's own on real sockets: `attach`. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { assign, emit, setup } from 'xstate';
import type { SocketUse } from '../../src/adapters/attach.js';
import { type Attached, type AttachOptions, attach } from '../../src/index.js';
import { compile, interpret } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { CERTIFICATE } from '../support/peers.js';

const servers: Server[] = [];
const peers: Socket[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of peers.splice(0)) socket.destroy();
  vi.useRealTimers();
});

/** A server, and its side of the next connection. */
async function listening(server: Server = createServer()): Promise<{ port: number; next: () => Promise<Socket> }> {
  servers.push(server);
  const keep = (socket: Socket): void => {
    socket.on('error', () => {});
    peers.push(socket);
  };
  server.on('connection', keep).on('secureConnection', keep);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    next: async () => (await once(server, 'connection'))[0] as Socket,
  };
}

/** It notes what happens to its socket, and does what it is told to. */
const logMachine = setup({
  types: {} as {
    context: { log: readonly string[] };
    events: { type: 'heard'; what: string } | { type: 'open' | 'end' | 'reset' | 'destroy' | 'stop' };
    emitted: { type: 'socket.open' | 'socket.end' | 'socket.reset' | 'socket.destroy' };
    output: readonly string[];
  },
  actions: {
    open: emit({ type: 'socket.open' }),
    end: emit({ type: 'socket.end' }),
    reset: emit({ type: 'socket.reset' }),
    destroy: emit({ type: 'socket.destroy' }),
  },
}).createMachine({
  id: 'log',
  context: { log: [] },
  initial: 'on',
  states: {
    on: {
      on: {
        heard: { actions: assign({ log: ({ context, event }) => [...context.log, event.what] }) },
        open: { actions: 'open' },
        end: { actions: 'end' },
        reset: { actions: 'reset' },
        destroy: { actions: 'destroy' },
        stop: { target: 'off' },
      },
    },
    off: { type: 'final' },
  },
  output: ({ context }) => context.log,
});

type Tables = AttachOptions<typeof logMachine>;

const heard = (what: string) => ({ type: 'heard', what }) as const;

const TABLES: Tables = {
  events: {
    connected: () => heard('connected'),
    data: (chunk) => heard(`data ${chunk}`),
    ended: () => heard('ended'),
    finished: () => heard('finished'),
    failed: ({ manner, code }) => heard(`failed ${manner} ${code}`),
    closed: () => heard('closed'),
  },
  commands: { 'socket.open': 'open', 'socket.end': 'end', 'socket.reset': 'reset', 'socket.destroy': 'destroy' },
};

describe.each([
  ['compiled', compile(logMachine)],
  ['on an actor', interpret(logMachine)],
])('%s', (name, machine) => {
  const attached = (socket: Socket | (() => Socket) | undefined, commands: Partial<Tables['commands']> = {}) => {
    const made = attach(socket, machine, { ...TABLES, commands: { ...TABLES.commands, ...commands } });
    const log = (): readonly string[] => (made.instance.context as { log: readonly string[] }).log;
    /** Once it has noted this. */
    const until = (what: string): Promise<readonly string[]> => vi.waitUntil(() => log().includes(what) && log());
    return {
      ...{ made, log, until },
      send: (type: 'open' | 'end' | 'reset' | 'destroy' | 'stop') => made.instance.send({ type }),
    };
  };

  test('what the socket reports becomes events, and what is commanded is done', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const { made, until, send } = attached(connect(port, '127.0.0.1'));
    const peer = await accepted;
    await until('connected');
    peer.write('hello');
    await until('data hello');
    send('end');
    await until('finished');
    peer.end();
    peer.resume();
    await until('closed');
    send('stop');
    expect(await made.closed).toEqual(['connected', 'data hello', 'finished', 'ended', 'closed']);
    expect(made).toMatchObject({ isOver: true, isLeaky: false, socket: undefined, state: 'off' });
  });

  test('a refusal is told with its code, and crashes nothing', async () => {
    const { port } = await listening();
    servers.pop()?.close();
    const { until, log } = attached(connect(port, '127.0.0.1'));
    await until('closed');
    expect(log()).toEqual(['failed refusal ECONNREFUSED', 'closed']);
  });

  test('a reset of the peer is told', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const { until, log } = attached(connect(port, '127.0.0.1'));
    await until('connected');
    (await accepted).resetAndDestroy();
    await until('closed');
    expect(log()).toEqual(['connected', 'failed reset ECONNRESET', 'closed']);
  });

  test('TLS has connected once it has shaken hands', async () => {
    const { port } = await listening(createTlsServer({ ...CERTIFICATE }));
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    const { until, send } = attached(socket);
    await until('connected');
    expect(socket.getProtocol()).toMatch(/^TLS/);
    send('destroy');
    await until('closed');
  });

  test('what happened before it was given is told', async () => {
    const { port } = await listening();
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const { log, until, send, made } = attached(socket);
    expect(log()).toEqual(['connected']);
    send('destroy');
    await until('closed');
    expect(made.socket).toBeUndefined();
    expect(attached(socket).log()).toEqual(['closed']);
  });

  test('sockets that it opens come one after the other, and a close is the last that is told of one', async () => {
    const { port, next } = await listening();
    const sockets: Socket[] = [];
    const { until, log, send, made } = attached(() => {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      return socket;
    });
    expect(made.socket).toBeUndefined();
    for (const command of ['end', 'reset', 'destroy'] as const) send(command);
    send('open');
    await until('connected');
    send('destroy');
    await until('closed');
    const accepted = next();
    send('open');
    await accepted;
    await vi.waitUntil(() => log().length === 3);
    sockets[0]?.emit('data', Buffer.from('late'));
    sockets[0]?.emit('error', new Error('late'));
    expect(log()).toEqual(['connected', 'closed', 'connected']);
    expect(made.socket).toBe(sockets[1]);
    send('reset');
    await vi.waitUntil(() => made.socket === undefined);
  });

  test('a socket that a command opens, at once or later, is its own', async () => {
    const { port, next } = await listening();
    const dial = () => connect(port, '127.0.0.1');
    const open = vi
      .fn<(command: object, made: Attached<typeof logMachine>) => unknown>()
      .mockImplementationOnce((_, made) => made.use(dial()))
      .mockImplementationOnce(async (_, made) => {
        const socket = dial();
        await once(socket, 'connect');
        made.use(socket);
      });
    const { until, log, send, made } = attached(undefined, { 'socket.open': open });
    expect(made.socket).toBeUndefined();
    const accepted = next();
    send('open');
    await until('connected');
    (await accepted).write('hello');
    await until('data hello');
    expect(made.isLeaky).toBe(false);
    send('destroy');
    await until('closed');
    send('open');
    await vi.waitUntil(() => log().length === 4);
    send('reset');
    await vi.waitUntil(() => made.socket === undefined);
    expect(log()).toEqual(['connected', 'data hello', 'closed', 'connected', 'closed']);
    send('stop');
    expect(await made.closed).toHaveLength(5);
  });

  test('a socket that it is given once it has ended is destroyed, and one that it cannot take is refused', async () => {
    const { port } = await listening();
    const socket = connect(port, '127.0.0.1');
    const { send, made, log } = attached(undefined);
    const other = attached(socket);
    expect(() => made.use(socket)).toThrow(/"socket" must be one that no handle has/);
    expect(() => made.use({} as Socket)).toThrow(/"socket" must be a socket; it is an object/);
    expect(() => other.made.use(connect(port, '127.0.0.1').destroy())).toThrow(/though its last one is open/);
    made.use(connect(port, '127.0.0.1').destroy());
    expect(log()).toEqual([expect.stringMatching('failed .* ERR_SOCKET_CLOSED'), 'closed']);
    send('stop');
    const late = connect(port, '127.0.0.1');
    made.use(late);
    expect([late.destroyed, made.socket, made.isLeaky]).toEqual([true, undefined, false]);
    other.send('destroy');
    await other.until('closed');
  });

  test('a command that throws does not count as one that opens what comes later', () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const { made, send } = attached(undefined, {
      'socket.reset': () => {
        throw new Error('wrong');
      },
    });
    send('reset');
    expect(() => vi.runAllTimers()).toThrow('wrong');
    made.use(new Socket());
    expect((made as unknown as SocketUse).entryOf('socket.reset')).toBeTypeOf('function');
    made.abort();
  });

  test('an opening that throws has failed, and closed', () => {
    const { log, send } = attached(() => {
      throw Object.assign(new Error('no such port'), { code: 'E_PORT' });
    });
    send('open');
    expect(log()).toEqual([expect.stringContaining('E_PORT'), 'closed']);
  });

  test('what the machine leaves open when it ends is reset, and told', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const { made, until, send } = attached(connect(port, '127.0.0.1'));
    const peer = await accepted;
    await until('connected');
    const reset = once(peer, 'error');
    peer.resume();
    send('stop');
    expect(made).toMatchObject({ isOver: true, isLeaky: true });
    expect(await made.closed).toEqual(['connected']);
    expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test.each(['TCP', 'TLS'])('what was ended before is delivered whole, over %s', async (over) => {
    const isTls = over === 'TLS';
    const { port } = await listening(isTls ? createTlsServer({ ...CERTIFICATE }) : createServer());
    const accepted = once(servers.at(-1) as Server, isTls ? 'secureConnection' : 'connection');
    const where = { port, host: '127.0.0.1', rejectUnauthorized: false };
    const socket = isTls ? connectTls(where) : connect(where);
    const { made, until, send } = attached(socket);
    const [peer] = (await accepted) as [Socket];
    await until('connected');
    const bytes = 8_000_000;
    socket.write(Buffer.alloc(bytes));
    send('end');
    send('stop');
    let arrived = 0;
    for await (const chunk of peer) arrived += chunk.length;
    expect(arrived).toBe(bytes);
    await made.closed;
    expect(made.isLeaky).toBe(false);
  });

  test.each(['reset', 'destroy'] as const)(
    'a %s over TLS is no socket that was left open, and another one may follow',
    async (move) => {
      const { port } = await listening(createTlsServer({ ...CERTIFICATE }));
      const { made, log, send } = attached(() =>
        connectTls({ socket: connect(port, '127.0.0.1'), rejectUnauthorized: false }),
      );
      const connected = (): number => log().filter((line) => line === 'connected').length;
      send('open');
      await vi.waitUntil(() => connected() === 1);
      send(move);
      send('open');
      await vi.waitUntil(() => connected() === 2);
      send(move);
      send('stop');
      expect(made).toMatchObject({ isOver: true, isLeaky: false });
      await made.closed;
      expect(made.socket).toBeUndefined();
    },
  );

  test('what was ended before, and is not read, is reset in the end', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const clock = new ManualClock();
    const made = attach(connect(port, '127.0.0.1'), machine, { ...TABLES, clock });
    const peer = (await accepted).pause();
    await vi.waitUntil(() => (made.instance.context as { log: string[] }).log.includes('connected'));
    made.socket?.write(Buffer.alloc(50_000_000));
    made.instance.send({ type: 'end' });
    made.instance.send({ type: 'stop' });
    expect(made).toMatchObject({ isOver: true, isLeaky: false });
    expect(made.socket).toBeDefined();
    clock.advance(30_000);
    await made.closed;
    expect([made.socket, clock.pending]).toEqual([undefined, 0]);
    peer.destroy();
  });

  test('commands of its start are for the socket that it was given', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const socket = connect(port, '127.0.0.1');
    const peer = await accepted;
    await vi.waitUntil(() => !socket.connecting);
    const starting = setup({
      types: {} as { events: { type: 'closed' }; emitted: { type: 'greet' | 'end' } },
      actions: { greet: emit({ type: 'greet' }), end: emit({ type: 'end' }) },
    }).createMachine({
      id: 'starting',
      initial: 'on',
      states: { on: { entry: ['greet', 'end'], on: { closed: 'off' } }, off: { type: 'final' } },
    });
    const runnable = name === 'compiled' ? compile(starting) : interpret(starting);
    const made = attach(socket, runnable, {
      events: { closed: () => ({ type: 'closed' }) },
      commands: { greet: (_command, { socket: own }) => own?.write('hello'), end: 'end' },
    });
    let got = '';
    for await (const chunk of peer) got += chunk;
    expect(got).toBe('hello');
    peer.end();
    await made.closed;
  });

  test('a socket that connects again is heard once each time', async () => {
    const { port } = await listening(createServer((peer) => peer.write('hi')));
    const socket = connect(port, '127.0.0.1');
    let times = 0;
    const { log, send, made } = attached(() => (times++ === 0 ? socket : socket.connect(port, '127.0.0.1')));
    for (const round of [1, 2, 3]) {
      send('open');
      await vi.waitUntil(() => log().filter((line) => line === 'data hi').length === round);
      send('destroy');
      await vi.waitUntil(() => made.socket === undefined);
    }
    const once = ['connected', 'data hi', 'closed'];
    expect(log()).toEqual([...once, ...once, ...once]);
  });

  test('a socket may be destroyed and another one opened in one step', async () => {
    const { port } = await listening();
    const { log, send, until } = attached(() => connect(port, '127.0.0.1'));
    send('open');
    await until('connected');
    send('destroy');
    send('open');
    await vi.waitUntil(() => log().length === 2);
    send('destroy');
    await until('closed');
    expect(log()).toEqual(['connected', 'connected', 'closed']);
  });

  test('a socket of another handle is refused, also where it is opened', async () => {
    const { port } = await listening();
    const socket = connect(port, '127.0.0.1');
    const first = attached(socket);
    await first.until('connected');
    const second = attached(() => socket);
    second.send('open');
    expect(second.log()).toEqual([expect.stringContaining('failed'), 'closed']);
    expect(first.made.socket).toBe(socket);
    first.send('destroy');
    await first.until('closed');
  });

  test('a socket that connects later has connected then, and one that has ended says so', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const later = new Socket();
    const { log, until, send } = attached(() => later);
    send('open');
    expect(log()).toEqual([]);
    later.connect(port, '127.0.0.1');
    await until('connected');
    (await accepted).end();
    await until('ended');
    send('destroy');
    await until('closed');
    const half = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume();
    (await next()).end();
    await once(half, 'end');
    const ended = attached(half);
    expect(ended.log()).toEqual(['connected', 'ended']);
    ended.send('destroy');
    await ended.until('closed');
  });

  test('an abort ends it without the machine', async () => {
    const { port, next } = await listening();
    const accepted = next();
    const { made, until, log } = attached(connect(port, '127.0.0.1'));
    const peer = await accepted;
    await until('connected');
    const reset = once(peer, 'error');
    peer.resume();
    made.abort();
    expect(await made.closed).toBeUndefined();
    expect([made.isOver, made.state, log()]).toEqual([true, 'on', ['connected']]);
    expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
  });
});

test('a second socket while one is open, and a command without an entry, are errors of the process', async () => {
  const { port } = await listening();
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const opens = attach(() => connect(port, '127.0.0.1'), compile(logMachine), TABLES);
  opens.instance.send({ type: 'open' });
  const first = opens.socket as Socket;
  opens.instance.send({ type: 'open' });
  expect(() => vi.runAllTimers()).toThrow(
    /^log#\d+ opens a socket in "on" though its last one is open: reset or destroy that/,
  );
  expect(opens.socket).toBe(first);
  expect(() => attach(first, compile(logMachine), TABLES)).toThrow(/"socket" must be one that no handle has/);
  const commands = { 'socket.end': 'end' } as unknown as Tables['commands'];
  attach(() => first, compile(logMachine), { ...TABLES, commands }).instance.send({ type: 'reset' });
  expect(() => vi.runAllTimers()).toThrow(
    /an entry for each command of the machine; there are socket.end.*socket.reset/s,
  );
});

describe('options', () => {
  const socket = (): Socket => connect(1, '127.0.0.1');
  const machine = compile(logMachine);
  test.each<[what: string, make: () => unknown, message: RegExp]>([
    [
      'no socket',
      () => attach({} as Socket, machine, TABLES),
      /"socket" must be a socket, a function that opens one, or undefined/,
    ],
    [
      'no machine',
      () => attach(socket, logMachine as never, TABLES),
      /"machine" must be what compile\(\) or interpret\(\)/,
    ],
    ['an unknown option', () => attach(socket, machine, { ...TABLES, event: {} } as never), /event/],
    [
      'an unknown report',
      () => attach(socket, machine, { ...TABLES, events: { conected: 'x' } } as never),
      /conected.*connected/,
    ],
    [
      'a report that is no event',
      () => attach(socket, machine, { ...TABLES, events: { closed: 7 } } as never),
      /"events.closed" must be the type of an event, or a function that makes one/,
    ],
    [
      'an unknown move',
      () => attach(socket, machine, { ...TABLES, commands: { 'socket.open': 'opne' } } as never),
      /"commands\['socket.open'\]" must be one of open, end, reset, destroy, pause, resume, or a function/,
    ],
  ])('%s', (_what, make, message) => {
    expect(make).toThrow(message);
  });
});
