/** What the handles of transitions tell. They may be a user's objects: nothing that they do may do harm. */
import type { LiveHandle } from './registry.js';

/** The handle of a transition, if it can be asked like those of the library. */
export function handleIn(handle: unknown): LiveHandle | undefined {
  try {
    const { id, timers, accepts } = handle as LiveHandle;
    const canAnswer = typeof id === 'string' && typeof timers === 'function' && typeof accepts === 'function';
    return canAnswer ? (handle as LiveHandle) : undefined;
  } catch {
    return undefined;
  }
}

/** The client of a session. */
export function clientOf(machine: string, handle: unknown): { readonly id: string } | undefined {
  return machine === 'session' ? partOf(handle, 'client') : undefined;
}

/**
 * The handle that all parts of a connection have in common: that of the client. A session has a client, and the backend of
 * a session is a part of it. Any other instance stands for itself.
 */
export function servedBy(machine: string, handle: unknown): object | undefined {
  const session = machine === 'backend' ? partOf(handle, 'parent') : handle;
  const client = machine === 'session' || machine === 'backend' ? partOf(session, 'client') : undefined;
  return client ?? (isObject(handle) ? handle : undefined);
}

function partOf(handle: unknown, name: 'client' | 'parent'): { readonly id: string } | undefined {
  try {
    const part = (handle as Record<string, unknown> | undefined)?.[name];
    return isObject(part) ? (part as { readonly id: string }) : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
