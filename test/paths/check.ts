/** Makes each event of a server's checks happen on real loopback sockets. */
import { once } from 'node:events';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import type { EventObject } from 'xstate';
import type { Check, CheckedServer } from '../../src/checks/check.js';
import { Checks } from '../../src/checks/checks.js';
import { checkMachine } from '../../src/machines/check.js';
import type { Pace } from '../../src/machines/functions/check.js';
import { contextOfNow } from '../../src/runtime/context.js';
import { type Driver, ManualClock, type Path, type Step, shortName } from '../../src/testing/index.js';
import { checkSettings } from '../machines/bounds.js';
import { PeerServer } from '../support/peers.js';
import { expectNothingLeft, type Gate, gate, gone, type Performances, performer } from './loopback.js';

type Told = EventObject & {
  readonly number?: number;
  readonly pace?: Pace;
  readonly random?: number;
  offsetMs?: number;
};

const ANSWER = /^check\.(passed|failed|undecided)$/;

/** What comes while a check has just ended comes within its verdict: these steps are no turns of their own. */
export const withoutDeferring = (path: Path): Path => path.filter(({ from }) => from !== 'deferring');

const whole = new WeakMap<Path, Path>();

/** The paths as they are driven. */
export const driven = (paths: readonly Path[]): Path[] =>
  paths.map((path) => {
    const short = withoutDeferring(path);
    whole.set(short, path);
    return short;
  });

export async function checkDriver(short: Path): Promise<Driver<typeof checkMachine>> {
  const path = whole.get(short) as Path;
  const clock = new ManualClock();
  const server = await new PeerServer(createServer(), () => {}).listen();
  const dialled: Socket[] = [];
  /** The server’s end of the present check; or the way to say that this process lacks something. */
  let peer: Socket | undefined;
  let refusal: Gate<Socket> | undefined;
  /** How far the whole path has come. */
  let at = 0;
  /** What was sent, and was not taken yet. */
  const sent: Told[] = [];
  let number = 0;

  /** How the check that begins now will be answered, if it will be. */
  const answerToCome = (): string | undefined => {
    const rest = path.slice(at + 1);
    const leaves = rest.findIndex(({ from, to }) => from === 'checking' && to !== 'checking');
    return rest[leaves]?.event.type;
  };
  const connect = (): Socket | Promise<Socket> => {
    number++;
    peer = undefined;
    refusal = undefined;
    if (answerToCome() === 'check.undecided') {
      refusal = gate<Socket>();
      return refusal.promise;
    }
    const socket = netConnect(server.port, '127.0.0.1');
    dialled.push(socket);
    return socket;
  };
  const target: CheckedServer = {
    name: 'checked',
    host: '127.0.0.1',
    port: server.port,
    path: undefined,
    lookup: undefined,
    localAddress: undefined,
    addressMs: (ms) => ms,
    connect,
    tls: undefined,
    proxyProtocol: undefined,
  };
  const request = (event: Told): void => {
    const { type, pace, offsetMs = 0 } = event;
    sent.push(event);
    if (type === 'check.start') checks.start(offsetMs);
    else if (type === 'check.pause') checks.pause();
    else if (type === 'check.resume') checks.resume();
    else if (type === 'check.close') checks.close();
    else if (type === 'check.abort') checks.abort();
    else if (type === 'pace.changed') checks.setPace(pace as Pace);
    else throw new Error(`${type} is no request`);
  };
  /** A report of a check that is over already. */
  const late = (event: Told): void => {
    sent.push(event);
    const report = {
      initiator: 'system',
      manner: 'error',
      code: event.type === 'check.undecided' ? 'EMFILE' : 'EPROTO',
    } as const;
    checks.checkAnswered({ number: event.number } as Check, event.type === 'check.passed' ? undefined : report);
  };
  const choose = (random: number): number => {
    sent.push({ type: 'wait.chosen', random });
    return random;
  };
  /** What the path has for the moment after a check; then, how long to wait. */
  const random = (): number => {
    for (let next = path[at + 1]; next?.from === 'deferring'; next = path[at + 1]) {
      at++;
      const event = next.event as Told;
      if (event.type === 'wait.chosen') return choose(event.random as number);
      if (ANSWER.test(event.type)) late(event);
      else request(event);
      if (next.to !== 'deferring') break;
    }
    return choose(0.5);
  };
  const host = { checkPassed: () => {}, checkFailed: () => {}, checkUndecided: () => {} };
  const manner = {
    by: { send: undefined, expect: Buffer.from('ok') },
    at: undefined,
    tls: false,
    proxyProtocol: false,
  };
  const told = {
    ...manner,
    settings: checkSettings,
    timeout: checkSettings.timeout,
    rise: 2,
    fall: 3,
    init: 'up',
  } as const;
  const checks = new Checks(target, told, host, { clock, inContext: contextOfNow(), random });

  const peerOf = async (): Promise<Socket> => {
    const socket = dialled.at(-1) as Socket;
    if (socket.connecting) await once(socket, 'connect');
    for (;;) {
      peer = server.live.find(({ remotePort }) => remotePort === socket.localPort);
      if (peer !== undefined) return peer;
      await once(server.server, 'connection');
    }
  };
  const answered = async ({ event, from }: Step): Promise<void> => {
    const told = event as Told;
    if (from !== 'checking' || told.number !== number) {
      late(told);
      return;
    }
    sent.push(told);
    if (told.type === 'check.undecided') refusal?.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    else if (told.type === 'check.passed') (await peerOf()).write('ok');
    else (await peerOf()).resetAndDestroy();
  };
  const asked = ({ event }: Step): void => request(event as Told);
  const table: Performances = {
    'check.start': asked,
    'check.pause': asked,
    'check.resume': asked,
    'check.close': asked,
    'check.abort': asked,
    'check.passed': answered,
    'check.failed': answered,
    'check.undecided': answered,
    // Where no check is over.
    'wait.chosen': () => checks.chooseWait(),
    'pace.changed': (step) => {
      const wait = checks.timers().find(({ name }) => name === 'wait');
      const next = path.slice(at + 1).find(({ from, to }) => from === step.to && to !== from);
      // The wait that is under way ends before the shorter one, which begins later.
      if (
        wait !== undefined &&
        step.to === 'waiting.hastened' &&
        next !== undefined &&
        shortName(next.event.type) === 'wait'
      ) {
        clock.advance(wait.remainingMs - 10);
      }
      asked(step);
    },
  };
  const perform = performer(checks, clock, table);

  return {
    machine: checkMachine,
    input: { settings: checkSettings },
    handle: checks,
    perform: (step, index) => {
      at = path.indexOf(step);
      return perform(step, index);
    },
    eventOf: ({ event: type, cause }) => {
      const index = sent.findIndex((event) => event.type === type);
      const [event = { type }] = index < 0 ? [] : sent.splice(index, 1);
      return cause === undefined ? event : ({ ...event, cause } as EventObject);
    },
    dispose: async () => {
      checks.close();
      await server.left();
      await Promise.all(dialled.map(gone));
      await server.stop();
      expectNothingLeft(clock);
    },
  };
}
