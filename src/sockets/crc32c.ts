/** CRC32C, the checksum of RFC 3720 and RFC 4960, in the version 2 of the PROXY protocol. `node:zlib` has CRC32 only. */

/** The Castagnoli polynomial, its bits in reverse. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  TABLE[byte] = crc;
}

/** @param before the checksum of the bytes before these, if there are some */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number);
  return ~crc >>> 0;
}
