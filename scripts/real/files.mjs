// @ts-check
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';

export const MB = 1_000_000;

/**
 * Writes random bytes.
 *
 * @param {string} path
 * @param {number} bytes a multiple of a million
 * @returns {string} their SHA-256
 */
export function writeRandom(path, bytes) {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(MB);
  const file = openSync(path, 'w', 0o644);
  for (let written = 0; written < bytes; written += chunk.length) {
    randomFillSync(chunk);
    hash.update(chunk);
    writeSync(file, chunk);
  }
  closeSync(file);
  return hash.digest('hex');
}

/** @param {string} path */
export async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MB }), hash);
  return hash.digest('hex');
}

/**
 * How a rate through the proxy compares with the direct one.
 *
 * @param {number} direct
 * @param {number} proxied
 * @param {string} unit
 */
export function compared(direct, proxied, unit) {
  const digits = { maximumFractionDigits: 0, useGrouping: false };
  const [a, b] = [direct, proxied].map((rate) => rate.toLocaleString('en', digits));
  return `${a} ${unit} direct, ${b} ${unit} proxied (${(proxied / direct).toFixed(2)})`;
}
