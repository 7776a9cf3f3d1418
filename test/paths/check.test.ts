import { test } from 'vitest';
import { checkMachine } from '../../src/machines/index.js';
import { type Bounded, bounded, pathsOf } from '../machines/bounds.js';
import { checkDriver, driven } from './check.js';
import { expectTaken, takePaths } from './loopback.js';

const bound = bounded.find(({ machine }) => machine === checkMachine) as Bounded;

const taken = new Set<string>();

test('the paths on real sockets', { timeout: 300_000 }, async () => {
  await takePaths('check', driven(pathsOf(bound)), checkDriver, taken);
});

test('every transition was made', () => expectTaken(checkMachine, taken));
