/** What a worker tells of a shared set before the primary has answered. */
import { expect, test } from 'vitest';
import type { ShareToPrimary } from '../../src/cluster/share-messages.js';
import { WorkerSharing } from '../../src/cluster/sharing.js';
import { Servers } from '../../src/index.js';

test('a server that is added before the primary has answered is told, after those that the set had', async () => {
  const said: ShareToPrimary[] = [];
  const set = new Servers([
    { name: 'first', port: 1 },
    { name: 'second', port: 2 },
  ]);
  const [first, second] = set.list as [(typeof set.list)[0], (typeof set.list)[0]];
  const sharing = new WorkerSharing((message) => said.push(message));
  const link = sharing.join(set, 'shared', undefined);
  link.added(first);
  expect(said).toEqual([]);
  await Promise.resolve();
  link.added(second);
  const told = said.flatMap((message) => {
    if (message.do === 'join') return [`join ${message.servers.map(({ key }) => key).join()}`];
    return message.do === 'add' ? [`add ${message.server.key}`] : [];
  });
  expect(told).toEqual(['join first', 'add second']);
  link.ended();
  set.end();
});
