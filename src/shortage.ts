/** Failures that say nothing about a server. */

/** This process has no descriptor, memory or local port left for another connection. */
const SHORTAGES: ReadonlySet<string | undefined> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'EAGAIN',
  'EAI_MEMORY',
]);

/**
 * True where an attempt to connect failed for want of something of this process. Of a Unix socket, `EAGAIN` says that its
 * backlog is full: that server lives, and has no room for the moment.
 *
 * A local address that the user has chosen is no shortage: another server may be connected from another one.
 */
export const isShortage = (
  { code }: { readonly code?: string },
  { localAddress }: { readonly localAddress: string | undefined },
): boolean => SHORTAGES.has(code) && !(code === 'EADDRNOTAVAIL' && localAddress !== undefined);
