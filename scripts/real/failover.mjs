// @ts-check
/** Two nginx and curls that ask all the time, while one nginx is stopped and started again. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { CURL } from './http.mjs';
import { makeNginx, SLOW_RATE } from './nginx.mjs';
import { startProxy } from './proxy.mjs';
import { until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('../test-real.mjs').Scene} Scene */

/**
 * @typedef {object} Request
 * @property {number} startedAt
 * @property {number} endedAt
 * @property {string | undefined} servedBy which nginx; undefined if the request failed
 * @property {string} failure what curl said
 */

const FAST_LOOPS = 3;
const SLOW_LOOPS = 6;
/** This takes about a second: some are always under way. */
const SLOW_BYTES = 2 * SLOW_RATE;

/** Loops of curls, each with a connection of its own. */
class Load {
  /** @type {Request[]} */
  requests = [];
  #isOn = true;
  /** @type {Promise<void>[]} */
  #loops = [];

  /**
   * @param {Scene} scene
   * @param {number} port
   */
  constructor({ stage, programs }, port) {
    this.stage = stage;
    this.curl = programs('curl');
    for (let loop = 0; loop < FAST_LOOPS; loop++) this.#loops.push(this.#ask(`http://127.0.0.1:${port}/name`, 1));
    for (let loop = 0; loop < SLOW_LOOPS; loop++) {
      this.#loops.push(this.#ask(`http://127.0.0.1:${port}/slow/file`, SLOW_BYTES));
    }
    // They fail if the stage is closed under them, and `stop` says so.
    for (const loop of this.#loops) loop.catch(() => {});
  }

  /**
   * @param {string} url
   * @param {number} bytes
   */
  async #ask(url, bytes) {
    while (this.#isOn) {
      const startedAt = performance.now();
      const { code, stdout, stderr } = await this.stage.run(this.curl, [...CURL, '--max-time', '30', url]);
      const body = stdout.toString();
      const name = body.slice(0, 1);
      const isWhole = code === 0 && body === name.repeat(bytes);
      this.requests.push({
        startedAt,
        endedAt: performance.now(),
        servedBy: isWhole ? name : undefined,
        failure: isWhole ? '' : `exit code ${code}, ${body.length} of ${bytes} bytes, ${stderr.trim()}`,
      });
    }
  }

  /** @param {number} time */
  startedAfter(time) {
    return this.requests.filter(({ startedAt }) => startedAt > time);
  }

  async stop() {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }
}

/**
 * @param {'kill' | 'quit'} manner
 * @returns {Scenario}
 */
export function failover(manner) {
  return async (scene) => {
    const { stage, programs, cli } = scene;
    const [a, b] = [await makeNginx(stage, programs('nginx'), 'a'), await makeNginx(stage, programs('nginx'), 'b')];
    for (const nginx of [a, b]) {
      mkdirSync(`${nginx.root}/slow`);
      writeFileSync(`${nginx.root}/slow/file`, nginx.name.repeat(SLOW_BYTES));
      await nginx.start();
    }
    const proxy = await startProxy(stage, cli, [a.port, b.port], ['--down-for', '1s']);
    const load = new Load(scene, proxy.port);
    /** @param {number} time */
    const serversAfter = (time) => new Set(load.startedAfter(time).map(({ servedBy }) => servedBy));
    try {
      await until('both servers to be asked', 15_000, () => serversAfter(0).has('a') && serversAfter(0).has('b'));
      await until('slow requests to be under way', 15_000, () => load.requests.length > 100);

      const stopAt = performance.now();
      await (manner === 'kill' ? b.kill() : b.quit());
      const stoppedAt = performance.now();
      await until('requests to one server', 30_000, () => load.startedAfter(stoppedAt).length > 200);

      const startAt = performance.now();
      await b.start();
      const startedAt = performance.now();
      await until('requests to both servers again', 30_000, () => {
        return load.startedAfter(startedAt).length > 100 && serversAfter(startedAt).has('b');
      });
      const backAfter = (performance.now() - startedAt) / 1_000;
      await load.stop();

      const failed = load.requests.filter(({ servedBy }) => servedBy === undefined);
      const inFlight = failed.filter((request) => request.startedAt <= stoppedAt && request.endedAt >= stopAt);
      const others = failed.filter((request) => !inFlight.includes(request));
      const between = load.startedAfter(stoppedAt).filter(({ endedAt }) => endedAt < startAt);
      assert.deepEqual(
        others.map((request) => {
          const { startedAt: began, failure } = request;
          return `${(began - stoppedAt).toFixed(0)} ms after nginx was gone: ${failure}`;
        }),
        [],
        'requests that failed without being in flight when nginx was stopped',
      );
      assert.ok(
        between.every(({ servedBy }) => servedBy === 'a'),
        'while b was stopped, a answered',
      );
      const sessions = await proxy.stop(new RegExp(`^warning: backend 127\\.0\\.0\\.1:${b.port} fails: `));
      const underWay = load.requests.filter((request) => request.startedAt < stopAt && request.endedAt > stopAt);
      return `${load.requests.length} requests, ${underWay.length} in flight at the ${manner}, of which \
${inFlight.length} failed, 0 others; ${between.length} served by the other alone; both again after \
${backAfter.toFixed(1)} s; ${sessions}`;
    } finally {
      await load.stop();
    }
  };
}
