import { afterAll, beforeAll, test } from 'vitest';
import { nameMachine } from '../../src/machines/index.js';
import { type Bounded, bounded, pathsOf } from '../machines/bounds.js';
import { NameServer } from '../support/name-server.js';
import { expectTaken, takePaths } from './loopback.js';
import { driven, nameDriver } from './name.js';

const bound = bounded.find(({ machine }) => machine === nameMachine) as Bounded;
const taken = new Set<string>();
let dns: NameServer;

beforeAll(async () => {
  dns = await new NameServer().listen();
});

afterAll(() => dns.close());

test('the paths with a real name server', { timeout: 300_000 }, async () => {
  await takePaths('name', driven(pathsOf(bound)), (path) => nameDriver(path, dns), taken);
});

test('every transition was made', () => expectTaken(nameMachine, taken));
