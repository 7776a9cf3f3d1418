// Counts what lives cost: bytes, with a young generation so large that nothing is collected while it counts.
// Run with --expose-gc --min-semi-space-size=256 --max-semi-space-size=256, and `transition` or `instances`; prints one line of JSON.

import { setTimeout } from 'node:timers/promises';
import { compile, compiledRuntime, systemClock, xstateRuntime } from 'sockchart/runtime';
import { assign, emit, setup } from 'xstate';

let heard = 0;
const host = {
  id: 'counted#1',
  clock: systemClock,
  perform: () => heard++,
  finish: () => heard++,
};

const settings = {
  persistent: false,
  attemptsMax: 3,
  queueTimeout: 10_000,
  connectTimeout: 10_000,
  prepareTimeout: 10_000,
  disposeTimeout: 1_000,
  holdTimeout: 1_000,
  closeTimeout: 1_000,
  abortTimeout: 1_000,
  stableAfter: 2_147_483_647,
  cooldown: 1_000,
  acceptTimeout: 10_000,
  clientsMax: 10,
  bindAttempts: 1,
  bindBackoff: 100,
  drainTimeout: 1_000,
};
const input = { settings };

/** @param {string[]} types */
const events = (...types) => types.map((type) => ({ type }));

/** @type {Record<string, { machine: import('sockchart/runtime').MachineName, events: { type: string }[], established: number }>} */
const instances = {
  client: {
    machine: 'client',
    events: events('owner.admitted', 'socket.ended', 'socket.finished', 'socket.closed'),
    established: 1,
  },
  backend: {
    machine: 'backend',
    events: events(
      'backend.connect',
      'server.chosen',
      'socket.connected',
      'owner.prepared',
      'socket.finished',
      'socket.ended',
      'socket.closed',
      'holds.emptied',
    ),
    established: 4,
  },
  listener: {
    machine: 'listener',
    events: events('listener.start', 'server.listening', 'client.arrived', 'client.closed'),
    established: 2,
  },
};

/** Bytes that `run` allocates each time, once it is warm. @param {number} times @param {() => void} run */
function bytesOf(times, run) {
  for (let time = 0; time < 20_000; time++) run();
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let time = 0; time < times; time++) run();
  return (process.memoryUsage().heapUsed - before) / times;
}

/** Long timers are armed a moment after an instance has come to rest, those of all instances together. */
const rest = () => setTimeout(50);

/** Bytes that an instance keeps. @param {number} count @param {() => unknown} make */
async function keptBy(count, make) {
  const kept = new Array(count);
  // What is compiled and cached on the way is no instance's.
  for (let index = 0; index < count; index++) kept[index] = make();
  kept.fill(undefined);
  await rest();
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < count; index++) kept[index] = make();
  await rest();
  global.gc?.();
  const after = process.memoryUsage().heapUsed;
  if (kept.length !== count) throw new Error('never');
  return (after - before) / count;
}

/** @param {import('sockchart/runtime').Runtime} runtime @param {{ machine: import('sockchart/runtime').MachineName, events: { type: string }[] }} life @param {number} sent */
function live(runtime, { machine, events }, sent) {
  const instance = runtime.run(machine, input, host);
  instance.start();
  for (let index = 0; index < sent; index++) instance.send(/** @type {{ type: string }} */ (events[index]));
  return instance;
}

/** A machine with a bit of everything but timers, that turns for ever. */
const wheel = setup({
  actions: {
    count: assign({ turns: ({ context }) => (context.turns + 1) % 1_000 }),
    say: emit({ type: 'said' }),
  },
  guards: { isOdd: ({ context }) => context.turns % 2 === 1 },
}).createMachine({
  id: 'wheel',
  context: { turns: 0 },
  initial: 'a',
  states: {
    a: { on: { turn: 'b' }, entry: 'say' },
    b: { on: { turn: [{ guard: 'isOdd', target: 'a', actions: 'count' }, { target: 'c' }] }, tags: 'far' },
    c: { exit: ['say', 'count'], initial: 'd', states: { d: { on: { turn: '#wheel.a' } } } },
  },
});
const turning = compile(wheel).run(undefined, host);
turning.start();
const TURN = { type: 'turn' };

/** So often, and the least of three: what the compiler allocates meanwhile only adds to it. */
const transition = () => Math.min(...[1, 2, 3].map(() => bytesOf(2_000_000, () => turning.send(TURN))));

async function lives() {
  /** @type {Record<string, object>} */
  const costs = {};
  for (const [name, instance] of Object.entries(instances)) {
    costs[name] = {
      allocated: bytesOf(20_000, () => live(compiledRuntime, instance, instance.events.length)),
      idle: await keptBy(10_000, () => live(compiledRuntime, instance, 0)),
      established: await keptBy(10_000, () => live(compiledRuntime, instance, instance.established)),
      onActor: await keptBy(500, () => live(xstateRuntime, instance, instance.established)),
    };
  }
  return costs;
}
process.stdout.write(`${JSON.stringify(process.argv[2] === 'transition' ? transition() : await lives())}\n`);
process.exit();
