/**
 * What happens in a run, drawn from a seed before it begins: who is there, what each does when, and what goes wrong. A plan is
 * data, so that a failing one can be made smaller.
 */
import type { ProxyOptions } from '../../src/index.js';
import { hash, Random } from '../runtime/random.js';
import type { Way } from './network.js';
import type { Script, Step } from './peer.js';

export type Verdict = 'accept' | 'refuse' | 'throw' | 'hang' | 'words' | 'handOver';

/** What a hook decides about a client, and how long it takes. */
export interface Decision {
  readonly verdict: Verdict;
  readonly ms: number;
  /** How many of the first bytes it looks at before, and how long it waits for them. */
  readonly peek: { readonly bytes: number; readonly ms: number } | undefined;
}

export const ACCEPT: Decision = { verdict: 'accept', ms: 0, peek: undefined };

export interface ClientPlan {
  readonly atMs: number;
  readonly listener: number;
  readonly script: Script;
  /** What the hooks decide, where the proxy has them. */
  readonly admit: Decision;
  readonly route: Decision;
  /** What the hook `route` answers: the set of all servers, some of them by their addresses, or one of the set. */
  readonly target: 'set' | 'list' | 'one';
  /** How many bytes the last words are that it gets, where it is turned away with some. */
  readonly words: number;
  /** How long other code waits that gets its socket, until it reads and sends all of it back. */
  readonly lateMs: number;
}

export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Whoever dials meanwhile is refused, or hears nothing. */
  readonly how: 'refuse' | 'silent';
  /** What becomes of those who are connected. */
  readonly live: 'stay' | 'reset' | 'vanish';
}

export interface ServerPlan {
  readonly hasName: boolean;
  readonly connectionsMax: number | undefined;
  /** What its `connect` hook does, one dial after the other; none: it has no such hook. */
  readonly dials: readonly ('connect' | 'throw' | 'silent')[];
  readonly backlog: number;
  /** How many it serves at once: others are reset. */
  readonly capacity: number;
  readonly outages: readonly Outage[];
  /** What it does with one connection after the other. */
  readonly scripts: readonly Script[];
}

/** What a `prepare` hook does: it may also not heed its signal. */
export type Hook = 'ok' | 'throw' | 'hang' | 'deaf';

export interface BackendPlan {
  readonly attemptsMax: number | undefined;
  readonly whenExhausted: 'continue' | 'wait';
  readonly prepare: readonly Hook[];
  readonly prepareMs: number;
  /** Whoever holds a connection lets go so long after it was told; never, if there is no number. */
  readonly holdsLetGoMs: readonly (number | undefined)[];
}

export type Act =
  | 'suspend'
  | 'resume'
  | 'inspect'
  | 'closeSession'
  | 'abortSession'
  | 'closeClient'
  | 'closeBackend'
  | 'abortBackend'
  | 'retryBackends';

export interface Action {
  readonly atMs: number;
  readonly do: Act;
  /** Which of those that there are. */
  readonly which: number;
}

export type Trouble =
  /** So many more files may be opened. */
  | { readonly what: 'files'; readonly spare: number }
  /** Somebody else listens on this listener's port. */
  | { readonly what: 'port'; readonly listener: number }
  | { readonly what: 'bind'; readonly code: 'EACCES' | 'EADDRNOTAVAIL' }
  | { readonly what: 'names'; readonly answer: 'ENOTFOUND' | 'EAI_AGAIN' | 'silence' | 'slow' }
  | { readonly what: 'connect'; readonly code: 'ENETUNREACH' | 'EADDRNOTAVAIL' | 'EACCES' };

export type Fault = Trouble & { readonly fromMs: number; readonly toMs: number };

export interface Stop {
  readonly how: 'close' | 'abort' | 'dispose' | 'signal';
  readonly atMs: number;
  readonly timeoutMs: number | undefined;
  /** An abort after a close that takes too long for somebody. */
  readonly abortMs: number | undefined;
}

/** Options that are numbers, as a proxy takes them. */
export type Numbers = Pick<
  ProxyOptions,
  | 'acceptTimeout'
  | 'closeTimeout'
  | 'abortTimeout'
  | 'lingerTimeout'
  | 'lingerMax'
  | 'drainTimeout'
  | 'clientsMax'
  | 'bindAttempts'
  | 'bindBackoff'
  | 'attemptsMax'
  | 'queueTimeout'
  | 'routeTimeout'
  | 'connectTimeout'
  | 'disposeTimeout'
  | 'sessionConnectTimeout'
  | 'idleTimeout'
  | 'halfCloseTimeout'
  | 'durationMax'
  | 'connectBufferBytes'
  | 'backoff'
  | 'retryBudget'
  | 'downFor'
>;

export interface Plan {
  readonly seed: number;
  readonly runtime: 'compiled' | 'xstate';
  readonly clientWay: Way;
  readonly serverWay: Way;
  readonly listeners: number;
  readonly hasAdmit: boolean;
  /** It has the hook `route` in place of servers. */
  readonly hasRoute: boolean;
  /** It has last words for clients that get no backend. */
  readonly hasRefusal: boolean;
  readonly balance: 'roundRobin' | 'inOrder';
  readonly options: Numbers;
  readonly servers: readonly ServerPlan[];
  readonly clients: readonly ClientPlan[];
  readonly backends: readonly BackendPlan[];
  readonly actions: readonly Action[];
  readonly faults: readonly Fault[];
  readonly stop: Stop;
}

/** Nobody's patience ends before this, in a plan that is not tight. */
export const PATIENCE_MS = 20_000;

/** What goes wrong, in hundredths of what might: some runs are calm, some are not. */
type Mood = Readonly<Record<'peers' | 'servers' | 'hooks' | 'actions' | 'faults' | 'tight', number>>;

const CALM: Mood = { peers: 0, servers: 0, hooks: 0, actions: 0, faults: 0, tight: 0 };

const range = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Mostly small numbers, some large ones. */
function bytes(random: Random): number {
  const roll = random.below(100);
  if (roll < 20) return random.between(1, 10);
  if (roll < 80) return random.between(10, 6_000);
  return roll < 98 ? random.between(6_000, 40_000) : random.between(40_000, 200_000);
}

function moment(random: Random, mostMs: number): number {
  return random.percent(40) ? random.below(20) : random.below(mostMs);
}

function way(random: Random): Way {
  const least = random.pick([0, 5, 50, 500]);
  return {
    latency: [least, least + random.pick([0, 10, 300, 3_000, 30_000])],
    segmentBytes: random.pick([536, 1_448, 8_192, 16_384, 65_536]),
    sendBytes: random.pick([2_048, 16_384, 87_040, 262_144]),
    receiveBytes: random.pick([2_048, 16_384, 131_072, 524_288]),
  };
}

/** Something that a peer does in place of the rest of its script, or in the middle of it. */
function mishap(random: Random): Step[] {
  return random.pick<Step[]>([
    [{ do: 'reset' }],
    [{ do: 'reset' }],
    [{ do: 'close' }],
    [{ do: 'vanish' }],
    [{ do: 'stopReading' }],
    [{ do: 'stopReading' }, { do: 'wait', ms: random.below(2_000) }, { do: 'reset' }],
    [{ do: 'stall', ms: random.below(3_000) }],
  ]);
}

function script(random: Random, isServer: boolean, mood: Mood): Script {
  const steps: Step[] = [];
  const pause = (): void => {
    if (random.percent(30)) steps.push({ do: 'wait', ms: moment(random, 300) });
  };
  // Some clients wait for the server to speak first.
  if (random.percent(isServer ? 70 : 15)) steps.push({ do: 'receive', bytes: bytes(random), ms: 2_000 });
  for (let part = random.below(3); part >= 0; part--) {
    pause();
    steps.push({ do: 'send', bytes: bytes(random) });
    if (random.percent(30)) steps.push({ do: 'receive', bytes: bytes(random), ms: random.below(1_000) });
  }
  // Who ends first: a client mostly waits for the answer.
  if (random.percent(isServer ? 60 : 40)) steps.push({ do: 'receiveEnd', ms: PATIENCE_MS / 4 });
  pause();
  steps.push({ do: 'end' }, { do: 'receiveEnd', ms: PATIENCE_MS });
  if (random.percent(mood.peers)) {
    const at = random.below(steps.length + 1);
    const done = mishap(random);
    // Most of them are the last that it does.
    const isLast = done.at(-1)?.do !== 'stall' && random.percent(70);
    steps.splice(at, isLast ? steps.length : 0, ...done);
  }
  const readEveryMs = random.percent(15) ? random.between(1, 30) : 0;
  return { steps, readBytes: readEveryMs > 0 ? 4_096 : random.pick([1_000, 16_384, 65_536]), readEveryMs };
}

function server(random: Random, mood: Mood): ServerPlan {
  const isHit = (): boolean => random.percent(mood.servers);
  return {
    hasName: random.percent(30),
    connectionsMax: random.percent(20) ? random.between(1, 3) : undefined,
    dials: random.percent(mood.hooks / 3) ? range(3, () => random.pick(['connect', 'throw', 'silent'] as const)) : [],
    backlog: isHit() && random.percent(30) ? 1 : 511,
    capacity: isHit() ? random.between(0, 2) : Number.POSITIVE_INFINITY,
    outages: isHit()
      ? range(random.between(1, 3), () => {
          const fromMs = moment(random, 4_000);
          return {
            fromMs,
            toMs: fromMs + random.below(random.percent(50) ? 200 : 8_000),
            how: random.pick(['refuse', 'refuse', 'silent'] as const),
            live: random.pick(['stay', 'reset', 'vanish'] as const),
          };
        })
      : [],
    scripts: range(random.between(1, 4), () => script(random, true, mood)),
  };
}

/** What hooks decide that do not fail. */
const WELL: readonly Verdict[] = ['accept', 'accept', 'accept', 'accept', 'words', 'handOver'];

function decision(random: Random, mood: Mood, isAsked: boolean): Decision {
  if (!isAsked) return ACCEPT;
  const isWell = !random.percent(mood.hooks);
  return {
    verdict: random.pick(isWell ? WELL : ['accept', 'refuse', 'throw', 'hang', 'words', 'handOver']),
    ms: random.percent(50) ? 0 : moment(random, 500),
    peek: random.percent(30) ? { bytes: bytes(random) % 10_000 || 1, ms: random.pick([5, 100, 1_000]) } : undefined,
  };
}

export function planOf(seed: number): Plan {
  const random = new Random(hash(seed));
  const share = (): number => (random.percent(35) ? 0 : random.pick([5, 20, 50, 80]));
  const mood: Mood = random.percent(15)
    ? CALM
    : { peers: share(), servers: share(), hooks: share(), actions: share(), faults: share(), tight: share() };
  const isTight = random.percent(mood.tight);
  const wait = (...choices: number[]): number => random.pick(choices);
  const hasAdmit = random.percent(40);
  const hasRoute = random.percent(35);
  const servers = range(random.between(1, 3), () => server(random, mood));
  // Two sets know nothing of each other's connections.
  const hasLimit = servers.some(({ connectionsMax }) => connectionsMax !== undefined);
  const listeners = random.percent(70) ? 1 : 2;
  const endMs = random.pick([500, 3_000, 8_000, 15_000]);
  const clients = range<ClientPlan>(random.between(1, 6), () => ({
    atMs: moment(random, Math.min(4_000, endMs)),
    listener: random.below(listeners),
    script: script(random, false, mood),
    admit: decision(random, mood, hasAdmit),
    route: decision(random, mood, hasRoute),
    words: random.percent(20) ? 0 : random.between(2, 3_000),
    lateMs: random.percent(50) ? 0 : moment(random, 1_000),
    target: random.pick(hasLimit ? ['set', 'one'] : ['set', 'list', 'one']),
  }));
  return {
    seed,
    runtime: random.percent(4) ? 'xstate' : 'compiled',
    clientWay: way(random),
    serverWay: way(random),
    listeners,
    hasAdmit,
    hasRoute,
    hasRefusal: random.percent(30),
    balance: random.percent(75) ? 'roundRobin' : 'inOrder',
    options: {
      acceptTimeout: isTight ? wait(50, 1_000) : 5_000,
      closeTimeout: wait(300, 2_000),
      abortTimeout: wait(100, 1_000),
      lingerTimeout: wait(50, 1_000, 5_000),
      lingerMax: wait(500, 5_000, 30_000),
      drainTimeout: wait(500, 5_000, 30_000),
      clientsMax: random.percent(mood.faults / 3) ? random.between(1, 3) : 1_000,
      bindAttempts: random.percent(60) ? 1 : random.between(2, 5),
      bindBackoff: wait(10, 500),
      attemptsMax: random.percent(60) ? undefined : random.between(1, 6),
      queueTimeout: wait(500, 5_000),
      routeTimeout: isTight ? wait(50, 1_000) : 5_000,
      connectTimeout: wait(200, 2_000),
      disposeTimeout: wait(100, 1_000),
      sessionConnectTimeout: isTight ? wait(100, 2_000) : 30_000,
      idleTimeout: isTight ? wait(40, 400, 4_000) : 10 * PATIENCE_MS,
      halfCloseTimeout: isTight ? wait(40, 400, 4_000) : 10 * PATIENCE_MS,
      durationMax: isTight && random.percent(30) ? wait(50, 2_000) : undefined,
      connectBufferBytes: random.pick([0, 0, 1, 1_000, 100_000]),
      backoff: {
        initialMs: wait(5, 100),
        factor: wait(1, 2, 3),
        maxMs: wait(200, 2_000),
        jitter: random.pick([0, 0.5, 1]),
      },
      retryBudget: random.percent(30) ? { ratio: 0.2, perSecond: wait(0, 1, 10), burst: wait(1, 5) } : undefined,
      downFor: random.pick<number | false>([false, 100, 5_000]),
    },
    servers,
    clients,
    backends: random.percent(25)
      ? range(random.between(1, 2), () => ({
          attemptsMax: random.percent(60) ? undefined : random.between(1, 4),
          whenExhausted: random.pick(['continue', 'wait'] as const),
          prepare: random.percent(60)
            ? range(3, () => (random.percent(mood.hooks) ? random.pick(['throw', 'hang', 'deaf'] as const) : 'ok'))
            : [],
          prepareMs: moment(random, 200),
          holdsLetGoMs: range(random.below(3), () => (random.percent(25) ? undefined : moment(random, 500))),
        }))
      : [],
    actions: random.percent(mood.actions) ? actions(random, clients, endMs) : [],
    faults: random.percent(mood.faults) ? range(random.between(1, 3), () => fault(random, listeners)) : [],
    stop: {
      how: random.pick(['close', 'close', 'close', 'abort', 'dispose', 'signal'] as const),
      atMs: random.percent(10) ? random.below(30) : endMs + random.below(1_000),
      timeoutMs: random.percent(50) ? undefined : wait(100, 20_000),
      abortMs: random.percent(15) ? random.below(2_000) : undefined,
    },
  };
}

function actions(random: Random, clients: readonly ClientPlan[], endMs: number): Action[] {
  const acts: readonly Act[] = [
    'suspend',
    'inspect',
    'closeSession',
    'abortSession',
    'closeClient',
    'closeBackend',
    'abortBackend',
    'retryBackends',
  ];
  return range(random.between(2, 8), () => {
    // Mostly while somebody is there.
    const atMs = random.percent(70) ? random.pick(clients).atMs + random.below(300) : random.below(endMs);
    const action: Action = { atMs, do: random.pick(acts), which: random.below(10) };
    if (action.do !== 'suspend') return [action];
    // Most come back.
    return random.percent(80)
      ? [action, { ...action, do: 'resume' as const, atMs: action.atMs + moment(random, 500) }]
      : [action];
  }).flat();
}

function fault(random: Random, listeners: number): Fault {
  const fromMs = moment(random, 4_000);
  const window = { fromMs, toMs: fromMs + random.pick([5, 300, 5_000]) };
  return {
    ...window,
    ...random.pick<Trouble>([
      { what: 'files', spare: random.below(4) },
      { what: 'port', listener: random.below(listeners) },
      { what: 'bind', code: random.pick(['EACCES', 'EADDRNOTAVAIL'] as const) },
      { what: 'names', answer: random.pick(['ENOTFOUND', 'EAI_AGAIN', 'silence', 'slow'] as const) },
      { what: 'connect', code: random.pick(['ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES'] as const) },
    ]),
  };
}

/** What the hooks of a proxy decide about a client, all in all. */
export function verdictOf({ hasAdmit, hasRoute }: Plan, { admit, route }: ClientPlan): Verdict {
  const { verdict } = hasAdmit ? admit : ACCEPT;
  return verdict === 'accept' && hasRoute ? route.verdict : verdict;
}

/** Nothing goes wrong but what the peers do: every sound client has to be served. */
export function isCalm({ servers, faults, actions, options, backends }: Plan): boolean {
  return (
    faults.length === 0 &&
    actions.length === 0 &&
    backends.length === 0 &&
    options.clientsMax === 1_000 &&
    options.idleTimeout === 10 * PATIENCE_MS &&
    servers.every(
      ({ outages, capacity, dials, connectionsMax, backlog }) =>
        outages.length === 0 &&
        capacity === Number.POSITIVE_INFINITY &&
        dials.length === 0 &&
        connectionsMax === undefined &&
        backlog === 511,
    )
  );
}
