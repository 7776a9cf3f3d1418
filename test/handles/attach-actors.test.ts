/** A machine that invokes an actor, on real sockets: however the instance ends, the actor is stopped. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emit, fromCallback, setup } from 'xstate';
import { type Attached, type AttachOptions, attach } from '../../src/index.js';
import { compile, interpret } from '../../src/runtime/index.js';
import { ManualClock } from '../../src/testing/index.js';
import { recordUncaught } from '../support/record.js';

let server: Server;
let port: number;
beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.close();
});

/** While it is on, an actor of it holds a second connection, and waits. */
const holder = setup({
  types: {} as {
    events: { type: 'close' | 'leave' | 'fail' | 'cut' | 'slip' | 'socket.closed' };
    emitted: { type: 'socket.destroy' | 'owner.cut' | 'owner.slip' };
  },
  actors: {
    watch: fromCallback(() => {
      const socket = connect(port, '127.0.0.1');
      return () => socket.destroy();
    }),
    beat: setup({}).createMachine({ after: { 1000: { reenter: true } } }),
  },
}).createMachine({
  id: 'holder',
  initial: 'on',
  states: {
    on: {
      invoke: [{ src: 'watch' }, { src: 'beat' }],
      after: { 60000: 'off' },
      on: {
        close: { target: 'off', actions: emit({ type: 'socket.destroy' }) },
        leave: 'off',
        fail: {
          actions: () => {
            throw new Error('mine');
          },
        },
        cut: { actions: emit({ type: 'owner.cut' }) },
        slip: { actions: emit({ type: 'owner.slip' }) },
        'socket.closed': 'off',
      },
    },
    off: { type: 'final' },
  },
});

type Holder = Attached<typeof holder>;

const TABLES: AttachOptions<typeof holder> = {
  events: { closed: 'socket.closed' },
  commands: {
    'socket.destroy': 'destroy',
    'owner.cut': (_, attached) => attached.abort(),
    'owner.slip': () => {
      throw new Error('slipped');
    },
  },
};

/** Two connections come, its own and that of its actor, in any order. */
async function connections(): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  server.on('connection', (socket) => {
    sockets.push(socket.resume().on('error', () => {}));
    if (sockets.length === 2) server.emit('both');
  });
  await once(server, 'both');
  return sockets;
}

/** A reset is an error to `once`, and not here. */
const closeOf = (sockets: readonly Socket[]): Promise<unknown> =>
  Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));

describe.each([
  ['compiled', compile(holder)],
  ['on an actor', interpret(holder)],
])('%s: the actors are stopped, and no timer is left', (_, machine) => {
  test.each<[how: string, end: (made: Holder) => void, uncaught: readonly string[]]>([
    ['after an abort', (made) => made.abort(), []],
    ['after an abort by a command', (made) => made.instance.send({ type: 'cut' }), []],
    ['once the machine has destroyed the socket', (made) => made.instance.send({ type: 'close' }), []],
    ['once the machine has left the socket open', (made) => made.instance.send({ type: 'leave' }), []],
    ['once the socket was destroyed', (made) => made.socket?.destroy(), []],
    ['once the socket has failed', (made) => made.socket?.destroy(new Error('theirs')), []],
    ['once a function of the machine has thrown', (made) => made.instance.send({ type: 'fail' }), ['mine']],
  ])('%s', async (_how, end, uncaught) => {
    const thrown = recordUncaught();
    const clock = new ManualClock();
    const both = connections();
    const made = attach(connect(port, '127.0.0.1'), machine, { ...TABLES, clock });
    const sockets = await both;
    expect(clock.pending).toBe(2);
    const closed = closeOf(sockets);
    end(made);
    await made.closed;
    await closed;
    made.instance.send({ type: 'close' });
    expect([made.isOver, clock.pending]).toEqual([true, 0]);
    thrown.stop();
    expect(thrown.errors.map((error) => (error as Error).message)).toEqual(uncaught);
  });

  test('it can be inspected, with its actors', async () => {
    const seen: string[] = [];
    const both = connections();
    const made = attach(connect(port, '127.0.0.1'), machine, {
      ...TABLES,
      clock: new ManualClock(),
      inspect: (one) => {
        if (one.type === '@xstate.actor') seen.push(one.type);
        if (one.type === '@xstate.event') seen.push(one.event.type);
      },
    });
    const sockets = await both;
    const closed = closeOf(sockets);
    made.socket?.destroy();
    await made.closed;
    await closed;
    const init = 'xstate.init';
    expect(seen).toEqual([...Array(3).fill('@xstate.actor'), init, init, init, 'socket.closed']);
    const bad = { ...TABLES, inspect: 'log' as never };
    expect(() => attach(() => expect.fail('opened'), machine, bad)).toThrow('Option "inspect" must be a function');
  });

  test('a command that throws is the error of the process, and ends neither of them', async () => {
    const thrown = recordUncaught();
    const clock = new ManualClock();
    const both = connections();
    const made = attach(connect(port, '127.0.0.1'), machine, { ...TABLES, clock });
    const sockets = await both;
    const reported = once(process, 'uncaughtException');
    made.instance.send({ type: 'slip' });
    await reported;
    expect([made.isOver, made.state, clock.pending]).toEqual([false, 'on', 2]);
    const closed = closeOf(sockets);
    made.abort();
    await closed;
    thrown.stop();
    expect(thrown.errors).toMatchObject([{ message: 'slipped' }]);
  });
});
