/** Why it could not start, in the words of people. */
import { BindError } from '../index.js';

const BIND_ERRORS: Record<string, string> = {
  EADDRINUSE: 'the address is in use',
  EACCES: 'not permitted',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such name',
};

/** What a failed start says, in one line. */
export function startErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof BindError ? error.cause.code : undefined;
  let reason = BIND_ERRORS[code ?? ''];
  if (reason === undefined) return error.message;
  if (code === 'EACCES') {
    const port = Number(/^Could not listen on [^/]*:(\d+): EACCES\.$/.exec(error.message)?.[1]);
    // Of the path of a Unix socket, libuv reports a folder that is missing as one that is not permitted.
    if (Number.isNaN(port)) reason = 'not permitted, or there is no such folder';
    else if (port < 1_024) reason = 'not permitted: a port below 1024 needs root, or CAP_NET_BIND_SERVICE on Linux';
  }
  return error.message.replace(`${code}.`, () => `${reason} (${code}).`);
}
