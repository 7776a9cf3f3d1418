/** The face that every handle has: where it is, what happened, how it ends. */

import { EventEmitter } from 'node:events';
import { OptionError } from './errors.js';
import type { Cause, Outcome, Report } from './machines/vocabulary.js';
import { clock as checkClock, onlyKnown, type Timeout, timeout } from './options.js';
import { type Deferred, deferred } from './promise.js';
import { NO_DESCRIPTION } from './runtime/channel.js';
import { type Clock, systemClock } from './runtime/clock.js';
import { contextOfNow, type InContext } from './runtime/context.js';
import type { Commands, Description, Host, Instance, MachineName, RunningTimer, Runtime } from './runtime/instance.js';
import { type Following, follow, unfollow } from './signals.js';
import { showManyShapes } from './sockets/shapes.js';
import { hookReportOf } from './sockets/socket.js';

/** Options that every handle takes. */
export interface HandleOptions {
  /** Aborts the handle when it fires. If it has fired before, the handle opens nothing. */
  readonly signal?: AbortSignal | undefined;
  /** Where time comes from. Default: the process's own. */
  readonly clock?: Clock | undefined;
  /**
   * What runs the machines. Default: the classes that were generated from them when the package was built. `xstateRuntime` of
   * `sockchart/runtime` runs each on an XState actor, many times slower: for programs that compose them with actors.
   */
  readonly runtime?: Runtime | undefined;
}

export const HANDLE_OPTIONS = ['signal', 'clock', 'runtime'] as const;

/** What the handles of one configuration run in: checked once, shared by all of them. */
export interface Environment {
  readonly clock: Clock;
  /** Nothing where the generated classes run. */
  readonly runtime: Runtime | undefined;
  /** Calls a function in the async context in which the user made the first of them. */
  readonly inContext: InContext;
}

export function environmentOf(options: HandleOptions): Environment {
  showManyShapes();
  return {
    clock: checkClock('clock', options.clock) ?? systemClock,
    runtime: checkedRuntime(options.runtime),
    inContext: contextOfNow(),
  };
}

function checkedRuntime(runtime: Runtime | undefined): Runtime | undefined {
  if (runtime === undefined || typeof runtime?.run === 'function') return runtime;
  throw new OptionError('runtime', runtime, 'an object with run(), such as xstateRuntime of sockchart/runtime');
}

/** Options of a close. */
export interface CloseOptions {
  /** Replaces the time that the close may take, in milliseconds; `false` for no limit. */
  readonly timeoutMs?: Timeout | undefined;
}

const CLOSE_OPTIONS = ['timeoutMs'];

/** What each kind of command does: a command without an entry does not compile. */
export type CommandTable<H, C extends { readonly type: string }> = {
  readonly [K in C['type']]: (handle: H, command: Extract<C, { type: K }>) => void;
};

export type Events = Record<string, unknown[]>;

/** What all handles of a kind share: what their commands do, their events, and the count that numbers them. */
export interface HandleKind<H, C extends { readonly type: string }, E extends Events = Events> extends HandleKindName {
  readonly events: Readonly<Record<keyof E & string, true>>;
  readonly commands: CommandTable<H, C>;
}

interface HandleKindName {
  /** That of its machine. */
  readonly name: MachineName;
  /** Makes an instance of the class that was generated from the machine. */
  readonly make: (input: unknown, host: Host<never>) => unknown;
  /** The types of the owner's two requests: `client.close`, `client.abort`. */
  readonly close: string;
  readonly abort: string;
  made: number;
}

/** @internal The part of a kind that its machine decides. */
export const kindOf = (name: MachineName, make: HandleKindName['make']): HandleKindName => ({
  name,
  make,
  close: `${name}.close`,
  abort: `${name}.abort`,
  made: 0,
});

interface CloseRequest {
  readonly type: string;
  readonly timeoutMs?: number;
  readonly cause?: Report;
}

interface AbortRequest {
  readonly type: string;
  readonly cause?: Report;
  readonly deliver?: true;
}

type AnyCommands = Record<string, (handle: unknown, command: unknown) => void>;

const NO_TIMERS: ReadonlySet<string> = new Set();

/**
 * An instance and its name, events and end. Made by `createProxy`, `createListener`, `adoptClient` and `createBackend`; a server is made by its `Servers`.
 *
 * Its events, and the sockets that it opens, belong to the async context (`AsyncLocalStorage`) in which you called one of
 * these functions; so do those of its parts. Its hooks run in the context in which you gave them.
 */
export abstract class Handle<V extends { readonly type: string }, E extends Events> {
  /** Where its time comes from. */
  readonly clock: Clock;
  /** How it ended, once it has. */
  outcome: Outcome | undefined = undefined;
  /** @internal Calls a function in the async context that the handle belongs to. */
  protected readonly inContext: InContext;
  /** @internal */
  protected readonly instance: Instance<V>;
  readonly #kind: HandleKind<never, never>;
  readonly #number: number;
  readonly #parent: { readonly id: string } | undefined;
  #emitter: EventEmitter | undefined = undefined;
  #closed: Deferred<Outcome> | undefined = undefined;
  #following: Following | undefined = undefined;

  /** Not for users: see the functions that make the handles. */
  protected constructor(
    kind: HandleKind<never, never>,
    input: unknown,
    { clock, runtime, inContext }: Environment,
    parent: { readonly id: string } | undefined,
  ) {
    this.clock = clock;
    this.inContext = inContext;
    this.#kind = kind;
    this.#number = ++kind.made;
    this.#parent = parent;
    const made = runtime === undefined ? kind.make(input, this) : runtime.run(kind.name, input, this);
    this.instance = made as Instance<V>;
  }

  /** Its name in logs and on the transition channel: `backend#7`. */
  get id(): string {
    return `${this.#kind.name}#${this.#number}`;
  }

  /** The name of the handle that it is a part of. */
  get parentId(): string | undefined {
    return this.#parent?.id;
  }

  /** @internal What it is a part of. */
  get parent(): object | undefined {
    return this.#parent;
  }

  /** @internal What observers read about it with each transition. */
  describe(): Description {
    return NO_DESCRIPTION;
  }

  /** @internal Timers that no promise waits for. */
  get backgroundTimers(): ReadonlySet<string> {
    return NO_TIMERS;
  }

  /** Where it is, as a path: `active.established.open`. */
  get state(): string {
    return this.instance.state;
  }

  /** True in one of these states, or below it: `matches('active.established')`. */
  matches(...states: readonly string[]): boolean {
    const { instance } = this;
    return states.some((state) => instance.matches(state));
  }

  /**
   * @internal True while its machine is in a state with this tag: what the library itself asks, so that no name of a
   * state is known outside the machines.
   */
  hasTag(tag: string): boolean {
    return this.instance.hasTag(tag);
  }

  /** A promise of how the instance ends, and why. It never rejects. */
  get closed(): Promise<Outcome> {
    // A promise keeps the async context that it was made in: that of the handle, not that of the first caller.
    if (this.#closed === undefined) {
      this.#closed = this.inContext(deferred<Outcome>);
      if (this.outcome !== undefined) this.#closed.resolve(this.outcome);
    }
    return this.#closed.promise;
  }

  /**
   * Ends the instance gracefully; after `timeoutMs` (or the timeout of the options) it becomes an abort, which takes at most
   * `abortTimeout` more. Final. The first close decides; to hasten it, call {@link abort}.
   *
   * @returns {@link closed}
   * @throws OptionError
   */
  close(options: CloseOptions = {}): Promise<Outcome> {
    onlyKnown('close', options, CLOSE_OPTIONS);
    const { timeoutMs } = options;
    const type = this.#kind.close;
    this.#send(timeoutMs === undefined ? { type } : { type, timeoutMs: timeout('timeoutMs', timeoutMs, 0) });
    return this.closed;
  }

  /**
   * Ends the instance at once; sockets are reset, also those whose last byte and FIN are sent and perhaps not received.
   * Final.
   *
   * @param cause why, for the outcome; an `Error` will do
   * @returns {@link closed}
   * @throws OptionError for a cause that is none, once it is aborted all the same
   */
  abort(cause?: Report | Error): Promise<Outcome> {
    const report = cause === undefined ? undefined : checkedReport(cause);
    this.#abort(report);
    if (report === undefined && cause !== undefined)
      throw new OptionError('cause', cause, 'an Error, or an object with the words initiator and manner');
    return this.closed;
  }

  /**
   * @internal An {@link abort} that no owner has asked for, but a deadline or the loss of another part: a stream that is
   * complete is let go of instead of being reset.
   */
  cut(cause: Cause): void {
    this.#send({ type: this.#kind.abort, cause, deliver: true });
  }

  /** @internal A {@link close} that no owner has asked for, such as after the end of another part. */
  closeBy(cause: Cause, timeoutMs: number): void {
    this.#send({ type: this.#kind.close, cause, timeoutMs });
  }

  #abort(cause: Report | undefined): void {
    const type = this.#kind.abort;
    this.#send(cause === undefined ? { type } : { type, cause });
  }

  /** Every machine takes these two requests from the owner of its handle. */
  #send(request: CloseRequest | AbortRequest): void {
    this.instance.send(request as never);
  }

  /** What `await using` does at the end of its block: {@link close}, with the timeout of the options. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /**
   * Calls `listener` whenever `event` happens.
   *
   * @throws OptionError for an event that there is not
   */
  on<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    this.#emitterOf(event, listener).on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /**
   * Calls `listener` the next time that `event` happens.
   *
   * @throws OptionError for an event that there is not
   */
  once<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    this.#emitterOf(event, listener).once(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Calls `listener` no more. */
  off<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    this.#emitter?.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** A misspelt event would be waited for in vain. */
  #emitterOf(event: string, listener: unknown): EventEmitter {
    const { events, name } = this.#kind;
    if (!Object.hasOwn(events, event)) {
      throw new OptionError('event', event, `one that a ${name} has: ${Object.keys(events).join(', ')}`);
    }
    if (typeof listener !== 'function') throw new OptionError('listener', listener, 'a function');
    // Many callers that wait for one shared connection are no leak, and users cannot raise the limit.
    this.#emitter ??= new EventEmitter().setMaxListeners(0);
    return this.#emitter;
  }

  /** Its timers, and its socket if it has one, no longer keep the process alive. */
  unref(): this {
    this.instance.setRef(false);
    this.refSocket(false);
    return this;
  }

  /** Undoes {@link unref}. */
  ref(): this {
    this.instance.setRef(true);
    this.refSocket(true);
    return this;
  }

  /** The timers that run now: they help to see why it is in this state. */
  timers(): RunningTimer[] {
    return this.instance.timers();
  }

  /** The events that it would act on now. */
  accepts(): string[] {
    return this.instance.accepts();
  }

  /** A snapshot that can be logged. */
  toJSON(): Record<string, unknown> {
    return { id: this.id, state: this.state, ...(this.outcome !== undefined && { outcome: this.outcome }) };
  }

  /** @internal */
  get commands(): Commands {
    return this.#kind.commands as unknown as Commands;
  }

  /** @internal Does what the machine commands; what it throws comes back as a report. */
  perform(command: { readonly type: string }): void {
    const { type } = command;
    try {
      (this.#kind.commands as AnyCommands)[type]?.(this, command);
    } catch (error) {
      this.commandFailed(type, error);
    }
  }

  /** @internal The machine has reached its end. */
  finish(outcome: Outcome): void {
    this.outcome = outcome;
    if (this.#following !== undefined) unfollow(this.#following);
    this.finished(outcome);
    this.notify('closed', ...([outcome] as unknown as E['closed']));
    this.#closed?.resolve(outcome);
  }

  /** @internal Starts the machine; commands may come at once. */
  begin(signal?: AbortSignal): void {
    this.instance.start();
    if (signal === undefined || this.outcome !== undefined) return;
    if (signal.aborted) this.signalAborted();
    else this.#following = follow(signal, this);
  }

  /** @internal */
  signalAborted(): void {
    this.#abort({ initiator: 'owner', manner: 'abort', code: 'ABORT_ERR' });
  }

  /** @internal Emits an event; an error that a listener throws is the process's, not the socket's. */
  notify<K extends keyof E & string>(event: K, ...args: E[K]): void {
    if (this.#emitter !== undefined && this.#emitter.listenerCount(event) > 0) {
      this.inContext(callListeners, this, this.#emitter.rawListeners(event), args);
    }
  }

  /** @internal Aborts the signal of a hook or a holder: its listeners are the user's. */
  abortSignal(controller: AbortController | undefined): void {
    if (controller !== undefined) this.inContext(abortController, controller);
  }

  /** @internal False where an event has no listener: then nothing need be built for it. */
  protected hasListeners(event: keyof E & string): boolean {
    return this.#emitter !== undefined && this.#emitter.listenerCount(event) > 0;
  }

  /** @internal A command threw: report that as what the command was meant to bring about having failed. */
  abstract commandFailed(command: string, error: unknown): void;
  /** @internal The last things to do, before the end is told. */
  protected finished(_outcome: Outcome): void {}
  /** @internal */
  protected refSocket(_keepAlive: boolean): void {}
}

/**
 * @internal Nothing where it is no cause: with `abort` as a listener it is an event, and what a library has thrown may throw
 * when it is read.
 */
export function checkedReport(cause: Report | Error): Report | undefined {
  try {
    if (cause instanceof Error) return hookReportOf(cause);
    const isReport = typeof cause.initiator === 'string' && typeof cause.manner === 'string';
    return isReport ? cause : undefined;
  } catch {
    return undefined;
  }
}

/** @internal Calls listeners of a user's; what one throws is an uncaught exception. */
export function callListeners(handle: object, listeners: readonly unknown[], args: readonly unknown[]): void {
  for (const listener of listeners) {
    try {
      (listener as (...args: readonly unknown[]) => void).apply(handle, args as unknown[]);
    } catch (error) {
      process.nextTick(rethrow, error);
    }
  }
}

function abortController(controller: AbortController): void {
  controller.abort();
}

function rethrow(error: unknown): void {
  throw error;
}
