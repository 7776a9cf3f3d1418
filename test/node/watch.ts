/** What a socket of Node's emits, as short words in their order, each with the state that is read at that moment. */
import type { Server, Socket } from 'node:net';

const MAJOR = Number.parseInt(process.versions.node, 10);

type Versions<T> = { readonly 20: T } & { readonly [major in 22 | 24 | 26]?: T };

/** What holds on this Node: the newest entry that is not newer. */
export function since<T>(versions: Versions<T>): T {
  const majors = Object.keys(versions).map(Number);
  const newest = Math.max(...majors.filter((major) => major <= MAJOR));
  return versions[newest as 20];
}

const EVENTS = ['connect', 'ready', 'secure', 'secureConnect', 'end', 'finish', 'timeout'] as const;
const ATTEMPTS = ['connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout'] as const;

/** Its `readyState`, but that `destroyed` is not `closed`; the two contradict each other in a word of their own. */
function stateOf({ destroyed, readyState }: Socket): string {
  if (!destroyed) return readyState;
  return readyState === 'closed' ? 'destroyed' : `destroyed but ${readyState}`;
}

/** Does not read: that would change what happens. */
export function watch(socket: Socket, words: string[] = []): string[] {
  const note = (what: string): void => void words.push(`${what} @${stateOf(socket)}`);
  // Before Node's own listeners, by which one event brings about another.
  for (const name of [...EVENTS, ...ATTEMPTS]) socket.prependListener(name, () => note(name));
  socket.on('lookup', (error) => note(error ? 'lookup failed' : 'lookup'));
  socket.on('error', (error: NodeJS.ErrnoException) => note(errorWords(error)));
  socket.on('close', (hadError) => words.push(hadError ? 'close after error' : 'close'));
  return words;
}

/** Reads; notes bytes once, however many pieces they come in. */
export function read(socket: Socket, words: string[]): void {
  socket.on('data', () => {
    if (words.at(-1) !== 'data') words.push('data');
  });
}

export function errorWords({ code, syscall }: NodeJS.ErrnoException): string {
  return ['error', code, syscall].filter((word) => word !== undefined).join(' ');
}

/** What became of a call, for its callback. */
export const outcomeOf = (error: NodeJS.ErrnoException | null | undefined): string => error?.code ?? 'ok';

export function watchServer(server: Server, words: string[] = []): string[] {
  for (const name of ['listening', 'connection', 'secureConnection', 'drop'] as const) {
    server.on(name as 'listening', () => words.push(name));
  }
  server.on('error', (error) => words.push(errorWords(error)));
  server.on('tlsClientError', (error) => words.push(`tlsClientError ${(error as NodeJS.ErrnoException).code}`));
  server.on('close', () => words.push('close'));
  return words;
}
