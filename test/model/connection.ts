/**
 * The model of one proxied connection: a client, a backend and the session that pairs them, wired as `src/proxy` and
 * `src/adapters` wire them; two sockets, servers, hooks, a relay that flushes when it can, and an owner.
 */
import type { EventObject } from 'xstate';
import { backendMachine, clientMachine, sessionMachine } from '../../src/machines/index.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { backendSettings, clientSettings } from '../machines/bounds.js';
import { type BackendModel, backendRules } from './backend.js';
import { type ClientModel, clientRules, handshakeChances } from './client.js';
import {
  type Everywhere,
  failure,
  type ModelRules,
  must,
  type Stage,
  type SystemRules,
  type Turn,
  type Whereabouts,
} from './explore.js';
import { NO_SOCKET, type SocketModel, socketChances } from './socket.js';

export interface ConnectionModel {
  readonly client: ClientModel;
  readonly backend: BackendModel;
  /** A hook has yet to say where the client goes. */
  readonly routing: boolean;
  /** Bytes may have been relayed. */
  readonly relayed: boolean;
  /** A reset waits for what was read before it. */
  readonly flushing: Readonly<Record<Leg, boolean>>;
  /** How each leg ended, and whether all that was written to it had left. */
  readonly left: Readonly<Record<Leg, Outcome | undefined>>;
  /** How often the owner has asked for an end, of whatever; 1 for any number where that is not bounded. */
  readonly asked: number;
  /** How many commands may yet throw. */
  readonly faultsLeft: number;
}

type Leg = 'client' | 'backend';
export type ConnectionPart = Leg | 'session';
type Outcome = { readonly ending: string; readonly flushed: boolean };

export const CONNECTION: ConnectionModel = {
  client: clientRules.initial,
  backend: backendRules.initial,
  routing: false,
  relayed: false,
  flushing: { client: false, backend: false },
  left: { client: undefined, backend: undefined },
  asked: 0,
  faultsLeft: 0,
};

export interface ConnectionBounds {
  /** How often the owner asks for the end of something; infinity, and it is not counted. */
  readonly askedMax: number;
  /** Whether hooks take their time, and may refuse and fail; and servers may be full. */
  readonly hooks: boolean;
  /** Whether admission alone takes its time. */
  readonly admits?: boolean;
  /** Whether the client's TLS handshake comes first. */
  readonly tls?: boolean;
  /** Whether the hook that says where the client goes takes its time, and may refuse. */
  readonly routes?: boolean;
  readonly attemptsMax: number;
  readonly idleTimeout: number;
  /** How many commands may throw, any of them at any time. Default: none. */
  readonly faultsMax?: number;
  /** False where the FIN of one side ends both. Default true. */
  readonly halfClose?: boolean;
}

type ConnectionStage = Stage<ConnectionModel, ConnectionPart>;

const WHO = { initiator: 'owner', manner: 'close' } as const;

const BOUND = { idleTimeout: NEVER_MS, halfCloseTimeout: NEVER_MS };

export function connectionParts({ attemptsMax, idleTimeout, tls = false, hooks, routes = false }: ConnectionBounds) {
  const waits = {
    routeTimeout: 1,
    sessionConnectTimeout: 1,
    halfCloseTimeout: 4,
    durationMax: NEVER_MS,
    closeTimeout: 1,
    asksRoute: hooks || routes,
  };
  return {
    // A session bounds its legs.
    client: { machine: clientMachine, input: { settings: { ...clientSettings(4), ...BOUND, speaksTls: tls } } },
    session: { machine: sessionMachine, input: { settings: { ...waits, idleTimeout } } },
    backend: { machine: backendMachine, input: { settings: { ...backendSettings(false, attemptsMax), ...BOUND } } },
  };
}

function alter<K extends 'client' | 'backend' | 'flushing' | 'left'>(
  stage: ConnectionStage,
  what: K,
  change: Partial<ConnectionModel[K]>,
): void {
  stage.change({ [what]: { ...(stage.model[what] as object), ...change } });
}

function setSocket(stage: ConnectionStage, leg: Leg, socket: Partial<SocketModel>): void {
  alter(stage, leg, { socket: { ...stage.model[leg].socket, ...socket } });
}

/** What the sockets report goes to their legs, and an end to the session too, unless the leg has let go of its socket. */
function report(stage: ConnectionStage, leg: Leg, event: EventObject, halfClose: boolean): void {
  const { phase } = stage.model[leg].socket;
  stage.tell(leg, event);
  if (event.type === 'socket.finished') tellFinished(stage, leg, halfClose);
  if (!stage.model[leg].socket.linked && phase !== 'connecting') return;
  if (event.type === 'socket.ended' && stage.at.session !== undefined) stage.tell('session', { type: `${leg}.ended` });
}

function tellFinished(stage: ConnectionStage, leg: Leg, halfClose: boolean): void {
  if (!halfClose && stage.at.session !== undefined) stage.tell('session', { type: `${leg}.finished` });
}

/** As `endStream`: a socket whose peer has ended may be closed instead of ended, and then has finished at once. */
function endLeg(stage: ConnectionStage, leg: Leg, halfClose: boolean): void {
  const other = leg === 'client' ? 'backend' : 'client';
  const { socket } = stage.model[leg];
  const from = stage.model[other].socket;
  must(socket.phase !== 'none' || stage.at[leg]?.ending !== undefined, `There is no ${leg}'s socket to be ended`);
  const mayEndBoth = !halfClose && socket.peerEnded;
  must(from.peerEnded || from.phase === 'none' || mayEndBoth, 'It passes on a FIN that no peer has sent (9)');
  if (socket.local === 'finished') tellFinished(stage, leg, halfClose);
  if (socket.phase !== 'open' || socket.local !== 'open') return;
  if (!socket.peerEnded || stage.pick(2) === 0) {
    setSocket(stage, leg, { local: 'ending' });
    return;
  }
  setSocket(stage, leg, { local: 'finished' });
  stage.tell(leg, { type: 'socket.finished' });
  tellFinished(stage, leg, halfClose);
  setSocket(stage, leg, { phase: 'closing' });
}

function closeLeg(stage: ConnectionStage, leg: Leg): void {
  alter(stage, leg, { over: true });
  stage.tell(leg, { type: `${leg}.close`, cause: WHO, timeoutMs: 1 } as EventObject);
}

/** As `resetLeg`: once what was read for it is written out. */
function resetLeg(stage: ConnectionStage, leg: Leg): void {
  const { phase } = stage.model[leg].socket;
  if (phase === 'none' || phase === 'closing' || stage.pick(2) === 0) abort(stage, leg, true);
  else alter(stage, 'flushing', { [leg]: true });
}

/** @param deliver whether it spares what is complete: every abort does that no owner has asked for */
export function abort(stage: ConnectionStage, leg: Leg, deliver: boolean): void {
  alter(stage, leg, { over: true });
  stage.tell(leg, { type: `${leg}.abort`, cause: WHO, deliver } as EventObject);
}

/** With words or without: those of the owner, or of its hook. */
function refuse(stage: ConnectionStage, ...words: readonly object[]): void {
  alter(stage, 'client', { over: true, turnedAway: true });
  stage.tell('client', { type: 'client.refuse', cause: WHO, ...words[stage.pick(words.length)] } as EventObject);
}

const NO_WORDS = {};
const WORDS = { words: 'no' };

type SessionPerformance = (
  stage: ConnectionStage,
  command: EventObject & { deliver?: boolean },
  halfClose: boolean,
) => void;

const sessionCommands: Record<string, SessionPerformance> = {
  'client.route': (stage) => stage.change({ routing: true }),
  'route.revoke'(stage) {
    stage.change({ routing: false });
  },
  'client.turnAway': (stage) => refuse(stage, NO_WORDS, WORDS),
  'backend.connect': (stage) => stage.tell('backend', { type: 'backend.connect' }),
  'relay.start'(stage) {
    const { client, backend, relayed } = stage.model;
    must(!relayed, 'It starts a relay twice');
    must(backend.socket.phase !== 'none' && client.socket.phase !== 'none', 'It relays without both sockets');
    stage.change({ relayed: true });
  },
  'relay.probe'(stage) {
    if (stage.pick(2) === 1) stage.tell('session', { type: 'relay.idled' });
  },
  'client.end': (stage, _command, halfClose) => endLeg(stage, 'client', halfClose),
  'backend.end': (stage, _command, halfClose) => endLeg(stage, 'backend', halfClose),
  'client.close': (stage) => closeLeg(stage, 'client'),
  'backend.close': (stage) => closeLeg(stage, 'backend'),
  'client.reset': (stage) => resetLeg(stage, 'client'),
  'backend.reset': (stage) => resetLeg(stage, 'backend'),
  'client.abort': (stage, { deliver }) => abort(stage, 'client', deliver === true),
  'backend.abort': (stage, { deliver }) => abort(stage, 'backend', deliver === true),
};

/** Hooks that are none answer at once, and so do servers that are not full. */
function answerAtOnce(stage: ConnectionStage, leg: Leg, type: string, hooks: boolean, admits: boolean): void {
  if (type === 'server.choose') {
    const ways = ['chosen', 'deferred', 'exhausted', ...(hooks ? ['full'] : [])];
    const way = ways[stage.pick(ways.length)];
    if (way === 'full') return;
    alter(stage, 'backend', { choosing: false });
    stage.tell('backend', { type: `server.${way}`, delayMs: 1, cause: WHO } as EventObject);
  }
  if (hooks || (admits && type === 'owner.admit')) return;
  if (type === 'owner.admit' || type === 'owner.prepare') {
    alter(stage, leg, { hook: 'none' });
    stage.tell(leg, { type: leg === 'client' ? 'owner.admitted' : 'owner.prepared' });
  }
}

/** What `established` does: of a client it makes the session, whose end is told to nobody here. */
export function establishClient(stage: ConnectionStage): void {
  stage.start('backend');
  stage.start('session');
  if (stage.model.client.socket.peerEnded) stage.tell('session', { type: 'client.ended' });
}

export function performConnection(
  stage: ConnectionStage,
  part: ConnectionPart,
  command: EventObject,
  { hooks, admits = false, halfClose = true }: ConnectionBounds,
  established: (stage: ConnectionStage) => void,
): void {
  const { type } = command;
  if (part === 'session') {
    const perform = sessionCommands[type];
    if (perform === undefined) throw new Error(`Nobody performs ${type}`);
    const failed = failure(
      stage.model,
      (ways) => stage.pick(ways),
      () => ['done', 'undone'],
    );
    if (failed !== undefined) stage.change({ faultsLeft: stage.model.faultsLeft - 1 });
    if (failed !== 'undone') perform(stage, command, halfClose);
    if (failed !== undefined)
      stage.tell('session', { type: 'session.abort', cause: WHO, deliver: true } as EventObject);
    return;
  }
  const rules = (part === 'client' ? clientRules : backendRules) as ModelRules<ClientModel | BackendModel>;
  const failed = failure(
    stage.model,
    (ways) => stage.pick(ways),
    () => rules.fails?.(stage.model[part], command) ?? [],
  );
  if (failed !== undefined) {
    stage.change({ [part]: failed.model, faultsLeft: stage.model.faultsLeft - 1 });
    if (type === 'owner.establish') {
      if (part === 'client') established(stage);
      else stage.tell('session', { type: 'backend.established' });
    }
    for (const event of failed.reports ?? []) stage.tell(part, event);
    return;
  }
  const { relayed } = stage.model;
  const { socket } = stage.model[part];
  must(!(relayed && type === 'socket.open'), 'It opens another socket after bytes may have been relayed (8)');
  const isLive = socket.phase === 'open' && socket.local !== 'finished';
  must(!(relayed && type === 'socket.destroy' && isLive), 'It cuts a live relay without a reset (9)');
  const effect = rules.perform(stage.model[part], command);
  stage.change({ [part]: effect.model });
  for (const event of effect.reports ?? []) stage.tell(part, event);
  answerAtOnce(stage, part, type, hooks, admits);
  if (type !== 'owner.establish') return;
  if (part === 'client') established(stage);
  else stage.tell('session', { type: 'backend.established' });
}

const hasEndedWell = (outcome: Outcome | undefined): boolean =>
  outcome?.ending === 'ended' || (outcome?.ending === 'closed' && outcome.flushed);

/** A leg's end is told to the session. */
export function finishConnection(stage: ConnectionStage, part: ConnectionPart, outcome: unknown): void {
  const { ending, cause, flushed } = outcome as Outcome & { cause: { phase: string } };
  if (part === 'session') {
    const { client, backend } = stage.model.left;
    const isGiven = ending === 'handedOver' && stage.model.client.given;
    must((client !== undefined || isGiven) && backend !== undefined, 'It ends before its legs (6)');
    must(!flushed || (client?.flushed === true && backend?.flushed === true), 'It says that all was flushed (8)');
    must(ending !== 'ended' || (hasEndedWell(client) && hasEndedWell(backend)), 'It was cut, and says ended');
    must(ending !== 'refused' || !stage.model.relayed, 'It was relayed, and says refused');
    return;
  }
  alter(stage, 'left', { [part]: { ending, flushed } });
  alter(stage, 'flushing', { [part]: false });
  if (stage.at.session === undefined) return;
  const why = { initiator: 'peer', manner: 'reset', phase: cause?.phase };
  stage.tell('session', { type: `${part}.closed`, ending, flushed, cause: why } as EventObject);
}

/** What sockets, servers and hooks may do. */
export function modelTurns(
  model: ConnectionModel,
  at: Everywhere<ConnectionPart>,
  { halfClose = true }: ConnectionBounds,
): Turn<ConnectionModel, ConnectionPart>[] {
  const turns: Turn<ConnectionModel, ConnectionPart>[] = [];
  const may = (who: 'peer' | 'system' | 'owner', what: string, happen: (stage: ConnectionStage) => void): void => {
    turns.push({ who, what, happen });
  };
  for (const leg of ['client', 'backend'] as const) {
    if (at[leg] === undefined) continue;
    for (const { who, what, model: socket, event } of socketChances(model[leg].socket, false)) {
      // What the owner does to a socket is asked for below, and counted.
      if (who === 'owner') continue;
      may(who as 'peer' | 'system', `${leg}'s socket: ${what}`, (stage) => {
        alter(stage, leg, { socket });
        if (event !== undefined) report(stage, leg, event, halfClose);
      });
    }
    if (model.flushing[leg]) {
      may('system', `what was read for the ${leg} is written out`, (stage) => {
        alter(stage, 'flushing', { [leg]: false });
        abort(stage, leg, true);
      });
    }
  }
  const { client, backend } = model;
  const tells = (leg: Leg, change: object, event: EventObject): void =>
    may('owner', event.type, (stage) => {
      alter(stage, leg, change);
      stage.tell(leg, event);
    });
  if (client.handshaking) {
    for (const { who, what, model: after, event } of handshakeChances(client)) {
      may(who as 'peer', `client's ${what}`, (stage) => {
        alter(stage, 'client', after);
        stage.tell('client', event as EventObject);
      });
    }
  }
  if (model.routing) {
    const answers = (event: EventObject): void =>
      may('owner', event.type, (stage) => {
        stage.change({ routing: false });
        stage.tell('session', event);
      });
    answers({ type: 'route.chosen' });
    answers({ type: 'route.refused', cause: WHO } as EventObject);
    if (at.client?.state.startsWith('live')) {
      may('owner', 'hands the client over', (stage) => {
        stage.change({ routing: false });
        alter(stage, 'client', { given: true });
        stage.tell('session', { type: 'client.handedOver' });
        stage.tell('client', { type: 'client.handOver' });
      });
    }
  }
  if (client.hook !== 'none') {
    tells('client', { hook: 'none' }, { type: 'owner.admitted' });
    tells('client', { hook: 'none' }, { type: 'owner.refused', cause: WHO } as EventObject);
  }
  if (backend.hook === 'running') {
    tells('backend', { hook: 'none' }, { type: 'owner.prepared' });
    tells('backend', { hook: 'none' }, { type: 'owner.failed', cause: WHO } as EventObject);
  }
  if (backend.hook === 'told') {
    may('owner', 'the backend’s hook settles', (stage) => {
      const isLast = stage.model.backend.awaited;
      alter(stage, 'backend', { hook: 'none', awaited: false });
      if (isLast) stage.tell('backend', { type: 'holds.emptied' });
    });
  }
  if (backend.choosing) {
    tells('backend', { choosing: false }, { type: 'server.chosen' });
    tells('backend', { choosing: false }, { type: 'server.deferred', delayMs: 1 } as EventObject);
    tells('backend', { choosing: false }, { type: 'server.exhausted', cause: WHO } as EventObject);
  }
  return turns;
}

/** What the owner may do to a connection: ask its parts for an end, through any handle, and meddle with a socket. */
export function ownerTurns(
  model: ConnectionModel,
  at: Everywhere<ConnectionPart>,
  { askedMax }: ConnectionBounds,
): Turn<ConnectionModel, ConnectionPart>[] {
  if (model.asked >= askedMax) return [];
  const turns: Turn<ConnectionModel, ConnectionPart>[] = [];
  const may = (what: string, happen: (stage: ConnectionStage) => void): void => {
    turns.push({
      who: 'owner',
      what,
      happen(stage) {
        stage.change({ asked: Number.isFinite(askedMax) ? stage.model.asked + 1 : 1 });
        happen(stage);
      },
    });
  };
  for (const part of ['client', 'session', 'backend'] as const) {
    if (at[part] === undefined || at[part].ending !== undefined) continue;
    if (part === 'session') may('session.refuse', (stage) => stage.tell('session', { type: 'session.refuse' }));
    if (part === 'client' && at.session === undefined) may('client.refuse', (stage) => refuse(stage, NO_WORDS, WORDS));
    for (const type of [`${part}.close`, `${part}.abort`]) {
      may(type, (stage) => {
        if (part !== 'session') alter(stage, part, { over: true });
        stage.tell(part, { type });
      });
    }
    if (part !== 'session' && /^(open|connecting)$/.test(model[part].socket.phase)) {
      may(`destroys the ${part}'s socket`, (stage) => setSocket(stage, part, { phase: 'closing' }));
    }
  }
  return turns;
}

/** Once an end was asked for, or one side has ended, something has to follow. */
export function connectionMayRest({ client, backend }: ConnectionModel, at: Everywhere<ConnectionPart>): boolean {
  if (at.client?.state === 'lent.open') return !client.over && at.session?.ending !== undefined;
  return !client.over && !backend.over && at.session?.state === 'relaying.both';
}

export function checkConnection(model: ConnectionModel, at: Everywhere<ConnectionPart>): void {
  for (const [leg, rules] of [
    ['client', clientRules],
    ['backend', backendRules],
  ] as const) {
    const where = at[leg];
    if (where !== undefined) rules.check(model[leg] as never, where.state, where.ending !== undefined, where.context);
  }
  if (!model.relayed) return;
  for (const [leg, other] of [
    ['client', 'backend'],
    ['backend', 'client'],
  ] as const) {
    const left = model.left[leg];
    if (left === undefined || left.ending === 'ended' || model.left[other] !== undefined) continue;
    const { socket, over } = model[other];
    const isEnding = socket.local !== 'open' && socket.peerEnded;
    const isCut = over || model.flushing[other] || socket.phase === 'closing';
    must(isCut || isEnding, `The ${leg} was lost, and the ${other} is not cut (9)`);
  }
}

const CLIENT_OVER: ClientModel = { ...clientRules.initial, socket: NO_SOCKET, owned: false };

export const isOver = (where: Whereabouts | undefined): boolean => where?.ending !== undefined;

/** Nothing more is told to a part that is over: whatever its model may still do leads nowhere. */
export function forgetConnection<W extends ConnectionModel>(model: W, at: Everywhere<ConnectionPart>): W {
  const isClientOver = isOver(at.client);
  const isBackendOver = isOver(at.backend);
  if (!isClientOver && !isBackendOver) return model;
  const client = CLIENT_OVER;
  const { backend, left, routing, relayed, flushing } = CONNECTION;
  if (isClientOver && (at.session === undefined || (isOver(at.session) && isBackendOver))) {
    return { ...model, client, backend, left, routing, relayed, flushing };
  }
  return { ...model, ...(isClientOver && { client }), ...(isBackendOver && { backend }) };
}

export function connectionRules(bounds: ConnectionBounds): SystemRules<ConnectionModel, ConnectionPart> {
  return {
    parts: connectionParts(bounds),
    initial: { ...CONNECTION, faultsLeft: bounds.faultsMax ?? 0 },
    begin(stage) {
      stage.start('client');
    },
    turns: (model, at) => [...modelTurns(model, at, bounds), ...ownerTurns(model, at, bounds)],
    perform: (stage, part, command) => performConnection(stage, part, command, bounds, establishClient),
    finish: finishConnection,
    check: checkConnection,
    forget: forgetConnection,
    mayRest: connectionMayRest,
  };
}
