/** The proxies that are compared: what each is, and how it is started. Each has one thread, unless it has workers. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
 * @property {string | undefined} on the version of the Node that runs it, where there are several
 * @property {boolean} compiles its code is compiled while it runs, so it has to warm up
 * @property {() => number[]} pids of all its processes
 * @property {string} to where it listens
 * @property {() => Promise<void>} collect has it collect its garbage, if it has a collector
 * @property {() => number} residentBytes
 * @property {() => Promise<void>} end
 */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} [file] the program for Node; else `start` starts it
 * @property {(task: Task) => Promise<RunningProxy>} [start]
 * @property {Partial<Task>} [task]
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

/** A process and all that descend from it. @param {number} pid @returns {number[]} */
function family(pid) {
  const found = [pid];
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  /** @type {Map<number, number>} */
  const parents = new Map();
  for (const other of others) {
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${other}/status`, 'utf8'))?.[1];
      parents.set(Number(other), Number(parent));
    } catch {
      // It has ended meanwhile.
    }
  }
  // What is appended is visited too.
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/**
 * @param {string} name
 * @param {string} file
 * @param {import('./nodes.mjs').Node} node
 * @param {{ on?: string | undefined, under?: readonly string[], flags?: readonly string[] }} [how] `under`: the program that runs Node
 */
export function nodeProxy(name, file, node, { on, under = [], flags = [] } = {}) {
  const program = fileURLToPath(new URL(`./proxies/${file}.mjs`, import.meta.url));
  /** @param {Task} task @returns {Promise<RunningProxy>} */
  return async (task) => {
    const [command = node.path, ...args] = [
      ...under,
      node.path,
      '--expose-gc',
      ...flags,
      program,
      JSON.stringify(task),
    ];
    const child = start(layout(task.workers).proxy, command, args, ['ignore', 'inherit', 'inherit', 'ipc']);
    const { port } = await message(child);
    const pid = /** @type {number} */ (child.pid);
    return {
      name,
      on,
      compiles: true,
      pids: () => (task.workers === undefined ? [pid] : family(pid)),
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
    // Nobody tells them when the benchmark is killed; the system does. nginx ends its workers before itself.
    const signal = task.workers === undefined ? 'SIGKILL' : 'SIGTERM';
    const wrapped = ['--pdeathsig', signal.slice(3), command, ...args(file, directory)];
    const child = start(layout(task.workers).proxy, 'setpriv', wrapped, ['ignore', 'ignore', 'inherit'], signal);
    await accepts(port);
    const pid = /** @type {number} */ (child.pid);
    return {
      name,
      on: undefined,
      compiles: false,
      pids: () => (task.workers === undefined ? [pid] : family(pid)),
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
export function found(program) {
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

/** The certificate is verified, and each connection makes a full handshake. @param {Task} task */
const haproxyServer = ({ serverTls }) =>
  serverTls
    ? ` ssl verify required ca-file ${serverTls.certFile} verifyhost localhost sni str(localhost) no-ssl-reuse`
    : '';

/** @param {Task} task */
const nginxServer = ({ serverTls }) =>
  serverTls
    ? `    proxy_ssl on; proxy_ssl_verify on; proxy_ssl_trusted_certificate ${serverTls.certFile};
    proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse off;`
    : '';

/** @param {Task} task */
const nginxListener = ({ listenTls }) =>
  listenTls
    ? `    ssl_certificate ${listenTls.certFile}; ssl_certificate_key ${listenTls.keyFile}; ssl_protocols TLSv1.3;`
    : '';

const startHaproxy = foreignProxy(
  'haproxy',
  (port, task) => `
global
  nbthread ${task.workers ?? 1}
  maxconn ${pairsMax()}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port} backlog 4096${task.listenTls ? ` ssl crt ${task.listenTls.bothFile}` : ''}
  default_backend back
backend back
${serversOf(task)
  .map(({ host, port }, index) => `  server s${index} ${host}:${port}${haproxyServer(task)}`)
  .join('\n')}
`,
  (file) => ['-db', '-q', '-f', file],
);

/** Debian has the stream module in a file of its own; elsewhere it may be built in. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

const startNginx = foreignProxy(
  'nginx',
  // Without a master where there is one worker, which is the one process then.
  (port, task, directory) => `
${existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : ''}
daemon off;
${task.workers ? `worker_processes ${task.workers}` : 'master_process off'};
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
    listen 127.0.0.1:${port} ${task.listenTls ? 'ssl ' : ''}backlog=4096;
${nginxListener(task)}
    proxy_pass back;
${nginxServer(task)}
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
const foreign = [
  { name: 'haproxy', start: startHaproxy, missing: missing('haproxy', 'haproxy') },
  { name: 'nginx', start: startNginx, missing: nginxMissing },
];

/** @type {Record<'plain' | 'tls' | 'cluster', Contender[]>} */
const all = {
  plain: [
    { name: 'pipe', file: 'pipe' },
    { name: 'by-hand', file: 'by-hand' },
    { name: 'onread', file: 'onread' },
    { name: 'node-tcp-proxy', file: 'node-tcp-proxy', missing: nodeTcpProxyMissing },
    { name: 'sockchart', file: 'sockchart' },
    ...foreign,
  ],
  tls: [{ name: 'by-hand', file: 'tls' }, { name: 'sockchart', file: 'sockchart' }, ...foreign],
  // Twice: connections handed over by the primary, which is what Node does, and accepted by the workers themselves.
  cluster: [
    { name: 'by-hand', file: 'cluster-by-hand' },
    { name: 'sockchart', file: 'cluster' },
    { name: 'by-hand-system', file: 'cluster-by-hand', task: { scheduling: 'system' } },
    { name: 'sockchart-system', file: 'cluster', task: { scheduling: 'system' } },
    ...foreign,
  ],
};

/** @param {readonly string[]} names @throws with a sentence for the user when there is no such contender */
export function checkContenders(names) {
  const known = [...new Set(Object.values(all).flatMap((kind) => kind.map(({ name }) => name)))];
  for (const name of names) {
    if (!known.includes(name))
      throw new Error(`--proxies ${name}: there is no such contender; there are ${known.join('; ')}`);
  }
}

const told = new Set();

/** @typedef {{ name: string, on: string | undefined, start(task: Task): Promise<RunningProxy> }} Entrant */

/**
 * Those that can run here, on each Node; the others are named once, with what would help.
 *
 * @param {import('./run.mjs').Settings} settings
 * @param {keyof typeof all} [kind]
 * @returns {Entrant[]} those of one Node next to each other
 */
export function contenders({ nodes, proxies }, kind = 'plain') {
  const present = all[kind].filter(({ name, missing }) => {
    if (proxies.length > 0 && name !== 'by-hand' && !proxies.includes(name)) return false;
    const reason = missing?.();
    if (reason !== undefined && !told.has(name)) console.log(`without ${name}: ${reason}\n`);
    told.add(name);
    return reason === undefined;
  });
  return [
    ...nodes.flatMap((node) => present.flatMap((one) => (one.file === undefined ? [] : [entrant(one, node, nodes)]))),
    ...present.flatMap(({ name, start }) => (start === undefined ? [] : [{ name, on: undefined, start }])),
  ];
}

/** @param {Contender} contender @param {import('./nodes.mjs').Node} node @param {readonly unknown[]} nodes @returns {Entrant} */
function entrant({ name, file = name, task: own }, node, nodes) {
  const on = nodes.length > 1 ? node.version : undefined;
  const start = nodeProxy(name, file, node, { on });
  return { name, on, start: (task) => start({ ...task, ...own }) };
}

/** One of them, on each Node. @param {string} name @param {import('./run.mjs').Settings['nodes']} nodes */
export const onEach = (name, nodes) => nodes.map((node) => entrant({ name }, node, nodes));

/**
 * No proxy at all: the load generator straight at the backend, which shows how much more it could do.
 *
 * @param {number} port
 * @returns {RunningProxy}
 */
export function direct(port) {
  return {
    name: 'direct',
    on: undefined,
    compiles: false,
    pids: () => [],
    to: `127.0.0.1:${port}`,
    collect: async () => {},
    residentBytes: () => 0,
    end: async () => {},
  };
}
