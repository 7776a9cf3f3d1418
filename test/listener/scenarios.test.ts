/** What goes wrong with a listener, one story each, on real sockets. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { how, why } from '../support/record.js';
import { within } from '../support/wait.js';

const bench = useBench();

const { makeListener } = makers(bench);

test('EADDRINUSE then free', async () => {
  const blocker = createServer();
  blocker.listen({ host: '127.0.0.1', port: 0 });
  await once(blocker, 'listening');
  const { port } = blocker.address() as { port: number };
  const listener = makeListener({ host: '127.0.0.1', port, bindAttempts: 10, bindBackoff: 15 });
  const retries: string[] = [];
  listener.on('retry', ({ attempt, delayMs, cause }) => {
    retries.push(`${attempt} ${delayMs} ${why(cause)}`);
    if (retries.length === 2) blocker.close();
  });
  const address = await within(3_000, 'the start', listener.start());
  expect(address).toEqual({ host: '127.0.0.1', port });
  expect(retries.slice(0, 2)).toEqual(['2 15 system/error/binding/EADDRINUSE', '3 15 system/error/binding/EADDRINUSE']);
  await bench.dial({ port });
  expect(listener.state).toBe('serving.listening.accepting');
});

test('EADDRINUSE for good', async () => {
  const server = await bench.echo();
  const listener = makeListener({ host: '127.0.0.1', port: server.port });
  await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_BIND', cause: { code: 'EADDRINUSE' } });
  expect(how(await listener.closed)).toBe('failed system/error/binding/EADDRINUSE');
  await expect(listener.start()).rejects.toMatchObject({ code: 'ERR_BIND' });
});
