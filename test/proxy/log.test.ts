/** The record of each client that has ended: who ended it, and when. */
import { expect, test } from 'vitest';
import { type Cause, type Ending, type LogEntry, logLine, type ProxyOptions, stateCode } from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { gate, until } from '../support/wait.js';

const bench = useBench();
const { makeProxy } = makers(bench);

async function logged(options: Omit<ProxyOptions, 'listen'>) {
  const entries: LogEntry[] = [];
  const first = gate<LogEntry>();
  const made = await makeProxy(options);
  made.proxy.on('log', (entry) => {
    entries.push(entry);
    first.open(entry);
  });
  return { ...made, entries, first: first.promise };
}

test('a normal end: all that there is to tell, in one line', async () => {
  const server = await bench.echo();
  const { proxy, at, first } = await logged({ servers: [{ ...server.at, name: 'db' }] });
  const before = Date.now();
  const client = await bench.dial(at);
  const { localPort } = client;
  const reader = new Reader(client);
  client.end('hello');
  await reader.ends();
  const entry = await first;
  expect(entry).toMatchObject({
    id: expect.stringMatching(/^session#\d+$/),
    client: `127.0.0.1:${localPort}`,
    listener: String(proxy.listeners[0]),
    server: 'db',
    bytesFromClient: 5,
    bytesFromServer: 5,
    retries: 0,
    redispatched: false,
    ending: 'ended',
    code: '--',
  });
  expect(entry.listener).toBe(`127.0.0.1:${at.port}`);
  expect(entry.time).toBeGreaterThanOrEqual(before - 2);
  expect(entry.time).toBeLessThanOrEqual(Date.now());
  const { queueMs = -1, connectMs = -1, totalMs } = entry;
  expect(queueMs).toBeGreaterThanOrEqual(0);
  expect(connectMs).toBeGreaterThan(0);
  expect(totalMs).toBeGreaterThanOrEqual(queueMs + connectMs);
  const line = `${entry}`;
  expect(line).toBe(logLine(entry));
  expect(line.split(' ').map((pair) => pair.split('=')[0])).toEqual(
    'time id client listener server queue connect total in out retries code ending cause'.split(' '),
  );
  expect(line).toContain(` server=db queue=${Math.round(queueMs)} connect=`);
  expect(line).toMatch(/ in=5 out=5 retries=0 code=-- ending=ended cause=peer\.end$/);
  expect(JSON.parse(JSON.stringify(entry))).toMatchObject({ server: 'db', cause: { manner: 'end' } });
});

test('nobody listens: a session notes no times', async () => {
  const server = await bench.echo();
  const { proxy, at } = await makeProxy({ servers: [server.at] });
  const seen = gate<unknown>();
  proxy.on('established', (session) => seen.open(session.times));
  await bench.dial(at);
  expect(await seen.promise).toBeUndefined();
});

test('a server refuses, another one serves: retries with a plus', async () => {
  const dead = await bench.refusing();
  const server = await bench.echo();
  const { at, first } = await logged({
    servers: [{ host: '127.0.0.1', port: dead }, server.at],
    balance: 'inOrder',
  });
  const client = await bench.dial(at);
  client.end('hello');
  await new Reader(client).ends();
  expect(await first).toMatchObject({ retries: 1, redispatched: true, code: '--' });
  expect(`${await first}`).toContain(' retries=1+ ');
});

test.each([['every attempt is refused', 'SC', 2]] as const)('%s: %s', async (_, code, retries) => {
  const dead = await bench.refusing();
  const { at, first } = await logged({ servers: [{ host: '127.0.0.1', port: dead }], attemptsMax: 3 });
  await bench.dial(at);
  expect(await first).toMatchObject({ code, retries, ending: 'refused', connectMs: undefined });
  expect(`${await first}`).toMatch(/ connect=- .* cause=peer\.refusal\.ECONNREFUSED$/);
});

test('the client resets while bytes flow: CD', async () => {
  const server = await bench.echo();
  const { at, first, proxy } = await logged({ servers: [server.at] });
  const established = gate();
  proxy.on('established', () => established.open());
  const client = await bench.dial(at);
  await established.promise;
  client.resetAndDestroy();
  expect(await first).toMatchObject({ code: 'CD', ending: 'dropped' });
});

test('the server resets: SD', async () => {
  const server = await bench.greeter('hello', 'stay');
  const { at, first } = await logged({ servers: [server.at] });
  const reader = new Reader(await bench.dial(at));
  await reader.has(5);
  (await server.connection()).resetAndDestroy();
  expect(await first).toMatchObject({ code: 'SD', bytesFromServer: 5 });
});

test('nothing moves: cD', async () => {
  const server = await bench.silent();
  const { at, first } = await logged({ servers: [server.at], idleTimeout: 60 });
  await bench.dial(at);
  expect(await first).toMatchObject({ code: 'cD', ending: 'aborted' });
});

test('no place is free in time: sQ', async () => {
  const server = await bench.silent();
  const { at, first } = await logged({ servers: [{ ...server.at, connectionsMax: 1 }], queueTimeout: 50 });
  await bench.dial(at);
  await server.connection();
  await bench.dial(at);
  expect(await first).toMatchObject({ code: 'sQ', queueMs: undefined, retries: 0 });
});

test('the queue is full: PQ', async () => {
  const server = await bench.silent();
  const { at, first, proxy } = await logged({ servers: [{ ...server.at, connectionsMax: 1 }], queueMax: 1 });
  await bench.dial(at);
  await server.connection();
  await bench.dial(at);
  await until('one to wait', () => proxy.servers.waiting === 1);
  bench.dialing(at);
  expect(await first).toMatchObject({ code: 'PQ', ending: 'refused', cause: { code: 'queueMax' } });
  expect(proxy.servers.waiting).toBe(1);
  // A place in the queue that is left is free again.
  proxy.sessions[1]?.abort();
  await until('nobody to wait', () => proxy.servers.waiting === 0);
  await bench.dial(at);
  await until('one to wait again', () => proxy.servers.waiting === 1);
});

test('a queue for nobody: who finds every server full is refused at once', async () => {
  const server = await bench.silent();
  const { at, first, proxy } = await logged({ servers: [{ ...server.at, connectionsMax: 1 }], queueMax: 0 });
  await bench.dial(at);
  await server.connection();
  bench.dialing(at);
  expect(await first).toMatchObject({ code: 'PQ', cause: { code: 'queueMax' } });
  expect(proxy.servers.waiting).toBe(0);
});

test('the client leaves the queue: CQ', async () => {
  const server = await bench.silent();
  const { at, first, proxy } = await logged({ servers: [{ ...server.at, connectionsMax: 1 }] });
  await bench.dial(at);
  await server.connection();
  const second = await bench.dial(at);
  await until('the second session', () => proxy.sessions.length === 2);
  second.resetAndDestroy();
  expect(await first).toMatchObject({ code: 'CQ' });
});

test('a server that does not answer: sC', async () => {
  const port = await bench.blackhole();
  const { at, first } = await logged({
    servers: [{ host: '127.0.0.1', port }],
    sessionConnectTimeout: 100,
  });
  await bench.dial(at);
  expect(await first).toMatchObject({ code: 'sC', cause: { code: 'sessionConnectTimeout' } });
});

test('the owner aborts: KD', async () => {
  const server = await bench.echo();
  const { at, first, proxy } = await logged({ servers: [server.at] });
  proxy.on('established', (session) => void session.abort());
  await bench.dial(at);
  expect(await first).toMatchObject({ code: 'KD' });
});

test('a client that is not admitted has a record without a session: PR', async () => {
  const server = await bench.echo();
  const { at, first } = await logged({ servers: [server.at], admit: () => false });
  bench.dialing(at);
  const entry = await first;
  expect(entry).toMatchObject({ id: expect.stringMatching(/^client#/), server: undefined, code: 'PR' });
  expect(`${entry}`).toMatch(/ server=- queue=- connect=- total=\d+ in=0 out=0 /);
});

test('a hook that throws: IR, and an error does not make the line longer', async () => {
  const { at, first } = await logged({
    route: () => {
      throw new Error('a mistake\nof two lines');
    },
  });
  bench.dialing(at);
  const entry = await first;
  expect(entry.code).toBe('IR');
  expect(`${entry}`).not.toContain('\n');
  expect(JSON.parse(JSON.stringify(entry)).cause.error).toBe('Error: a mistake\nof two lines');
});

test('each client has one record', async () => {
  const server = await bench.echo();
  const { at, entries } = await logged({ servers: [server.at] });
  const clients = await Promise.all(Array.from({ length: 20 }, () => bench.dial(at)));
  for (const [index, client] of clients.entries()) {
    if (index % 3 === 0) client.resetAndDestroy();
    else client.end('hello');
  }
  await until('all records', () => entries.length === 20);
  expect(new Set(entries.map(({ id }) => id)).size).toBe(20);
});

test('a name with blanks is quoted', () => {
  const cause: Cause = { initiator: 'peer', manner: 'end', phase: 'established' };
  const entry = { time: 0, id: 'session#1', client: undefined, listener: '[::1]:80', server: 'my "db"', totalMs: 1.6 };
  const rest = { queueMs: 0.4, connectMs: undefined, bytesFromClient: 1, bytesFromServer: 2, retries: 0 };
  expect(logLine({ ...entry, ...rest, redispatched: false, ending: 'ended', code: '--', cause } as LogEntry)).toBe(
    'time=1970-01-01T00:00:00.000Z id=session#1 client=- listener=[::1]:80 server="my \\"db\\"" queue=0 connect=- total=2 in=1 out=2 retries=0 code=-- ending=ended cause=peer.end',
  );
});

test.each<[Ending, Cause, string]>([
  ['aborted', { initiator: 'owner', manner: 'abort', phase: 'established', code: 'serverRemoved' }, 'KD'],
  ['aborted', { initiator: 'library', manner: 'abort', phase: 'established', code: 'serverDown' }, 'DD'],
  ['aborted', { initiator: 'library', manner: 'abort', phase: 'established', code: 'backupOver' }, 'UD'],
  ['aborted', { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'drainTimeout' }, 'KL'],
  ['aborted', { initiator: 'library', manner: 'timeout', phase: 'established', code: 'durationMax' }, 'PD'],
  ['refused', { initiator: 'library', manner: 'timeout', phase: 'accepted', code: 'acceptTimeout' }, 'cR'],
  ['refused', { initiator: 'system', manner: 'error', phase: 'connecting', code: 'EMFILE' }, 'RC'],
  ['dropped', { initiator: 'system', manner: 'timeout', phase: 'established', code: 'ETIMEDOUT', leg: 'client' }, 'cD'],
  [
    'dropped',
    { initiator: 'system', manner: 'timeout', phase: 'established', code: 'ETIMEDOUT', leg: 'backend' },
    'sD',
  ],
  ['closed', { initiator: 'owner', manner: 'close', phase: 'established' }, '--'],
  ['handedOver', { initiator: 'owner', manner: 'handOver', phase: 'routing' }, '--'],
])('%s by %o is %s', (ending, cause, code) => {
  expect(stateCode({ ending, cause })).toBe(code);
});
