/** The lives that the machines of the library are led through, and what they are told at first. */
import { backendMachine, clientMachine, listenerMachine, NEVER_MS } from 'sockchart/machines';

/**
 * @typedef {object} Course
 * @property {string} name
 * @property {any} machine
 * @property {any} input
 * @property {readonly { type: string }[]} events the whole life
 * @property {string} state where they lead
 * @property {number} rest how many of them lead to the state in which it rests: an open connection
 */

/** @param {readonly string[]} names @param {boolean} waits */
const limits = (names, waits) => Object.fromEntries(names.map((name) => [name, waits ? 10_000 : NEVER_MS]));

/** @param {readonly string[]} types */
const events = (types) => types.map((type) => Object.freeze({ type }));

const CLIENT = ['acceptTimeout', 'closeTimeout', 'abortTimeout'];
const BACKEND = [
  'queueTimeout',
  'connectTimeout',
  'prepareTimeout',
  'disposeTimeout',
  'holdTimeout',
  'closeTimeout',
  'abortTimeout',
  'stableAfter',
  'cooldown',
];
const LISTENER = ['bindBackoff', 'drainTimeout', 'abortTimeout'];

/** @param {boolean} waits whether its waits have timers @returns {Record<string, Course>} */
export function courses(waits) {
  return {
    client: {
      name: 'client',
      machine: clientMachine,
      input: { settings: limits(CLIENT, waits) },
      events: events(['owner.admitted', 'socket.ended', 'socket.finished', 'socket.closed']),
      state: 'ended',
      rest: 1,
    },
    backend: {
      name: 'backend',
      machine: backendMachine,
      input: { settings: { ...limits(BACKEND, waits), persistent: false, attemptsMax: 3 } },
      events: events([
        'backend.connect',
        'server.chosen',
        'socket.connected',
        'owner.prepared',
        'socket.ended',
        'socket.finished',
        'socket.closed',
        'holds.emptied',
      ]),
      state: 'ended',
      rest: 4,
    },
    listener: {
      name: 'listener',
      machine: listenerMachine,
      input: { settings: { ...limits(LISTENER, waits), clientsMax: 1_000, bindAttempts: 3 } },
      events: events(['listener.start', 'server.listening', 'client.arrived', 'client.closed']),
      state: 'serving.listening.accepting',
      rest: 4,
    },
  };
}
