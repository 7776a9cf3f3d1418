// A machine of your own, on a socket, and tested: every path replayed, then taken on real sockets. Run it with node --test.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { attach } from 'sockchart';
import { compile } from 'sockchart/runtime';
import { socketDriver, testMachine } from 'sockchart/testing';
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

// 2. What happens: what the socket reports becomes events, and commands are done with it.
const greeting = compile(greetingMachine);
const greet = (port, clock) =>
  attach(() => connect(port, '127.0.0.1'), greeting, {
    clock,
    events: { connected: 'socket.connected', data: 'greeting.received', closed: 'socket.closed' },
    commands: { 'socket.open': 'open', 'socket.destroy': 'destroy' },
  });

// 3. Every path of the machine is a test: whatever happens, the socket that was opened is destroyed; and on real sockets
// each transition is held against the pure machine.
testMachine(greetingMachine, {
  test,
  input: undefined,
  check({ steps }) {
    const commands = steps.flatMap((step) => step.commands.map(({ type }) => type));
    assert.deepEqual(commands, ['socket.open', 'socket.destroy']);
  },
  driver: socketDriver({
    machine: greetingMachine,
    attach: greet,
    peer: {
      'socket.connected': 'connects',
      'greeting.received': { sends: '220 hello\r\n' },
      'socket.closed': 'resets',
    },
  }),
});
