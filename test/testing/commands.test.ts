import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assign, setup } from 'xstate';
import { commandFor, commandsOf, startWalk, type WalkOptions } from '../../src/testing/index.js';
import { type LinkMachine, linkDriver, linkMachine, Peers } from './link.js';

const SEED = 15;

let peers: Peers;
beforeAll(async () => {
  peers = await Peers.create();
});
afterAll(() => peers.dispose());

/** Random walks of the link, on real sockets where there is a driver. */
async function walkRandomly(machine: LinkMachine, options: Omit<WalkOptions<LinkMachine>, 'input'>): Promise<number> {
  let steps = 0;
  const commands = commandsOf(machine, { input: undefined }).map((command) => fc.constant(command));
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 20 }), async (chosen) => {
      const walk = await startWalk(machine, { input: undefined, ...options });
      try {
        await fc.asyncModelRun(() => ({ model: walk, real: walk }), chosen);
        steps += walk.model.steps.length - 1;
      } finally {
        await walk.end();
      }
    }),
    { seed: SEED, numRuns: 30 },
  );
  return steps;
}

test('random walks of the pure machine', async () => {
  expect(await walkRandomly(linkMachine(), {})).toBeGreaterThan(40);
});

test('random walks on real sockets', async () => {
  const machine = linkMachine();
  expect(await walkRandomly(machine, { driver: linkDriver(machine, peers) })).toBeGreaterThan(40);
});

test('a handle that does something else than the machine is found, and the way to it is shrunk', async () => {
  const right = linkMachine();
  const wrong = linkMachine('wrong target');
  const driver = async (): Promise<never> => ({ ...(await linkDriver(wrong, peers)()), machine: right }) as never;
  const failure = await walkRandomly(right, { driver }).catch((error: Error) => error);
  expect(failure).toMatchObject({
    message: expect.stringMatching(/Counterexample: \[socket\.connected,socket\.closed /),
    cause: { message: expect.stringContaining('it is in open, the machine in lost\nwhat happened:\n  ') },
  });
});

test('a payload that fast-check makes up is shrunk to the least that breaks a rule', async () => {
  const machine = setup({
    types: { context: {} as { sum: number }, events: {} as { type: 'pay'; amount: number } },
  }).createMachine({
    id: 'till',
    context: { sum: 0 },
    on: { pay: { actions: assign({ sum: ({ context, event }) => context.sum + event.amount }) } },
  });
  const pay = fc.nat({ max: 1_000 }).map((amount) => commandFor<typeof machine>({ type: 'pay', amount } as never));
  const property = fc.asyncProperty(fc.commands([pay], { maxCommands: 5 }), async (chosen) => {
    const walk = await startWalk(machine, { input: undefined });
    await fc.asyncModelRun(() => ({ model: walk, real: walk }), chosen);
    expect(walk.model.snapshot.context.sum).toBeLessThan(100);
  });
  const { counterexample } = await fc.check(property, { seed: SEED });
  const amounts = [...String(counterexample).matchAll(/pay \{"amount":(\d+)\}/g)].map(([, amount]) => Number(amount));
  expect(amounts.reduce((sum, amount) => sum + amount, 0)).toBe(100);
});

test('nothing is sent to a machine that is over', async () => {
  const machine = setup({}).createMachine({
    id: 'door',
    initial: 'open',
    on: { knock: { actions: assign({}) } },
    states: { open: { on: { leave: 'left' } }, left: { type: 'final' } },
  });
  const walk = await startWalk(machine, { input: undefined });
  const commands = commandsOf(machine, { input: undefined });
  expect(commands.map(String)).toEqual(['knock', 'leave']);
  for (const command of commands) expect(command.check(walk)).toBe(true);
  await walk.take({ type: 'leave' });
  expect(walk.model.state).toBe('left');
  for (const command of commands) expect(command.check(walk)).toBe(false);
});
