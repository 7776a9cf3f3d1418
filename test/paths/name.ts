/** Makes each event of a name happen with a real name server on loopback: it answers, fails, is silent, or says it later. */
import type { EventObject } from 'xstate';
import { Handle } from '../../src/handle.js';
import { Servers } from '../../src/index.js';
import { nameMachine } from '../../src/machines/index.js';
import type { NameContext, NameEvent } from '../../src/machines/name.js';
import { contextOfNow } from '../../src/runtime/context.js';
import { type Driver, ManualClock, type Path, type Step, shortName } from '../../src/testing/index.js';
import { ServerName } from '../../src/upstream/server-name.js';
import { judgementOf } from '../../src/upstream/servers-options.js';
import { nameSettings } from '../machines/bounds.js';
import type { NameServer, Zone } from '../support/name-server.js';
import { expectNothingLeft, type Gate, gate, type Performances, performer } from './loopback.js';

type Told = NameEvent & { readonly number?: number; readonly random?: number; ageMs?: number };

/** A look-up that a test never lets run out of time by itself. */
const PATIENT = 60_000;

/** As the machine has them; only a look-up may take longer, since it is a real one. */
const SETTINGS = { ...nameSettings, timeout: PATIENT };

/** What comes while a look-up has just ended comes within its verdict: these steps are no turns of their own. */
const whole = new WeakMap<Path, Path>();

export const driven = (paths: readonly Path[]): Path[] =>
  paths.map((path) => {
    const short = path.filter(({ from }) => from !== 'deferring');
    whole.set(short, path);
    return short;
  });

const FAILURES = { nx: 'NXDOMAIN', refused: 'REFUSED', other: 'SERVFAIL' } as const;

let hosts = 0;

export async function nameDriver(short: Path, dns: NameServer): Promise<Driver<typeof nameMachine>> {
  const path = whole.get(short) as Path;
  const host = `p${++hosts}.test`;
  /** A clock that can be put forward, so that an answer is as old as the path says. */
  const clock = new (class extends ManualClock {
    aheadMs = 0;
    override now(): number {
      return super.now() + this.aheadMs;
    }
  })();
  let goodAt = 0;
  let at = 0;
  const sent: Told[] = [];
  let question: Gate<Exclude<Zone, () => unknown>> = gate();
  let arrived: Gate = gate();
  dns.zones.set(host, () => {
    question = gate();
    arrived.resolve();
    return question.promise;
  });
  const request = (event: Told): void => {
    sent.push(event);
    if (event.type === 'name.start') instance().send(event);
    else if (event.type === 'name.refresh') name.refresh();
    else if (event.type === 'name.close') void name.close();
    else if (event.type === 'name.abort') void name.abort();
    else instance().send(event);
  };
  const choose = (event: { random: number; ageMs: number }): number => {
    clock.aheadMs += goodAt + event.ageMs - clock.now();
    sent.push({ type: 'wait.chosen', ...event });
    return event.random;
  };
  /** What the path has for the moment after a look-up; then, how long to wait. */
  const random = (): number => {
    for (let next = path[at + 1]; next?.from === 'deferring'; next = path[at + 1]) {
      at++;
      const event = next.event as Told;
      if (event.type === 'wait.chosen') return choose(event);
      request(event);
      if (next.to !== 'deferring') break;
    }
    return choose({ random: 0.5, ageMs: 0 });
  };
  const { timeout: _, hold, ...settings } = SETTINGS;
  const set = new Servers([{ port: 1 }], { clock, random });
  const addresses = { ...settings, hold: { ...hold, refused: false as const }, timeout: PATIENT };
  const options = { host, port: 1, family: 4, addresses: { ...addresses, nameservers: [dns.at], mayBeEmpty: true } };
  const environment = { clock, runtime: undefined, inContext: contextOfNow() };
  const config = { judgement: judgementOf({}), lookup: undefined, checks: undefined, environment, random };
  const name = new ServerName(options as never, 'tested', set, config as never);
  // It is begun, and not started.
  Handle.prototype.begin.call(name);
  const instance = () => (name as unknown as { instance: { send(event: Told): void; context: NameContext } }).instance;

  const answered = async ({ event, from }: Step): Promise<unknown> => {
    const told = event as Told & { failure?: keyof typeof FAILURES | 'timeout'; isEmpty?: boolean; ttlMs: number };
    if (from !== 'asking' || told.number !== instance().context.number) {
      request(told);
      return undefined;
    }
    sent.push(told);
    await arrived.promise;
    arrived = gate();
    if (told.failure === 'timeout') {
      // The look-up says so only after most of its time; what the server says then is late.
      const { resolve } = question;
      instance().send(told);
      resolve('NXDOMAIN');
      return undefined;
    }
    if (told.failure !== undefined) {
      question.resolve(FAILURES[told.failure]);
      return undefined;
    }
    goodAt = clock.now();
    question.resolve(told.isEmpty === true ? [] : { ttl: told.ttlMs / 1_000, addresses: ['127.0.0.2'] });
    return undefined;
  };
  const asked = ({ event }: Step): void => request(event as Told);
  const table: Performances = {
    'name.start': asked,
    'name.refresh': asked,
    'name.close': asked,
    'name.abort': asked,
    'lookup.answered': answered,
    'lookup.failed': answered,
    'wait.chosen': asked,
  };
  const performed = performer(name, clock, table);

  return {
    machine: nameMachine,
    input: { settings: SETTINGS },
    handle: name,
    perform: (step, index) => {
      at = path.indexOf(step);
      const timers = name.timers();
      const due = timers.find(({ name: timer }) => timer === shortName(step.event.type));
      if (timers.some(({ remainingMs }) => due !== undefined && remainingMs < due.remainingMs)) {
        return 'the other timer comes first';
      }
      return performed(step, index);
    },
    eventOf: ({ event: type, cause }) => {
      const index = sent.findIndex((event) => event.type === type);
      const [event = { type }] = index < 0 ? [] : sent.splice(index, 1);
      return (cause === undefined ? event : { ...event, cause }) as EventObject as never;
    },
    dispose: async () => {
      await name.abort();
      question.resolve('NXDOMAIN');
      dns.zones.delete(host);
      set.end();
      expectNothingLeft(clock);
    },
  };
}
