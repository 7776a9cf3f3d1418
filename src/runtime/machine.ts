/** A machine that can be run, in whichever way. */
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom } from 'xstate';
import { OptionError } from '../errors.js';
import { clock, onlyKnown, text } from '../options.js';
import type { Host, Run, RunListeners } from './instance.js';

/** A machine that can be run. Made by {@link compile} and {@link interpret}. */
export interface RunnableMachine<M extends AnyStateMachine> {
  /** The id of the machine. */
  readonly id: string;
  /**
   * Makes an instance, which has yet to be started.
   *
   * @throws OptionError for a host that lacks what it needs
   */
  run(input: InputFrom<M>, host: Host<EmittedFrom<M>>): Run<Extract<EventFromLogic<M>, { type: string }>>;
}

/** @throws OptionError for what is no machine */
export function checkMachine(machine: AnyStateMachine, name = 'machine'): void {
  if (typeof machine?.root?.transitions?.keys !== 'function') {
    throw new OptionError(name, machine, "a machine that XState's createMachine() has made");
  }
}

/** @throws OptionError for a host that lacks what it needs, before anything runs */
export function checkHost(host: Host<never>): void {
  if (!isHost(host)) refuseHost(host);
}

/** Asked for each instance: so nothing is built, nor looked up by a name that is not written here. */
function isHost(host: Host<never> | null): boolean {
  if (typeof host !== 'object' || host === null) return false;
  const { id, clock: time, backgroundTimers } = host;
  return (
    typeof id === 'string' &&
    id !== '' &&
    typeof time?.now === 'function' &&
    typeof time.setTimeout === 'function' &&
    typeof time.clearTimeout === 'function' &&
    typeof host.perform === 'function' &&
    typeof host.finish === 'function' &&
    isFunctionOrNothing(host.describe) &&
    isFunctionOrNothing(host.log) &&
    isFunctionOrNothing(host.failed) &&
    isFunctionOrNothing(host.abort) &&
    (backgroundTimers === undefined || typeof backgroundTimers?.has === 'function')
  );
}

const isFunctionOrNothing = (value: unknown): boolean => value === undefined || typeof value === 'function';

function refuseHost(host: Host<never>): never {
  if (host === null || typeof host !== 'object') {
    throw new OptionError('host', host, 'an object with id, clock, perform() and finish()');
  }
  text('host.id', host.id);
  if (host.clock === undefined) throw new OptionError('host.clock', undefined, 'a clock, such as systemClock');
  clock('host.clock', host.clock);
  for (const name of ['perform', 'finish'] as const) checkFunction(`host.${name}`, host[name]);
  for (const name of ['describe', 'log', 'failed', 'abort'] as const) {
    if (host[name] !== undefined) checkFunction(`host.${name}`, host[name]);
  }
  throw new OptionError('host.backgroundTimers', host.backgroundTimers, 'a Set of names of timers');
}

const LISTENERS = ['transition', 'failed', 'done'];

/** @throws OptionError for what {@link Run.subscribe} cannot call */
export function checkListeners(listeners: RunListeners): void {
  onlyKnown('listeners', listeners, LISTENERS);
  for (const [name, listener] of Object.entries(listeners)) {
    if (listener !== undefined) checkFunction(name, listener);
  }
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new OptionError(name, value, 'a function');
}
