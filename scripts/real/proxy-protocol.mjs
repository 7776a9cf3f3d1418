// @ts-check
/** PROXY headers of HAProxy and nginx, read and sent by the proxy: curl's own port has to come out at the other end. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CURL } from './http.mjs';
import { freePort } from './stage.mjs';

/** @typedef {import('../test-real.mjs').Scenario} Scenario */
/** @typedef {import('./stage.mjs').Stage} Stage */
/** @typedef {import('./programs.mjs').Programs} Programs */

const HOST = '127.0.0.1';
/** Where Debian has the module of nginx that forwards TCP. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

/**
 * @param {Stage} stage
 * @param {Programs} programs
 * @param {number} port
 * @param {string} name
 * @param {string} config of one frontend, which listens on the port
 */
async function haproxy(stage, programs, port, name, config) {
  const file = stage.path(`haproxy-${name}.cfg`);
  const timeouts = ['connect', 'client', 'server'].map((what) => `  timeout ${what} 10s`).join('\n');
  writeFileSync(file, `global\n  log stderr local0 emerg\ndefaults\n${timeouts}\n${config}\n`);
  await stage.serve(`haproxy ${name}`, port, programs('haproxy'), ['-db', '-f', file]);
}

/**
 * @param {Stage} stage
 * @param {Programs} programs
 * @param {number} port
 * @param {string} name
 * @param {string} config of everything that is served
 */
async function nginx(stage, programs, port, name, config) {
  const prefix = stage.path(`nginx-${name}`);
  mkdirSync(prefix);
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const head = `${user}\ndaemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr crit;\nevents {}`;
  const load = config.startsWith('stream') ? `load_module ${STREAM_MODULE};\n` : '';
  writeFileSync(`${prefix}/nginx.conf`, `${load}${head}\n${config}\n`);
  const args = ['-e', 'stderr', '-p', prefix, '-c', `${prefix}/nginx.conf`];
  await stage.serve(`nginx ${name}`, port, programs('nginx'), args);
}

/** @type {Scenario} */
export async function proxyProtocol({ stage, programs, cli }) {
  const { createProxy } = await import(new URL('./index.js', pathToFileURL(cli)).href);
  const [nginxPort, haproxyPort] = [await freePort(), await freePort()];
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`);
  await nginx(
    stage,
    programs,
    nginxPort,
    'server',
    `http { access_log off; ${temp.join(' ')} server { listen ${HOST}:${nginxPort} proxy_protocol;
      location / { return 200 "$proxy_protocol_addr $proxy_protocol_port"; } } }`,
  );
  await haproxy(
    stage,
    programs,
    haproxyPort,
    'server',
    `frontend server\n  mode http\n  bind ${HOST}:${haproxyPort} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port]"`,
  );
  let answers = 0;
  for (const server of [nginxPort, haproxyPort]) {
    for (const version of [1, 2]) {
      const proxy = createProxy({
        listen: { host: HOST, port: 0, proxyProtocol: { from: [HOST] } },
        servers: [{ port: server, proxyProtocol: version }],
      });
      try {
        await proxy.start();
        const [{ port }] = proxy.addresses;
        const fronts = await makeFronts(stage, programs, port, `${server}-${version}`);
        for (const front of fronts) {
          const args = [...CURL, '-w', ' %{local_ip} %{local_port}', `http://${HOST}:${front}/`];
          const { stdout } = await stage.must(programs('curl'), args);
          const [ip, from, ...own] = stdout.toString().split(' ');
          assert.deepEqual([ip, from], own, 'the address that the server was told, and that of curl');
          answers++;
        }
      } finally {
        await proxy.abort();
      }
    }
  }
  return `${answers} answers: HAProxy (versions 1 and 2) and nginx before the proxy, nginx and HAProxy behind it, in both versions`;
}

/**
 * HAProxy that sends each version, and nginx, which sends version 1.
 *
 * @param {Stage} stage
 * @param {Programs} programs
 * @param {number} target
 * @param {string} name
 */
async function makeFronts(stage, programs, target, name) {
  const [one, two, three] = [await freePort(), await freePort(), await freePort()];
  for (const [port, send] of /** @type {const} */ ([
    [one, 'send-proxy'],
    [two, 'send-proxy-v2'],
  ])) {
    const config = `listen front\n  mode tcp\n  bind ${HOST}:${port}\n  server proxy ${HOST}:${target} ${send}`;
    await haproxy(stage, programs, port, `${send}-${name}`, config);
  }
  const config = `stream { server { listen ${HOST}:${three}; proxy_pass ${HOST}:${target}; proxy_protocol on; } }`;
  await nginx(stage, programs, three, `front-${name}`, config);
  return [one, two, three];
}
