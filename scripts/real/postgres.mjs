// @ts-check
/** pgbench and psql with PostgreSQL. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { compared } from './files.mjs';
import { startProxy } from './proxy.mjs';
import { freePort, until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('../test-real.mjs').Scene} Scene */

const DATABASE = 'real';

/**
 * PostgreSQL refuses to run as root: it gets the user that its package makes, or one that owns nothing.
 *
 * @returns {import('./stage.mjs').User | undefined}
 */
function unprivileged() {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, name], { stdio: 'pipe' })));
      return { uid: Number(uid), gid: Number(gid) };
    } catch {
      // The next one.
    }
  }
  throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody');
}

/**
 * @param {Pick<Scene, 'stage' | 'programs'>} scene
 * @param {{ cert: string, key: string }} [tls] files, where it speaks TLS
 */
export async function startPostgres({ stage, programs }, tls) {
  const user = unprivileged();
  const data = stage.path('data');
  mkdirSync(data, { mode: 0o700 });
  if (user !== undefined) chownSync(data, user.uid, user.gid);
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  await stage.must(programs('initdb'), init, { user });
  const port = await freePort();
  if (tls !== undefined) {
    for (const [name, file] of Object.entries({ 'server.crt': tls.cert, 'server.key': tls.key })) {
      copyFileSync(file, `${data}/${name}`);
      chmodSync(`${data}/${name}`, 0o600);
      if (user !== undefined) chownSync(`${data}/${name}`, user.uid, user.gid);
    }
  }
  // No Unix socket, and no waiting for the disk: the network is what is measured.
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'synchronous_commit=off'];
  if (tls !== undefined) settings.push('ssl=on');
  const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  await stage.serve('postgres', port, programs('postgres'), args, { user, stopSignal: 'SIGQUIT' });
  return port;
}

/** @type {Scenario} */
export async function pgbench(scene) {
  const { stage, programs } = scene;
  const postgres = await startPostgres(scene);
  const proxy = await startProxy(stage, scene.cli, [postgres]);
  /** @param {number} port */
  const at = (port) => ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres'];
  /**
   * @param {number} port
   * @param {string} command
   */
  const psql = (port, command) => [...at(port), '-d', DATABASE, '-X', '-A', '-t', '-q', '-c', command];
  await until('PostgreSQL to answer', 15_000, async () => {
    const args = [...at(postgres), '-d', 'postgres', '-X', '-c', 'select 1'];
    return (await stage.run(programs('psql'), args)).code === 0;
  });
  await stage.must(programs('createdb'), [...at(proxy.port), DATABASE]);
  await stage.must(programs('pgbench'), [...at(proxy.port), '-i', '-q', '-s', '8', DATABASE]);
  /**
   * @param {number} port
   * @param {string[]} options
   */
  const bench = async (port, options) => {
    const args = [...at(port), '-n', '-j', '2', ...options, DATABASE];
    const { stdout, stderr } = await stage.must(programs('pgbench'), args);
    const report = stdout.toString();
    assert.doesNotMatch(stderr, /error|abort|fatal/i, 'what pgbench wrote on stderr');
    // Before version 15 there is no such line: a failed transaction ends pgbench.
    assert.equal(/number of failed transactions: (\d+)/.exec(report)?.[1] ?? '0', '0', 'failed transactions');
    return {
      transactions: Number(/number of transactions actually processed: (\d+)/.exec(report)?.[1]),
      tps: Number(/^tps = ([\d.]+)/m.exec(report)?.[1]),
    };
  };
  const direct = await bench(postgres, ['-c', '8', '-T', '5']);
  const proxied = await bench(proxy.port, ['-c', '8', '-T', '5']);
  const direct1 = await bench(postgres, ['-c', '8', '-C', '-S', '-T', '3']);
  const proxied1 = await bench(proxy.port, ['-c', '8', '-C', '-S', '-T', '3']);

  const history = await stage.must(programs('psql'), psql(proxy.port, 'select count(*) from pgbench_history'));
  assert.equal(
    Number(history.stdout),
    direct.transactions + proxied.transactions,
    'transactions that the database knows, against those that pgbench counts',
  );

  const copy = 'copy (select * from pgbench_accounts order by aid) to stdout';
  const copies = [];
  for (const port of [postgres, proxy.port]) {
    const { stdout } = await stage.must(programs('psql'), psql(port, copy));
    copies.push({ bytes: stdout.length, hash: createHash('sha256').update(stdout).digest('hex') });
  }
  assert.deepEqual(copies[1], copies[0], 'SHA-256 of a copied table');

  // A cancel is a connection of its own, which goes through the proxy as well.
  const sleeping = 'select pg_sleep(60) /* cancel me */';
  const canceled = stage.spawn('psql', programs('psql'), psql(proxy.port, sleeping));
  const running = "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'";
  await until('the statement to run', 10_000, async () => {
    return (await stage.must(programs('psql'), psql(postgres, running))).stdout.toString() === '1\n';
  });
  canceled.kill('SIGINT');
  await until('the statement to be canceled', 10_000, () => canceled.exit !== undefined);
  await canceled.exited;
  assert.match(canceled.stderr, /canceling statement due to user request/, 'what psql wrote when it was canceled');

  const sessions = await proxy.stop();
  const megabytes = ((copies[0]?.bytes ?? 0) / 1_000_000).toFixed(0);
  return `pgbench -c 8: 0 of ${proxied.transactions} failed, ${compared(direct.tps, proxied.tps, 'tps')}; \
a connection each: ${compared(direct1.tps, proxied1.tps, 'tps')}; ${megabytes} MB table equal; \
a cancel arrived; ${sessions}`;
}
