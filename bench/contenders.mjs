/** The proxies that are compared: what each is, and how it is started. Each is one process with one thread. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, message, start } from './children.mjs';
import { serversOf } from './load/addresses.mjs';
import { layout, openFilesMax } from './machine.mjs';

/** @typedef {import('./proxies/report.mjs').Task} Task */

/**
 * A proxy that runs.
 *
 * @typedef {object} RunningProxy
 * @property {string} name
 * @property {number} pid 0 where there is no proxy
 * @property {string} to where it listens
 * @property {() => Promise<void>} collect has it collect its garbage, if it has a collector
 * @property {() => number} residentBytes
 * @property {() => Promise<void>} end
 */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} what
 * @property {(task: Task) => Promise<RunningProxy>} start
 * @property {() => string | undefined} [missing] why it cannot run here
 */

/** What the proxy itself may open, less what it needs besides connections; each connection takes two. */
export const pairsMax = () => Math.floor((Math.min(openFilesMax(), 1_000_000) - 200) / 2);

/** @param {number} pid */
function residentBytes(pid) {
  // The rollup walks the pages; the counters in `statm` lag behind.
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024;
}

/** @param {string} file */
export function nodeProxy(file) {
  const program = fileURLToPath(new URL(`./proxies/${file}.mjs`, import.meta.url));
  /** @param {Task} task @returns {Promise<RunningProxy>} */
  return async (task) => {
    const args = ['--expose-gc', program, JSON.stringify(task)];
    const child = start(layout().proxy, process.execPath, args, ['ignore', 'inherit', 'inherit', 'ipc']);
    const { port } = await message(child);
    const pid = /** @type {number} */ (child.pid);
    return {
      name: file,
      pid,
      to: `127.0.0.1:${port}`,
      async collect() {
        const collected = message(child);
        child.send({ collect: true });
        await collected;
      },
      residentBytes: () => residentBytes(pid),
      end: () => end(child),
    };
  };
}

/** A port that was free a moment ago, for programs that cannot choose one and say which. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until somebody accepts: haproxy and nginx tell nobody when they listen. @param {number} port */
async function accepts(port) {
  for (let attempt = 0; ; attempt++) {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.destroy();
      return;
    } catch (error) {
      if (attempt > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/**
 * @param {string} name
 * @param {(port: number, task: Task, directory: string) => string} config
 * @param {(file: string, directory: string) => string[]} args
 */
function foreignProxy(name, config, args) {
  /** @param {Task} task @returns {Promise<RunningProxy>} */
  return async (task) => {
    const directory = mkdtempSync(path.join(os.tmpdir(), `sockchart-bench-${name}-`));
    const clear = () => rmSync(directory, { recursive: true, force: true });
    process.once('exit', clear);
    const file = path.join(directory, `${name}.conf`);
    const port = await freePort();
    writeFileSync(file, config(port, task, directory));
    const command = /** @type {string} */ (found(name));
    // Nobody tells them when the benchmark is killed; the system does.
    const wrapped = ['--pdeathsig', 'KILL', command, ...args(file, directory)];
    const child = start(layout().proxy, 'setpriv', wrapped, ['ignore', 'ignore', 'inherit']);
    await accepts(port);
    const pid = /** @type {number} */ (child.pid);
    return {
      name,
      pid,
      to: `127.0.0.1:${port}`,
      collect: async () => {},
      residentBytes: () => residentBytes(pid),
      async end() {
        await end(child);
        process.removeListener('exit', clear);
        clear();
      },
    };
  };
}

/** @param {string} program */
function found(program) {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return places.map((place) => path.join(place, program)).find((file) => existsSync(file));
}

/** @param {string} program @param {string} how */
const missing = (program, how) => () => {
  for (const [one, of] of [
    [program, how],
    ['setpriv', 'util-linux'],
  ]) {
    if (found(/** @type {string} */ (one)) === undefined)
      return `${one} is not installed (on Debian: apt-get install ${of})`;
  }
  return undefined;
};

const startHaproxy = foreignProxy(
  'haproxy',
  (port, task) => `
global
  nbthread 1
  maxconn ${pairsMax()}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port} backlog 4096
  default_backend back
backend back
${serversOf(task)
  .map(({ host, port }, index) => `  server s${index} ${host}:${port}`)
  .join('\n')}
`,
  (file) => ['-db', '-q', '-f', file],
);

/** Debian has the stream module in a file of its own; elsewhere it may be built in. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

const startNginx = foreignProxy(
  'nginx',
  // Without a master, so that the one process is the worker.
  (port, task, directory) => `
${existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : ''}
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
worker_rlimit_nofile ${openFilesMax()};
events { worker_connections ${pairsMax() * 2 + 64}; }
stream {
  upstream back {
${serversOf(task)
  .map(({ host, port }) => `    server ${host}:${port};`)
  .join('\n')}
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_pass back;
    proxy_connect_timeout 5s;
    proxy_timeout 60s;
  }
}
`,
  (file, directory) => ['-p', directory, '-e', path.join(directory, 'error.log'), '-c', file],
);

function nginxMissing() {
  const absent = missing('nginx', 'nginx-light libnginx-mod-stream')();
  if (absent !== undefined || existsSync(STREAM_MODULE)) return absent;
  // It prints what it was built with on stderr, and there is no way to have it on stdout.
  const built = execFileSync('sh', ['-c', `"${found('nginx')}" -V 2>&1`], { encoding: 'utf8' });
  return / --with-stream(\s|$)/.test(built)
    ? undefined
    : 'nginx has no stream module (on Debian: apt-get install libnginx-mod-stream)';
}

function nodeTcpProxyMissing() {
  try {
    import.meta.resolve('node-tcp-proxy');
    return undefined;
  } catch {
    return 'node-tcp-proxy is not installed (npm ci)';
  }
}

/** @type {Contender[]} */
const all = [
  { name: 'pipe', what: 'net and pipe, as most write it', start: nodeProxy('pipe') },
  { name: 'by-hand', what: 'net, shared handlers, nothing else', start: nodeProxy('by-hand') },
  { name: 'onread', what: 'by-hand, backend read into pooled buffers', start: nodeProxy('onread') },
  {
    name: 'node-tcp-proxy',
    what: 'node-tcp-proxy 0.0.28 from npm',
    start: nodeProxy('node-tcp-proxy'),
    missing: nodeTcpProxyMissing,
  },
  { name: 'sockchart', what: 'createProxy, every timeout on', start: nodeProxy('sockchart') },
  { name: 'haproxy', what: 'haproxy, tcp, nbthread 1', start: startHaproxy, missing: missing('haproxy', 'haproxy') },
  { name: 'nginx', what: 'nginx, stream, one process', start: startNginx, missing: nginxMissing },
];

const told = new Set();

/** Those that can run here; the others are named once, with what would help. */
export function contenders() {
  return all.filter(({ name, missing }) => {
    const reason = missing?.();
    if (reason !== undefined && !told.has(name)) console.log(`without ${name}: ${reason}\n`);
    told.add(name);
    return reason === undefined;
  });
}

/** One of them. @param {string} name */
export function contender(name) {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no contender ${name}`);
  return found;
}

/**
 * No proxy at all: the load generator straight at the backend, which shows how much more it could do.
 *
 * @param {number} port
 * @returns {RunningProxy}
 */
export function direct(port) {
  return {
    name: 'direct',
    pid: 0,
    to: `127.0.0.1:${port}`,
    collect: async () => {},
    residentBytes: () => 0,
    end: async () => {},
  };
}
