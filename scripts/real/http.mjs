// @ts-check
/** curl and nginx: large files both ways, and the end of the proxy while one is under way. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { compared, MB, sha256, writeRandom } from './files.mjs';
import { makeNginx } from './nginx.mjs';
import { startProxy } from './proxy.mjs';
import { accepts, until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */

/** No start file, errors on stderr, an HTTP error is a failure. */
export const CURL = ['-q', '-sS', '--fail', '--noproxy', '*'];

const ROUNDS = 3;

/** @type {Scenario} */
export async function download({ stage, programs, cli }) {
  const nginx = await makeNginx(stage, programs('nginx'), 'files');
  const hash = writeRandom(`${nginx.root}/file`, 200 * MB);
  await nginx.start();
  const proxy = await startProxy(stage, cli, [nginx.port]);
  /** @param {number} port */
  const rate = async (port) => {
    const out = stage.path('downloaded');
    const args = [...CURL, '-o', out, '-w', '%{speed_download}', `http://127.0.0.1:${port}/file`];
    const { stdout } = await stage.must(programs('curl'), args);
    assert.equal(await sha256(out), hash, 'SHA-256 of what was downloaded');
    rmSync(out);
    return Number(stdout) / MB;
  };
  const { direct, proxied } = await best(rate, nginx.port, proxy.port);
  const sessions = await proxy.stop();
  return `200 MB from nginx, ${ROUNDS} times: SHA-256 equal; ${compared(direct, proxied, 'MB/s')}; ${sessions}`;
}

/** @type {Scenario} */
export async function upload({ stage, programs, cli }) {
  const nginx = await makeNginx(stage, programs('nginx'), 'uploads');
  const file = stage.path('file');
  const hash = writeRandom(file, 50 * MB);
  await nginx.start();
  const proxy = await startProxy(stage, cli, [nginx.port]);
  let uploads = 0;
  /** @param {number} port */
  const rate = async (port) => {
    const name = `upload-${++uploads}`;
    const args = [...CURL, '-T', file, '-w', '%{speed_upload}', `http://127.0.0.1:${port}/${name}`];
    const { stdout } = await stage.must(programs('curl'), args);
    assert.equal(await sha256(`${nginx.root}/${name}`), hash, 'SHA-256 of what was uploaded');
    return Number(stdout) / MB;
  };
  const { direct, proxied } = await best(rate, nginx.port, proxy.port);
  const sessions = await proxy.stop();
  return `50 MB put to nginx, ${ROUNDS} times: SHA-256 equal; ${compared(direct, proxied, 'MB/s')}; ${sessions}`;
}

/**
 * The best of some rounds, in turns: other work on the machine only ever slows it down.
 *
 * @param {(port: number) => Promise<number>} rate
 * @param {number} directPort
 * @param {number} proxyPort
 */
async function best(rate, directPort, proxyPort) {
  let direct = 0;
  let proxied = 0;
  for (let round = 0; round < ROUNDS; round++) {
    direct = Math.max(direct, await rate(directPort));
    proxied = Math.max(proxied, await rate(proxyPort));
  }
  return { direct, proxied };
}

/** @type {Scenario} */
export async function drain({ stage, programs, cli }) {
  const nginx = await makeNginx(stage, programs('nginx'), 'drain');
  mkdirSync(`${nginx.root}/part`);
  // More than all buffers on the way hold, so that the backend is still sending when the proxy is told to end.
  const bytes = 40 * MB;
  const hash = writeRandom(`${nginx.root}/part/file`, bytes);
  await nginx.start();
  const proxy = await startProxy(stage, cli, [nginx.port]);
  const out = stage.path('downloaded');
  const url = `http://127.0.0.1:${proxy.port}/part/file`;
  const curl = stage.spawn('curl', programs('curl'), [...CURL, '--limit-rate', '8M', '-o', out, url]);
  const received = () => statSync(out, { throwIfNoEntry: false })?.size ?? 0;
  await until('the first bytes of the download', 10_000, () => received() > MB || curl.exit !== undefined);

  proxy.running.kill('SIGTERM');
  const toldAt = performance.now();
  const before = received();
  await until('new connections to be refused', 2_000, async () => !(await accepts(proxy.port)));
  const refusedMs = performance.now() - toldAt;
  const refused = await stage.run(programs('curl'), [...CURL, url]);
  assert.equal(refused.code, 7, `exit code of a curl that comes while the proxy drains (${refused.stderr})`);
  assert.equal(curl.exit, undefined, 'exit of the download while new connections are refused');
  assert.equal(proxy.running.exit, undefined, 'exit of the proxy while the download goes on');

  assert.deepEqual(await curl.exited, { code: 0, signal: null }, `how the download ended (${curl.stderr})`);
  const doneAt = performance.now();
  assert.equal(await sha256(out), hash, 'SHA-256 of what was downloaded');
  const sessions = await proxy.ended(5_000);
  assert.ok(before < bytes / 2, `${before} bytes were there before SIGTERM: too many to prove anything`);
  const left = Math.round((bytes - before) / MB);
  const drained = ((doneAt - toldAt) / 1_000).toFixed(1);
  return `SIGTERM with ${left} of 40 MB to come: newcomers refused after ${refusedMs.toFixed(0)} ms, the download \
ended ${drained} s later with equal SHA-256, then the proxy with 0; ${sessions}`;
}
