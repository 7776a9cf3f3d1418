/** What happened, as short lines that can be compared. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Backend, Cause, Client, Outcome } from '../../src/index.js';
import { type TcpProxy, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';

/** `peer/reset/established` and the code if there is one. */
export function why(cause: Cause): string {
  const { initiator, manner, phase, code } = cause;
  return [initiator, manner, phase, ...(code === undefined ? [] : [code])].join('/');
}

export const how = ({ ending, cause }: Outcome): string => `${ending} ${why(cause)}`;

/** Everything that a backend tells, in order. */
export function recordBackend(backend: Backend): string[] {
  const lines: string[] = [];
  backend.on('established', ({ incarnation }) => lines.push(`established ${incarnation}`));
  backend.on('dropped', ({ incarnation, cause }) => lines.push(`dropped ${incarnation} ${why(cause)}`));
  backend.on('released', ({ incarnation }) => lines.push(`released ${incarnation}`));
  backend.on('retry', ({ attempt }) => lines.push(`retry ${attempt}`));
  backend.on('failover', ({ from, to }) => lines.push(`failover ${from} ${to}`));
  backend.on('exhausted', ({ cause }) => lines.push(`exhausted ${why(cause)}`));
  backend.on('closed', (outcome) => lines.push(`closed ${outcome.ending}`));
  return lines;
}

export function recordClient(client: Client): string[] {
  const lines: string[] = [];
  client.on('established', () => lines.push('established'));
  client.on('dropped', ({ cause }) => lines.push(`dropped ${why(cause)}`));
  client.on('released', () => lines.push('released'));
  client.on('closed', (outcome) => lines.push(`closed ${outcome.ending}`));
  return lines;
}

/** What a proxy tells of its sessions, in order. */
export function recordProxy(proxy: TcpProxy): string[] {
  const lines: string[] = [];
  proxy.on('established', () => lines.push('established'));
  proxy.on('retry', ({ attempt }) => lines.push(`retry ${attempt}`));
  proxy.on('failover', ({ from, to }) => lines.push(`failover ${from} ${to}`));
  proxy.on('dropped', ({ leg, cause }) => lines.push(`dropped ${leg} ${why(cause)}`));
  proxy.on('refused', ({ total }) => lines.push(`refused ${total}`));
  proxy.on('sessionClosed', ({ outcome }) => lines.push(`session ${how(outcome)}`));
  proxy.on('closed', (outcome) => lines.push(`closed ${outcome.ending}`));
  return lines;
}

/** Listens on the transition channel until it is stopped. */
export function recordTransitions(): { transitions: Transition[]; stop(): void } {
  const transitions: Transition[] = [];
  const onTransition = (message: unknown): void => void transitions.push(message as Transition);
  subscribe(TRANSITION_CHANNEL, onTransition);
  return { transitions, stop: () => unsubscribe(TRANSITION_CHANNEL, onTransition) };
}

/** The number of lines that begin like this. */
export const times = (lines: readonly string[], start: string): number =>
  lines.filter((line) => line.startsWith(start)).length;

/** Hears of the errors that nobody has caught, in place of the test runner, until it is stopped. */
export function recordUncaught(): { errors: Error[]; stop(): void } {
  const errors: Error[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  return {
    errors,
    stop() {
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
    },
  };
}
