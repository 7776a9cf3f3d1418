/**
 * What a value is, as plain data that JSON can hold: contexts and events of users' machines may be huge or cyclic, and hold
 * sockets and functions. No getter is called, no method either, and the result has bounds.
 */

import type { Shown } from './protocol.js';

/** How much of a value is shown. */
export interface ShownLimits {
  /** Characters of one text. */
  readonly textMax: number;
  /** Values inside one object or list. */
  readonly entriesMax: number;
  readonly depthMax: number;
  /** Characters of everything together, about. */
  readonly charactersMax: number;
}

export const SHOWN: ShownLimits = { textMax: 1_000, entriesMax: 100, depthMax: 8, charactersMax: 65_536 };

/** The objects whose fields say what they are; of others, the name of the class does. */
const BARE = new Set<object | null>([null, Object.prototype]);

/** A copy of this value that JSON can hold. It never throws. */
export function shown(value: unknown, limits = SHOWN): Shown {
  return new Copy(limits).of(value, 0);
}

class Copy {
  readonly #limits: ShownLimits;
  /** The objects around the one that is copied. */
  readonly #around = new Set<object>();
  #left: number;

  constructor(limits: ShownLimits) {
    this.#limits = limits;
    this.#left = limits.charactersMax;
  }

  of(value: unknown, depth: number): Shown {
    // Also what takes hardly any room is counted: a short list may be in itself a million times over.
    this.#left -= 2;
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        this.#left -= 8;
        return Number.isFinite(value) ? value : String(value);
      case 'bigint':
        return this.#text(`${value}n`);
      case 'boolean':
        return value;
      case 'undefined':
        return null;
      case 'symbol':
        return value === GETTER ? '[getter]' : this.#text(`[${String(value)}]`);
      case 'function':
        return this.#text(`[function ${nameOf(value)}]`);
      default:
        return value === null ? null : this.#object(value as object, depth);
    }
  }

  #text(value: string): string {
    const max = Math.max(0, Math.min(this.#limits.textMax, this.#left));
    this.#left -= Math.min(value.length, max) + 2;
    return value.length <= max ? value : `${value.slice(0, max)}… (${value.length} characters)`;
  }

  #object(value: object, depth: number): Shown {
    if (this.#around.has(value)) return '[circular]';
    try {
      const told = inWords(value);
      if (told !== undefined) return this.#text(told);
      if (depth >= this.#limits.depthMax || this.#left <= 0) return this.#text(`[${className(value)}, not shown]`);
      this.#around.add(value);
      try {
        return Array.isArray(value) ? this.#list(value, value.length, depth) : this.#fields(value, depth);
      } finally {
        this.#around.delete(value);
      }
    } catch {
      // A proxy may throw at whatever it is asked.
      return '[unreadable]';
    }
  }

  #list(values: Iterable<unknown>, length: number, depth: number): Shown[] {
    const copy: Shown[] = [];
    for (const value of values) {
      if (this.#isFull(copy.length)) {
        copy.push(`[${length - copy.length} more]`);
        break;
      }
      copy.push(this.of(value, depth + 1));
    }
    return copy;
  }

  #fields(value: object, depth: number): Shown {
    if (value instanceof Set) return { '[Set]': this.#list(SET_VALUES.call(value), SET_SIZE.call(value), depth) };
    const isMap = value instanceof Map;
    const name = isMap ? 'Map' : className(value);
    const copy: Record<string, Shown> = Object.create(null);
    if (isMap || !BARE.has(Object.getPrototypeOf(value))) copy[`[${name}]`] = '';
    const entries: Iterable<readonly [unknown, unknown]> = isMap ? MAP_ENTRIES.call(value) : fieldsOf(value);
    const length = isMap ? MAP_SIZE.call(value) : Object.keys(value).length;
    let count = 0;
    for (const [key, one] of entries) {
      // As in JSON, where a field without a value is none.
      if (one === undefined) continue;
      if (this.#isFull(count)) {
        copy['[more]'] = `${length - count} fields are not shown`;
        break;
      }
      count++;
      const field = typeof key === 'string' ? this.#text(key) : String(shown(key, KEYS));
      copy[field] = this.of(one, depth + 1);
    }
    return copy;
  }

  #isFull(count: number): boolean {
    return count >= this.#limits.entriesMax || this.#left <= 0;
  }
}

const KEYS: ShownLimits = { textMax: 100, entriesMax: 0, depthMax: 0, charactersMax: 100 };

const MAP_ENTRIES = Map.prototype.entries;
const SET_VALUES = Set.prototype.values;
const sizeOf = (prototype: object): ((this: unknown) => number) =>
  Object.getOwnPropertyDescriptor(prototype, 'size')?.get as (this: unknown) => number;
const MAP_SIZE = sizeOf(Map.prototype);
const SET_SIZE = sizeOf(Set.prototype);

function* fieldsOf(value: object): Generator<readonly [string, unknown]> {
  for (const name of Object.keys(value)) {
    const descriptor = Object.getOwnPropertyDescriptor(value, name);
    if (descriptor !== undefined) yield [name, 'value' in descriptor ? descriptor.value : GETTER];
  }
}

const GETTER = Symbol('getter');

/** Objects that are told in words: what is inside them is of no use, of no end, or secret. */
function inWords(value: object): string | undefined {
  if (ArrayBuffer.isView(value)) return `[${className(value)}, ${value.byteLength} bytes]`;
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return `[${className(value)}, ${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(DATE_TIME.call(value)) ? '[Date, invalid]' : DATE_ISO.call(value);
  if (value instanceof RegExp || value instanceof URL) return String(value);
  if (value instanceof Error) return errorText(value);
  if (isOpaque(value)) return `[${className(value)}]`;
  return undefined;
}

const DATE_ISO = Date.prototype.toISOString;
const DATE_TIME = Date.prototype.getTime;

/** The message, without the stack, which has paths of the machine that it runs on. */
function errorText(error: Error): string {
  const name = dataOf(error, 'name');
  const message = dataOf(error, 'message');
  return `[${typeof name === 'string' ? name : className(error)}${typeof message === 'string' && message !== '' ? `: ${message}` : ''}]`;
}

/** Promises, emitters, sockets, streams, actors, timers: whatever has behaviour of these kinds. */
function isOpaque(value: object): boolean {
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef)
    return true;
  return BEHAVES.some((name) => typeof dataOf(value, name) === 'function');
}

/** Of emitters, web streams, event targets, actors and observables, timers. */
const BEHAVES = ['emit', 'getReader', 'getWriter', 'addEventListener', 'subscribe', 'hasRef', 'then'] as const;

/** A field of an object or of its class, if that is no getter. */
function dataOf(value: object, name: string): unknown {
  for (let at: object | null = value; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(at, name);
    if (descriptor !== undefined) return descriptor.value;
  }
  return undefined;
}

function className(value: object): string {
  const made = dataOf(value, 'constructor');
  return typeof made === 'function' ? nameOf(made) : 'object';
}

function nameOf(value: unknown): string {
  const name = Object.getOwnPropertyDescriptor(value as object, 'name')?.value;
  return typeof name === 'string' && name !== '' ? name : 'anonymous';
}
