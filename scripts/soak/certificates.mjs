// @ts-check
/** Two certificates that nobody has signed but themselves: for localhost and 127.0.0.1, and for example.com. */
import { readFileSync } from 'node:fs';

const read = (/** @type {string} */ name) =>
  readFileSync(new URL(`../../test/fixtures/${name}.pem`, import.meta.url), 'utf8');

export const CERTIFICATE = { key: read('key'), cert: read('cert') };
export const EXAMPLE = { key: read('example-key'), cert: read('example-cert') };
/** Servers are dialled by addresses that no certificate has. */
export const TRUST = { ca: CERTIFICATE.cert, servername: 'localhost' };
