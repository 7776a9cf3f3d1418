/** A proxy of the user's own: started, watched, and stopped by signals. */
import { type Address, createProxy, logLine, OptionError, type Outcome, type Peer, type TcpProxy } from '../index.js';
import { causeText } from '../inspect/words.js';
import { hostAndPort } from '../text.js';
import { type RunArgs, UsageError } from './args.js';
import { startErrorText } from './start-error.js';
import { onStop } from './stop.js';
import { plural } from './tally.js';
import { Terminal } from './terminal.js';
import { View } from './view.js';
import { startRecording, type Watching, watching } from './watching.js';

/** `127.0.0.1:8080`, `[::1]:8080`, or the path of a Unix socket. */
export function addressText(address: Address): string {
  if ('path' in address) return `unix:${address.path}`;
  return hostAndPort(address.host, address.port);
}

/**
 * Runs a proxy until it is told to stop.
 *
 * @returns the exit code
 * @throws UsageError when the library refuses an option
 */
export async function run({ proxy: options, output, linesMax, inspect, record }: RunArgs): Promise<number> {
  const terminal = new Terminal(output === 'json' || output === 'log' ? 'stderr' : 'stdout');
  listenForWarnings(terminal);
  // No subscriber of the transitions: then they cost nothing.
  const recorder = await startRecording(record, terminal);
  const view = output === 'quiet' || output === 'log' ? undefined : new View(terminal, output, linesMax);
  const finish = (): void => view?.stop();
  let proxy: TcpProxy;
  try {
    proxy = createProxy(options);
  } catch (error) {
    finish();
    await recorder?.stop();
    throw error instanceof OptionError ? new UsageError(error.message) : error;
  }
  terminal.onReaderGone = () => {
    finish();
    terminal.warn('nobody reads the output any more: the proxy goes on without.');
  };
  const totals = watch(proxy, terminal);
  if (output === 'log') proxy.on('log', (entry) => terminal.writeRaw(`${logLine(entry)}\n`));
  const stopListening = onStop(
    (signal) => {
      const sessions = plural(proxy.sessions.length, 'session');
      void proxy.close();
      terminal.print(`${signal}: draining ${sessions}; again to abort`);
    },
    (signal) => {
      void proxy.abort();
      terminal.print(`${signal}: aborting`);
    },
    (signal) => terminal.print(`${signal}: ignored; SIGTERM drains`),
  );
  // A process that dies of an error must not leave streams behind that look complete: what it still relays is reset.
  process.on('exit', () => void proxy.abort({ initiator: 'system', manner: 'error', code: 'EXIT' }));
  let watched: Watching;
  try {
    watched = await watching({ inspect, record }, proxy, recorder, terminal);
  } catch (error) {
    stopListening();
    finish();
    await Promise.all([proxy.abort(), recorder?.stop()]);
    throw error;
  }
  try {
    await proxy.start();
    for (const address of proxy.addresses) terminal.print(`listening on ${addressText(address)}`);
  } catch (error) {
    const outcome = await proxy.closed;
    stopListening();
    if (outcome.ending === 'failed') {
      // What led there is said in one line.
      view?.discard();
      terminal.error(startErrorText(error));
    }
    finish();
    await watched.stop();
    return exitCode(outcome);
  }
  const outcome = await proxy.closed;
  finish();
  stopListening();
  if (view !== undefined && !terminal.isGone) terminal.print(...view.tally.table().map((line) => `counts: ${line}`));
  await watched.stop();
  terminal.print(`${endText(outcome)}: ${totals()}`);
  if (outcome.ending === 'failed') terminal.error(`The proxy has failed: ${causeText(outcome.cause)}.`);
  return exitCode(outcome);
}

const exitCode = ({ ending }: Outcome): number => (ending === 'closed' ? 0 : 1);

function endText({ ending, cause }: Outcome): string {
  if (ending === 'closed') return 'stopped';
  return cause.code === 'drainTimeout' ? 'stopped at the deadline' : ending;
}

/** Node's own warnings in one line each. */
function listenForWarnings(terminal: Terminal): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ message }) => terminal.warn(message));
}

const clientText = (peer: Peer | undefined): string => (peer === undefined ? 'a client' : `the client ${peer}`);

const REPEAT_AFTER_MS = 5_000;

/**
 * Warns of servers that fail, once until they are back, and of newcomers that are turned away.
 *
 * @returns a function that sums up how sessions ended
 */
function watch(proxy: TcpProxy, terminal: Terminal): () => string {
  const failing = new Set<string>();
  const endings = new Map<string, number>();
  const warnedAt = new Map<string, number>();
  const warn = (kind: string, text: string): void => {
    const now = performance.now();
    if (now - (warnedAt.get(kind) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    warnedAt.set(kind, now);
    terminal.warn(text);
  };
  proxy.on('retry', ({ session, cause }) => {
    const { server } = session.backend;
    if (server === undefined || failing.has(server)) return;
    failing.add(server);
    terminal.warn(`backend ${server} fails: ${causeText(cause)}`);
  });
  proxy.on('established', ({ backend: { server } }) => {
    if (server !== undefined && failing.delete(server)) terminal.print(`backend ${server} is back`);
  });
  proxy.on('sessionClosed', ({ session: { peer }, outcome: { ending, cause } }) => {
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
    if (ending === 'refused') warn('refused', `no backend for ${clientText(peer)}: ${causeText(cause)}`);
  });
  proxy.on('refused', ({ total, peer }) =>
    warn(
      'full',
      `at --clients-max: ${plural(total, 'newcomer')} turned away so far${peer === undefined ? '' : `, the last one from ${peer}`}`,
    ),
  );
  for (const listener of proxy.listeners) {
    listener.on('warning', ({ cause }) => warn('accept', `an accept failed: ${causeText(cause)}`));
    listener.on('retry', ({ delayMs, cause }) =>
      terminal.warn(`could not listen: ${causeText(cause)}; trying again in ${delayMs} ms`),
    );
  }
  return () => {
    const parts = [...endings].map(([ending, count]) => `${count} ${ending}`);
    return parts.length === 0 ? 'no sessions' : `sessions ${parts.join(', ')}`;
  };
}
