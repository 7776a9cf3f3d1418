/**
 * Makes each event of a server's machine happen on real loopback sockets: attempts come up, are refused, hang, or are accepted and
 * reset; checks are answered or reset; connections are lost soon, or last; its owner drains and removes it.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect as netConnect, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Backend } from '../../src/adapters/backend.js';
import { type Cause, createBackend, type PrepareContext, Servers, type Transition } from '../../src/index.js';
import { serverMachine } from '../../src/machines/index.js';
import type { ServerContext, ServerEvent, ServerSettings } from '../../src/machines/server.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { TRANSITION_CHANNEL } from '../../src/runtime/channel.js';
import { type Driver, ManualClock, Model, type Path, type Step, shortName } from '../../src/testing/index.js';
import type { Requester } from '../../src/upstream/requester.js';
import type { Server } from '../../src/upstream/server.js';
import { type Bounded, pathsOf } from '../machines/bounds.js';
import type { blackhole, PeerServer } from '../support/peers.js';
import { expectNothingLeft, type Gate, gate, gone, type Performances, performer } from './loopback.js';

/** A connection that was lost within this time counts as a loss. */
const LOST_WITHIN_MS = 86_400_000;
const CONNECT_MS = 5_000;
const ANSWERED = { initiator: 'system', manner: 'answer', answer: { name: 'tested', addresses: [] } } as const;
const UNANSWERED = { initiator: 'system', manner: 'error', code: 'ESERVFAIL' } as const;
const LATE = { initiator: 'system', manner: 'error', code: 'EPROTO' } as const;

/** What all paths share. */
export interface Peers {
  /** Accepts. */
  readonly server: PeerServer;
  /** Refuses. */
  readonly deadPort: number;
  /** Hangs. */
  readonly hole: Awaited<ReturnType<typeof blackhole>>;
}

/** A clock that can say that it is earlier: what begins then has lasted long. */
class SetClock extends ManualClock {
  #behindMs = 0;

  override now(): number {
    return super.now() - this.#behindMs;
  }

  async before(ms: number, work: () => Promise<unknown>): Promise<void> {
    this.#behindMs = ms;
    await work();
    this.#behindMs = 0;
  }
}

interface Attempt {
  readonly backend: Backend;
  /** Its own, so that it can run out of time. */
  readonly clock: ManualClock;
  /** What its server does. */
  readonly answer: Gate<Socket>;
  isUsed: boolean;
}

type Told = ServerEvent & { readonly mends?: number; readonly mayEject?: boolean; readonly deliver?: boolean };

/** What only the library tells, and only where it means something: see `Servers`. The machine stays as it is without it. */
function isTold(state: string, { type }: Told, { failures, losses }: ServerContext, hasTrial: boolean): boolean {
  if (type === 'traffic.connected') return failures > 0 || hasTrial || !/^serving\.(up|suspect|recovering)/.test(state);
  if (type === 'traffic.lasted') return losses > 0;
  if (type === 'sessions.emptied') return /^(leaving|removing|cutting)/.test(state);
  if (type === 'trial.granted') return state === 'serving.trying.free' && !hasTrial;
  return type !== 'trial.givenUp' || hasTrial;
}

/** A timer that does not run: it would take for ever. */
function isNever({ type }: Told, { restMs, ejections }: ServerContext): boolean {
  const name = shortName(type);
  return (name === 'exclusion' && restMs === NEVER_MS) || (name === 'forgiveness' && ejections === 0);
}

/** The paths as they are driven: without what is never told there, and each only once. */
export function driven(bound: Bounded): Path[] {
  const input = bound.options.input as { settings: ServerSettings };
  const known = new Set<string>();
  const paths = pathsOf(bound).map((path) => {
    const model = new Model(serverMachine, input);
    const kept: Step[] = [];
    let hasTrial = false;
    for (const step of path) {
      const told = step.event as Told;
      const context = model.snapshot.context as ServerContext;
      if (isNever(told, context)) break;
      if (!isTold(model.state, told, context, hasTrial)) continue;
      if (told.type === 'trial.granted') hasTrial = true;
      if (/^(trial\.givenUp|traffic\.(connected|failed))$/.test(told.type)) hasTrial = false;
      model.send(told);
      kept.push(step);
    }
    return kept;
  });
  const textOf = (path: Path): string => JSON.stringify(path.map(({ event }) => event));
  // The longest first: what begins like it is a part of it.
  return paths
    .sort((one, other) => other.length - one.length)
    .filter((path) => {
      if (path.length > 0 && known.has(textOf(path))) return false;
      for (let length = 1; length <= path.length; length++) known.add(textOf(path.slice(0, length)));
      return path.length > 0;
    });
}

/** One of so many paths, and each that leads from one state to another by an event that none before it has. */
export function someOf(paths: readonly Path[], bound: Bounded, oneOf: number): Path[] {
  const seen = new Set<string>();
  return paths.filter((path, index) => {
    const model = new Model(serverMachine, bound.options.input as { settings: ServerSettings });
    let isNew = false;
    for (const { event } of path) {
      const from = model.state;
      model.send(event as Told);
      const step = `${from} ${event.type} ${model.state}`;
      if (!seen.has(step)) isNew = true;
      seen.add(step);
    }
    return isNew || index % oneOf === 0;
  });
}

export async function serverDriver(
  path: Path,
  { options }: Bounded,
  { server: peer, deadPort, hole }: Peers,
): Promise<Driver<typeof serverMachine>> {
  const { settings } = options.input as { settings: ServerSettings };
  const { rise, fall, init, failures, onError, jitter } = settings;
  const isChecked =
    path.some(({ event }) => event.type.startsWith('check.')) || init !== 'fullyUp' || onError !== 'eject';
  const clock = new SetClock();
  const dialled: Socket[] = [];
  const attempts: Attempt[] = [];
  /** The attempt that dials now; nothing for a check. */
  let dialling: Attempt | undefined;
  /** What the present check has dialled. */
  let checked: Socket | undefined;
  const dial = (port: number): Socket => {
    const socket = netConnect({ host: '127.0.0.1', port, allowHalfOpen: true });
    dialled.push(socket);
    return socket;
  };
  const set = new Servers(
    [
      {
        name: 'tested',
        port: peer.port,
        connect: () => {
          if (dialling !== undefined) return dialling.answer.promise;
          checked = dial(peer.port);
          return checked;
        },
        checks: isChecked && {
          by: { expect: 'ok' },
          ...{ interval: 1, fastInterval: 1, downInterval: 1, timeout: 3_600_000, spread: 0 },
          ...{ rise, fall, init },
        },
      },
      {
        name: 'other',
        port: peer.port,
        // Where failures count as checks, each server has some: its own rest.
        checks: onError !== 'eject' && { init: 'fullyUp', interval: 3_600_000 },
      },
    ],
    {
      clock,
      random: () => 1,
      downFor: settings.baseMs,
      ejection: {
        failures,
        onError,
        jitter,
        factor: settings.factor,
        maxMs: settings.maxMs,
        lostWithin: LOST_WITHIN_MS,
      },
      slowStart: settings.slowStart,
      removeTimeout: settings.removeTimeout,
      backoff: { initialMs: 1_000, maxMs: 1_000, jitter: 0 },
      isPermanent: ({ code }: Cause) => code === 'ENEVER',
    } as never,
  );
  const [server, other] = set.list as [Server, Server];
  const context = (): ServerContext => (server as unknown as { instance: { context: ServerContext } }).instance.context;

  // Each command and all that is remembered is as on the pure machine.
  const { settings: real } = context();
  const model = new Model(serverMachine, { settings: real });
  let difference: string | undefined;
  const listener = (message: unknown): void => {
    const { who, event, eventObject, commands, to } = message as Transition;
    if (who !== server.id || event === 'xstate.init') return;
    const step = model.send(eventObject);
    const isAlike = step.to === to && isDeepStrictEqual(commands, step.commands);
    if (isAlike && isDeepStrictEqual({ ...context() }, { ...step.snapshot.context })) return;
    difference ??= `after ${event}: ${JSON.stringify([to, commands, context()])}, and the machine ${JSON.stringify([step.to, step.commands, step.snapshot.context])}`;
  };
  subscribe(TRANSITION_CHANNEL, listener);

  /** Begins an attempt, whose server has not answered yet. */
  const attempt = (prepare = false): Attempt => {
    const own = new ManualClock();
    const backend = createBackend({
      servers: set,
      clock: own,
      persistent: false,
      attemptsMax: 1,
      connectTimeout: CONNECT_MS,
      ...(prepare && { prepare: (socket: Socket, { signal }: PrepareContext) => once(socket, 'data', { signal }) }),
    } as never);
    backend.on('closed', () => {});
    backend.goTo(set, server, undefined);
    const one: Attempt = { backend, clock: own, answer: gate<Socket>(), isUsed: false };
    attempts.push(one);
    dialling = one;
    backend.connect().catch(() => {});
    dialling = undefined;
    return one;
  };
  const establish = async (): Promise<Attempt> => {
    const one = attempt();
    const established = new Promise((resolve) => one.backend.once('established', resolve));
    one.answer.resolve(dial(peer.port));
    await established;
    return one;
  };
  const peerOf = async (socket: Socket): Promise<Socket> => {
    if (socket.connecting) await once(socket, 'connect');
    for (;;) {
      const found = peer.live.find(({ remotePort }) => remotePort === socket.localPort);
      if (found !== undefined) return found;
      await once(peer.server, 'connection');
    }
  };

  /** It has a place, and does not let go of it when it is cut. */
  const keeper: Requester = {
    only: server,
    memory: undefined,
    client: undefined,
    key: undefined,
    random: () => 0,
    trial: undefined,
    queued: undefined,
    chosenAt: 0,
    serverFreed: () => {},
  };
  let isKept = set.choose(keeper).kind === 'chosen';
  const counts = (type: string): number => path.filter(({ event }) => event.type === type).length;
  const began: Attempt[] = [];
  const lasting: Attempt[] = [];
  const fresh: Attempt[] = [];
  // What is told late has to begin before: while nothing keeps connections from it.
  const begins = counts('traffic.failed') + counts('traffic.connected');
  for (let index = 0; index < begins; index++) began.push(attempt(index % 3 === 2));
  await clock.before(2 * LOST_WITHIN_MS, async () => {
    for (let left = counts('traffic.lasted'); left > 0; left--) lasting.push(await establish());
  });
  for (let left = counts('traffic.dropped'); left > 0; left--) fresh.push(await establish());

  let trial: Attempt | undefined;
  /** The trial, if there is one; else one that began before. Nothing once all were cut. */
  const next = (): Attempt | undefined => {
    const one = trial ?? began.find(({ isUsed, backend }) => !isUsed && backend.outcome === undefined);
    trial = undefined;
    if (one !== undefined) one.isUsed = true;
    return one;
  };
  /** The set can spare it only while another server works; before the next step, that one is up again. */
  const spare = (isSpared: boolean | undefined): void => {
    if (isSpared !== true) other.drain();
  };
  const CUT = 'its connections were cut';

  const asked: Readonly<Record<string, (event: Told) => void>> = {
    'server.up': () => server.up(),
    'server.drain': () => server.drain(),
    'server.maintain': () => server.maintain(),
    'server.restore': () => set.restore(server),
    'server.close': () => void server.remove({ timeoutMs: 700, spreadMs: 30 }),
    'server.abort': ({ deliver }) => {
      if (deliver === true)
        server.cut({ initiator: 'library', manner: 'timeout', phase: 'closing', code: 'drainTimeout' });
      else void server.abort();
    },
    'address.found': ({ type }) => server.reports.addressed(type as 'address.found', ANSWERED),
    'address.lost': ({ type }) => server.reports.addressed(type as 'address.lost', UNANSWERED),
    'address.gone': ({ type }) => server.reports.addressed(type as 'address.gone', ANSWERED),
  };
  const request = ({ event }: Step): void => asked[event.type]?.(event as Told);

  /** Answers the check that runs; where checks rest, it is the late report of one that is over. */
  const answer = async (isPassed: boolean): Promise<void> => {
    const { checking } = server;
    if (checking === undefined || /^(idle|paused|closed|aborted)$/.test(checking.state)) {
      if (isPassed) server.reports.checkPassed();
      else server.reports.checkFailed({ ...LATE, phase: 'checking' });
      return;
    }
    const wait = checking.state === 'checking' ? undefined : checking.timers()[0];
    if (wait !== undefined) clock.advance(wait.remainingMs);
    const end = await peerOf(checked as Socket);
    if (isPassed) end.write('ok');
    else end.resetAndDestroy();
  };

  const table: Performances = {
    ...Object.fromEntries(Object.keys(asked).map((type) => [type, request])),
    'check.passed': () => answer(true),
    'check.failed': () => answer(false),
    'traffic.connected': () => {
      const one = next();
      if (one === undefined) return CUT;
      const socket = dial(peer.port);
      // One whose hook makes it ready waits for a byte.
      void peerOf(socket).then((end) => end.write('x'));
      one.answer.resolve(socket);
      return undefined;
    },
    'traffic.failed': async ({ event }, index) => {
      const { mends, mayEject } = event as Told;
      const one = next();
      if (one === undefined) return CUT;
      spare(mayEject);
      const isPrepared = began.indexOf(one) % 3 === 2;
      if (mends !== undefined) {
        const code = mends === NEVER_MS ? 'ENEVER' : 'CERT_HAS_EXPIRED';
        one.answer.reject(Object.assign(new Error('No way there.'), { code }));
      } else if (isPrepared) {
        const socket = dial(peer.port);
        one.answer.resolve(socket);
        (await peerOf(socket)).resetAndDestroy();
      } else if (index % 2 === 0) one.answer.resolve(dial(deadPort));
      else {
        one.answer.resolve(dial(hole.port));
        await Promise.resolve();
        one.clock.advance(CONNECT_MS);
      }
      return undefined;
    },
    'traffic.dropped': async ({ event }) => {
      const one = fresh.find(({ isUsed, backend }) => !isUsed && backend.socket !== undefined);
      if (one === undefined) return CUT;
      one.isUsed = true;
      spare((event as Told).mayEject);
      (await peerOf(one.backend.socket as Socket)).resetAndDestroy();
      return undefined;
    },
    'traffic.lasted': () => {
      const one = lasting.find(({ isUsed, backend }) => !isUsed && backend.outcome === undefined);
      if (one === undefined) return CUT;
      one.isUsed = true;
      void one.backend.abort();
      return undefined;
    },
    'trial.granted': () => {
      trial = attempt();
    },
    'trial.givenUp': () => {
      void trial?.backend.abort();
      trial = undefined;
    },
    'sessions.emptied': () => {
      for (const { backend } of attempts) void backend.abort();
      leave();
    },
    slowStartStep: (step) => {
      // The library has more steps than the bounds of the paths.
      do {
        const [timer] = server.timers().filter(({ name }) => name === 'slowStartStep');
        if (timer === undefined) return 'no slow start';
        clock.advance(timer.remainingMs);
      } while (server.state !== step.to && server.hasTag('growing'));
      return undefined;
    },
  };
  const leave = (): void => {
    if (isKept) set.leave(server);
    isKept = false;
  };
  const performed = performer(server, clock, table);

  return {
    machine: serverMachine,
    input: { settings: real },
    handle: server,
    perform: (step, index) => {
      other.up();
      check();
      return performed(step, index);
    },
    eventOf: ({ eventObject }) => eventObject as never,
    dispose: async () => {
      check();
      for (const { backend } of attempts) void backend.abort();
      await Promise.all(attempts.map(({ backend }) => backend.closed));
      leave();
      for (const { answer: unanswered } of attempts) unanswered.reject(new Error('Over.'));
      set.end();
      check();
      unsubscribe(TRANSITION_CHANNEL, listener);
      await Promise.all(dialled.map((socket) => gone(socket)));
      await peer.left();
      peer.sockets.length = 0;
      expectNothingLeft(clock, [set]);
      if (server.outcome === undefined) throw new Error('it has not ended');
      if ([...server.occupants].length > 0) throw new Error('connections are left');
    },
  };

  function check(): void {
    if (difference !== undefined) throw new Error(difference);
    const places = [...server.occupants].length + (isKept ? 1 : 0);
    if (server.connections !== places)
      throw new Error(`${server.connections} connections, and ${places} that have a place`);
  }
}
