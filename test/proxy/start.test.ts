import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { createListener, createProxy } from '../../src/index.js';

const LOOPBACK = { host: '127.0.0.1', port: 0 } as const;

test('a listener that is bound twice does not stand for one that is not bound', async () => {
  const other = createServer().listen(LOOPBACK);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const proxy = createProxy({
    listen: [LOOPBACK, { host: '127.0.0.1', port }],
    servers: [{ port }],
    bindAttempts: Number.POSITIVE_INFINITY,
    bindBackoff: 5,
  });
  const [first, second] = proxy.listeners as [(typeof proxy.listeners)[0], (typeof proxy.listeners)[0]];
  let started = false;
  const start = proxy.start().then(() => {
    started = true;
  });
  await new Promise((resolve) => second.once('retry', resolve));
  if (first.address === undefined) await new Promise((resolve) => first.once('listening', resolve));
  first.suspend();
  first.resume();
  await new Promise((resolve) => first.once('listening', resolve));
  expect([started, proxy.state]).toEqual([false, 'starting.binding']);
  other.close();
  await start;
  expect(proxy.state).toBe('running');
  await proxy.close();
});

test('suspend while binding listens only after resume', async () => {
  const listener = createListener(LOOPBACK);
  const start = listener.start();
  listener.suspend();
  expect(listener.state).toBe('serving.suspended');
  await new Promise(setImmediate);
  expect([listener.state, listener.address]).toEqual(['serving.suspended', undefined]);
  listener.resume();
  expect(((await start) as { port: number }).port).toBeGreaterThan(0);
  expect(listener.state).toBe('serving.listening.accepting');
  expect(await listener.close()).toMatchObject({ ending: 'closed' });
});
