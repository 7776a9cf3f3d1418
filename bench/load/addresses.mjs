/**
 * Addresses of loopback, by number. A measurement with addresses that nobody has used yet has ports of its own: the
 * closed connections of the one before, which the system remembers for a minute, do not slow down its search for a
 * free port.
 */

/** @param {number} number */
export function addressOf(number) {
  return `127.${10 + ((number >> 14) & 127)}.${(number >> 7) & 127}.${1 + (number & 127)}`;
}

let used = 0;

/** The number of an address that is fresh, with as many behind it. */
export function freshNumbers(count = 1) {
  const first = used;
  used += count;
  return first;
}

export const freshAddress = () => addressOf(freshNumbers());

/**
 * @param {{ port: number, first: number, count?: number, servers?: { host: string, port: number }[] }} task
 * @returns {{ host: string, port: number }[]}
 */
export function serversOf({ port, first, count = 1, servers }) {
  return servers ?? Array.from({ length: count }, (_, index) => ({ host: addressOf(first + index), port }));
}
