/**
 * Whatever takes text, options or messages from outside: each input gives a result or an error that says what is wrong
 * with it, and never one of the language's own. What comes as bytes from the network is fuzzed by `npm run soak`.
 */

import { createServer, Socket } from 'node:net';
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { printable, readArgs, UsageError } from '../../src/cli/args.js';
import { packCause, unpackCause, unpackError } from '../../src/cluster/fields.js';
import { packOutcome, unwrapToPrimary, unwrapToWorker, wrap } from '../../src/cluster/messages.js';
import { checkedCluster } from '../../src/cluster/options.js';
import {
  adoptClient,
  createBackend,
  createListener,
  createProxy,
  OptionError,
  Servers,
  SockchartError,
} from '../../src/index.js';
import { BACKEND_LIMITS, PROXY_LIMITS, WORKER_LIMITS } from '../../src/machines/limits.js';
import { compile } from '../../src/runtime/index.js';
import { asAsked } from '../../src/tls.js';
import { openSockets } from '../support/bench.js';

/** SOCKCHART_SEED=1 repeats a run, SOCKCHART_RUNS=20 makes it so many times as long. */
const seed = Number(process.env.SOCKCHART_SEED ?? Math.floor(Math.random() * 2 ** 31));
const times = Number(process.env.SOCKCHART_RUNS ?? 1);
function check<T>(arbitrary: fc.Arbitrary<T>, holds: (given: T) => void, numRuns: number): void {
  fc.assert(
    fc.property(arbitrary, (given) => holds(given)),
    { seed, numRuns: numRuns * times },
  );
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Options by name, and values that are right for some of them, wrong for others, or for none. */
const VALUES = [
  fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
  fc.constantFrom<unknown>(
    ...[
      0,
      1,
      -1,
      80,
      1.5,
      65_536,
      2 ** 31,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      'localhost',
      '/tmp/s',
      '',
      true,
      false,
    ],
    ...[
      null,
      undefined,
      [],
      {},
      () => {},
      Symbol('s'),
      new Socket(),
      createServer(),
      AbortSignal.abort(),
      systemLike(),
    ],
  ),
];

function systemLike(): object {
  return { now: () => 0, setTimeout: () => 1, clearTimeout: () => {} };
}

const WORDS = [
  ...(
    'listen servers backends port host path fd server tls backlog ipv6Only noDelay keepAlive admit signal clock runtime ' +
    'balance backoff retryBudget isPermanent random persistent reconnect whenExhausted prepare repair connectionsMax weight connect key ' +
    'cert ca names ALPNProtocols requestCert rejectUnauthorized servername checkServerIdentity initialMs maxMs factor ' +
    'jitter ratio perSecond burst module exportName workers data scheduling env execArgv toString __proto__ constructor ' +
    'length'
  ).split(' '),
  ...new Set([PROXY_LIMITS, BACKEND_LIMITS, WORKER_LIMITS].flatMap((limits) => Object.keys(limits))),
];

const { options } = fc.letrec<{ value: unknown; options: object }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    ...VALUES,
    tie('options'),
    fc.array(tie('options'), { maxLength: 3 }),
  ),
  options: fc.dictionary(fc.oneof(fc.constantFrom(...WORDS), fc.string()), tie('value'), { maxKeys: 6 }),
}));

/** What has to be there for anything else to be looked at. */
const withSome = (some: Record<string, unknown>): fc.Arbitrary<never> =>
  fc.tuple(options, fc.boolean()).map(([given, isHelped]) => (isHelped ? { ...some, ...given } : given) as never);

// The machine may be busy with something else.
vi.setConfig({ testTimeout: 60_000 });

// More clients than the process may have are worth a warning each time.
beforeAll(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}));

/** Nothing but an OptionError, which can be shown. */
function refusesOrMakes(make: () => unknown): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    expect(error.message).toMatch(/^Option ".*" must be .*\.$/s);
  }
}

describe('options of', () => {
  test.each<[string, Record<string, unknown>, (given: never) => unknown]>([
    ['a proxy', { listen: { port: 0 }, servers: [{ port: 1 }] }, createProxy],
    ['a listener', { port: 0 }, createListener],
    ['a backend', { servers: [{ port: 1 }] }, createBackend],
    ['a client', {}, (given) => adoptClient(new Socket(), given).abort()],
    ['a cluster', { module: new URL(import.meta.url) }, checkedCluster],
  ])('%s', (_what, some, make) => {
    const before = openSockets();
    check(withSome(some), (given) => refusesOrMakes(() => make(given)), 250);
    expect(openSockets()).toBe(before);
  });

  test('a set of servers, and each of them', () => {
    const list = fc.oneof(fc.array(withSome({ port: 1 }), { maxLength: 3 }), fc.anything());
    check(
      fc.tuple(list, options),
      ([servers, given]) => refusesOrMakes(() => new Servers(servers as never, given as never)),
      250,
    );
  });

  test('TLS, on both sides', () => {
    check(
      options,
      (tls) => {
        refusesOrMakes(() => createListener({ port: 0, tls } as never));
        refusesOrMakes(() => new Servers([{ port: 1, tls } as never]));
      },
      300,
    );
  });
});

describe('calls of a handle', () => {
  const values = fc.oneof(...VALUES, options);

  test('close, abort, connect, ready', () => {
    check(
      values,
      (given) => {
        for (const method of ['close', 'abort', 'connect', 'ready'] as const) {
          const backend = createBackend({ servers: [{ port: 1 }] });
          refusesOrMakes(() => {
            // What is refused is thrown; what is promised may well be rejected, the instance being over.
            if (method === 'connect' || method === 'ready') void backend.close();
            const promise = backend[method](given as never) as Promise<unknown>;
            promise.catch((error) =>
              expect(error).toSatisfy(
                (e) => e instanceof SockchartError || e === (given as { signal?: AbortSignal }).signal?.reason,
              ),
            );
          });
          void backend.abort();
          expect(backend.outcome).toBeDefined();
        }
      },
      300,
    );
  });

  test('an event that there is not, or a listener that is none', () => {
    const backend = createBackend({ servers: [{ port: 1 }] });
    const proxy = createProxy({ listen: { port: 0 }, servers: [{ port: 1 }] });
    for (const handle of [backend, proxy] as { on(event: string, listener: unknown): unknown }[]) {
      expect(() => handle.on('nosuch', () => {})).toThrow(/"event" must be one that a \w+ has: .*closed/);
      expect(() => handle.on('toString', () => {})).toThrow(OptionError);
      expect(() => handle.on('closed', 'listener')).toThrow(/"listener" must be a function/);
      expect(handle.on('closed', () => {})).toBe(handle);
    }
    expect(() => backend.once('nosuch' as 'closed', () => {})).toThrow(OptionError);
    void backend.abort();
    void proxy.abort();
  });

  test('a cause that is none: it is said, and it is aborted all the same', async () => {
    for (const cause of ['SIGTERM', null, { initiator: 'owner' }, { initiator: 1, manner: 'abort' }]) {
      const backend = createBackend({ servers: [{ port: 1 }] });
      expect(() => void backend.abort(cause as never)).toThrow(/"cause" must be an Error, or an object/);
      expect(backend.outcome).toMatchObject({ ending: 'aborted', cause: { initiator: 'owner', manner: 'abort' } });
    }
  });

  test('an error is a cause', async () => {
    const backend = createBackend({ servers: [{ port: 1 }] });
    const error = Object.assign(new Error('not my day'), { code: 'EDAY' });
    expect(await backend.abort(error)).toMatchObject({
      ending: 'aborted',
      cause: { initiator: 'owner', manner: 'error', code: 'EDAY', error },
    });
  });
});

test('a machine that is none', () => {
  check(fc.oneof(...VALUES, options), (machine) => refusesOrMakes(() => compile(machine as never)), 1_000);
  expect(() => compile({} as never)).toThrow(/"machine" must be a machine/);
});

describe('arguments of the program', () => {
  const FLAGS = (
    'listen backend balance clients-max connections-max attempts-max bind-attempts connect-buffer-bytes connect-timeout ' +
    'idle-timeout keep-alive backoff-initial backoff-max json quiet lines-max tour speed help version'
  ).split(' ');
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string());
  const value = fc.oneof(
    text,
    fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), text), fc.nat(70_000))
      .map(([host, port]) => `${host}:${port}`),
    fc.tuple(fc.ipV6(), fc.nat(70_000)).map(([host, port]) => `[${host}]:${port}`),
    text.map((path) => `unix:${path}`),
    fc.tuple(fc.double(), fc.constantFrom('ms', 's', 'm', 'h', '')).map(([amount, unit]) => `${amount}${unit}`),
    fc.nat().map(String),
  );
  const argument = fc.oneof(
    text,
    fc.tuple(fc.constantFrom('-', '--'), fc.oneof(fc.constantFrom(...FLAGS), text)).map((parts) => parts.join('')),
    fc.tuple(fc.constantFrom(...FLAGS), value).map(([name, given]) => `--${name}=${given}`),
  );
  const argv = fc.array(
    fc.oneof(
      argument,
      fc.tuple(fc.constantFrom(...FLAGS), value).map(([name, given]) => [`--${name}`, given]),
    ),
    {
      maxLength: 5,
    },
  );
  const needed = ['--listen', '127.0.0.1:0', '--backend', '127.0.0.1:1'];

  test('are taken, or refused in one line that cannot steer a terminal', () => {
    let taken = 0;
    check(
      fc.tuple(argv, fc.boolean()),
      ([given, isHelped]) => {
        try {
          const args = readArgs([...given.flat(), ...(isHelped ? needed : [])]);
          // What they say is what the library takes, but for combinations that only it knows.
          if (args.mode === 'run') refusesOrMakes(() => createProxy(args.proxy));
          taken++;
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
          expect(error.message).not.toMatch(UNPRINTABLE);
        }
      },
      1_500,
    );
    expect(taken).toBeGreaterThan(100);
  });

  test('and whatever is printed is printable', () => {
    check(
      text,
      (given) => {
        expect(printable(given)).not.toMatch(UNPRINTABLE);
      },
      1_000,
    );
  });
});

test('names that clients of TLS ask for', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.domain(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  check(
    name,
    (asked) => {
      expect(typeof asAsked(asked)).toBe('string');
    },
    1_500,
  );
});

describe('messages between the processes of a cluster', () => {
  const TYPES = [
    ...['hello', 'ready', 'failed', 'closed', 'crashed', 'inspected', 'left'],
    ...['start', 'drain', 'abort', 'release', 'inspect', 'toString', '__proto__'],
  ];
  const words = fc.constantFrom('owner', 'peer', 'end', 'close', 'established', 'closed', 'constructor');
  const value: fc.Arbitrary<unknown> = fc.oneof(
    fc.anything({ withSparseArray: true, withBigInt: true }),
    words,
    fc.nat(),
  );
  const error = fc.record({ name: value, message: value, stack: value, code: value }, { requiredKeys: [] });
  const cause = fc.record(
    { initiator: value, manner: value, phase: value, code: value, error: fc.oneof(error, value) },
    { requiredKeys: [] },
  );
  const ours = fc.record(
    {
      type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...TYPES) }, value),
      addresses: fc.oneof(fc.array(fc.record({ host: value, port: value, path: value }, { requiredKeys: [] })), value),
      cause: fc.oneof(cause, value),
      outcome: fc.oneof(fc.record({ ending: value, cause, flushed: fc.boolean(), truncated: value }), value),
      error: fc.oneof(error, value),
      id: value,
      memory: value,
      timeoutMs: value,
      module: value,
    },
    { requiredKeys: ['type'] },
  );
  const message = fc.oneof(
    fc.anything({ withNullPrototype: true }),
    fc.record({ 'sockchart:cluster': fc.oneof({ weight: 5, arbitrary: ours }, fc.anything()) }),
  );

  test('are well-formed, or nothing: what takes them can rely on every field', () => {
    check(
      message,
      (received) => {
        const up = unwrapToPrimary(received);
        if (up?.type === 'ready') for (const address of up.addresses) expect(typeof address).toBe('object');
        if (up?.type === 'crashed') expect(unpackError(up.error)).toBeInstanceOf(Error);
        if (up?.type === 'failed') expect(typeof unpackCause(up.cause).initiator).toBe('string');
        if (up?.type === 'closed') expect(typeof unpackCause(up.outcome.cause).phase).toBe('string');
        if (up?.type === 'inspected') expect(Number.isSafeInteger(up.id)).toBe(true);
        const down = unwrapToWorker(received);
        if (down?.type === 'start') expect(typeof down.module).toBe('string');
        if (down?.type === 'drain') expect(down.timeoutMs).toBeGreaterThan(0);
        if (down?.type === 'abort') expect(typeof unpackCause(down.cause).phase).toBe('string');
      },
      3_000,
    );
  });

  test('arrive as they were sent', () => {
    const cause = { initiator: 'owner', manner: 'close', phase: 'established' } as const;
    for (const sent of [
      { type: 'hello' },
      { type: 'ready', addresses: [{ host: '::1', port: 0 }, { path: '/s' }] },
      { type: 'failed', cause: { initiator: 'system', manner: 'error', code: 'E' } },
      { type: 'closed', outcome: { ending: 'closed', cause, flushed: true } },
      { type: 'inspected', id: 1, memory: 2.5, snapshot: { any: ['thing'] } },
      { type: 'left' },
    ] as const) {
      expect(unwrapToPrimary(wrap(sent))).toEqual(sent);
      expect(unwrapToWorker(wrap(sent))).toBeUndefined();
    }
    for (const sent of [
      { type: 'drain', timeoutMs: 1 },
      { type: 'abort', cause },
      { type: 'release' },
      { type: 'inspect', id: 1 },
    ] as const) {
      expect(unwrapToWorker(wrap(sent))).toEqual(sent);
      expect(unwrapToPrimary(wrap(sent))).toBeUndefined();
    }
  });

  test('and whatever a part of one’s own making says of its end, that is an outcome or none', () => {
    check(
      fc.oneof(fc.anything(), fc.record({ ending: value, cause, flushed: value, truncated: value })),
      (given) => {
        const outcome = packOutcome(given);
        if (outcome !== undefined)
          expect(unwrapToPrimary(wrap({ type: 'closed', outcome }))).toEqual({ type: 'closed', outcome });
      },
      1_500,
    );
  });

  test('and a cause can travel, whatever was thrown', () => {
    check(
      fc.anything(),
      (error) => {
        const packed = packCause({ initiator: 'owner', manner: 'error', error });
        expect(() => structuredClone(packed)).not.toThrow();
        expect(unwrapToPrimary(wrap({ type: 'failed', cause: packed }))).toBeDefined();
      },
      2_000,
    );
  });
});
