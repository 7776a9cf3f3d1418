/** Small machines for scenarios, and short lines for what they do. */
import { type AnyStateMachine, assign, createMachine, type EventObject, emit } from 'xstate';
import type { MachineRuntime } from '../support/runtimes.js';
import { type Deed, Side, type SideOptions, show } from './compare.js';

/** What the functions of these machines get. */
export interface Given {
  readonly context: { readonly n: number; readonly m: number; readonly text: string };
  readonly event: { readonly type: string; readonly n: number; readonly output: unknown; readonly input: unknown };
}

/** A machine with the id `m` and a small context. */
export function machineOf(config: object, implementations: object = {}): AnyStateMachine {
  const all = { id: 'm', context: { n: 0, m: 0, text: '' }, ...config };
  return createMachine(all as never, implementations as never) as unknown as AnyStateMachine;
}

/** A command of this type, and nothing else. */
export const say = (type: string): object => emit({ type });

/** A command that carries what it is told. */
export const tell = (type: string, what: (given: Given, params: never) => object): object =>
  emit(((given: Given, params: never) => ({ type, ...what(given, params) })) as never);

export const set = (what: object | ((given: Given, params: never) => object)): object => assign(what as never);

export const count = set({ n: ({ context }: Given) => context.n + 1 });

/** One life on a runtime, and what it did in short lines. */
export class Scene extends Side {
  constructor(
    runtime: MachineRuntime,
    machine: AnyStateMachine,
    options: SideOptions & { readonly input?: unknown } = {},
  ) {
    super(runtime, machine, options.input, { clockToo: true, ...options });
  }

  get state(): string {
    return this.instance.state;
  }

  override send(event: EventObject | string): void {
    super.send(typeof event === 'string' ? { type: event } : event);
  }

  /** Starts it, and forgets what that did. */
  started(): this {
    this.start();
    this.deeds.length = 0;
    return this;
  }

  /** What was done since it was last asked. */
  said(): string[] {
    return this.deeds.splice(0).map(line);
  }

  /** What was done for this event. */
  on(event: EventObject | string): string[] {
    this.deeds.length = 0;
    this.send(event);
    return this.said();
  }

  /** What was done while this time passed. */
  after(ms: number): string[] {
    this.deeds.length = 0;
    this.advance(ms);
    return this.said();
  }
}

function line(deed: Deed): string {
  switch (deed.did) {
    case 'command': {
      const { type, ...rest } = deed.command;
      return Object.keys(rest).length === 0 ? type : `${type} ${show(rest)}`;
    }
    case 'set a timer':
      return `set ${deed.delayMs}`;
    case 'clear a timer':
      return `clear ${deed.dueAt}`;
    case 'note':
      return show(deed.what);
    case 'log':
      return `log ${show(deed.values)}`;
    case 'fail':
      return 'fail';
    case 'finish':
      return `finish ${show(deed.outcome)}`;
    case 'transition':
      return `${deed.transition.from} –${deed.transition.event}→ ${deed.transition.to}`;
  }
}
