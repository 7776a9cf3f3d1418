// @ts-check
/** redis-cli and redis-benchmark with Redis. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { compared, MB } from './files.mjs';
import { startProxy } from './proxy.mjs';
import { freePort, until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('../test-real.mjs').Scene} Scene */

/** @param {Scene} scene */
export async function startRedis({ stage, programs }) {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', stage.dir];
  await stage.serve('redis', port, programs('redis-server'), args);
  return port;
}

const PIPED = 100_000;
const MESSAGES = 10_000;
const BLOCKED_MS = 2_000;

/** @type {Scenario} */
export async function commands(scene) {
  const { stage, programs } = scene;
  const redis = await startRedis(scene);
  const proxy = await startProxy(stage, scene.cli, [redis]);
  /** @param {string[]} args */
  const through = (...args) => ['-h', '127.0.0.1', '-p', String(proxy.port), ...args];
  /**
   * @param {string[]} args
   * @param {Buffer | string} [input]
   */
  const cli = async (args, input) => {
    const { stdout } = await stage.must(programs('redis-cli'), through(...args), input === undefined ? {} : { input });
    return stdout;
  };
  /** @param {string} name */
  const clientsThatRun = async (name) => {
    const list = await cli(['client', 'list']);
    return list.toString().includes(`cmd=${name} `);
  };

  const value = randomBytes(MB);
  assert.equal((await cli(['-x', 'set', 'value'], value)).toString(), 'OK\n', 'the answer to SET');
  const got = await cli(['--raw', 'get', 'value']);
  assert.ok(got.subarray(0, -1).equals(value), 'the value that GET returns is the one that was SET');

  const numbers = Array.from({ length: PIPED }, (_, index) => index);
  const report = await cli(['--pipe'], numbers.map((number) => `RPUSH list ${number}\r\n`).join(''));
  assert.match(report.toString(), new RegExp(`errors: 0, replies: ${PIPED}\\b`), 'the report of redis-cli --pipe');
  const list = await cli(['--raw', 'lrange', 'list', '0', '-1']);
  assert.ok(list.toString() === `${numbers.join('\n')}\n`, 'the list has every number, in order');

  const blocked = stage.spawn('redis-cli blpop', programs('redis-cli'), through('blpop', 'queue', '60'));
  await until('BLPOP to block', 10_000, () => clientsThatRun('blpop'));
  await sleep(BLOCKED_MS);
  assert.equal(blocked.exit, undefined, 'exit of BLPOP while the queue is empty');
  await cli(['rpush', 'queue', 'served']);
  assert.deepEqual(await blocked.exited, { code: 0, signal: null }, 'how BLPOP ended');
  assert.equal(blocked.stdout.toString(), 'queue\nserved\n', 'what BLPOP returned');

  const subscriber = stage.spawn('redis-cli subscribe', programs('redis-cli'), through('subscribe', 'channel'));
  await until('the subscription', 10_000, () => subscriber.stdout.toString().startsWith('subscribe\nchannel\n1\n'));
  const messages = numbers.slice(0, MESSAGES);
  await cli(['--pipe'], messages.map((number) => `PUBLISH channel ${number}\r\n`).join(''));
  const last = `\n${MESSAGES - 1}\n`;
  await until('the last message', 10_000, () => subscriber.stdout.subarray(-20).toString().endsWith(last));
  const received = subscriber.stdout.toString().slice('subscribe\nchannel\n1\n'.length);
  const expected = messages.map((number) => `message\nchannel\n${number}\n`).join('');
  assert.ok(received === expected, 'the subscriber got every message, in order');

  // The subscription is still open: its client goes away, and the proxy ends that conversation.
  subscriber.kill('SIGKILL');
  await subscriber.exited;
  await until('the subscription to end', 10_000, async () => !(await clientsThatRun('subscribe')));
  const sessions = await proxy.stop();
  return `1 MB SET and GET equal; ${PIPED} piped commands in order; BLPOP blocked ${BLOCKED_MS / 1_000} s; \
${MESSAGES} messages of a channel in order; ${sessions}`;
}

/** @type {Scenario} */
export async function benchmark(scene) {
  const { stage, programs } = scene;
  const redis = await startRedis(scene);
  const proxy = await startProxy(stage, scene.cli, [redis]);
  /**
   * @param {number} port
   * @param {string[]} options
   */
  const rates = async (port, options) => {
    const args = ['-h', '127.0.0.1', '-p', String(port), '--csv', ...options];
    const { stdout, stderr } = await stage.must(programs('redis-benchmark'), args);
    assert.doesNotMatch(stdout + stderr, /error/i, 'output of redis-benchmark');
    const rows = stdout.toString().matchAll(/^"(\w+)[^"]*","([\d.]+)"/gm);
    return new Map(Array.from(rows, ([, name, rate]) => /** @type {const} */ ([String(name), Number(rate)])));
  };
  /**
   * @param {string} title
   * @param {string[]} options
   */
  const measure = async (title, options) => {
    const direct = await rates(redis, options);
    const proxied = await rates(proxy.port, options);
    assert.deepEqual([...proxied.keys()], [...direct.keys()], 'tests that redis-benchmark ran');
    assert.ok(direct.size > 0, 'redis-benchmark ran a test');
    const each = [...direct].map(([name, rate]) => `${name} ${compared(rate, proxied.get(name) ?? 0, '/s')}`);
    return `${title}: ${each.join(', ')}`;
  };
  const single = await measure('50 clients', ['-n', '50000', '-t', 'set,get,lpush']);
  const piped = await measure('16 at once', ['-n', '200000', '-P', '16', '-t', 'set,get']);
  const sessions = await proxy.stop();
  return `${single}; ${piped}; ${sessions}`;
}
