/** Options that cannot be right are refused at the call, by name, and nothing is opened. */

import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { adoptClient, createBackend, createListener, createProxy, OptionError, Servers } from '../../src/index.js';
import {
  BACKEND_LIMITS,
  CLIENT_LIMITS,
  LISTENER_LIMITS,
  type Limits,
  PROXY_LIMITS,
  SERVERS_LIMITS,
} from '../../src/machines/limits.js';
import { openSockets, useBench } from '../support/bench.js';
import { LIBRARY, runModule } from '../support/child.js';
import { plainServer } from '../support/peers.js';
import { gate, turns } from '../support/wait.js';

const bench = useBench();

/** What a kind of option refuses. */
const BAD = {
  timeout: [0, -1, Number.NaN, 2 ** 31, '10', null, true, {}],
  wait: [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', null],
  count: [0, -1, 1.5, Number.NaN, '10', null, {}],
  hook: [null, 'f', {}, 1],
  flag: ['yes', 1, null],
  keepAlive: [true, 0, 999, Number.NaN, Number.POSITIVE_INFINITY, '1000', null],
  text: ['', 1, null, {}],
  port: [-1, 65_536, 1.5, Number.NaN, '80', null, Number.POSITIVE_INFINITY],
  signal: [null, {}, 'abort', new AbortController()],
  clock: [null, {}, { now: 1, setTimeout: 1, clearTimeout: 1 }, 'now'],
} as const;

type Table = Readonly<Record<string, readonly unknown[]>>;

/** What each limit of a table refuses. */
const bad = (limits: Limits): Table =>
  Object.fromEntries(
    Object.entries(limits).map(([name, { kind, least }]) => [
      name,
      kind === 'time' ? BAD.timeout : kind === 'wait' ? BAD.wait : BAD.count.filter((value) => value !== least),
    ]),
  );

const CLIENT: Table = {
  admit: BAD.hook,
  ...bad(CLIENT_LIMITS),
};

const HANDLE: Table = { signal: BAD.signal, clock: BAD.clock };

const LIMITS: Table = {
  ...bad(LISTENER_LIMITS),
  noDelay: BAD.flag,
  keepAlive: BAD.keepAlive,
  ...CLIENT,
};

const LISTENER: Table = {
  port: BAD.port,
  host: BAD.text,
  backlog: [...BAD.count, Number.POSITIVE_INFINITY],
  ipv6Only: BAD.flag,
  ...LIMITS,
  ...HANDLE,
};

const SERVERS: Table = {
  balance: [
    'fastest',
    {},
    null,
    1,
    () => {},
    { choose: () => undefined, changed: true },
    { choose: () => undefined, connected: 1 },
  ],
  backoff: [null, 1, [], { initialMs: 0 }, { factor: 0.5 }, { maxMs: 5 }, { jitter: 2 }, { jitter: -1 }, { max: 1 }],
  retryBudget: [null, 1, { ratio: -1 }, { perSecond: Number.NaN }, { burst: 0 }, { bursts: 1 }],
  ...bad(SERVERS_LIMITS),
  isPermanent: BAD.hook,
  random: BAD.hook,
  clock: BAD.clock,
};

const SOCKET: Table = { noDelay: BAD.flag, keepAlive: BAD.keepAlive };

const BACKEND: Table = {
  servers: [undefined, null, [], {}, 'host:1', 1, [null], [1], [{}]],
  persistent: BAD.flag,
  reconnect: ['never', null, true],
  whenExhausted: ['rest', null, true],
  prepare: BAD.hook,
  repair: BAD.hook,
  ...bad(BACKEND_LIMITS),
  ...SOCKET,
  ...SERVERS,
  ...HANDLE,
};

const PROXY: Table = {
  listen: [null, [], [null], 80, [80], [{}], {}],
  servers: [undefined, [], {}],
  backends: [null, {}, [1], [{}], [undefined]],
  ...LIMITS,
  ...bad(PROXY_LIMITS),
  ...SERVERS,
  ...HANDLE,
};

const SERVER: Table = {
  host: BAD.text,
  port: [...BAD.port, 0],
  connectionsMax: BAD.count,
  weight: [-1, 257, 0.5, Number.NaN, '1', null],
  connect: BAD.hook,
};

const show = (value: unknown): string =>
  typeof value === 'number' || value === undefined ? String(value) : (JSON.stringify(value) ?? String(value));

const cases = (table: Table): [string, string, unknown][] =>
  Object.entries(table).flatMap(([name, values]) =>
    values.map((value): [string, string, unknown] => [name, show(value), value]),
  );

/** Calls and checks what is thrown: the name, the value, and a sentence that says what would be right. */
function expectRefusal(call: () => unknown, name: string, value: unknown): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `${name}: ${show(value)} is accepted`).toBeDefined();
  expect(thrown).toBeInstanceOf(OptionError);
  const { code, message, option } = thrown as OptionError;
  expect(code).toBe('ERR_INVALID_OPTION');
  // A list or an object may be refused for something in it: `servers[0]`, `backoff.jitter`.
  expect(option.startsWith(name) || (typeof value === 'object' && value !== null && option in value), option).toBe(
    true,
  );
  if (option === name) expect((thrown as OptionError).value).toBe(value);
  expect(message).toMatch(/^Option ".+" must be .+; it is .+\.$/);
  expect(message).toContain(`"${option}"`);
}

describe('createBackend', () => {
  test.each(cases(BACKEND))('%s: %s', (name, _shown, value) => {
    const options = { servers: [{ port: 1 }], [name]: value } as never;
    expectRefusal(() => createBackend(options), name, value);
  });

  test.each(cases(SERVER))('servers[0].%s: %s', (name, _shown, value) => {
    const servers = [{ port: 1, [name]: value }] as never;
    let option: unknown;
    expect(() => {
      try {
        createBackend({ servers });
      } catch (error) {
        option = (error as OptionError).option;
        throw error;
      }
    }).toThrow(OptionError);
    expect(option).toBe(`servers[0].${name}`);
  });

  test('a server with both a port and a path, or neither', () => {
    expectRefusal(() => createBackend({ servers: [{ port: 1, path: '/x' }] }), 'servers[0].path', '/x');
    expectRefusal(() => createBackend({ servers: [{ port: 1 }, { host: 'a' }] }), 'servers[1].port', undefined);
    expectRefusal(() => createBackend({ servers: [{ path: '' }] }), 'servers[0].path', '');
  });

  test('what belongs to shared servers is refused beside them', () => {
    const servers = new Servers([{ port: 1 }]);
    for (const name of ['balance', 'backoff', 'retryBudget', 'downFor', 'isPermanent', 'random']) {
      const value = { balance: 'inOrder', backoff: {}, retryBudget: {}, downFor: 5 }[name] ?? (() => 0);
      expectRefusal(() => createBackend({ servers, [name]: value }), name, value);
    }
  });

  test('the options of waits', async () => {
    const backend = bench.keep(createBackend({ servers: [{ port: 1 }], clock: bench.clock }));
    for (const value of [0, -1, 1.5, Number.NaN, '1']) {
      expect(() => void backend.ready({ failuresMax: value as number })).toThrow(OptionError);
    }
    expect(() => void backend.ready({ signal: {} as AbortSignal })).toThrow(OptionError);
    expect(() => void backend.connect({ failuresMax: 0 })).toThrow(OptionError);
    // A call that is refused changes nothing.
    expect(backend.state).toBe('idle');
  });
});

describe('createListener', () => {
  test.each(cases(LISTENER))('%s: %s', (name, _shown, value) => {
    const options = { port: 0, [name]: value } as never;
    expectRefusal(() => createListener(options), name, value);
  });

  test('where to listen', async () => {
    expectRefusal(() => createListener({}), 'port', undefined);
    expectRefusal(() => createListener({ host: 'localhost' }), 'port', undefined);
    expectRefusal(() => createListener({ port: 0, path: '/x' }), 'path', '/x');
    expectRefusal(() => createListener({ port: 0, fd: 3 }), 'fd', 3);
    expectRefusal(() => createListener({ path: '' }), 'path', '');
    const long = `/${'x'.repeat(150)}`;
    expectRefusal(() => createListener({ path: long }), 'path', long);
    for (const fd of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3']) {
      expectRefusal(() => createListener({ fd: fd as number }), 'fd', fd);
    }
    for (const server of [null, {}, 'server']) {
      expectRefusal(() => createListener({ port: 0, server: server as never }), 'server', server);
    }
    expectRefusal(() => createListener({ server: createServer() }), 'port', undefined);
    const listening = await bench.echo();
    expectRefusal(() => createListener({ server: listening.server, port: 1 }), 'port', 1);
  });
});

describe('adoptClient', () => {
  test.each(cases({ ...CLIENT, ...HANDLE }))('%s: %s', async (name, _shown, value) => {
    const accepted = gate<Socket>();
    const server = await bench.peer(plainServer((socket) => accepted.open(socket)));
    await bench.dial(server.at);
    const socket = await accepted.promise;
    const listeners = socket.eventNames().map((event) => socket.listenerCount(event as 'close'));
    expectRefusal(() => adoptClient(socket, { [name]: value } as never), name, value);
    // The socket is as it was.
    expect(socket.eventNames().map((event) => socket.listenerCount(event as 'close'))).toEqual(listeners);
  });

  test.each([undefined, null, {}, 1])('no socket: %s', (socket) => {
    expectRefusal(() => adoptClient(socket as unknown as Socket), 'socket', socket);
  });
});

describe('createProxy', () => {
  test.each(cases(PROXY))('%s: %s', (name, _shown, value) => {
    const options = { listen: { port: 0 }, servers: [{ port: 1 }], [name]: value } as never;
    expectRefusal(() => createProxy(options), name, value);
  });

  test('a bad place among several is named by its number', () => {
    const servers = [{ port: 1 }];
    expectRefusal(() => createProxy({ listen: [{ port: 0 }, { port: -1 }], servers }), 'listen[1].port', -1);
    expectRefusal(() => createProxy({ listen: [{ port: 0, hosts: 'x' } as never], servers }), 'listen[0].hosts', 'x');
    expectRefusal(() => createProxy({ listen: { port: 70_000 }, servers }), 'listen[0].port', 70_000);
  });
});

describe('Servers', () => {
  test.each(cases(SERVERS))('%s: %s', (name, _shown, value) => {
    expectRefusal(() => new Servers([{ port: 1 }], { [name]: value } as never), name, value);
  });
});

describe('no options at all', () => {
  const factories: [string, (options: never) => unknown][] = [
    ['createBackend', createBackend],
    ['createListener', createListener],
    ['createProxy', createProxy],
  ];

  test.each(factories)('%s', (name, factory) => {
    for (const options of [undefined, null, 1, 'options', []]) {
      expectRefusal(() => factory(options as never), name, options);
    }
  });
});

describe('a misspelt option', () => {
  const misspelt: [string, string, () => unknown][] = [
    ['conectTimeout', 'connectTimeout', () => createBackend({ servers: [{ port: 1 }], conectTimeout: 5 } as never)],
    ['connecttimeout', 'connectTimeout', () => createBackend({ servers: [{ port: 1 }], connecttimeout: 5 } as never)],
    ['maxClient', '', () => createListener({ port: 0, maxClient: 5 } as never)],
    ['clientMax', 'clientsMax', () => createListener({ port: 0, clientMax: 5 } as never)],
    ['acceptTimout', 'acceptTimeout', () => createListener({ port: 0, acceptTimout: 5 } as never)],
    [
      'idleTimeOut',
      'idleTimeout',
      () => createProxy({ listen: { port: 0 }, servers: [{ port: 1 }], idleTimeOut: 5 } as never),
    ],
    ['server', 'servers', () => createProxy({ listen: { port: 0 }, server: [{ port: 1 }] } as never)],
    ['servers[0].hots', 'host', () => createBackend({ servers: [{ port: 1, hots: 'a' } as never] })],
    [
      'backoff.initialMS',
      'initialMs',
      () => createBackend({ servers: [{ port: 1 }], backoff: { initialMS: 5 } as never }),
    ],
    [
      'retryBudget.persecond',
      'perSecond',
      () => new Servers([{ port: 1 }], { retryBudget: { persecond: 5 } as never }),
    ],
    ['downfor', 'downFor', () => new Servers([{ port: 1 }], { downfor: 5 } as never)],
  ];

  test.each(misspelt)('%s is not %s', (name, right, call) => {
    let message = '';
    try {
      call();
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
      expect((error as OptionError).option).toBe(name);
      ({ message } = error as OptionError);
    }
    if (right === '') expect(message).toContain('one that createListener knows: host, port');
    else expect(message).toContain(`left out or spelt "${right}"`);
  });

  test.each<[string, RegExp, () => unknown]>([
    ['onError', /given in "ejection"/, () => new Servers([{ port: 1 }], { onError: 'failCheck' } as never)],
    ['connectionsMax', /for each server/, () => createProxy({ servers: [{ port: 1 }], connectionsMax: 5 } as never)],
    ['servers[0].slowStart', /for all servers of a set/, () => new Servers([{ port: 1, slowStart: 5 } as never])],
    ['servers[0].maxconn', /called "connectionsMax"/, () => new Servers([{ port: 1, maxconn: 5 } as never])],
    ['checks.inter', /called "interval"/, () => new Servers([{ port: 1 }], { checks: { inter: 5 } as never })],
    ['slowStart', /whole number/, () => new Servers([{ port: 1 }], { slowStart: '10s' as never })],
  ])('%s in a wrong place, or in other words, is told where it belongs', (option, right, call) => {
    expect(call).toThrow(
      expect.objectContaining({ name: 'OptionError', option, message: expect.stringMatching(right) }),
    );
  });

  test('of a close is refused too', async () => {
    const backend = bench.keep(createBackend({ servers: [{ port: 1 }], clock: bench.clock }));
    expect(() => void backend.close({ timeout: 5 } as never)).toThrow(OptionError);
    expect(() => void backend.ready({ failureMax: 5 } as never)).toThrow(OptionError);
    expect(backend.state).toBe('idle');
  });
});

test('false and Infinity turn a wait off', async () => {
  const server = await bench.echo();
  const backend = bench.keep(
    createBackend({
      servers: [server.at],
      connectTimeout: false,
      stableAfter: Number.POSITIVE_INFINITY,
      attemptsMax: Number.POSITIVE_INFINITY,
      clock: bench.clock,
    }),
  );
  void backend.connect();
  expect(backend.timers()).toEqual([]);
  await backend.ready();
  expect(backend.timers()).toEqual([]);
});

test('nothing is opened by a call that is refused, nor by one that is not started', async () => {
  const before = openSockets();
  const server = await bench.echo();
  const { at } = server;
  const opened = openSockets();
  expect(opened).toBe(before + 1);
  expect(() => createProxy({ listen: { port: 0 }, servers: [at], idleTimeout: -1 })).toThrow(OptionError);
  bench.keep(createProxy({ listen: { port: 0 }, servers: [at], clock: bench.clock }));
  bench.keep(createListener({ port: 0, clock: bench.clock }));
  bench.keep(createBackend({ servers: [at], clock: bench.clock }));
  await turns();
  expect(openSockets()).toBe(opened);
  expect(server.accepted).toBe(0);
});

describe('unref() lets a program exit', () => {
  const programs: [string, string][] = [
    [
      'with an established backend',
      `
        const server = createServer((socket) => socket.unref()).listen(0, '127.0.0.1').unref();
        await new Promise((resolve) => server.on('listening', resolve));
        const backend = createBackend({ servers: [{ port: server.address().port }] });
        await backend.connect();
        backend.unref();
      `,
    ],
    [
      'with a backend that backs off',
      `
        const backend = createBackend({ servers: [{ port: 1 }], backoff: { initialMs: 60_000, maxMs: 60_000 } });
        backend.connect();
        await new Promise((resolve) => backend.on('retry', resolve));
        backend.unref();
      `,
    ],
    [
      'with a backend that is made for it',
      `
        const server = createServer((socket) => socket.unref()).listen(0, '127.0.0.1').unref();
        await new Promise((resolve) => server.on('listening', resolve));
        const backend = createBackend({ servers: [{ port: server.address().port }] }).unref();
        backend.connect();
      `,
    ],
    [
      'with a listener and its client',
      `
        const listener = createListener({ host: '127.0.0.1', port: 0 });
        const { port } = await listener.start();
        const peer = connect({ port, host: '127.0.0.1' });
        await new Promise((resolve) => listener.on('client', resolve));
        peer.unref();
        listener.unref();
      `,
    ],
    [
      'with a proxy and its session',
      `
        const server = createServer((socket) => socket.unref()).listen(0, '127.0.0.1').unref();
        await new Promise((resolve) => server.on('listening', resolve));
        const proxy = createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers: [{ port: server.address().port }] });
        await proxy.start();
        const peer = connect({ port: proxy.addresses[0].port, host: '127.0.0.1' });
        await new Promise((resolve) => proxy.on('established', resolve));
        peer.unref();
        proxy.unref();
      `,
    ],
    [
      'with a session that comes later',
      `
        const server = createServer((socket) => socket.unref()).listen(0, '127.0.0.1').unref();
        await new Promise((resolve) => server.on('listening', resolve));
        const proxy = createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers: [{ port: server.address().port }] });
        await proxy.start();
        proxy.unref();
        const peer = connect({ port: proxy.addresses[0].port, host: '127.0.0.1' });
        await new Promise((resolve) => proxy.on('established', resolve));
        peer.unref();
      `,
    ],
  ];

  test.each(programs)('%s', async (_what, source) => {
    const { code, out } = await runModule(`
      import { connect, createServer } from 'node:net';
      import { createBackend, createListener, createProxy } from '${LIBRARY}';
      ${source}
      console.log('last line');
    `);
    expect(out).toBe('last line\n');
    expect(code).toBe(0);
  });
});
