// A machine of your own, tested with sockchart/testing: every path replayed, then taken on real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { compile, systemClock } from 'sockchart/runtime';
import { describePath, drivePath, exploreMachine, ManualClock, replay, shortName } from 'sockchart/testing';
import { emit, setup } from 'xstate';

// 1. What may happen: a client that waits for a server's greeting, as SMTP's do.
const greetingMachine = setup({
  actions: {
    openSocket: emit({ type: 'socket.open' }),
    destroySocket: emit({ type: 'socket.destroy' }),
  },
  delays: { greetingTimeout: 3_000 },
}).createMachine({
  id: 'greeting',
  initial: 'connecting',
  states: {
    connecting: {
      entry: 'openSocket',
      on: { 'socket.connected': { target: 'waiting' }, 'socket.closed': { target: 'failed' } },
    },
    waiting: {
      on: { 'greeting.received': { target: 'greeted' }, 'socket.closed': { target: 'failed' } },
      after: { greetingTimeout: { target: 'failed' } },
    },
    greeted: { type: 'final', entry: 'destroySocket' },
    failed: { type: 'final', entry: 'destroySocket' },
  },
});

const greeting = compile(greetingMachine);

// 2. What happens: Node's events in, the machine's commands out.
class Greeting {
  static count = 0;
  parentId = undefined;
  backgroundTimers = new Set();

  constructor(port, clock = systemClock) {
    this.id = `greeting#${++Greeting.count}`;
    this.port = port;
    this.clock = clock;
    this.instance = greeting.run(undefined, this);
    this.instance.start();
  }

  get state() {
    return this.instance.state;
  }

  perform({ type }) {
    if (type === 'socket.destroy') this.socket.destroy();
    if (type !== 'socket.open') return;
    this.socket = connect(this.port, '127.0.0.1')
      .on('connect', () => this.instance.send({ type: 'socket.connected' }))
      .on('data', () => this.instance.send({ type: 'greeting.received' }))
      .on('error', () => {})
      .on('close', () => this.instance.send({ type: 'socket.closed' }));
  }

  finish() {}
}

// 3. Every path of the machine: whatever happens, the socket that was opened is destroyed.
const graph = exploreMachine(greetingMachine, { input: undefined });
const paths = graph.edgePaths();
for (const path of paths) {
  const { steps } = replay(
    greetingMachine,
    undefined,
    path.map(({ event }) => event),
  );
  const commands = steps.flatMap((step) => step.commands.map(({ type }) => type));
  assert.deepEqual(commands, ['socket.open', 'socket.destroy'], describePath(path));
}

// 4. The same paths on real sockets: each transition is held against the pure machine.
const server = createServer().listen(0, '127.0.0.1');
const closedServer = createServer().listen(0, '127.0.0.1');
await Promise.all([once(server, 'listening'), once(closedServer, 'listening')]);
const ports = { open: server.address().port, closed: closedServer.address().port };
closedServer.close();

for (const path of paths) {
  const { stopped } = await drivePath(path, () => {
    const clock = new ManualClock();
    const arrived = once(server, 'connection').then(([socket]) => socket);
    const refused = path[0].event.type === 'socket.closed';
    const handle = new Greeting(refused ? ports.closed : ports.open, clock);
    return {
      machine: greetingMachine,
      input: undefined,
      handle,
      async perform({ event }) {
        if (shortName(event.type) === 'greetingTimeout') clock.advance(3_000);
        if (event.type === 'greeting.received') (await arrived).write('220 hello\r\n');
        if (event.type === 'socket.closed' && !refused) (await arrived).destroy();
      },
      async dispose() {
        if (!refused) (await arrived).destroy();
        if (!handle.socket.closed) await once(handle.socket, 'close');
        assert.equal(clock.pending, 0);
      },
    };
  });
  console.log(`${stopped ?? 'ok'}: ${describePath(path)}`);
  assert.equal(stopped, undefined);
}
server.close();
console.log(`${paths.length} paths, ${graph.states} states, ${graph.edges} edges`);
