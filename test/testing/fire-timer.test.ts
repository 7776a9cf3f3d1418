import { expect, test } from 'vitest';
import { setup } from 'xstate';
import { compile } from '../../src/runtime/index.js';
import { fireTimer, ManualClock } from '../../src/testing/index.js';

const machine = setup({ delays: { soon: 100, late: 5_000 } }).createMachine({
  id: 'waits',
  initial: 'first',
  states: { first: { after: { soon: 'second', late: 'third' } }, second: { after: { late: 'third' } }, third: {} },
});

const step = (timer: string, from: string) => ({
  event: { type: `xstate.after.${timer}.waits.${from}` },
  from,
  to: 'third',
});

test('fireTimer lets the time of one timer pass, and says why one cannot fire', () => {
  const clock = new ManualClock();
  const run = compile(machine).run(undefined, { id: 'waits#1', clock, perform() {}, finish() {} });
  run.start();
  expect(fireTimer(run, clock, step('late', 'first'))).toBe('soon is due before late');
  expect(clock.now()).toBe(0);
  expect(fireTimer(run, clock, step('soon', 'first'))).toBeUndefined();
  expect([run.state, clock.now()]).toEqual(['second', 100]);
  expect(fireTimer(run, clock, step('soon', 'second'))).toBe('soon does not run');
  expect(fireTimer(run, clock, step('late', 'second'))).toBeUndefined();
  expect([run.state, clock.now()]).toEqual(['third', 5_100]);
});
