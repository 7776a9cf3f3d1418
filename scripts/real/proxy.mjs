// @ts-check
/** The proxy under test, as its users start it: the program, with options. */
import assert from 'node:assert/strict';
import { until } from './stage.mjs';

/** @typedef {import('./stage.mjs').Stage} Stage */

const LISTENING = /^listening on .*:(\d+)$/m;
const STOPPED = /^stopped: (.*)$/m;

class TestedProxy {
  /**
   * @param {import('./stage.mjs').Running} running
   * @param {number} port
   */
  constructor(running, port) {
    this.running = running;
    this.port = port;
  }

  /**
   * Lets it drain and end.
   *
   * @param {RegExp} [warning] a line that it may write on stderr
   * @returns {Promise<string>} how many sessions it had, and how they ended
   */
  stop(warning) {
    this.running.kill('SIGTERM');
    return this.ended(15_000, warning);
  }

  /**
   * Waits until it has ended: with exit code 0, no session cut or turned away, and nothing unexpected on stderr.
   *
   * @param {number} timeoutMs
   * @param {RegExp} [warning]
   */
  async ended(timeoutMs, warning) {
    const { running } = this;
    await until('the proxy to end after SIGTERM', timeoutMs, () => running.exit !== undefined);
    assert.deepEqual(await running.exited, { code: 0, signal: null }, 'how the proxy ended');
    const lines = running.stderr.split('\n').filter((line) => line !== '' && warning?.test(line) !== true);
    assert.deepEqual(lines, [], 'what the proxy wrote on stderr');
    const [, sessions] = STOPPED.exec(running.stdout.toString()) ?? [];
    assert.ok(sessions !== undefined, 'the proxy says how its sessions ended');
    // A peer that resets is a drop; the others would be the proxy's own doing.
    assert.doesNotMatch(sessions, /aborted|refused|failed|closed/, 'how the sessions ended');
    return sessions;
  }
}

/**
 * @param {Stage} stage
 * @param {string} cli
 * @param {readonly number[]} backends ports
 * @param {readonly string[]} [options]
 */
export async function startProxy(stage, cli, backends, options = []) {
  const args = [cli, '--listen', '127.0.0.1:0', ...backends.flatMap((port) => ['--backend', `127.0.0.1:${port}`])];
  const running = stage.spawn('the proxy', process.execPath, [...args, '--quiet', ...options]);
  stage.servers.push(running);
  await until('the proxy to listen', 10_000, () => {
    if (running.exit !== undefined) throw new Error('the proxy ended at once');
    return LISTENING.test(running.output);
  });
  return new TestedProxy(running, Number(LISTENING.exec(running.output)?.[1]));
}
