/**
 * The tour: two small servers, a proxy in front, and clients that talk through it. One server is killed and comes
 * back. All of it in about 15 seconds, on free ports of this machine.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Backend, createBackend, createProxy, type ServerOptions } from '../index.js';
import { causeText } from '../inspect/words.js';
import { deferred } from '../promise.js';
import type { TourArgs } from './args.js';
import { onStop } from './stop.js';
import { plural } from './tally.js';
import { Terminal } from './terminal.js';
import { View } from './view.js';
import { startRecording, type Watching, watching } from './watching.js';

const HOST = '127.0.0.1';
const SERVER_FILE = fileURLToPath(new URL('../../dist/cli/tour-backend.js', import.meta.url));

/** A server in a process of its own, which has the same port each time it is started. */
class TourServer {
  readonly name: string;
  port = 0;
  #process: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(name: string) {
    this.name = name;
  }

  get options(): ServerOptions {
    return { host: HOST, port: this.port };
  }

  /** Its name and where it is. */
  toString(): string {
    return `${this.name} (${HOST}:${this.port})`;
  }

  async start(): Promise<void> {
    const child = fork(SERVER_FILE, [this.name, String(this.port)]);
    this.#process = child;
    this.#exited = once(child, 'exit');
    const [message] = await Promise.race([
      once(child, 'message'),
      this.#exited.then(() => {
        throw new Error(`The tour's server ${this.name} has ended before it listened.`);
      }),
    ]);
    this.port = (message as { port: number }).port;
  }

  /** What it has put off, it does now. */
  hurry(): void {
    if (this.#process?.connected) this.#process.send('hurry');
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
    await this.#exited;
  }
}

/** More than a server's process reads by itself: a part is still with its system. */
const UPLOAD_BYTES = 262_144;

/** The next line that a peer sends. */
function nextLine(socket: Socket, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const settle = (): void => {
      socket.off('data', onData).off('close', onClose);
      signal?.removeEventListener('abort', onClose);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\n');
      if (end < 0) return;
      settle();
      resolve(text.slice(0, end));
    };
    const onClose = (): void => {
      settle();
      reject(new Error('The connection has ended.'));
    };
    socket.on('data', onData).on('close', onClose);
    signal?.addEventListener('abort', onClose);
    if (signal?.aborted || socket.destroyed) onClose();
  });
}

function ask(socket: Socket, question: string, signal?: AbortSignal): Promise<string> {
  const answer = nextLine(socket, signal);
  socket.write(`${question}\n`);
  return answer;
}

/** How one of the tour's clients was served. */
interface Served {
  answers: number;
  endedEarly: number;
}

/** The clients of the tour. Each goes on until `signal` fires, and then brings what it is doing to its end. */
class Clients {
  readonly served: Served = { answers: 0, endedEarly: 0 };
  readonly #port: number;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #signal: AbortSignal;

  constructor(port: number, pause: (ms: number) => Promise<void>, signal: AbortSignal) {
    this.#port = port;
    this.#pause = pause;
    this.#signal = signal;
  }

  /** Short conversations, one after the other. */
  async talk(): Promise<void> {
    while (!this.#signal.aborted) {
      const socket = this.#connect();
      try {
        for (const question of ['good morning', 'how are you', 'good night']) {
          await ask(socket, question);
          this.served.answers++;
          await this.#pause(600);
        }
        socket.end();
        await closed(socket);
      } catch {
        this.served.endedEarly++;
        socket.destroy();
      }
      if (!this.#signal.aborted) await this.#pause(900);
    }
  }

  /**
   * A conversation that does not end by itself: the server has yet to read a part of what it was sent, so its death
   * cannot look like an end.
   */
  async upload(to: string, onBegin: () => void, onCut: (code: string) => void): Promise<void> {
    for (;;) {
      if (this.#signal.aborted) return;
      const socket = this.#connect();
      let code: string | undefined;
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code;
      });
      try {
        const answer = await ask(socket, 'who are you');
        // Servers take turns: the next one is the other.
        if (to !== '' && !answer.startsWith(`${to}:`)) {
          socket.end();
          await closed(socket);
          continue;
        }
        socket.resume();
        socket.write('upload\n');
        onBegin();
        socket.write(Buffer.alloc(UPLOAD_BYTES, 'upload '));
        while (!this.#signal.aborted && !socket.destroyed) await this.#pause(100);
        socket.end();
        await closed(socket);
      } catch {
        socket.destroy();
      }
      if (code !== undefined) onCut(code);
      to = '';
      if (!this.#signal.aborted) await this.#pause(500);
    }
  }

  #connect(): Socket {
    return connect({ host: HOST, port: this.#port }).on('error', () => {});
  }
}

const closed = (socket: Socket): Promise<unknown> => (socket.closed ? Promise.resolve() : once(socket, 'close'));

/** A connection that stays: it says hello on each new socket before the socket is used. */
function standing(servers: readonly TourServer[], speed: number): Backend {
  return createBackend({
    servers: servers.map(({ options }) => options),
    balance: 'inOrder',
    persistent: true,
    prepare: (socket, { signal }) => ask(socket, 'hello', signal),
    backoff: { initialMs: 300 / speed, maxMs: 2_000 / speed },
    stableAfter: 1_000 / speed,
  });
}

/** Uses a standing connection as one does: claims it, works, lets go. */
async function ping(backend: Backend): Promise<void> {
  if (backend.connection === undefined) return;
  const hold = backend.hold();
  try {
    await ask(hold.socket, 'ping', hold.signal);
  } catch {
    // It was lost meanwhile: letting go is all there is to do.
  } finally {
    hold.release();
  }
}

/**
 * Runs the tour.
 *
 * @returns the exit code
 */
export async function tour({ output, linesMax, inspect, record, speed }: TourArgs): Promise<number> {
  const terminal = new Terminal(output === 'json' ? 'stderr' : 'stdout');
  const { paint } = terminal;
  const names = new Map<string, string>();
  const recorder = await startRecording(record, terminal);
  const view = new View(terminal, output, linesMax, (server) => names.get(server) ?? server);
  /** Fires at the first signal. */
  const stopped = new AbortController();
  const enough = new AbortController();
  const nothingLeft = new AbortController();
  /** Waits; a signal cuts that short, for the clients only the second one. */
  const pauseUntil = (signal: AbortSignal) => (ms: number) => wait(ms / speed, undefined, { signal }).catch(() => {});
  const pause = pauseUntil(enough.signal);
  const headline = (text: string): void => {
    view.flush();
    terminal.print('', paint('bold', `▸ ${text}`));
  };
  /** What is told from within an event: after the transitions that belong to it. */
  const remark = (text: string): void => {
    setImmediate(() => {
      view.flush();
      terminal.print(paint('bold', `  ${text}`));
    });
  };

  const a = new TourServer('A');
  const b = new TourServer('B');
  terminal.onReaderGone = () => enough.abort();
  const stopListening = onStop(
    (signal) => {
      if (!enough.signal.aborted) headline(`${signal}: draining; again to abort`);
      stopped.abort();
      enough.abort();
    },
    (signal) => {
      headline(`${signal}: aborting`);
      nothingLeft.abort();
    },
    (signal) => remark(`${signal}: ignored; SIGTERM drains`),
  );

  let watched: Watching | undefined;
  try {
    await Promise.all([a.start(), b.start()]);
    for (const { port, name } of [a, b]) names.set(`${HOST}:${port}`, name);
    headline(`Two servers: ${a} and ${b}.`);
    const spare = standing([b, a], speed);
    const alone = standing([b], speed);
    const proxy = createProxy({
      listen: { host: HOST, port: 0 },
      servers: [a.options, b.options],
      backends: [spare, alone],
      downFor: 2_000 / speed,
      drainTimeout: 10_000,
      signal: nothingLeft.signal,
    });
    for (const backend of [spare, alone]) {
      backend.on('established', ({ socket, incarnation, server }) => {
        // A socket that is not read does not report that it was lost.
        socket.resume();
        if (incarnation > 1) remark(`${backend.id} is up again, at ${names.get(server.name)}: socket ${incarnation}`);
      });
      backend.on('dropped', ({ cause }) => remark(`${backend.id} has lost its connection: ${causeText(cause)}`));
    }
    terminal.print(
      `  Two standing connections: ${spare.id} to B, with A as its spare, and ${alone.id} to B alone.`,
      '  Each says hello before it is used.',
    );
    watched = await watching({ inspect, record }, proxy, recorder, terminal);
    await proxy.start();
    const [address] = proxy.addresses;
    const port = address !== undefined && 'port' in address ? address.port : 0;
    headline(`A proxy listens on ${HOST}:${port}; the servers take turns. Two clients talk, one uploads to B.`);
    const clients = new Clients(port, pauseUntil(nothingLeft.signal), enough.signal);
    const pings = setInterval(() => {
      for (const backend of [spare, alone]) void ping(backend);
    }, 400 / speed);
    const begun = deferred<void>();
    const uploading = clients.upload('B', begun.resolve, (code) =>
      remark(`The upload was cut by a reset (${code}): nobody takes it for complete`),
    );
    const talking = [clients.talk()];
    await pause(1_000);
    if (!enough.signal.aborted) talking.push(clients.talk());
    await pause(2_500);
    // B is killed under an upload, however slow the machine is.
    await Promise.race([begun.promise, uploading]);

    if (!enough.signal.aborted) {
      headline('B is killed (SIGKILL). Established connections are dropped; new ones fail over to A.');
      await b.kill();
      await pause(4_000);
    }
    if (!enough.signal.aborted) {
      headline('B comes back, on the port that it had.');
      await b.start();
      await pause(5_000);
    }

    enough.abort();
    clearInterval(pings);
    headline(`Drain: nobody new is accepted; ${plural(proxy.sessions.length, 'session')} may come to an end.`);
    const outcome = proxy.close();
    await pauseUntil(nothingLeft.signal)(700);
    for (const server of [a, b]) server.hurry();
    const { ending } = await outcome;
    await Promise.all([...talking, uploading]);
    view.stop();
    summary(terminal, view, clients.served, ending);
    await lookedAt(watched, stopped.signal, terminal);
    return ending === 'closed' ? 0 : 1;
  } finally {
    view.stop();
    stopListening();
    await Promise.all([a.kill(), b.kill(), watched === undefined ? recorder?.stop() : watched.stop()]);
  }
}

/** The tour goes on for a reader of the page, and for a reader of the terminal who has yet to open the page. */
async function lookedAt({ page }: Watching, signal: AbortSignal, terminal: Terminal): Promise<void> {
  const waits = process.stdin.isTTY === true && process.stdout.isTTY === true;
  if (page === undefined || signal.aborted || (page.pages === 0 && !waits)) return;
  terminal.print('', '  The live page stays; Ctrl-C ends it.');
  if (page.pages === 0) terminal.print(`  It can still be opened, by one browser: ${page.newUrl()}`);
  while ((waits || page.pages > 0) && !signal.aborted) await wait(500, undefined, { signal }).catch(() => {});
}

function summary(terminal: Terminal, { tally }: View, { answers, endedEarly }: Served, ending: string): void {
  const { paint } = terminal;
  const { npm_lifecycle_event: npmEvent } = process.env;
  const start = npmEvent === 'start' ? 'npm start --' : 'sockchart';
  const word = (text: string): string => paint('bold', text.padEnd(10));
  terminal.print(
    '',
    paint(
      'bold',
      `▸ The proxy is ${ending}. What was seen: ${tally.incidents()}, ${tally.counts.transitions} transitions.`,
    ),
    ...tally.table().map((line) => `  counts: ${line}`),
    `  ${plural(answers, 'answer')} for the clients, ${plural(endedEarly, 'conversation')} ended early`,
    '',
    `  ${word('drop')}an established connection was lost. It is reported once, with its cause; its users let go first.`,
    `  ${word('failover')}the next attempt goes to another server, here at once.`,
    `  ${word('retry')}nothing was established yet: only the attempt is repeated, after a wait that grows.`,
    `  ${word('end')}both sides have said all they had. A killed server whose input was read says FIN as well:`,
    `  ${''.padEnd(10)}only a cut in the middle of something is seen as a reset, and passed on as one.`,
    `  ${word('drain')}first no new clients, then the sessions end, then the standing connections are closed.`,
    '',
    `  Your own:   ${start} --listen 127.0.0.1:8080 --backend 127.0.0.1:5432 --backend 127.0.0.1:5433`,
    `  All flags:  ${start} --help`,
  );
}
