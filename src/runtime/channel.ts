import { channel } from 'node:diagnostics_channel';
import type { Description, Transition } from './instance.js';

/**
 * The name of the `node:diagnostics_channel` that every transition of every instance goes to, as a {@link Transition}.
 * Nothing is built for it while the channel has no subscriber.
 *
 * @example
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel';
 * import { TRANSITION_CHANNEL, type Transition } from 'sockchart';
 *
 * subscribe(TRANSITION_CHANNEL, (message) => {
 *   const { who, from, event, to } = message as Transition;
 *   console.log(who, from, '→', to, `(${event})`);
 * });
 * ```
 */
export const TRANSITION_CHANNEL = 'sockchart:transition';

export const transitions = channel(TRANSITION_CHANNEL);

/** Of a host that does not describe itself. */
export const NO_DESCRIPTION: Description = {};

/** Publishes a transition; ask `transitions.hasSubscribers` first. */
export function publish(transition: Transition): void {
  transitions.publish(transition);
}
