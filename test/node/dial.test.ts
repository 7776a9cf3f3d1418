/**
 * What Node's sockets emit while they connect, in which order, and what the library makes of it. Each situation happens
 * for real: to a bare socket, to one whose reports are held against the model, and to a backend's.
 */
import { once } from 'node:events';
import { linkSync } from 'node:fs';
import { connect, createServer, getDefaultAutoSelectFamilyAttemptTimeout, type LookupFunction, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend } from '../../src/index.js';
import { linkConnecting } from '../../src/sockets/socket.js';
import { accept, type Happening, seenSocket } from '../model/accept.js';
import { NO_SOCKET } from '../model/socket.js';
import { blackhole, refusingPort } from '../support/peers.js';
import { how, recordTransitions, recordUncaught } from '../support/record.js';
import { turns, within } from '../support/wait.js';
import { expectedOver, recorder } from './scene.js';
import { EVERYWHERE, type Over, Stage, unquiet, type Where, whereOf } from './stage.js';
import { outcomeOf, since, watch } from './watch.js';

const HOST = '127.0.0.1';
const NETWORK: readonly Over[] = ['TCP', 'TLS'];
/** More than the queue of a Unix socket takes, by Node's default. */
const CROWD = 600;

interface Attempt {
  readonly over: Over;
  note(word: string): void;
  /** A call by its owner, which belongs into the trace. */
  called(call: 'end' | 'destroy'): void;
}

interface Dialling {
  readonly what: string;
  readonly over?: readonly Over[];
  /** Where to: a server that is there if nothing is said. */
  readonly to?: (stage: Stage, over: Over) => Promise<Where>;
  readonly options?: object;
  /** How, if not just so. */
  readonly dial?: (stage: Stage, over: Over, where: Where) => Socket;
  /** What is done to the socket. */
  act?(socket: Socket, attempt: Attempt): unknown;
  /** The event after which nothing more is awaited; `close` if nothing is said. */
  readonly until?: string | Partial<Record<Over, string>>;
  readonly emits: string | Partial<Record<Over, string>>;
  /** The states of a backend that has it for its only attempt, once it is established, and its outcome. */
  readonly instance: string | Partial<Record<Over, string>>;
}

const UP = { TCP: 'ready', Unix: 'ready', TLS: 'secureConnect' };
const CONNECTED = {
  TCP: 'connectionAttempt @opening, connect @open, ready @open',
  Unix: 'connect @open, ready @open',
  TLS: 'connectionAttempt @opening, connect @open, ready @open, secure @open, secureConnect @open',
};

/** Nobody listens there. */
const nobody = async (stage: Stage, over: Over): Promise<Where> =>
  over === 'Unix' ? { path: stage.path() } : { host: HOST, port: await refusingPort() };

/** A file that a server has left behind. */
async function stale(stage: Stage): Promise<Where> {
  const path = stage.path();
  const server = createServer().listen(`${path}.dying`);
  await once(server, 'listening');
  // Node removes the name that it has bound; the other one stays.
  linkSync(`${path}.dying`, path);
  server.close();
  await once(server, 'close');
  return { path };
}

let hole: Awaited<ReturnType<typeof blackhole>>;
beforeAll(async () => {
  hole = await blackhole();
});
afterAll(() => hole.stop());

/** A port whose queue is full: Linux drops the SYN. */
const silence = async (): Promise<Where> => ({ host: HOST, port: hole.port });

/** A name with these addresses, or with an error for an answer. */
const resolvesTo =
  (...addresses: (string | NodeJS.ErrnoException)[]): LookupFunction =>
  (_name, { all }, answer) => {
    setImmediate(() => {
      const [first] = addresses;
      if (typeof first !== 'string') (answer as (error: unknown) => void)(first);
      else if (all !== true) answer(null, first, 4);
      else
        answer(
          null,
          addresses.map((address) => ({ address: String(address), family: 4 })),
        );
    });
  };
const errorOf = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
const NAMED = { host: 'name.test', servername: 'localhost' };

const REFUSED = 'error ECONNREFUSED connect @destroyed, close after error';
const REFUSAL = 'failed peer/refusal/connecting/ECONNREFUSED';
const DESTROYED = 'failed owner/destroy/connecting';

const ABORTED = 'error ABORT_ERR @destroyed, for mine, close after error';

const noteReason = (socket: Socket, { note }: Attempt): unknown =>
  socket.on('error', ({ cause }) => note(`for ${(cause as Error).message}`));

const diallings: readonly Dialling[] = [
  {
    what: 'by address or path',
    act: (socket, { note }) => note(`${socket.readyState} ${socket.connecting} ${socket.pending}`),
    until: UP,
    emits: {
      TCP: `opening true true, ${CONNECTED.TCP}`,
      Unix: `opening true true, ${CONNECTED.Unix}`,
      TLS: `opening true true, ${CONNECTED.TLS}`,
    },
    instance: 'open',
  },
  {
    what: 'by name',
    over: NETWORK,
    options: { ...NAMED, lookup: resolvesTo(HOST) },
    until: UP,
    emits: { TCP: `lookup @opening, ${CONNECTED.TCP}`, TLS: `lookup @opening, ${CONNECTED.TLS}` },
    instance: 'open',
  },
  {
    what: 'nobody listens',
    over: NETWORK,
    to: nobody,
    emits: `connectionAttempt @opening, connectionAttemptFailed @open, ${REFUSED}`,
    instance: REFUSAL,
  },
  {
    what: 'there is no such path',
    over: ['Unix'],
    to: nobody,
    emits: 'connectionAttemptFailed @open, error ENOENT connect @destroyed, close after error',
    instance: 'failed system/error/connecting/ENOENT',
  },
  {
    what: 'nobody listens on a path that is there',
    over: ['Unix'],
    to: stale,
    emits: `connectionAttemptFailed @open, ${REFUSED}`,
    instance: REFUSAL,
  },
  {
    what: 'more wait on a path than may',
    over: ['Unix'],
    to: async (stage, over) => {
      const server = await stage.serve(over, {}, { path: stage.path() });
      return whereOf(server);
    },
    dial: (stage, over, where) => {
      // In one tick: nobody is accepted meanwhile.
      for (let count = 0; count < CROWD; count++) stage.dial(over, where);
      return stage.dial(over, where);
    },
    emits: 'connectionAttemptFailed @open, error EAGAIN connect @destroyed, close after error',
    instance: 'failed system/error/connecting/EAGAIN',
  },
  {
    what: 'nobody listens on either of two addresses',
    over: NETWORK,
    to: nobody,
    options: { ...NAMED, lookup: resolvesTo(HOST, '127.0.0.2') },
    act: (socket, { note }) =>
      socket.on('error', (error: AggregateError & NodeJS.ErrnoException) => {
        const { name, message, code, syscall, errors } = error;
        note(`${name} "${message}" ${code} ${syscall} ${errors.length}`);
      }),
    emits:
      'lookup @opening, lookup @opening, connectionAttempt @opening, connectionAttemptFailed @opening, ' +
      'connectionAttempt @opening, connectionAttemptFailed @opening, error ECONNREFUSED @destroyed, ' +
      'AggregateError "" ECONNREFUSED undefined 2, close after error',
    instance: REFUSAL,
  },
  {
    what: 'a name that nobody knows',
    over: NETWORK,
    to: nobody,
    options: { ...NAMED, lookup: resolvesTo(errorOf('ENOTFOUND')) },
    emits: 'lookup failed @opening, error ENOTFOUND @destroyed, close after error',
    instance: 'failed system/error/connecting/ENOTFOUND',
  },
  {
    what: 'nothing comes back, and there is a timeout, which destroys nothing',
    over: NETWORK,
    to: silence,
    options: { timeout: 20 },
    act: async (socket, { note, called }) => {
      await once(socket, 'timeout');
      await turns(20);
      note(`destroy @${socket.readyState}`);
      called('destroy');
      socket.destroy();
    },
    emits: 'connectionAttempt @opening, timeout @opening, destroy @opening, close',
    instance: DESTROYED,
  },
  {
    what: 'nothing comes back from the first of two addresses',
    over: NETWORK,
    to: async (stage, over) => {
      await stage.serve(over, {}, { host: '127.0.0.2', port: hole.port });
      return { host: HOST, port: hole.port };
    },
    options: { ...NAMED, lookup: resolvesTo(HOST, '127.0.0.2'), autoSelectFamilyAttemptTimeout: 30 },
    until: UP,
    emits: {
      TCP: `lookup @opening, lookup @opening, connectionAttempt @opening, connectionAttemptTimeout @opening, ${CONNECTED.TCP}`,
      TLS: `lookup @opening, lookup @opening, connectionAttempt @opening, connectionAttemptTimeout @opening, ${CONNECTED.TLS}`,
    },
    instance: 'open',
  },
  ...(['end', 'destroySoon', 'resetAndDestroy'] as const).map(
    (call): Dialling => ({
      what: `${call}() while nothing comes back does nothing`,
      over: ['TCP'],
      to: silence,
      act: async (socket, { note, called }) => {
        if (call === 'end') called('end');
        socket[call]();
        await turns(20);
        note(`destroy @${socket.readyState}`);
        called('destroy');
        socket.destroy();
      },
      emits: 'connectionAttempt @opening, destroy @opening, close',
      instance: DESTROYED,
    }),
  ),
  {
    what: 'destroyed in the same tick',
    act: (socket, { called }) => {
      called('destroy');
      socket.destroy();
    },
    emits: 'close',
    instance: 'failed system/error/command/ERR_SOCKET_CLOSED',
  },
  {
    what: 'destroyed in the same tick, for an error, and then for another',
    act: (socket, { called }) => {
      called('destroy');
      socket.destroy(errorOf('EONE'));
      called('destroy');
      socket.destroy(errorOf('ETWO'));
    },
    emits: 'error EONE @destroyed, close after error',
    instance: 'failed system/error/command/ERR_SOCKET_CLOSED',
  },
  {
    what: 'destroyed in the next tick',
    act: (socket, { called }) =>
      process.nextTick(() => {
        called('destroy');
        socket.destroy();
      }),
    emits: { TCP: 'connectionAttempt @opening, close', Unix: 'close', TLS: 'connectionAttempt @opening, close' },
    instance: DESTROYED,
  },
  {
    what: 'end() while it connects',
    act: (socket, { called }) => {
      called('end');
      socket.end();
    },
    until: { TCP: 'finish', Unix: 'finish', TLS: 'secureConnect' },
    emits: {
      TCP: 'connectionAttempt @opening, connect @readOnly, ready @readOnly, finish @readOnly',
      Unix: 'connect @readOnly, ready @readOnly, finish @readOnly',
      TLS: 'connectionAttempt @opening, connect @readOnly, ready @readOnly, finish @readOnly, secure @readOnly, secureConnect @readOnly',
    },
    instance: 'open, localEnded',
  },
  {
    what: 'resetAndDestroy() while it connects waits for that',
    over: ['TCP'],
    act: (socket, { called }) => {
      socket.resetAndDestroy();
      // Node's own listener comes first.
      socket.prependListener('connect', () => called('destroy'));
    },
    emits: 'connectionAttempt @opening, connect @open, ready @destroyed, close',
    instance: 'open, aborted owner/destroy/established',
  },
  {
    what: 'destroyed by whoever hears first that it is connected',
    act: (socket, { over, called }) =>
      socket.prependListener(over === 'TLS' ? 'secureConnect' : 'connect', () => {
        called('destroy');
        socket.destroy();
      }),
    emits: {
      TCP: 'connectionAttempt @opening, connect @destroyed, ready @destroyed, close',
      Unix: 'connect @destroyed, ready @destroyed, close',
      TLS: 'connectionAttempt @opening, connect @open, ready @open, secure @open, secureConnect @destroyed, close',
    },
    instance: 'open, aborted owner/destroy/established',
  },
  {
    what: 'written to and ended before it is refused',
    over: NETWORK,
    to: nobody,
    act: (socket, { note, called }) => {
      socket.write('x', (error) => note(`written ${outcomeOf(error)}`));
      called('end');
      socket.end((error?: NodeJS.ErrnoException) => note(`ended ${outcomeOf(error)}`));
    },
    emits:
      'connectionAttempt @opening, connectionAttemptFailed @readOnly, error ECONNREFUSED connect @destroyed, ' +
      'close after error, written ERR_SOCKET_CLOSED_BEFORE_CONNECTION, ended ECONNREFUSED',
    instance: REFUSAL,
  },
  {
    what: 'with a signal that is aborted already: it fails, closes, and connects',
    over: ['TCP'],
    options: { signal: AbortSignal.abort() },
    until: 'ready',
    emits: 'error ABORT_ERR @opening, close, connectionAttempt @opening, connect @writeOnly, ready @writeOnly',
    instance: 'failed owner/abort/connecting/ABORT_ERR',
  },
  {
    what: 'with a signal that is aborted while it connects',
    dial: (stage, over, where) => {
      const controller = new AbortController();
      const socket = stage.dial(over, where, { signal: controller.signal });
      process.nextTick(() => controller.abort(new Error('mine')));
      return socket;
    },
    act: noteReason,
    emits: {
      TCP: `connectionAttempt @opening, ${ABORTED}`,
      Unix: ABORTED,
      TLS: `connectionAttempt @opening, ${ABORTED}`,
    },
    instance: 'failed owner/abort/connecting/ABORT_ERR',
  },
  {
    what: 'with a signal that is aborted later',
    dial: (stage, over, where) => {
      const controller = new AbortController();
      const socket = stage.dial(over, where, { signal: controller.signal });
      socket.once(expectedOver(UP, over), () => setImmediate(() => controller.abort(new Error('mine'))));
      return socket;
    },
    act: noteReason,
    emits: {
      TCP: `${CONNECTED.TCP}, ${ABORTED}`,
      Unix: `${CONNECTED.Unix}, ${ABORTED}`,
      TLS: `${CONNECTED.TLS}, ${ABORTED}`,
    },
    instance: 'open, dropped owner/abort/established/ABORT_ERR',
  },
  {
    what: 'no way there',
    over: NETWORK,
    // The broadcast address of loopback.
    to: async () => ({ host: '127.255.255.255', port: 1 }),
    emits: 'connectionAttempt @opening, error ENETUNREACH connect @destroyed, close after error',
    instance: 'failed system/error/connecting/ENETUNREACH',
  },
  {
    what: 'from an address that is not ours',
    over: NETWORK,
    options: { localAddress: '192.0.2.1' },
    emits: 'error EADDRNOTAVAIL bind @destroyed, close after error',
    instance: 'failed system/error/connecting/EADDRNOTAVAIL',
  },
  {
    what: 'to its own port: it talks to itself',
    over: ['TCP'],
    to: nobody,
    dial: (stage, over, where) =>
      stage.dial(over, where, { localAddress: HOST, localPort: (where as { port: number }).port }),
    act: (socket, { note }) => socket.on('ready', () => note(`to itself ${socket.localPort === socket.remotePort}`)),
    until: 'ready',
    emits: `${CONNECTED.TCP}, to itself true`,
    instance: 'open',
  },
];

const dialOf = ({ dial, options }: Dialling, stage: Stage, over: Over, where: Where): Socket =>
  dial === undefined ? stage.dial(over, where, options) : dial(stage, over, where);

const happens = (socket: Socket, event: string): Promise<unknown> =>
  within(5_000, `${event} of a socket`, new Promise((resolve) => socket.once(event, resolve)));

/** What a bare socket emits, or what is reported of it. */
async function dialled(
  dialling: Dialling,
  over: Over,
  mode: 'bare' | 'traced',
  until = expectedOver(dialling.until ?? 'close', over),
): Promise<{ words: string[]; trace: Happening[] }> {
  const stage = new Stage();
  const words: string[] = [];
  const trace: Happening[] = ['called socket.open'];
  try {
    const where = await toWhere(dialling, stage, over);
    const socket = dialOf(dialling, stage, over, where);
    const happened = happens(socket, until);
    if (mode === 'bare') watch(socket, words);
    const acted = dialling.act?.(socket, attemptOf(over, words, trace));
    if (mode === 'traced') linkConnecting(socket, recorder(trace));
    await Promise.all([happened, acted]);
    await turns();
    return { words, trace };
  } finally {
    await stage.close();
  }
}

const toWhere = async ({ to }: Dialling, stage: Stage, over: Over): Promise<Where> =>
  to === undefined ? whereOf(await stage.serve(over)) : to(stage, over);

const attemptOf = (over: Over, words: string[], trace: Happening[]): Attempt => ({
  over,
  note: (word) => void words.push(word),
  called: (call) => void trace.push(`called socket.${call}`),
});

/** What a backend makes of it. */
async function lived(dialling: Dialling, over: Over, ends: boolean): Promise<string> {
  const stage = new Stage();
  const { transitions, stop } = recordTransitions();
  try {
    const where = await toWhere(dialling, stage, over);
    let socket: Socket | undefined;
    let acted: unknown;
    const connect = (): Socket => {
      // From now on its errors are the library's to hear.
      socket = unquiet(dialOf(dialling, stage, over, where));
      acted = dialling.act?.(socket, attemptOf(over, [], []));
      return socket;
    };
    const backend = createBackend({ servers: [{ port: 1, connect }], persistent: false, attemptsMax: 1 });
    void backend.connect();
    const until = happens(socket as unknown as Socket, expectedOver(dialling.until ?? 'close', over));
    until.catch(() => {});
    await within(5_000, 'the end of an instance', ends ? backend.closed : until);
    await acted;
    await turns();
    const { id, outcome } = backend;
    expect(outcome === undefined || socket?.destroyed).toBe(true);
    await backend.abort();
    const states = transitions.flatMap(({ who, to }) => (who === id ? (/established\.(\w+)/.exec(to)?.[1] ?? []) : []));
    return (outcome === undefined ? states : [...states, how(outcome)]).join(', ');
  } finally {
    stop();
    await stage.close();
  }
}

describe.each(EVERYWHERE)('over %s', (over) => {
  const here = diallings.filter((dialling) => (dialling.over ?? EVERYWHERE).includes(over));

  describe('a bare socket emits', () => {
    for (const dialling of here) {
      const expected = expectedOver(dialling.emits, over);
      test(`${dialling.what}: ${expected}`, async () => {
        const { words } = await dialled(dialling, over, 'bare');
        expect(words).toEqual(expected.split(', '));
      });
    }
  });

  describe('a backend makes of it, and the model allows', () => {
    for (const dialling of here) {
      const expected = expectedOver(dialling.instance, over);
      test(`${dialling.what}: ${expected}`, async () => {
        const ends = expected.includes('/');
        expect(await lived(dialling, over, ends)).toBe(expected);
        const { trace } = await dialled(dialling, over, 'traced', ends ? 'close' : undefined);
        accept(seenSocket, NO_SOCKET, trace);
      });
    }
  });
});

describe('a call that is wrong throws at once', () => {
  test.each<[string, () => unknown, string]>([
    ['no port', () => connect({} as never), 'ERR_MISSING_ARGS'],
    ['a port that is none', () => connect({ port: 65_536 }), 'ERR_SOCKET_BAD_PORT'],
    ['from an address that is none', () => connect({ port: 1, localAddress: 'here' }), 'ERR_INVALID_IP_ADDRESS'],
  ])('%s', (_what, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });

  test('resetAndDestroy() of a Unix socket, and of TLS: ERR_INVALID_HANDLE_TYPE', async () => {
    const stage = new Stage();
    try {
      for (const over of ['Unix', 'TLS'] as const) {
        const { dialled, accepted } = await stage.pair(over);
        for (const socket of [dialled, accepted]) {
          expect(() => socket.resetAndDestroy()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_HANDLE_TYPE' }));
          expect(socket.destroyed).toBe(false);
        }
      }
    } finally {
      await stage.close();
    }
  });
});

test('resetAndDestroy() of a socket that was never connected: error ERR_SOCKET_CLOSED, close', async () => {
  const socket = new Socket();
  const words = watch(socket);
  socket.resetAndDestroy();
  await happens(socket, 'close');
  expect(words).toEqual(['error ERR_SOCKET_CLOSED @destroyed', 'close']);
});

test('an error that nobody listens for is uncaught, and the close follows', async () => {
  const uncaught = recordUncaught();
  const stage = new Stage();
  try {
    const where = await nobody(stage, 'TCP');
    const socket = connect(where as { host: string; port: number });
    const hadError = await happens(socket, 'close');
    expect(uncaught.errors).toMatchObject([{ code: 'ECONNREFUSED', syscall: 'connect' }]);
    expect(hadError).toBe(true);
  } finally {
    uncaught.stop();
    await stage.close();
  }
});

test('a socket that has closed can be connected again, with the listeners that it has', async () => {
  const stage = new Stage();
  try {
    const where = whereOf(await stage.serve('TCP')) as { host: string; port: number };
    const socket = stage.dial('TCP', where);
    const words = watch(socket);
    await happens(socket, 'ready');
    socket.destroy();
    await happens(socket, 'close');
    socket.connect(where);
    await happens(socket, 'ready');
    socket.destroy();
    await happens(socket, 'close');
    const time = [...CONNECTED.TCP.split(', '), 'close'];
    expect(words).toEqual([...time, ...time]);
  } finally {
    await stage.close();
  }
});

test('destroyed once its SYN is out: the server sees a connection that ends', async () => {
  const stage = new Stage();
  try {
    const server = await stage.serve('TCP', { allowHalfOpen: false });
    const arrived = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const words = arrived.then((socket) => watch(socket));
    const socket = stage.dial('TCP', whereOf(server));
    process.nextTick(() => socket.destroy());
    await happens(await arrived, 'close');
    expect(await words).toEqual(['end @writeOnly', 'finish @closed', 'close']);
  } finally {
    await stage.close();
  }
});

test('how long Node waits for one address before it tries the next', () => {
  expect(getDefaultAutoSelectFamilyAttemptTimeout()).toBe(since({ 20: 250, 26: 500 }));
});
