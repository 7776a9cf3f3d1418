/** The face that every handle has: where it is, what happened, how it ends. */
import { EventEmitter } from 'node:events';
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import type { Outcome, Report } from '../machines/vocabulary.js';
import { clock as checkClock, signal as checkSignal, onlyKnown, type Timeout, timeout } from '../options.js';
import { type Clock, systemClock } from '../runtime/clock.js';
import { compiledRuntime } from '../runtime/compiled.js';
import type { Host, Life, RunningTimer, Runtime } from '../runtime/life.js';

/** Options that every handle takes. */
export interface HandleOptions {
  /** Means abort. One that is aborted already opens nothing. */
  readonly signal?: AbortSignal | undefined;
  /** Where time comes from. Default: the process's own. */
  readonly clock?: Clock | undefined;
}

export const HANDLE_OPTIONS = ['signal', 'clock'] as const;

export interface CloseOptions {
  /** Replaces the time that the close may take, in milliseconds; `false` for no limit. */
  readonly timeoutMs?: Timeout | undefined;
}

const CLOSE_OPTIONS = ['timeoutMs'];

/** What each kind of command does: a command without an entry does not compile. */
export type CommandTable<H, C extends { readonly type: string }> = {
  readonly [K in C['type']]: (handle: H, command: Extract<C, { type: K }>) => void;
};

type Events = Record<string, unknown[]>;

const counters = new Map<string, number>();
const NO_TIMERS: ReadonlySet<string> = new Set();

/** A life and its name, events and end. Made by `createProxy`, `createListener`, `adoptClient` and `createBackend`. */
export abstract class Handle<M extends AnyStateMachine, E extends Events> implements Host<EmittedFrom<M>> {
  readonly parentId: string | undefined;
  readonly clock: Clock;
  readonly backgroundTimers: ReadonlySet<string> = NO_TIMERS;
  /** How it ended, once it has. */
  outcome: Outcome | undefined;
  protected readonly life: Life<Extract<EventFromLogic<M>, { type: string }>>;
  readonly #kind: string;
  readonly #number: number;
  #emitter: EventEmitter | undefined;
  #closed: Promise<Outcome> | undefined;
  #resolveClosed: ((outcome: Outcome) => void) | undefined;
  #signal: AbortSignal | undefined;

  protected constructor(
    machine: M,
    input: InputFrom<M>,
    options: HandleOptions,
    parentId: string | undefined,
    runtime: Runtime = compiledRuntime,
  ) {
    this.#kind = machine.id;
    this.#number = (counters.get(machine.id) ?? 0) + 1;
    counters.set(machine.id, this.#number);
    this.parentId = parentId;
    this.clock = checkClock('clock', options.clock) ?? systemClock;
    this.#signal = checkSignal('signal', options.signal);
    this.life = runtime.run(machine, input, this);
  }

  /** Its name in logs and on the transition channel: `backend#7`. */
  get id(): string {
    return `${this.#kind}#${this.#number}`;
  }

  /** Where its life is, as a path: `active.established.open`. */
  get state(): string {
    return this.life.state;
  }

  /** True in one of these states, or below it: `matches('active.established')`. */
  matches(...states: readonly string[]): boolean {
    const now = this.life.state;
    return states.some((state) => now === state || now.startsWith(`${state}.`));
  }

  /** A promise of how the life ends, and why. It never rejects. */
  get closed(): Promise<Outcome> {
    this.#closed ??=
      this.outcome === undefined
        ? new Promise((resolve) => {
            this.#resolveClosed = resolve;
          })
        : Promise.resolve(this.outcome);
    return this.#closed;
  }

  /**
   * Ends the life gracefully; after `timeoutMs` (or the timeout of the options) it becomes an abort, which takes at most
   * `abortTimeout` more. Final. The first close decides; to hasten it, call {@link abort}.
   *
   * @returns {@link closed}
   * @throws OptionError
   */
  close(options: CloseOptions = {}): Promise<Outcome> {
    onlyKnown('close', options, CLOSE_OPTIONS);
    const { timeoutMs } = options;
    this.requestClose(timeoutMs === undefined ? undefined : timeout('timeoutMs', timeoutMs, 0));
    return this.closed;
  }

  /**
   * Ends the life at once; sockets are reset. Final.
   *
   * @returns {@link closed}
   */
  abort(cause?: Report): Promise<Outcome> {
    this.requestAbort(cause);
    return this.closed;
  }

  /** What `await using` does at the end of its block: {@link close}, with the timeout of the options. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** Calls `listener` whenever `event` happens. */
  on<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    this.#emitter ??= new EventEmitter();
    this.#emitter.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Calls `listener` the next time that `event` happens. */
  once<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    this.#emitter ??= new EventEmitter();
    this.#emitter.once(event, listener as (...args: unknown[]) => void);
    return this;
  }

  off<K extends keyof E & string>(event: K, listener: (...args: E[K]) => void): this {
    this.#emitter?.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Its timers, and its socket if it has one, no longer keep the process alive. */
  unref(): this {
    this.life.setRef(false);
    this.refSocket(false);
    return this;
  }

  /** Undoes {@link unref}. */
  ref(): this {
    this.life.setRef(true);
    this.refSocket(true);
    return this;
  }

  /** The timers that run now, for whoever asks why it is in this state. */
  timers(): RunningTimer[] {
    return this.life.timers();
  }

  /** The events that it would act on now. */
  accepts(): string[] {
    return this.life.accepts();
  }

  /** A snapshot that can be logged. */
  toJSON(): Record<string, unknown> {
    return { id: this.id, state: this.state, ...(this.outcome !== undefined && { outcome: this.outcome }) };
  }

  /** @internal Does what the machine commands; what it throws comes back as a report. */
  perform(command: EmittedFrom<M>): void {
    const { type } = command as { type: string };
    try {
      (this.commands() as Record<string, (handle: this, command: unknown) => void>)[type]?.(this, command);
    } catch (error) {
      this.commandFailed(type, error);
    }
  }

  /** @internal The machine has reached its end. */
  finish(outcome: Outcome): void {
    this.outcome = outcome;
    this.#signal?.removeEventListener('abort', this.#onSignal);
    this.finished(outcome);
    this.#emit('closed', outcome);
    this.#resolveClosed?.(outcome);
  }

  /** Starts the life; the last thing that a constructor does, for commands may come at once. */
  protected begin(): void {
    this.life.start();
    if (this.#signal === undefined || this.outcome !== undefined) return;
    if (this.#signal.aborted) this.#onSignal();
    else this.#signal.addEventListener('abort', this.#onSignal, { once: true });
  }

  /** Tells whoever listens; an error that a listener throws is the process's, not the socket's. */
  protected notify<K extends keyof E & string>(event: K, ...args: E[K]): void {
    this.#emit(event, ...args);
  }

  #emit(event: string, ...args: unknown[]): void {
    if (this.#emitter === undefined) return;
    for (const listener of this.#emitter.rawListeners(event)) {
      try {
        listener.apply(this, args);
      } catch (error) {
        process.nextTick(rethrow, error);
      }
    }
  }

  /** False where nobody has ever listened, so that nothing need be built to be told. */
  protected get hasListeners(): boolean {
    return this.#emitter !== undefined;
  }

  protected abstract commands(): CommandTable<never, never>;
  protected abstract requestClose(timeoutMs: number | undefined): void;
  protected abstract requestAbort(cause: Report | undefined): void;
  /** A command threw: report that as what the command was meant to bring about having failed. */
  protected abstract commandFailed(command: string, error: unknown): void;
  /** The last things to do, before anybody hears of the end. */
  protected finished(_outcome: Outcome): void {}
  protected refSocket(_keepAlive: boolean): void {}

  readonly #onSignal = (): void => {
    this.requestAbort({ initiator: 'owner', manner: 'abort', code: 'ABORT_ERR' });
  };
}

function rethrow(error: unknown): void {
  throw error;
}
