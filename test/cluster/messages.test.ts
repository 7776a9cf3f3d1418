/** What a worker takes for a message of its primary. */
import { describe, expect, test } from 'vitest';
import { type StartMessage, type ToWorker, unwrapToPrimary, unwrapToWorker, wrap } from '../../src/cluster/messages.js';
import { SHARE_VERSION, type ShareToPrimary, type ShareToWorker } from '../../src/cluster/share-messages.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';

const START: StartMessage = {
  type: 'start',
  module: 'file:///worker.mjs',
  exportName: 'default',
  data: { servers: [{ port: 1 }] },
  worker: 1,
  workers: 2,
  incarnation: 1,
  drainTimeoutMs: 30_000,
  abortTimeoutMs: 1_000,
  shareVersion: SHARE_VERSION,
};

/** A message of each kind that carries a wait. */
const WITH: [string, (ms: number) => ToWorker][] = [
  ['drainTimeoutMs of a start', (ms) => ({ ...START, drainTimeoutMs: ms })],
  ['abortTimeoutMs of a start', (ms) => ({ ...START, abortTimeoutMs: ms })],
  ['timeoutMs of a drain', (ms) => ({ type: 'drain', timeoutMs: ms })],
];

describe.each(WITH)('the %s', (_name, message) => {
  test.each([1, 30_000, NEVER_MS])('%d is taken', (ms) => {
    expect(unwrapToWorker(wrap(message(ms)))).toEqual(message(ms));
  });

  test.each([0, -1, Number.NaN, NEVER_MS + 1, Number.POSITIVE_INFINITY, '30000', null, undefined])(
    '%s makes it none of the library',
    (ms) => {
      expect(unwrapToWorker(wrap(message(ms as number)))).toBeUndefined();
    },
  );
});

const CAUSE = { initiator: 'system', manner: 'refusal', phase: 'checking', code: 'ECONNREFUSED' } as const;
const JUDGED = { cause: CAUSE, isLoss: false, restMs: 100, ejections: 1 };
const OF = { set: 'proxy#1', key: '127.0.0.1:1' };
const LENT = { ...OF, kind: 'places' } as const;
const FACTS = {
  key: OF.key,
  name: 'a',
  limit: Number.POSITIVE_INFINITY,
  inUse: 0,
  checks: '',
  state: 'serving.up',
  standing: 'choosable',
} as const;

/** What workers share: a message of each kind, and for each field a value that is none. */
const TO_PRIMARY: [ShareToPrimary, Record<string, unknown>][] = [
  [
    { do: 'join', set: 'a', servers: [FACTS], perSecond: 0, ejectedShare: 1 },
    { set: 1, servers: [{ ...FACTS, limit: -1 }], perSecond: -1, ejectedShare: 'all' },
  ],
  [
    { do: 'add', set: 'a', server: FACTS },
    { set: null, server: { ...FACTS, standing: 'good' } },
  ],
  [{ do: 'gone', ...OF }, { key: 7 }],
  [{ do: 'leave', set: 'a' }, { set: {} }],
  [
    { do: 'limit', ...OF, limit: 5, inUse: 1 },
    { limit: 0.5, inUse: -1 },
  ],
  [
    { do: 'state', ...OF, state: 'serving.up', standing: 'choosable', health: 2 },
    { state: 1, standing: 'x', health: -1 },
  ],
  [
    { do: 'want', ...LENT, total: 3, isUrgent: true },
    { kind: 'all', total: Number.NaN, isUrgent: 1 },
  ],
  [
    { do: 'give', ...LENT, units: 3, recent: [5] },
    { units: -1, recent: [-5] },
  ],
  [
    { do: 'checked', ...OF, cause: CAUSE, tookMs: 1 },
    { cause: { initiator: 'x' }, tookMs: 'long' },
  ],
  [{ do: 'judged', ...OF, judged: JUDGED }, { judged: { ...JUDGED, restMs: Number.NaN } }],
  [{ do: 'proven', ...OF }, { set: undefined }],
  [
    { do: 'order', ...OF, order: { type: 'weight', weight: 3 }, isOwn: false },
    { order: { type: 'weight', weight: 900 } },
  ],
  [{ do: 'order', ...OF, order: { type: 'drain', cause: CAUSE }, isOwn: true }, { order: { type: 'stop' } }],
  [{ do: 'list', ...OF, order: { type: 'add', options: { port: 1 } } }, { order: { type: 'add' } }],
  [{ do: 'failed', set: 'a' }, { set: 3 }],
];
const TO_WORKER: [ShareToWorker, Record<string, unknown>][] = [
  [
    {
      do: 'joined',
      set: 'a',
      known: [{ key: 'b', health: 3, orders: [{ type: 'maintain' }], judged: JUDGED }],
      list: [{ key: 'b', order: { type: 'remove', options: {} } }],
    },
    { known: [{ key: 'b', orders: 'none' }], list: [{ key: 'b', order: { type: 'sort', options: {} } }] },
  ],
  [
    { do: 'granted', ...LENT, units: 1, recent: [], isMet: true },
    { units: 1.5, recent: 'none', isMet: 0 },
  ],
  [
    { do: 'recalled', ...LENT, units: 1, fair: 0, isUrgent: false },
    { units: '1', fair: -1, isUrgent: 'no' },
  ],
  [{ do: 'revoked', ...LENT }, { kind: 'none' }],
];

const shared = (message: unknown, version = SHARE_VERSION) => ({ type: 'share', version, message }) as never;

describe.each([
  ['a worker', TO_PRIMARY, unwrapToPrimary],
  ['the primary', TO_WORKER, unwrapToWorker],
] as const)('what %s says about what is shared', (_who, messages, unwrap) => {
  test.each<[object, Record<string, unknown>]>([...messages])(
    '%o is taken, and refused with any other field',
    (message, wrong) => {
      expect(unwrap(wrap(shared(message)))).toEqual(shared(message));
      for (const [name, value] of Object.entries(wrong)) {
        expect(unwrap(wrap(shared({ ...message, [name]: value }))), name).toBeUndefined();
      }
    },
  );

  test('another version says nothing', () => {
    for (const [message] of messages) expect(unwrap(wrap(shared(message, SHARE_VERSION + 1)))).toBeUndefined();
  });
});
