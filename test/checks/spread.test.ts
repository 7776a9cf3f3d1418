/** The checks of many servers are spread over the interval, from the first one on. */
import { createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Checks, firstCheckMs } from '../../src/checks/checks.js';
import { type Clock, type ServerOptions, systemClock } from '../../src/index.js';
import { contextOfNow } from '../../src/runtime/context.js';
import { ManualClock } from '../../src/testing/clock.js';
import { Servers } from '../../src/upstream/servers.js';
import { Random } from '../runtime/random.js';
import { PeerServer } from '../support/peers.js';
import { turns, until } from '../support/wait.js';

const WINDOW_MS = 100;

/** What the servers of a set see. */
class Seen {
  /** When checks began, in milliseconds of the clock. */
  readonly begun: number[] = [];
  readonly #running = new Map<string, number>();
  most = 0;
  began(name: string, now: number): void {
    this.begun.push(now);
    const running = (this.#running.get(name) ?? 0) + 1;
    this.#running.set(name, running);
    this.most = Math.max(this.most, running);
  }

  ended(name: string): void {
    this.#running.set(name, (this.#running.get(name) as number) - 1);
  }

  /** The most checks that began in any window of 100 ms, and the mean. */
  windows(fromMs: number, toMs: number): { most: number; mean: number } {
    const begun = this.begun.filter((ms) => ms >= fromMs && ms < toMs).sort((a, b) => a - b);
    let most = 0;
    let first = 0;
    for (const [index, ms] of begun.entries()) {
      while ((begun[first] as number) <= ms - WINDOW_MS) first++;
      most = Math.max(most, index - first + 1);
    }
    return { most, mean: (begun.length * WINDOW_MS) / (toMs - fromMs) };
  }
}

function checksOf(servers: Servers, clock: Clock, intervalMs: number, host: { checkPassed(): void }): Checks[] {
  // Its own checks are not those that are looked at.
  servers.end();
  const random = new Random(7);
  const environment = { clock, inContext: contextOfNow(), random: () => random.below(1_001) / 1_000 };
  const { list } = servers;
  return list.map((server, place) => {
    if (server.checks === undefined) throw new Error('It has no checks.');
    const checkFailed = (cause: unknown): never => {
      throw new Error(`A check has failed: ${JSON.stringify(cause)}`);
    };
    const told = { ...host, checkFailed, checkUndecided: checkFailed };
    const checks = new Checks(server, server.checks, told, environment);
    checks.start(firstCheckMs(place, list.length, intervalMs));
    return checks;
  });
}

test.each([0, 0.05, 0.5])('1,000 servers, with a spread of %d', async (spread) => {
  const clock = new ManualClock();
  const seen = new Seen();
  const answers = new Random(11);
  /** When servers answer, and what that does. */
  const due: [ms: number, answer: () => void][] = [];
  const options = (name: string): ServerOptions => ({
    name,
    connect: (_server, { signal }) =>
      new Promise((resolve, reject) => {
        seen.began(name, clock.now());
        signal.addEventListener('abort', () => reject(signal.reason));
        due.push([
          clock.now() + answers.below(50),
          () => {
            seen.ended(name);
            resolve(new PassThrough());
          },
        ]);
      }),
  });
  let passed = 0;
  const servers = new Servers(
    Array.from({ length: 1_000 }, (_, index) => options(`s${index}`)),
    { clock, checks: { interval: 2_000, spread } },
  );
  const all = checksOf(servers, clock, 2_000, { checkPassed: () => passed++ });
  const END_MS = 8_000;
  for (let ms = 0; ms < END_MS; ms += 20) {
    clock.advance(20);
    const now = due.splice(0).filter(([at, answer]) => {
      if (at > clock.now()) return true;
      answer();
      return false;
    });
    due.push(...now);
    await turns(1);
  }
  expect(passed).toBeGreaterThan(3_000);
  expect(seen.most, 'checks of one server at a time').toBe(1);
  const { most, mean } = seen.windows(0, END_MS);
  console.log(
    `spread ${spread}: ${seen.begun.length} checks; in 100 ms at most ${most}, ${mean.toFixed(1)} on average`,
  );
  expect(most).toBeLessThanOrEqual(3 * mean);
  for (const checks of all) checks.close();
  expect(clock.pending).toBe(0);
});

test('100 servers on real sockets', { timeout: 20_000 }, async () => {
  const seen = new Seen();
  let name = '';
  const server = await new PeerServer(createServer(), (socket) => {
    const who = String(socket.localAddress);
    name = who;
    seen.began(who, performance.now());
    socket.on('close', () => seen.ended(who));
  }).listen({ host: '0.0.0.0' });
  const { port } = server;
  try {
    const list = Array.from({ length: 100 }, (_, index) => ({ host: `127.0.1.${index + 1}`, port }));
    const servers = new Servers(list, { checks: { interval: 1_000 } });
    let passed = 0;
    const from = performance.now();
    const all = checksOf(servers, systemClock, 1_000, { checkPassed: () => passed++ });
    await until('every server to be checked twice', () => passed >= 250, 10_000);
    const to = performance.now();
    for (const checks of all) checks.close();
    expect(name).toMatch(/^127\.0\.1\./);
    expect(seen.most, 'checks of one server at a time').toBe(1);
    const { most, mean } = seen.windows(from, to);
    console.log(`${seen.begun.length} checks; in 100 ms at most ${most}, ${mean.toFixed(1)} on average`);
    expect(most).toBeLessThanOrEqual(3 * mean);
    await server.left();
  } finally {
    await server.stop();
  }
});
