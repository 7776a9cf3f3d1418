/** Makes each event of the session's machine happen on real loopback sockets. */
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Backend } from '../../src/adapters/backend.js';
import { backendConfig } from '../../src/adapters/backend-options.js';
import { Client, type ClientOwner } from '../../src/adapters/client.js';
import type { Hold } from '../../src/adapters/holds.js';
import { environmentOf } from '../../src/handle.js';
import { sessionMachine } from '../../src/machines/index.js';
import { NEVER_MS, type Outcome } from '../../src/machines/vocabulary.js';
import { Session, type SessionOwner } from '../../src/proxy/session.js';
import { type Driver, ManualClock, type Path, type Step, shortName } from '../../src/testing/index.js';
import type { Servers } from '../../src/upstream/servers.js';
import { clientSettings } from '../machines/bounds.js';
import { until } from '../support/wait.js';
import {
  expectNothingLeft,
  gate,
  gone,
  isDestroyed,
  type Loopback,
  type Performances,
  performer,
  resetPeer,
  ScriptedServers,
  writeUntilRefused,
} from './loopback.js';

/** Far shorter than a probe's wait, so that it is the next to fire. */
const SOON = 10;
const PROBES_MAX = 8;

/** Of the timers that run side by side, the path's fires first: the others never do. */
const settingsFor = (path: Path) => {
  const soon = (name: string): number => (path.some(({ event }) => shortName(event.type) === name) ? SOON : NEVER_MS);
  return {
    routeTimeout: soon('routeTimeout'),
    sessionConnectTimeout: soon('sessionConnectTimeout'),
    idleTimeout: 1_000,
    halfCloseTimeout: 1_000,
    durationMax: soon('durationMax'),
    closeTimeout: soon('closeTimeout'),
    asksRoute: path[0]?.from.startsWith('routing') === true,
  };
};

/** The most that the system keeps for a peer that does not read: over TLS, all that is written is encrypted. */
function keptMax(): number {
  const SETTING = '/proc/sys/net/ipv4/tcp_wmem';
  const bytes = existsSync(SETTING) ? Number(readFileSync(SETTING, 'utf8').split(/\s+/)[2]) : Number.NaN;
  return Number.isNaN(bytes) ? 7 * MIB : bytes;
}

const MIB = 1_024 * 1_024;

/** More than that: what is written after it cannot arrive. */
const TOO_MUCH = Buffer.alloc(keptMax() + MIB);

/**
 * Whether a leg must outlast its streams, by peers that do not read: it is to be lost after both have ended, the other
 * is to end first, or something else is to happen before it ends. What is cut is reset, whether it is read or not.
 */
const isStuck = (leg: 'client' | 'backend', path: Path): boolean => {
  const last = path.find(({ to }) => to.startsWith('finishing.'));
  const isCut =
    last === undefined || /^(routing|connecting)/.test(last.from) || !/\.(ended|closed)$/.test(last.event.type);
  if (isCut) return false;
  return path.some(({ from, event }) => {
    const ending = 'ending' in event ? event.ending : undefined;
    if (from === `finishing.${leg}Left`) return ending !== 'ended';
    if (from !== 'finishing.both' || ending === undefined) return false;
    return event.type === `${leg}.closed` ? ending !== 'ended' : leg === 'client';
  });
};

/** Whether a leg stands still with more to write than the system takes. */
export const standsStill = (path: Path): boolean => isStuck('client', path) || isStuck('backend', path);

/** Whether the backend must outlast the client: where both are cut, it ends first unless somebody holds it. */
const isHeld = (path: Path): boolean =>
  path.some(
    ({ from, event }) =>
      from === 'finishing.backendOnly' || (from === 'finishing.both' && event.type === 'client.closed'),
  );

/** The legs wait for ever: what ends them is the path. */
const BACKEND_LIMITS = {
  queueTimeout: false,
  connectTimeout: false,
  holdTimeout: false,
  closeTimeout: false,
  abortTimeout: false,
  // What is let go of is cut by the path.
  lingerTimeout: false,
  lingerMax: false,
} as const;
const CLIENT_CONFIG = {
  input: { settings: clientSettings(NEVER_MS) },
  admit: undefined,
  ownerUnlinks: true,
  handshakes: undefined,
  proxied: undefined,
};

export function sessionDriver(loopback: Loopback) {
  return async (path: Path): Promise<Driver<typeof sessionMachine>> => {
    const clock = new ManualClock();
    const environment = environmentOf({ clock });
    const servers = ScriptedServers.of(loopback, clock);
    const [live, dead] = servers.list as [(typeof servers.list)[0], (typeof servers.list)[0]];
    const settings = settingsFor(path);
    const { accepted, peer } = await loopback.pair();
    const heard = { legs: [] as string[], closed: 0 };
    let session!: Session;
    let hold: Hold | undefined;
    let lastEvent = '';
    const established = gate();
    /** That a FIN is out is reported when the path wants it. */
    const finished = new Map<'client' | 'backend', () => void>();
    const isClientStuck = isStuck('client', path);
    const isBackendStuck = isStuck('backend', path);
    const mustHold = isHeld(path);

    const sessionOwner: SessionOwner = {
      notify: (event: string) => {
        if (event !== 'established') return;
        if (mustHold) hold = session.backend.hold();
        established.resolve();
        if (isClientStuck) {
          peer.pause();
          session.client.socket.write(TOO_MUCH);
        }
        if (isBackendStuck) session.backend.socket?.write(TOO_MUCH);
      },
      sessionClosed: () => heard.closed++,
      isLogging: false,
    };
    const config = {
      input: { settings },
      environment,
      backend: backendConfig({ ...BACKEND_LIMITS, attemptsMax: 1 }, servers, false, true),
      // It reads ahead, and so sees what the client does while the backend connects.
      connectBufferBytes: 1_024,
      route: settings.asksRoute ? () => routed.promise : undefined,
      key: undefined,
      transform: undefined,
      refusal: undefined,
      servers: {},
      halfClose: !path.some(({ event }) => event.type.endsWith('.finished')),
      legCloseTimeout: NEVER_MS,
    };
    const begun = gate();
    const routed = gate<Servers | false>();
    const clientOwner: ClientOwner = {
      clientEstablished: (admitted) => {
        session = new Session(admitted, config, sessionOwner, admitted);
        admitted.session = session;
        const { legClosed, legFinished } = session;
        session.legFinished = (leg) => {
          const report = (): void => legFinished.call(session, leg);
          finished.set(leg === session.client ? 'client' : 'backend', report);
        };
        session.legClosed = (leg, outcome) => {
          heard.legs.push(leg === session.client ? 'client' : 'backend');
          legClosed.call(session, leg, outcome);
        };
        session.begin();
        begun.resolve();
      },
      clientClosed: (closed, outcome) => closed.session?.legClosed(closed, outcome),
    };
    const client = new Client(accepted, loopback.over(CLIENT_CONFIG), environment, clientOwner);
    client.begin();
    await begun.promise;
    const { backend } = session;

    /** Ends a leg in the way that the path wants, unless its end is on its way already. */
    const endLeg = async (leg: Client | Backend, itsPeer: Socket, step: Step): Promise<void> => {
      const { ending } = step.event as { ending?: string };
      const socket = leg.socket as Socket;
      if (ending === 'aborted') {
        void leg.abort();
      } else if (ending === 'ended') {
        itsPeer.resume();
        itsPeer.end();
        socket.end();
      } else {
        const peerEnded = itsPeer.writableEnded;
        resetPeer(itsPeer);
        if (peerEnded && !socket.writableEnded) await writeUntilRefused(socket);
      }
    };

    const isOut = async (leg: 'client' | 'backend'): Promise<void> => {
      await until(`the FIN to the ${leg}`, () => finished.has(leg));
      finished.get(leg)?.();
    };

    const perform: Performances = {
      'route.chosen': () => routed.resolve(servers),
      'route.refused': () => routed.resolve(false),
      'session.close': () => void session.close(),
      'session.refuse': () => void client.refuse(),
      'client.handedOver': () => void client.handOver((socket) => socket.resume()),
      'session.abort': () => void session.abort(),
      'client.ended': () => {
        peer.end();
        return isDestroyed(client.socket) ? 'its socket is gone' : undefined;
      },
      'client.closed': (step) => {
        if (isDestroyed(client.socket) || client.state.endsWith('bothEnded')) return;
        return endLeg(client, peer, step);
      },
      'backend.established': async () => {
        if (!backend.matches('active.choosing')) return 'its backend is gone';
        servers.answer(backend, { kind: 'chosen', server: live });
        if (!isBackendStuck) return undefined;
        await established.promise;
        (await loopback.peerOf(backend.socket as Socket)).pause();
        return undefined;
      },
      'backend.ended': async () => {
        const { socket } = backend;
        if (socket === undefined || isDestroyed(socket)) return 'its socket is gone';
        (await loopback.peerOf(socket)).end();
        return undefined;
      },
      'backend.closed': async (step) => {
        hold?.release();
        if (backend.socket !== undefined) {
          if (isDestroyed(backend.socket) || backend.state.endsWith('bothEnded')) return;
          return endLeg(backend, await loopback.peerOf(backend.socket), step);
        }
        if (backend.matches('idle')) void backend.abort();
        if (!backend.matches('active.choosing')) return;
        const { ending } = step.event as { ending?: string };
        if (ending === 'aborted') void backend.abort();
        else if (ending === 'ended') servers.answer(backend, { kind: 'chosen', server: dead });
        else servers.refuse(backend);
      },
      'client.finished': () => isOut('client'),
      'backend.finished': () => isOut('backend'),
      'relay.idled': () => {
        lastEvent = '';
        for (let probes = 0; probes < PROBES_MAX && lastEvent !== 'relay.idled'; probes++) {
          const [probe] = session.timers().filter(({ name }) => name.endsWith('Probe'));
          if (probe === undefined) return 'no probe runs';
          clock.advance(probe.remainingMs);
        }
        return undefined;
      },
    };

    return {
      machine: sessionMachine,
      input: { settings },
      handle: session,
      perform: performer(session, clock, perform),
      eventOf: ({ event: type }) => {
        lastEvent = type;
        if (type === 'route.refused') return { type, cause: { initiator: 'owner', manner: 'refusal' } };
        const leg = type === 'client.closed' ? client : type === 'backend.closed' ? backend : undefined;
        if (leg === undefined) return { type };
        const { ending, cause, flushed } = leg.outcome as Outcome;
        return { type, ending, cause, flushed };
      },
      dispose: async () => {
        hold?.release();
        void session.abort();
        if (client.hasTag('lent')) void client.abort();
        await Promise.all([session.closed, client.closed, backend.closed]);
        peer.destroy();
        loopback.dropPeers();
        await Promise.all([gone(accepted), gone(peer)]);
        expectNothingLeft(clock, [servers]);
        expectWhole(session.outcome as Outcome, [client.outcome as Outcome, backend.outcome as Outcome]);
        if (heard.closed !== 1) throw new Error(`its end was told ${heard.closed} times`);
        if (heard.legs.sort().join() !== 'backend,client') throw new Error(`the legs that ended: ${heard.legs}`);
      },
    };
  };
}

/** A session that calls itself whole has two legs that are. */
function expectWhole(outcome: Outcome, legs: readonly Outcome[]): void {
  const isWrong =
    (outcome.flushed && legs.some(({ flushed }) => !flushed)) ||
    (outcome.ending === 'ended' &&
      legs.some((leg) => leg.ending !== 'ended' && !(leg.ending === 'closed' && leg.flushed)));
  if (isWrong) throw new Error(`${JSON.stringify(outcome)} of ${JSON.stringify(legs)}`);
}
