/** A socket for a machine of a reader's own: what the adapters of this library do for its machines, by two tables. */
import type { Socket } from 'node:net';
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom, OutputFrom } from 'xstate';
import { OptionError } from '../errors.js';
import type { Report } from '../machines/vocabulary.js';
import { clock as checkClock, onlyKnown, text } from '../options.js';
import { type Deferred, deferred } from '../promise.js';
import { type Clock, systemClock, type Timer } from '../runtime/clock.js';
import { inNoContext } from '../runtime/context.js';
import type { Description, Host, Instance, Run } from '../runtime/instance.js';
import type { RunnableMachine } from '../runtime/machine.js';
import { setOn } from '../runtime/timers.js';
import { checkedStream, discard, isConnected, isStream } from '../sockets/given.js';
import { peerOf } from '../sockets/peer.js';
import {
  destroy,
  endGracefully,
  forget,
  hookReportOf,
  isOwned,
  link,
  reset,
  type SocketOwner,
} from '../sockets/socket.js';

type Typed = { readonly type: string };
type EventOf<M extends AnyStateMachine> = Extract<EventFromLogic<M>, Typed>;
type CommandOf<M extends AnyStateMachine> = Extract<EmittedFrom<M>, Typed>;

/** The event that a report becomes: its type, or a function that makes it; nothing is sent where that returns nothing. */
type ToEvent<M extends AnyStateMachine, A extends unknown[]> =
  | EventOf<M>['type']
  | ((...report: A) => EventOf<M> | undefined);

/** What a socket reports, as events of the machine. What has no entry is not sent. */
export interface SocketReports<M extends AnyStateMachine> {
  /** It has connected, with TLS once that has shaken hands. A socket that had connected before it was given reports it too. */
  readonly connected?: ToEvent<M, [socket: Socket]> | undefined;
  /** Bytes came. Without an entry nothing reads the socket but you: unread, it never ends nor closes. */
  readonly data?: ToEvent<M, [chunk: Buffer]> | undefined;
  /** The peer's last byte and FIN have come. */
  readonly ended?: ToEvent<M, []> | undefined;
  /** Our last byte and FIN are with the system. */
  readonly finished?: ToEvent<M, []> | undefined;
  /** It has failed; its close follows. `cause.error` is Node's error. */
  readonly failed?: ToEvent<M, [cause: Report]> | undefined;
  /** It has closed: the last report. */
  readonly closed?: ToEvent<M, []> | undefined;
}

/**
 * What a command does with the socket: `open` opens one, `end` sends a FIN after the last byte and throws away what still
 * comes, `reset` closes it at once so that the peer takes it for no end, `destroy` closes it at once, `pause` and `resume` stop and start
 * reading. `end`, `reset` and `destroy` of a socket that has closed do nothing.
 */
export type SocketMove = 'open' | 'end' | 'reset' | 'destroy' | 'pause' | 'resume';

const MOVES: readonly string[] = ['open', 'end', 'reset', 'destroy', 'pause', 'resume'] satisfies SocketMove[];

/** What performs each command of the machine. */
export type SocketCommands<M extends AnyStateMachine> = {
  readonly [K in CommandOf<M>['type']]:
    | SocketMove
    | ((command: Extract<CommandOf<M>, { type: K }>, attached: Attached<M>) => void);
};

/** Options of {@link attach}. */
export interface AttachOptions<M extends AnyStateMachine> {
  /** The input of the machine. */
  readonly input?: InputFrom<M> | undefined;
  /** What the socket reports, as events of the machine. */
  readonly events: SocketReports<M>;
  /** What performs each command of the machine. */
  readonly commands: SocketCommands<M>;
  /** Its name on the transition channel. Default: the id of the machine and a number, such as `greeting#1`. */
  readonly id?: string | undefined;
  /** Where time comes from. Default: the process's own. */
  readonly clock?: Clock | undefined;
  /** Timers that never keep the process alive. Default: none. */
  readonly backgroundTimers?: readonly string[] | undefined;
  /** Gets the inspection events of XState, with which the machine runs slower: see {@link Host.inspect}. Default: none. */
  readonly inspect?: Host<never>['inspect'];
}

const OPTIONS = ['input', 'events', 'commands', 'id', 'clock', 'backgroundTimers', 'inspect'];
const REPORTS = ['connected', 'data', 'ended', 'finished', 'failed', 'closed'];

/** An instance of a machine, and its socket. Made by {@link attach}. */
export interface Attached<M extends AnyStateMachine> {
  /** Its name on the transition channel. */
  readonly id: string;
  /** Where it is, as a path. */
  readonly state: string;
  /** The socket, until it has closed. */
  readonly socket: Socket | undefined;
  /**
   * A promise of the machine's output, once the machine has ended and its socket has closed; of nothing where a function of the
   * machine has thrown, or {@link abort} was called. It never rejects.
   */
  readonly closed: Promise<OutputFrom<M> | undefined>;
  /** True once the machine has ended; its socket may have yet to close. */
  readonly isOver: boolean;
  /** True where the machine has ended and left its socket open: that was reset then, and should be mended in the machine. */
  readonly isLeaky: boolean;
  /** The event that the last report became. */
  readonly heard: EventOf<M> | undefined;
  /** The instance: `send` an event to it, or ask for its `timers()`. */
  readonly instance: Instance<EventOf<M>>;
  /**
   * Gives it a socket that a command of yours has opened, at once or later: as with `open`, the socket reports from now on, and
   * commands are done with it. Where the machine has ended meanwhile, the socket is destroyed.
   *
   * @throws OptionError for what is no socket, or one of another handle
   * @throws Error while its last socket is open
   * @example
   * ```ts
   * commands: {
   *   'socket.dial': ({ host, port }, attached) => attached.use(connect(port, host)),
   *   'socket.destroy': 'destroy',
   * }
   * ```
   */
  use(socket: Socket): void;
  /**
   * Ends it without the machine: its socket is reset, its timers are cleared, the actors that it invokes are stopped, and nothing is
   * reported or performed any more.
   */
  abort(): void;
}

/**
 * What `socketDriver` asks of what {@link attach} returns.
 *
 * @internal
 */
export interface SocketUse {
  /** True while its socket is open, and the machine has neither ended nor cut it. */
  readonly isHeld: boolean;
  /** What performs a command of this type. */
  entryOf(type: string): unknown;
  /** Called when it has another socket. */
  onSocket: (() => void) | undefined;
}

/** How long what was ended may take to be delivered once the machine is over. */
const LINGER_MS = 30_000;

const counts = new Map<string, number>();

/**
 * Runs a machine of your own on a socket: what the socket reports becomes events, and what the machine emits is done with the socket.
 * The instance starts at once.
 *
 * It does what the adapters of this library do for theirs: an error is always heard; nothing is reported after the close, or
 * of a socket that was destroyed before the next one was opened; a command that comes after the close does nothing. What the machine
 * leaves open when it ends is reset; what it has ended is delivered, for 30 seconds at most. Where a function of the machine
 * throws, the socket is reset, and the error is the process's. An error of a command is the process's too; the machine goes on.
 *
 * @param socket the socket; or a function that opens one, each time that the machine commands `open`; or nothing, where a
 *   command of yours opens it ({@link Attached.use})
 * @param machine what `compile()` or `interpret()` of `sockchart/runtime` has made
 * @throws OptionError
 * @example
 * ```ts
 * import { connect } from 'node:net';
 * import { attach } from 'sockchart';
 * import { compile } from 'sockchart/runtime';
 *
 * const greeting = attach(() => connect(25, '127.0.0.1'), compile(greetingMachine), {
 *   events: { connected: 'socket.connected', data: 'greeting.received', closed: 'socket.closed' },
 *   commands: { 'socket.open': 'open', 'socket.destroy': 'destroy' },
 * });
 * await greeting.closed;
 * ```
 */
export function attach<M extends AnyStateMachine, const O extends AttachOptions<M> = AttachOptions<M>>(
  socket: Socket | (() => Socket) | undefined,
  machine: RunnableMachine<M>,
  options: O,
): Attached<M> {
  if (socket !== undefined && typeof socket !== 'function')
    checkSocket(socket, ', a function that opens one, or undefined');
  if (typeof machine?.run !== 'function') {
    throw new OptionError('machine', machine, 'what compile() or interpret() of sockchart/runtime has made');
  }
  onlyKnown('attach', options, OPTIONS);
  const { events, commands, id, backgroundTimers } = options;
  if (id !== undefined) text('id', id);
  checkClock('clock', options.clock);
  if (backgroundTimers !== undefined && !Array.isArray(backgroundTimers)) {
    throw new OptionError('backgroundTimers', backgroundTimers, 'a list of names of timers');
  }
  if (commands === null || typeof commands !== 'object') throw new OptionError('commands', commands, 'an object');
  onlyKnown('events', events, REPORTS, 'events.');
  for (const [name, entry] of Object.entries(events)) {
    if (entry !== undefined && typeof entry !== 'string' && typeof entry !== 'function') {
      throw new OptionError(`events.${name}`, entry, 'the type of an event, or a function that makes one');
    }
  }
  for (const [type, entry] of Object.entries<unknown>(commands)) {
    if (typeof entry === 'function' || MOVES.includes(entry as string)) continue;
    throw new OptionError(`commands['${type}']`, entry, `one of ${MOVES.join(', ')}, or a function`);
  }
  return new AttachedSocket(socket, machine as unknown as RunnableMachine<AnyStateMachine>, options as never) as never;
}

/** @throws OptionError */
function checkSocket(socket: Socket, otherwise = ''): void {
  if (!isStream(socket)) throw new OptionError('socket', socket, `a socket${otherwise}`);
  if (isOwned(socket)) throw new OptionError('socket', 'that of another handle', 'one that no handle has');
}

type AnyOptions = AttachOptions<AnyStateMachine>;

class AttachedSocket implements Attached<AnyStateMachine>, SocketUse, SocketOwner, Host<Typed> {
  readonly id: string;
  readonly clock: Clock;
  readonly backgroundTimers: ReadonlySet<string>;
  readonly inspect: Host<never>['inspect'];
  isLeaky = false;
  isOver = false;
  readonly #open: (() => Socket) | undefined;
  readonly #events: Readonly<
    Record<keyof SocketReports<never>, string | ((report: unknown) => Typed | undefined) | undefined>
  >;
  readonly #commands: Readonly<Record<string, SocketMove | ((command: never, attached: never) => void)>>;
  readonly instance: Run<never>;
  readonly #closed: Deferred<unknown> = deferred();
  /** The types of the commands whose functions have opened a socket, for the driver of the tests. */
  #opening: Set<string> | undefined;
  #performed: string | undefined;
  onSocket: (() => void) | undefined;
  heard: never | undefined;
  #socket: Socket | undefined;
  /** What the machine has done with its socket: over TLS that shows on the socket only later. */
  #use: 'open' | 'ended' | 'cut' = 'open';
  #described: Socket | undefined;
  #peer: string | undefined;
  #linger: Timer | undefined;
  #output: unknown;

  constructor(
    socket: Socket | (() => Socket) | undefined,
    machine: RunnableMachine<AnyStateMachine>,
    options: AnyOptions,
  ) {
    const { input, events, commands, id, clock = systemClock, backgroundTimers = [] } = options;
    this.id = id ?? nameOf(machine.id);
    this.clock = clock;
    this.backgroundTimers = new Set(backgroundTimers);
    this.inspect = options.inspect;
    this.#events = events as never;
    this.#commands = commands as never;
    this.#open = typeof socket === 'function' ? socket : undefined;
    this.instance = machine.run(input, this as never) as Run<never>;
    // What the machine commands at its start is for this socket; what the socket was before comes after that.
    const given = typeof socket === 'function' ? undefined : socket;
    if (given !== undefined) this.#link(given);
    this.instance.start();
    if (given !== undefined) this.#reportPast(given);
  }

  get state(): string {
    return this.instance.state;
  }

  get socket(): Socket | undefined {
    return this.#socket;
  }

  get closed(): Promise<never> {
    return this.#closed.promise as Promise<never>;
  }

  get isHeld(): boolean {
    const socket = this.#socket;
    return socket !== undefined && !socket.destroyed && this.#use === 'open' && !socket.writableEnded;
  }

  entryOf(type: string): unknown {
    return this.#opening?.has(type) === true ? 'open' : this.#commands[type];
  }

  /** Where its socket leads to, or comes from: of the last one that was connected. */
  describe(): Description {
    const socket = this.#socket;
    if (socket !== undefined && socket !== this.#described) {
      const peer = peerOf(socket);
      if (peer !== undefined) {
        this.#peer = peer.toString();
        this.#described = socket;
      }
    }
    return { peer: this.#peer };
  }

  /** What the machine commands */

  perform(command: Typed): void {
    if (this.isOver) return;
    const entry = this.#commands[command.type];
    if (typeof entry === 'function') {
      this.#performed = command.type;
      try {
        entry(command as never, this as never);
      } finally {
        this.#performed = undefined;
      }
    } else if (entry === undefined) throw new OptionError('commands', command.type, this.#expected());
    else this.#move(entry);
  }

  #expected(): string {
    return `an entry for each command of the machine; there are ${Object.keys(this.#commands).join(', ')}`;
  }

  #move(move: SocketMove): void {
    if (move === 'open') {
      if (this.#open === undefined) {
        throw new OptionError('socket', this.#socket, 'a function, where the machine opens its sockets itself');
      }
      this.#openOne(this.#open);
      return;
    }
    const socket = this.#socket;
    if (socket === undefined) return;
    if (move === 'end') {
      if (this.#use === 'open') this.#use = 'ended';
      endGracefully(socket);
    } else if (move === 'reset' || move === 'destroy') {
      this.#use = 'cut';
      if (move === 'reset') reset(socket);
      else destroy(socket);
    } else if (move === 'pause') socket.pause();
    else socket.resume();
  }

  use(socket: Socket): void {
    checkSocket(socket);
    if (this.isOver) {
      discard(socket);
      return;
    }
    if (this.#performed !== undefined) this.#opening = new Set(this.#opening).add(this.#performed);
    this.#openOne(() => socket);
  }

  #openOne(open: () => Socket): void {
    const last = this.#socket;
    if (last !== undefined && !last.destroyed && this.#use !== 'cut') {
      throw new Error(
        `${this.id} opens a socket in "${this.state}" though its last one is open: reset or destroy that before, or wait until it has closed.`,
      );
    }
    if (last !== undefined) this.#unlink(last);
    let socket: Socket;
    try {
      socket = checkedStream('socket', open());
    } catch (error) {
      this.#report('failed', hookReportOf(error));
      this.#report('closed');
      return;
    }
    this.#link(socket);
    this.#reportPast(socket);
  }

  #link(socket: Socket): void {
    this.#socket = socket;
    this.#use = 'open';
    link(socket, this);
    // TLS of a server has no `secureConnect`; a client has verified the certificate by then.
    if (!isConnected(socket)) socket.once('encrypted' in socket ? 'secure' : 'connect', this.#onConnected);
    if (this.#events.data !== undefined) socket.on('data', this.#onData);
    this.onSocket?.();
  }

  /** What it reports no more, since it has happened. */
  #reportPast(socket: Socket): void {
    if (this.#socket !== socket) return;
    if (socket.closed) {
      this.socketClosed();
      return;
    }
    if (isConnected(socket) && !socket.destroyed) this.socketConnected();
    if (this.#socket === socket && socket.readableEnded) this.socketEnded();
  }

  /** It may connect again: with its listeners still there, all would be heard twice. */
  #unlink(socket: Socket): void {
    forget(socket);
    socket.off('secure', this.#onConnected).off('connect', this.#onConnected).off('data', this.#onData);
    this.#socket = undefined;
  }

  /** What the socket reports */

  socketConnected(): void {
    this.#report('connected', this.#socket);
  }

  socketEnded(): void {
    this.#report('ended');
  }

  socketFinished(): void {
    this.#report('finished');
  }

  socketFailed(cause: Report): void {
    this.#report('failed', cause);
  }

  socketClosed(): void {
    if (this.#socket !== undefined) this.#unlink(this.#socket);
    if (this.#linger !== undefined) this.clock.clearTimeout(this.#linger);
    this.#report('closed');
    if (this.isOver) this.#closed.resolve(this.#output);
  }

  wasReadLast(): boolean {
    return true;
  }

  readonly #onConnected = (): void => this.socketConnected();

  readonly #onData = (chunk: Buffer): void => this.#report('data', chunk);

  #report(report: keyof SocketReports<never>, argument?: unknown): void {
    const entry = this.#events[report];
    if (entry === undefined || this.isOver) return;
    const event = typeof entry === 'string' ? { type: entry } : entry(argument);
    if (event === undefined) return;
    this.heard = event as never;
    this.instance.send(event as never);
  }

  /** It ends */

  finish(output: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#output = output;
    const socket = this.#socket;
    if (socket === undefined) this.#closed.resolve(output);
    else if (!socket.destroyed && this.#use !== 'cut') this.#leave(socket);
  }

  /** What was ended is delivered, but not for as long as the peer likes; another socket would stay open for ever. */
  #leave(socket: Socket): void {
    if (this.isHeld) {
      this.isLeaky = true;
      reset(socket);
      return;
    }
    if (socket.writableFinished) {
      destroy(socket);
      return;
    }
    socket.once('finish', () => destroy(socket));
    this.#linger = inNoContext(setOn, this.clock, () => reset(socket), LINGER_MS);
  }

  /** A function of the machine has thrown. */
  failed(error: unknown): void {
    this.isLeaky = this.#socket !== undefined;
    this.abort();
    process.nextTick(() => {
      throw error;
    });
  }

  abort(): void {
    this.isOver = true;
    this.instance.stop();
    if (this.#socket === undefined) this.#closed.resolve(this.#output);
    else reset(this.#socket);
  }
}

function nameOf(machine: string): string {
  const count = (counts.get(machine) ?? 0) + 1;
  counts.set(machine, count);
  return `${machine}#${count}`;
}
