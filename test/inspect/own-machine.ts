/** A machine of a user's, for the tests of the live page: an instance has secrets, and a socket. */
import { assign, emit, setup } from 'xstate';
import { systemClock } from '../../src/index.js';
import { compile, interpret } from '../../src/runtime/index.js';
import type { Host, Run } from '../../src/runtime/instance.js';

interface Context {
  readonly attempts: number;
  readonly password: string;
  readonly socket: unknown;
}

type Event =
  | { type: 'link.open'; password?: string }
  | { type: 'link.opened' }
  | { type: 'link.lost' }
  | { type: 'link.close' }
  | { type: 'link.break' }
  | { type: 'link.wait'; patience: { ms: number } }
  | { type: 'packet.received' };

export const linkMachine = setup({
  types: {
    context: {} as Context,
    events: {} as Event,
    emitted: {} as { type: 'link.dial' } | { type: 'link.hangUp' },
    input: {} as Partial<Context> | undefined,
  },
  actions: {
    count: assign({ attempts: ({ context }) => context.attempts + 1 }),
    learn: assign({
      password: ({ context, event }) => ('password' in event ? event.password : undefined) ?? context.password,
    }),
    fail: assign(() => {
      throw new Error('a mistake');
    }),
    dial: emit({ type: 'link.dial' }),
    hangUp: emit({ type: 'link.hangUp' }),
  },
  guards: { isPatient: ({ event }) => event.type === 'link.wait' && event.patience.ms > 0 },
  delays: { answerTimeout: 3_600_000 },
}).createMachine({
  id: 'link',
  description: 'A link to a device.',
  context: ({ input }) => ({ attempts: 0, password: 'hunter2', socket: undefined, ...input }),
  initial: 'idle',
  on: { 'link.close': '.closed', 'link.break': { actions: 'fail' } },
  states: {
    idle: { description: 'Nothing is asked for yet.', on: { 'link.open': 'up' } },
    up: {
      initial: 'dialling',
      entry: 'learn',
      states: {
        dialling: {
          description: 'The device has yet to answer.',
          entry: ['count', 'dial'],
          on: { 'link.opened': 'open', 'link.lost': { target: 'dialling', reenter: true } },
          after: { answerTimeout: '#link.failed' },
        },
        open: {
          description: 'The device has answered.',
          on: { 'link.lost': 'dialling', 'packet.*': {}, 'link.wait': { guard: 'isPatient', target: 'dialling' } },
        },
      },
    },
    closed: { type: 'final', entry: 'hangUp' },
    failed: { type: 'final' },
  },
});

export const RUNNERS = { compiled: compile(linkMachine), interpreted: interpret(linkMachine) };

let made = 0;

/** An instance that has started. */
export function link(
  how: keyof typeof RUNNERS = 'compiled',
  host: Partial<Host<never>> = {},
  input?: Partial<Context>,
): Run<Event> & { readonly id: string } {
  const id = host.id ?? `link#${++made}`;
  const instance = RUNNERS[how].run(
    input as never,
    { clock: systemClock, perform() {}, finish() {}, ...host, id } as never,
  );
  instance.start();
  instance.setRef(false);
  return Object.assign(instance, { id }) as never;
}
