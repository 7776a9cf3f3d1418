// @ts-check
/** The recipes of examples/, each with the programs that it is for. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MB, sha256, writeRandom } from './files.mjs';
import { CURL } from './http.mjs';
import { makeNginx } from './nginx.mjs';
import { startPostgres } from './postgres.mjs';
import { startRedis } from './redis.mjs';
import { freePort, until } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('../test-real.mjs').Scene} Scene */
/** @typedef {import('./stage.mjs').Stage} Stage */

/** @param {string} path */
const file = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const LOCALHOST = { cert: file('test/fixtures/cert.pem'), key: file('test/fixtures/key.pem') };
const EXAMPLE = { cert: file('test/fixtures/example-cert.pem'), key: file('test/fixtures/example-key.pem') };

/** A recipe that runs. */
class Recipe {
  /** @param {import('./stage.mjs').Running} running */
  constructor(running) {
    this.running = running;
  }

  /**
   * The port in the line that begins so.
   *
   * @param {string} [words]
   */
  async port(words = 'listening on') {
    const line = new RegExp(`^${words} .*:(\\d+)$`, 'm');
    await until(`“${words} …” of ${this.running.title}`, 10_000, () => {
      if (this.running.exit !== undefined) throw new Error(`${this.running.title} ended: ${this.running.stderr}`);
      return line.test(this.running.output);
    });
    return Number(line.exec(this.running.output)?.[1]);
  }

  /** Lets it drain: it exits with 0 and has complained of nothing. */
  async stop() {
    this.running.kill('SIGTERM');
    assert.deepEqual(await this.running.exited, { code: 0, signal: null }, `how ${this.running.title} ended`);
    assert.equal(this.running.stderr, '', `what ${this.running.title} wrote on stderr`);
  }
}

/**
 * @param {Stage} stage
 * @param {string} name
 * @param {...(string | number)} args
 */
function start(stage, name, ...args) {
  const running = stage.spawn(name, process.execPath, [file(`examples/${name}`), ...args.map(String)]);
  stage.servers.push(running);
  return new Recipe(running);
}

/**
 * An nginx with a file, and a download of that file.
 *
 * @param {Scene} scene
 */
async function withFile({ stage, programs }) {
  const nginx = await makeNginx(stage, programs('nginx'), 'files');
  const hash = writeRandom(`${nginx.root}/file`, 50 * MB);
  await nginx.start();
  /** @param {string[]} args with the URL */
  const download = async (...args) => {
    const out = stage.path('downloaded');
    await stage.must(programs('curl'), ['-q', '-sS', '--fail', '-o', out, ...args]);
    assert.equal(await sha256(out), hash, 'SHA-256 of what was downloaded');
  };
  return { nginx, download };
}

/** @type {Scenario} */
export async function connectProxy(scene) {
  const { stage, programs } = scene;
  const { nginx, download } = await withFile(scene);
  const upstream = start(stage, 'connect-proxy.mjs', 0);
  const first = `http://127.0.0.1:${await upstream.port()}`;
  const proxy = start(stage, 'connect-proxy.mjs', 0, await upstream.port());
  const second = `http://127.0.0.1:${await proxy.port()}`;
  for (const url of [first, second]) await download('-p', '-x', url, `http://127.0.0.1:${nginx.port}/file`);
  const dead = `http://127.0.0.1:${await freePort()}/`;
  const refused = await stage.run(programs('curl'), ['-q', '-sS', '-p', '-x', first, dead]);
  assert.match(refused.stderr, /CONNECT tunnel failed, response 502/, 'what curl says of a server that is down');
  await proxy.stop();
  await upstream.stop();
  return '50 MB through one and through two: SHA-256 equal; 502 for a server that is down';
}

/** @type {Scenario} */
export async function socks(scene) {
  const { stage, programs } = scene;
  const { nginx, download } = await withFile(scene);
  const proxy = start(stage, 'socks-proxy.mjs', 0);
  const at = `127.0.0.1:${await proxy.port()}`;
  await download('--socks5-hostname', at, `http://localhost:${nginx.port}/file`);
  await download('--socks5', at, `http://127.0.0.1:${nginx.port}/file`);
  const dead = `http://127.0.0.1:${await freePort()}/`;
  const refused = await stage.run(programs('curl'), ['-q', '-sS', '--socks5-hostname', at, dead]);
  assert.match(refused.stderr, /Can't complete SOCKS5 connection .*\(5\)/, 'what curl says of a server that is down');
  await proxy.stop();
  return '50 MB by name and by address: SHA-256 equal; connection refused for a server that is down';
}

/**
 * @param {Scene} scene
 * @param {{ cert: string, key: string }} files
 */
async function serveTls({ stage, programs }, { cert, key }) {
  const port = await freePort();
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', cert, '-key', key, '-www', '-quiet'];
  await stage.serve('openssl s_server', port, programs('openssl'), args);
  return port;
}

/** @type {Scenario} */
export async function sni(scene) {
  const { stage, programs } = scene;
  const routes = [`localhost=${await serveTls(scene, LOCALHOST)}`, `www.example.com=${await serveTls(scene, EXAMPLE)}`];
  const router = start(stage, 'sni-router.mjs', 0, ...routes);
  const port = await router.port();
  /** @param {string} name */
  const subject = async (name) => {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name];
    const { stdout } = await stage.run(programs('openssl'), args, { input: '' });
    return /^subject=(.*)$/m.exec(stdout.toString())?.[1];
  };
  const subjects = [await subject('localhost'), await subject('www.example.com'), await subject('other.example.com')];
  assert.match(subjects[0] ?? '', /localhost/, 'the certificate of localhost');
  assert.ok(subjects[1] !== undefined && subjects[1] !== subjects[0], 'another certificate for www.example.com');
  assert.equal(subjects[2], undefined, 'the certificate for a name without a server');
  const url = `https://localhost:${port}/`;
  const curl = [...CURL, '--cacert', LOCALHOST.cert, '--resolve', `localhost:${port}:127.0.0.1`, url];
  const { stdout } = await stage.must(programs('curl'), curl);
  assert.match(stdout.toString(), /s_server/, 'the page of s_server');
  await router.stop();
  return `s_client got ${subjects[0]} and ${subjects[1]}; curl has verified the first`;
}

/** @type {Scenario} */
export async function postgres(scene) {
  const { stage, programs } = scene;
  const server = await startPostgres(scene, LOCALHOST);
  const routes = [`postgres=${server}`, `template1=tls:${server}`];
  const proxy = start(stage, 'postgres-proxy.mjs', 0, LOCALHOST.cert, LOCALHOST.key, ...routes);
  const port = await proxy.port();
  /** @param {string} database @param {string} command @param {string} [sslmode] */
  const psql = (database, command, sslmode = 'require') => {
    const where = `host=127.0.0.1 port=${port} user=postgres dbname=${database} sslmode=${sslmode}`;
    return ['-X', '-A', '-t', '-q', '-d', where, '-c', command];
  };
  const usesTls = 'select current_database(), ssl from pg_stat_ssl where pid = pg_backend_pid()';
  await until('PostgreSQL to answer', 15_000, async () => {
    return (await stage.run(programs('psql'), psql('postgres', 'select 1'))).code === 0;
  });
  for (const sslmode of ['require', 'disable']) {
    for (const [database, answer] of Object.entries({ postgres: 'postgres|f\n', template1: 'template1|t\n' })) {
      const { stdout } = await stage.must(programs('psql'), psql(database, usesTls, sslmode));
      assert.equal(stdout.toString(), answer, `the server’s side of ${database} with sslmode=${sslmode}`);
    }
  }
  const rows = await stage.must(
    programs('psql'),
    psql('template1', "select repeat('x', 1000) from generate_series(1, 20000)"),
  );
  assert.equal(rows.stdout.length, 20_000 * 1_001, 'bytes of a large result');

  const canceled = stage.spawn('psql', programs('psql'), psql('template1', 'select pg_sleep(60)'));
  const running = "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)'";
  await until('the statement to run', 10_000, async () => {
    return (await stage.must(programs('psql'), psql('postgres', running))).stdout.toString() === '1\n';
  });
  canceled.kill('SIGINT');
  await canceled.exited;
  assert.match(canceled.stderr, /canceling statement due to user request/, 'what psql wrote when it was canceled');

  const unknown = await stage.run(programs('psql'), psql('nowhere', 'select 1'));
  assert.match(unknown.stderr, /FATAL: {2}database "nowhere" does not exist/, 'what psql says of another database');
  await proxy.stop();
  return 'psql with TLS and without, to a server with TLS and without; 20 MB; a cancel; a database that is not there';
}

/**
 * An nginx with settings of its own.
 *
 * @param {Scene} scene
 * @param {string} server
 */
async function serveNginx({ stage, programs }, server) {
  const port = await freePort();
  const prefix = stage.path(`nginx-${port}`);
  const config = `
daemon off;
pid ${prefix}.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${prefix}-${kind};`).join(' ')}
  server {
    listen 127.0.0.1:${port}${server}
  }
}
`;
  writeFileSync(`${prefix}.conf`, config);
  await stage.serve('nginx', port, programs('nginx'), ['-e', 'stderr', '-p', stage.dir, '-c', `${prefix}.conf`]);
  return port;
}

/** Relays WebSockets. @param {number} port */
const upgrading = (port) => `;
    location / {
      proxy_pass http://127.0.0.1:${port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }`;

/** @type {Scenario} */
export async function webSocket(scene) {
  const { stage } = scene;
  const redis = await startRedis(scene);
  const serving = start(stage, 'websocket-bridge.mjs', 'serve', 0, redis);
  const nginx = await serveNginx(scene, upgrading(await serving.port()));
  const dialling = start(stage, 'websocket-bridge.mjs', 'dial', 0, `ws://127.0.0.1:${nginx}`);
  const result = await useRedis(scene, await dialling.port());
  await dialling.stop();
  await serving.stop();
  return `redis-cli through a WebSocket that nginx relays: ${result}`;
}

/**
 * @param {Scene} scene
 * @param {number} port
 */
async function useRedis({ stage, programs }, port) {
  const at = ['-h', '127.0.0.1', '-p', String(port)];
  const value = 'x'.repeat(MB);
  await stage.must(programs('redis-cli'), [...at, '-x', 'set', 'key'], { input: value });
  const { stdout } = await stage.must(programs('redis-cli'), [...at, '--raw', 'get', 'key']);
  assert.equal(stdout.toString(), `${value}\n`, 'what was stored');
  const commands = Array.from({ length: 10_000 }, (_, number) => `RPUSH list ${number}\r\n`).join('');
  const piped = await stage.must(programs('redis-cli'), [...at, '--pipe'], { input: commands });
  assert.match(piped.stdout.toString(), /errors: 0, replies: 10000/, 'the report of redis-cli --pipe');
  return '1 MB there and back, 10,000 piped commands';
}

/** @type {Scenario} */
export async function demultiplexer(scene) {
  const { stage, programs } = scene;
  const redis = await startRedis(scene);
  const serving = start(stage, 'websocket-bridge.mjs', 'serve', 0, redis);
  const tls = await serveTls(scene, LOCALHOST);
  const both = start(stage, 'demultiplexer.mjs', 0, tls, await serving.port());
  const port = await both.port();
  /** @param {string[]} args */
  const page = async (...args) => (await stage.must(programs('curl'), [...CURL, ...args])).stdout.toString();
  assert.equal(await page(`http://127.0.0.1:${port}/page`), '/page is answered here\n', 'the answer over HTTP');
  assert.match(await page('--cacert', LOCALHOST.cert, `https://localhost:${port}/`), /s_server/, 'the answer over TLS');
  const dialling = start(stage, 'websocket-bridge.mjs', 'dial', 0, `ws://127.0.0.1:${port}`);
  const result = await useRedis(scene, await dialling.port());
  for (const recipe of [dialling, both, serving]) await recipe.stop();
  return `curl by HTTP and HTTPS at one port; redis-cli through an upgrade there: ${result}`;
}

/** @type {Scenario} */
export async function balanced(scene) {
  const { stage, programs } = scene;
  /** @param {string} name */
  const serve = (name) =>
    serveNginx(scene, ` proxy_protocol;\n    location / { return 200 "${name} $proxy_protocol_addr"; }`);
  const proxy = start(stage, 'balanced-proxy.mjs', 0, await serve('a'), await serve('b'), '--affinity');
  const front = await freePort();
  const config = stage.path('haproxy.cfg');
  writeFileSync(
    config,
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen front
  bind 127.0.0.1:${front}
  server proxy 127.0.0.1:${await proxy.port()} send-proxy-v2
`,
  );
  await stage.serve('haproxy', front, programs('haproxy'), ['-db', '-f', config]);
  /** @type {Set<string>} */
  const answers = new Set();
  for (let client = 1; client <= 40; client++) {
    const address = `127.0.0.${(client % 20) + 1}`;
    const curl = [...CURL, '--interface', address, `http://127.0.0.1:${front}/`];
    const { stdout } = await stage.must(programs('curl'), curl);
    assert.match(
      stdout.toString(),
      new RegExp(`^[ab] ${address.replaceAll('.', '\\.')}$`),
      'the address that nginx is told',
    );
    answers.add(stdout.toString());
  }
  assert.equal(answers.size, 20, 'servers that 20 addresses came to, twice each');
  const servers = new Set([...answers].map((answer) => answer[0]));
  assert.equal(servers.size, 2, 'servers that were used');
  await proxy.stop();
  return 'HAProxy in front, nginx behind: 20 addresses are told, each comes to the same server twice, both servers are used';
}

/** @type {Scenario} */
export async function tunnel(scene) {
  const { stage } = scene;
  const { nginx, download } = await withFile(scene);
  const edge = start(stage, 'tunnel.mjs', 'edge', 0, 0);
  const agent = start(stage, 'tunnel.mjs', 'agent', await edge.port('agents at'), nginx.port, 2);
  const url = `http://127.0.0.1:${await edge.port()}/file`;
  await Promise.all([download(url), stage.must(scene.programs('curl'), [...CURL, '-o', stage.path('second'), url])]);
  for (let time = 0; time < 5; time++) await download(url);
  await agent.stop();
  await edge.stop();
  return '50 MB from nginx, seven times: SHA-256 equal';
}

/** @type {Scenario} */
export async function pool(scene) {
  const { stage } = scene;
  const redis = await startRedis(scene);
  const commands = Array.from({ length: 2_000 }, (_, number) => `ECHO ${number}`);
  const { stdout } = await stage.must(process.execPath, [file('examples/pool.mjs'), String(redis), '4'], {
    input: `${commands.join('\n')}\n`,
  });
  const answers = commands.map((command) => command.slice('ECHO '.length));
  assert.equal(stdout.toString(), [...answers, '4 connections', 'closed', ''].join('\n'), 'the answers of Redis');
  return '2,000 answers in order over 4 connections';
}
