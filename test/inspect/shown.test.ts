/** What a context is shown as: plain data with bounds, whatever is in it. */
import { EventEmitter } from 'node:events';
import { createServer, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { type ShownLimits, shown } from '../../src/inspect/shown.js';

const LIMITS: ShownLimits = { textMax: 10, entriesMax: 3, depthMax: 2, charactersMax: 1_000 };

class Account {
  owner = 'Ann';
  get balance(): number {
    throw new Error('a getter must not be called');
  }
}

test('what JSON can hold is as it was', () => {
  const value = { a: 1, b: 'two', c: [true, null, { d: [] }], e: {} };
  expect(shown(value)).toEqual(value);
  expect(shown({ gone: undefined, here: 1 })).toEqual({ here: 1 });
  expect(shown([undefined])).toEqual([null]);
});

test.each<[string, unknown, unknown]>([
  ['a function', function greet() {}, '[function greet]'],
  ['a function without a name', (() => () => {})(), '[function anonymous]'],
  ['a symbol', Symbol('s'), '[Symbol(s)]'],
  ['a bigint', 12n, '12n'],
  ['no number', Number.NaN, 'NaN'],
  ['a socket', new Socket(), '[Socket]'],
  ['a server', createServer(), '[Server]'],
  ['a stream', new PassThrough(), '[PassThrough]'],
  ['an emitter', new EventEmitter(), '[EventEmitter]'],
  ['a buffer', Buffer.from('secret'), '[Buffer, 6 bytes]'],
  ['a typed array', new Float64Array(2), '[Float64Array, 16 bytes]'],
  ['an array buffer', new ArrayBuffer(5), '[ArrayBuffer, 5 bytes]'],
  ['a promise', Promise.resolve('secret'), '[Promise]'],
  ['an actor', createActor(createMachine({ id: 'm' })), '[Actor]'],
  ['an abort signal', new AbortController().signal, '[AbortSignal]'],
  ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
  ['no date', new Date(Number.NaN), '[Date, invalid]'],
  ['a pattern', /a+/g, '/a+/g'],
  ['an address', new URL('mqtt://broker:1883/'), 'mqtt://broker:1883/'],
  ['an error', new TypeError('no'), '[TypeError: no]'],
  ['a set', new Set([1, 2]), { '[Set]': [1, 2] }],
  ['a map', new Map<unknown, unknown>([['a', 1]]), { '[Map]': '', a: 1 }],
  ['an object of a class', new Account(), { '[Account]': '', owner: 'Ann' }],
  [
    'a getter',
    {
      get x() {
        throw new Error('called');
      },
    },
    { x: '[getter]' },
  ],
  ['an object without a class', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
])('%s is shown as what it is', (_what, value, expected) => {
  expect(shown({ value })).toEqual({ value: expected });
});

test('what is in itself is cut there, and what is there twice is shown twice', () => {
  const twice = { n: 1 };
  const context: Record<string, unknown> = { twice, again: twice };
  Object.assign(context, { self: context, list: [context] });
  expect(shown(context)).toEqual({ twice, again: twice, self: '[circular]', list: ['[circular]'] });
});

describe('bounds', () => {
  test('of texts, fields, lists and depth', () => {
    expect(shown('x'.repeat(12), LIMITS)).toBe('xxxxxxxxxx… (12 characters)');
    expect(shown({ a: 1, b: 2, c: 3, d: 4, e: 5 }, LIMITS)).toEqual({
      a: 1,
      b: 2,
      c: 3,
      '[more]': '2 fields are not shown',
    });
    expect(shown([1, 2, 3, 4, 5], LIMITS)).toEqual([1, 2, 3, '[2 more]']);
    expect(shown({ a: { b: { c: 1 } } }, LIMITS)).toEqual({ a: { b: '[Object, n… (19 characters)' } });
  });

  test('of everything together, quickly', () => {
    const huge = { rows: Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: 'x'.repeat(2_000) })) };
    const before = process.cpuUsage();
    const text = JSON.stringify(shown(huge));
    const { user } = process.cpuUsage(before);
    expect(text.length).toBeLessThan(200_000);
    expect(text).toContain('999');
    expect(user).toBeLessThan(1_000_000);
  });
});

test('lists of lists of one list, without end', () => {
  let bomb: unknown[] = [];
  for (let depth = 0; depth < 8; depth++) bomb = Array.from({ length: 100 }, () => bomb);
  expect(JSON.stringify(shown(bomb)).length).toBeLessThan(200_000);
});

test('a name that has a meaning in JavaScript is a name', () => {
  const copy = shown(JSON.parse('{ "__proto__": { "a": 1 }, "constructor": 2 }'));
  expect(JSON.stringify(copy)).toBe('{"__proto__":{"a":1},"constructor":2}');
  expect(Object.getPrototypeOf({}).a).toBeUndefined();
});

test('an object that throws at whatever it is asked', () => {
  const fail = (): never => {
    throw new Error('no');
  };
  const hostile = new Proxy({}, { get: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail });
  expect(shown({ hostile, a: 1 })).toEqual({ hostile: '[unreadable]', a: 1 });
});

test('anything at all becomes JSON of a bounded size, and is left as it was', () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withSparseArray: true,
        withNullPrototype: true,
        maxDepth: 6,
      }),
      (value) => {
        const text = JSON.stringify(shown({ value }, { ...LIMITS, charactersMax: 500 }));
        expect(text.length).toBeLessThan(4_000);
      },
    ),
    { numRuns: 2_000 },
  );
});
