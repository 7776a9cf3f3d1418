/**
 * The model of a whole proxy with one listener and one client: five machines, wired as `src/proxy` wires them, from its
 * start to its stop.
 */
import type { EventObject } from 'xstate';
import { listenerMachine, proxyMachine } from '../../src/machines/index.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import {
  abort,
  CONNECTION,
  type ConnectionBounds,
  type ConnectionModel,
  type ConnectionPart,
  checkConnection,
  connectionMayRest,
  connectionParts,
  establishClient,
  finishConnection,
  forgetConnection,
  isOver,
  modelTurns,
  ownerTurns,
  performConnection,
} from './connection.js';
import { type Everywhere, must, type Stage, type SystemRules, type Turn } from './explore.js';
import { type ListenerModel, listenerRules } from './listener.js';

export interface WholeModel extends ConnectionModel {
  readonly listener: ListenerModel;
  readonly adopted: boolean;
  readonly sessionsAwaited: boolean;
  readonly listenersAwaited: boolean;
  /** Promises of the proxy's own that are about to be kept. */
  readonly promised: Readonly<Record<Promised, boolean>>;
  readonly started: boolean;
  readonly stops: number;
}

/** There are no backends that stay up: they are established, and closed, as soon as a promise is kept. */
type Promised = 'backends.established' | 'backends.closed';

type WholePart = ConnectionPart | 'listener' | 'proxy';

export interface WholeBounds extends ConnectionBounds {
  /** How often the owner stops the proxy, or its listener, in some way. */
  readonly stopsMax: number;
}

type WholeStage = Stage<WholeModel, WholePart>;
type ConnectionStage = Stage<ConnectionModel, ConnectionPart>;

const LISTENER = listenerRules(1);
const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' } as const;

const isConnection = (part: WholePart): part is ConnectionPart => part !== 'listener' && part !== 'proxy';
/** A stage of the whole is one of its parts. */
const narrow = (stage: WholeStage): ConnectionStage => stage as unknown as ConnectionStage;

const isLive = (stage: WholeStage, part: WholePart): boolean =>
  stage.at[part] !== undefined && stage.at[part].ending === undefined;

function alterListener(stage: WholeStage, change: Partial<ListenerModel>): void {
  stage.change({ listener: { ...stage.model.listener, ...change } });
}

function stopListener(stage: WholeStage, event: EventObject): void {
  alterListener(stage, { over: true });
  stage.tell('listener', event);
}

function reportSessions(stage: WholeStage): void {
  const { sessionsAwaited, listener } = stage.model;
  if (sessionsAwaited && !isLive(stage, 'session') && listener.clients === 0) {
    stage.tell('proxy', { type: 'sessions.emptied' });
  }
}

function reportListeners(stage: WholeStage): void {
  if (stage.model.listenersAwaited && !isLive(stage, 'listener')) stage.tell('proxy', { type: 'listeners.closed' });
}

function promise(stage: WholeStage, what: Promised, isDue: boolean): void {
  stage.change({ promised: { ...stage.model.promised, [what]: isDue } });
}

/** The client is turned away, unless its admission is over. */
function refuseAdmission(stage: WholeStage): void {
  if (isLive(stage, 'client')) stage.tell('client', { type: 'owner.refused', cause: CAUSE } as EventObject);
}

const proxyCommands: Record<string, (stage: WholeStage, command: EventObject & { deliver?: boolean }) => void> = {
  'backends.connect': (stage) => promise(stage, 'backends.established', true),
  'backends.close': (stage) => promise(stage, 'backends.closed', true),
  'backends.abort': () => {},
  'listeners.start': (stage) => stage.tell('listener', { type: 'listener.start' }),
  'listeners.close': (stage) => stopListener(stage, { type: 'listener.close', timeoutMs: NEVER_MS } as EventObject),
  'listeners.abort': (stage, { deliver }) => stopListener(stage, { type: 'listener.abort', deliver } as EventObject),
  'listeners.await'(stage) {
    stage.change({ listenersAwaited: true });
    reportListeners(stage);
  },
  'sessions.await'(stage) {
    stage.change({ sessionsAwaited: true });
    reportSessions(stage);
  },
  'admissions.refuse'(stage) {
    refuseAdmission(stage);
    if (isLive(stage, 'session')) stage.tell('proxy', { type: 'sessions.served' });
  },
  'sessions.abort'(stage, { deliver }) {
    if (isLive(stage, 'session')) stage.tell('session', { type: 'session.abort', deliver } as EventObject);
  },
  'owner.running'(stage) {
    must(stage.model.listener.handle === 'listening', 'It runs, and does not listen');
  },
};

/** As the proxy does: a session while it serves or drains, and else the client is turned away. */
function established(stage: ConnectionStage): void {
  alterListener(stage as unknown as WholeStage, { admitted: 1 });
  const { state } = (stage as unknown as WholeStage).at.proxy ?? { state: '' };
  if (/^(starting|running|draining)/.test(state)) establishClient(stage);
  else abort(stage, 'client', false);
}

function performOnListener(stage: WholeStage, command: EventObject): void {
  const { model, reports = [] } = LISTENER.perform(stage.model.listener, command);
  stage.change({ listener: model });
  for (const report of reports) stage.tell('listener', report);
  if (command.type === 'client.adopt') {
    stage.change({ adopted: true });
    stage.start('client');
  }
  if (command.type === 'admissions.refuse') refuseAdmission(stage);
  if (command.type === 'clients.abort' && isLive(stage, 'client')) {
    abort(narrow(stage), 'client', (command as { deliver?: boolean }).deliver === true);
  }
  if (command.type === 'owner.listening') stage.tell('proxy', { type: 'listeners.bound' });
}

function finish(stage: WholeStage, part: WholePart, outcome: unknown): void {
  if (isConnection(part)) {
    if (part === 'client') alterListener(stage, { clients: stage.model.listener.clients - 1, admitted: 0 });
    finishConnection(narrow(stage), part, outcome);
    if (part !== 'backend') reportSessions(stage);
    if (part === 'client') stage.tell('listener', { type: 'client.closed' });
    return;
  }
  if (part === 'proxy') {
    // Each bounds its own end, and a model of time without durations may let the proxy's be over first.
    for (const other of ['listener', 'client', 'session', 'backend'] as const) {
      const isCut = /^(aborting|cutting|lingering|parting|refusing|dropping|finishing)/.test(
        stage.at[other]?.state ?? '',
      );
      must(!isLive(stage, other) || isCut, `It ends, and its ${other} goes on (6, 11)`);
    }
    return;
  }
  stage.tell('proxy', { type: 'listeners.failed', cause: CAUSE } as EventObject);
  reportListeners(stage);
  reportSessions(stage);
}

function listenerTurns({ listener, adopted }: WholeModel, at: Everywhere<WholePart>): Turn<WholeModel, WholePart>[] {
  return LISTENER.chances(listener, at.listener?.state ?? '').flatMap(({ who, what, model, event }) => {
    // What its client does is played by that, and what its owner wants comes from below.
    if (event === undefined || (who === 'owner' && event.type !== 'server.closed')) return [];
    if (event?.type === 'client.closed' || (event?.type === 'client.arrived' && adopted)) return [];
    return {
      who,
      what,
      happen(stage: WholeStage) {
        stage.change({ listener: model });
        if (event !== undefined) stage.tell('listener', event);
      },
    };
  });
}

function stopTurns(model: WholeModel, { stopsMax }: WholeBounds): Turn<WholeModel, WholePart>[] {
  const turns: Turn<WholeModel, WholePart>[] = [];
  for (const type of ['backends.established', 'backends.closed'] as const) {
    if (!model.promised[type]) continue;
    turns.push({
      who: 'library',
      what: type,
      happen(stage) {
        promise(stage, type, false);
        stage.tell('proxy', { type });
      },
    });
  }
  if (!model.started) {
    turns.push({
      who: 'owner',
      what: 'proxy.start',
      happen(stage) {
        stage.change({ started: true });
        stage.tell('proxy', { type: 'proxy.start' });
      },
    });
  }
  if (model.stops >= stopsMax) return turns;
  for (const type of [
    'proxy.close',
    'proxy.abort',
    'listener.close',
    'listener.abort',
    'listener.suspend',
    'listener.resume',
  ]) {
    turns.push({
      who: 'owner',
      what: type,
      happen(stage) {
        const part = type.startsWith('proxy') ? 'proxy' : 'listener';
        const before = stage.at[part];
        const { model } = stage;
        if (part === 'listener' && /close|abort/.test(type) && isLive(stage, part)) stopListener(stage, { type });
        else stage.tell(part, { type });
        // What changes nothing is not counted: it would lead to what is here already, with less still to come.
        if (stage.at[part] !== before || stage.model !== model) stage.change({ stops: stage.model.stops + 1 });
      },
    });
  }
  return turns;
}

const INITIAL: WholeModel = {
  ...CONNECTION,
  listener: LISTENER.initial,
  adopted: false,
  sessionsAwaited: false,
  listenersAwaited: false,
  promised: { 'backends.established': false, 'backends.closed': false },
  started: false,
  stops: 0,
};

export function wholeRules(bounds: WholeBounds): SystemRules<WholeModel, WholePart> {
  const waits = { drainTimeout: 1, abortTimeout: 1, lingerMax: 1 };
  return {
    parts: {
      proxy: { machine: proxyMachine, input: { settings: waits } },
      listener: {
        machine: listenerMachine,
        input: { settings: { ...waits, admissionTimeout: 1, clientsMax: 1, bindAttempts: 1, bindBackoff: 1 } },
      },
      ...connectionParts(bounds),
    },
    initial: INITIAL,
    begin(stage) {
      stage.start('proxy');
      stage.start('listener');
    },
    turns: (model, at) => [
      ...stopTurns(model, bounds),
      ...listenerTurns(model, at),
      ...(modelTurns(model, at, bounds) as unknown as Turn<WholeModel, WholePart>[]),
      ...(ownerTurns(model, at, bounds) as unknown as Turn<WholeModel, WholePart>[]),
    ],
    perform(stage, part, command) {
      if (isConnection(part)) performConnection(narrow(stage), part, command, bounds, established);
      else if (part === 'listener') performOnListener(stage, command);
      else proxyCommands[command.type]?.(stage, command);
    },
    finish,
    check(model, at) {
      checkConnection(model, at);
      const { listener } = at;
      if (listener !== undefined && !(listener.ending === 'aborted' && model.listener.handle === 'none')) {
        LISTENER.check(model.listener, listener.state, listener.ending !== undefined, listener.context);
      }
    },
    forget(model, at) {
      const left = forgetConnection(model, at);
      const isListenerOver = isOver(at.listener) && model.listener.clients === 0;
      if (!isListenerOver && !isOver(at.proxy)) return left;
      const { sessionsAwaited, listenersAwaited, promised } = INITIAL;
      return {
        ...left,
        ...(isListenerOver && { listener: LISTENER.initial }),
        ...(isOver(at.proxy) && { sessionsAwaited, listenersAwaited, promised }),
      };
    },
    /** Nobody has to start it, or to answer while it binds; then it serves until it is stopped. */
    mayRest(model, at) {
      const { proxy, client, session } = at;
      if (proxy === undefined || /^(draining|stopping)/.test(proxy.state)) return false;
      if (client === undefined || (client.ending !== undefined && session?.ending !== undefined)) return true;
      return connectionMayRest(model, at);
    },
  };
}
