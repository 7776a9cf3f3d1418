/** What TLS costs a proxy: handshakes and bytes, at its listener and to its server. TLS 1.3, ECDSA with P-256. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { tlsMissing } from './load/load.mjs';
import { connectionsProbe, DIRECTIONS, streamProbes } from './probes.mjs';
import { inTurns, warmUpStreams } from './proxy.mjs';

/** @typedef {import('./run.mjs').Settings} Settings */
/** @typedef {import('./results.mjs').Collected} Collected */

/** Made anew for each run. @param {string} directory @returns {import('./proxies/report.mjs').Certificate} */
function certificate(directory) {
  const certFile = path.join(directory, 'cert.pem');
  const keyFile = path.join(directory, 'key.pem');
  const bothFile = path.join(directory, 'both.pem');
  const made = ['-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=localhost'];
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = ['-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...how, ...made, ...names], { stdio: ['ignore', 'ignore', 'pipe'] });
  const cert = readFileSync(certFile, 'utf8');
  const key = readFileSync(keyFile, 'utf8');
  writeFileSync(bothFile, `${cert}${key}`);
  return { cert, key, certFile, keyFile, bothFile };
}

let told = false;

/**
 * @param {(settings: Settings, certificate: import('./proxies/report.mjs').Certificate) => Promise<Collected[]>} run
 * @returns {(settings: Settings) => Promise<Collected[]>}
 */
const withCertificate = (run) => async (settings) => {
  const reason = tlsMissing();
  if (reason !== undefined) {
    if (!told) console.log(`without TLS: ${reason}\n`);
    told = true;
    return [];
  }
  const directory = mkdtempSync(path.join(os.tmpdir(), 'sockchart-bench-tls-'));
  const clear = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', clear);
  return run(settings, certificate(directory));
};

const EACH_WAY = DIRECTIONS.slice(0, 2);

/** @type {Record<string, (settings: Settings) => Promise<Collected[]>>} */
export const tlsBenchmarks = {
  'proxy.tls.connections': withCertificate(async (settings, listenTls) => {
    const name = 'proxy.tls.connections';
    const full = { name, tls: true, title: 'TLS at the listener, a full handshake each; 64 at a time' };
    const resumed = { name, tls: true, resume: true, title: 'TLS at the listener, each session resumed; 64 at a time' };
    const probes = [
      connectionsProbe(settings, 'cold', full),
      connectionsProbe(settings, 'warm', full),
      connectionsProbe(settings, 'warm', resumed),
    ];
    return inTurns(settings, probes, { kind: 'tls', task: { listenTls } });
  }),
  'proxy.tls.server': withCertificate(async (settings, serverTls) => {
    const full = { name: 'proxy.tls.server', title: 'TLS to the server, a full handshake each; 64 at a time' };
    return inTurns(settings, [connectionsProbe(settings, 'warm', full)], { kind: 'tls', task: { serverTls } });
  }),
  'proxy.tls.stream': withCertificate(async (settings, files) => {
    const tables = [];
    for (const [tls, where, task] of /** @type {const} */ ([
      [true, 'at the listener', { listenTls: files }],
      [false, 'to the server', { serverTls: files }],
    ])) {
      const probes = streamProbes(settings, 'proxy.tls.stream', { counts: [1, 4], directions: EACH_WAY, tls });
      const titled = probes.map((probe) => ({ ...probe, title: `TLS ${where}: ${probe.title}` }));
      tables.push(
        ...(await inTurns(settings, titled, { kind: 'tls', task, prepare: (proxy) => warmUpStreams(proxy, tls) })),
      );
    }
    return tables;
  }),
};
