import { afterAll, beforeAll, test } from 'vitest';
import { serverMachine } from '../../src/machines/index.js';
import { bounded } from '../machines/bounds.js';
import { blackhole, plainServer, refusingPort } from '../support/peers.js';
import { expectTaken, takePaths } from './loopback.js';
import { driven, type Peers, serverDriver, someOf } from './server.js';

/** The pure machine takes them all. Of the checks, so many paths differ only in what came before that a third of each bound will do. */
const ONE_OF = 3;

const taken = new Set<string>();
let peers: Peers;

beforeAll(async () => {
  peers = {
    server: await plainServer((socket) => socket.resume()).listen(),
    deadPort: await refusingPort(),
    hole: await blackhole(),
  };
});

afterAll(async () => {
  await peers.server.stop();
  await peers.hole.stop();
});

test.each(bounded.filter(({ machine }) => machine === serverMachine))(
  'the paths on real sockets: $name',
  { timeout: 60_000 },
  async (bound) => {
    const paths = someOf(driven(bound), bound, ONE_OF);
    await takePaths(bound.name, paths, (path) => serverDriver(path, bound, peers), taken);
  },
);

test('every transition was made', () => expectTaken(serverMachine, taken));
