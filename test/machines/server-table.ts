/**
 * Where a server goes, and what is known of it then: the rules of docs/servers.md, with no code of the machine. There is an answer
 * for every state and every event, also for those that change nothing. Where that page is silent, such as on late reports, the
 * table holds what the machine did when it was written.
 */
import type { EventObject } from 'xstate';
import type { ServerContext, ServerSettings } from '../../src/machines/server.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { shortName } from '../../src/testing/index.js';

/** All that a server remembers but its cause. */
export type Facts = Omit<ServerContext, 'settings' | 'cause'>;

/** A state, and the facts that have changed. */
type Next = readonly [state: string, changed?: Partial<Facts>];

type Given = EventObject & {
  readonly mayEject?: boolean;
  readonly mends?: number;
  readonly random?: number;
  readonly verdict?: { readonly restMs: number; readonly ejections: number };
  readonly timeoutMs?: number;
  readonly spreadMs?: number;
  readonly deliver?: boolean;
};

const FORGIVEN = { failures: 0, losses: 0, ejections: 0, isDoubted: false } as const;

const isChoosable = (state: string): boolean => /^serving\.(up|suspect|recovering)$/.test(state);

/** The facts and the state after an event. */
export function expectedAfter(
  settings: ServerSettings,
  before: string,
  facts: Facts,
  event: EventObject,
): { state: string; facts: Facts } {
  const [state, changed = {}] = new Rules(settings, before, facts, event).next();
  return {
    state,
    facts: {
      ...facts,
      // Each slow start begins anew, and what may be chosen is trusted.
      ...(state === 'serving.recovering' && state !== before && { step: 0 }),
      ...changed,
      ...(isChoosable(state) && { isDoubted: false, loses: false, hasServed: true }),
      ...(state === 'cutting' && { flushed: false }),
    },
  };
}

/** Where it begins, as `init` of its checks says. */
export function firstState({ init, fall }: ServerSettings): string {
  if (init === 'down') return 'pending.checking';
  if (init === 'fullyDown') return 'serving.down';
  return init === 'fullyUp' || fall === 1 ? 'serving.up' : 'serving.suspect';
}

/** A state as its user sees it. */
export const seen = (path: string): string =>
  path.replace(/^serving\.|\.(free|underway|wanted|drained|maintained)$/g, '');

/** A step as its commands see it. */
export interface Went {
  readonly from: string;
  readonly to: string;
  readonly event: EventObject;
  readonly before: Facts;
  readonly after: Facts;
}

/** Who is told, in this order: the set of all that makes a difference to it, the owner of what it sees. */
export function expectedNews({ from, to, event }: Went): string[] {
  if (seen(from) !== seen(to)) return ['set.changed', 'owner.changed', 'waiters.serve'];
  if (from !== to && to.endsWith('.underway')) return ['set.changed'];
  const isFree = to === 'serving.trying.free' && (from !== to || event.type === 'traffic.failed');
  // The share grows.
  const grows = to === 'serving.recovering' && shortName(event.type) === 'slowStartStep';
  return isFree || grows ? ['set.changed', 'waiters.serve'] : [];
}

/** The pace that its checks are told last; nothing if none. */
export function expectedPace(settings: ServerSettings, { from, to, event, before, after }: Went): string | undefined {
  const type = shortName(event.type);
  const { rise, fall, failures, onError } = settings;
  const isLoss = type === 'traffic.dropped';
  const isTooMuch =
    (isLoss ? before.losses : before.failures) + 1 >= failures || (event as { verdict?: object }).verdict !== undefined;
  // Failures of traffic that count as checks.
  const isStruck = isLoss || (type === 'traffic.failed' && (event as { mends?: number }).mends === undefined);
  if (isStruck && onError !== 'eject' && isTooMuch && isChoosable(from) && isChoosable(to)) return 'fast';
  const isEntered = from !== to || type === 'forgiveness' || type === 'slowStartStep';
  const isSet = isEntered && (isChoosable(to) || to === 'serving.down' || to === 'pending.checking');
  const isOut = /^(removing|cutting|maintenance|leaving\.maintained|pending\.addressing)$/.test(from);
  const isCounted = type.startsWith('check.') && from === to && !isOut;
  if (!isSet && !isCounted) return undefined;
  if (after.health === rise + fall - 1) return 'normal';
  return after.health === 0 ? 'down' : 'fast';
}

class Rules {
  readonly #stays: Next;
  readonly #type: string;
  readonly #full: number;

  constructor(
    readonly settings: ServerSettings,
    readonly state: string,
    readonly facts: Facts,
    readonly event: Given,
  ) {
    this.#stays = [state];
    this.#type = shortName(event.type);
    this.#full = settings.rise + settings.fall - 1;
  }

  /** The word of its owner comes first, then its name, then what is known of its health. */
  next(): Next {
    const { state, event, settings } = this;
    if (/^(removing|cutting)$/.test(state)) return this.#whileRemoved();
    if (this.#type === 'server.close') {
      const { timeoutMs = settings.removeTimeout, spreadMs = 0 } = event;
      return ['removing', { removeTimeoutMs: timeoutMs, spreadMs }];
    }
    if (this.#type === 'server.abort') return this.#cut();
    if (state.startsWith('leaving.')) return this.#whileLeaving(state.slice('leaving.'.length));
    if (state === 'draining') return this.#whileDraining();
    if (state === 'maintenance') return this.#whileMaintained();
    switch (this.#type) {
      case 'server.drain':
        return ['draining'];
      case 'server.maintain':
        return ['maintenance'];
      case 'address.gone':
        return ['leaving.wanted', this.facts.hasAddress ? {} : this.#afresh()];
      case 'address.lost':
        return ['pending.addressing', { hasAddress: false }];
      default:
        if (state === 'pending.addressing') return this.#type === 'address.found' ? this.#anew() : this.#stays;
        return this.#whileServing(state.replace(/^(serving|pending)\./, ''));
    }
  }

  #cut(): Next {
    return ['cutting', { delivers: this.event.deliver === true, spreadMs: 0 }];
  }

  /** A removal is final. */
  #whileRemoved(): Next {
    const isCut = this.state === 'cutting';
    if (this.#type === 'sessions.emptied') return [isCut ? 'aborted' : 'closed'];
    if (this.#type === 'cutTimeout') return ['aborted'];
    if (this.#type === 'removeTimeout') return ['cutting'];
    return this.#type === 'server.abort' && !isCut ? this.#cut() : this.#stays;
  }

  /** Its name has other addresses: it comes back as its owner wants it by then. */
  #whileLeaving(wish: string): Next {
    const isMaintained = wish === 'maintained';
    const maintainedNoMore = isMaintained ? this.#afresh() : {};
    switch (this.#type) {
      case 'server.up':
        return ['leaving.wanted', maintainedNoMore];
      case 'server.drain':
        return ['leaving.drained', maintainedNoMore];
      case 'server.maintain':
        return ['leaving.maintained'];
      case 'address.found':
        if (wish === 'wanted') return [this.#standing()];
        return [isMaintained ? 'maintenance' : 'draining'];
      case 'sessions.emptied':
        return ['closed'];
      case 'removeTimeout':
        return ['cutting'];
      default:
        return isMaintained ? this.#stays : [this.state, this.#remembered()];
    }
  }

  /** Sessions and checks go on. */
  #whileDraining(): Next {
    const { hasAddress } = this.facts;
    const known = hasAddress ? {} : this.#afresh();
    switch (this.#type) {
      case 'server.up':
        return [hasAddress ? this.#standing() : 'pending.addressing'];
      case 'server.maintain':
        return ['maintenance'];
      case 'address.gone':
        return ['leaving.drained', known];
      case 'address.found':
        return [this.state, known];
      case 'address.lost':
        return [this.state, { hasAddress: false }];
      default:
        return [this.state, this.#remembered()];
    }
  }

  /** Nothing is held against it afterwards. */
  #whileMaintained(): Next {
    const { hasAddress } = this.facts;
    switch (this.#type) {
      case 'server.up':
        return hasAddress ? this.#anew() : ['pending.addressing', { ...this.#afresh(), hasAddress }];
      case 'server.drain':
        return ['draining', { ...this.#afresh(), hasAddress }];
      case 'address.gone':
        return ['leaving.maintained', { hasAddress: true }];
      case 'address.found':
        return [this.state, { hasAddress: true }];
      case 'address.lost':
        return [this.state, { hasAddress: false }];
      default:
        return this.#stays;
    }
  }

  /** What counts while nothing new goes there. */
  #remembered(): Partial<Facts> {
    if (this.#type === 'server.restore') return FORGIVEN;
    return this.#counted();
  }

  #whileServing(state: string): Next {
    const { facts, settings } = this;
    const { ejections } = facts;
    switch (this.#type) {
      case 'check.passed':
        return this.#whenPassed(state);
      case 'check.failed':
        return this.#whenFailed(state);
      case 'traffic.connected':
        if (!/^(ejected|trying)/.test(state) || facts.loses) return [this.state, { failures: 0 }];
        return [this.#recovers() ? 'serving.recovering' : this.#byHealth(facts.health), { failures: 0 }];
      case 'traffic.lasted':
        return state === 'excluded' ? this.#stays : [this.state, { losses: 0 }];
      case 'traffic.failed':
      case 'traffic.dropped':
        return this.#whenStruck(state);
      case 'trial.granted':
        return state === 'trying.free' ? ['serving.trying.underway'] : this.#stays;
      case 'trial.givenUp':
        return state === 'trying.underway' ? ['serving.trying.free'] : this.#stays;
      case 'server.restore':
        return /^(ejected|trying|excluded)/.test(state) ? [this.#byHealth(facts.health), FORGIVEN] : this.#stays;
      case 'forgiveness':
        return [this.state, { ejections: Math.max(0, ejections - 1) }];
      case 'slowStartStep':
        return facts.step + 1 < settings.steps
          ? [this.state, { step: facts.step + 1 }]
          : [this.#byHealth(facts.health)];
      case 'ejection':
        return ['serving.trying.free'];
      case 'exclusion':
        return [facts.health >= settings.rise ? 'serving.trying.free' : 'serving.down'];
      default:
        return this.#stays;
    }
  }

  /** An ejection does not end before its time, and then not if the server loses what it accepts. */
  #whenPassed(state: string): Next {
    const counted = this.#counted();
    const mayRise = /^(down|checking)$/.test(state) || (state.startsWith('trying') && !this.facts.loses);
    if (state !== 'suspect' && (!mayRise || (counted.health as number) < this.settings.rise))
      return [this.state, counted];
    return [mayRise && this.#recovers() ? 'serving.recovering' : 'serving.up', counted];
  }

  #whenFailed(state: string): Next {
    const counted = this.#counted();
    if (state === 'excluded') return [this.state, counted];
    if ((counted.health as number) < this.settings.rise) return ['serving.down', counted];
    return [state === 'up' ? 'serving.suspect' : this.state, counted];
  }

  /** An attempt has failed, or a connection was lost soon. */
  #whenStruck(state: string): Next {
    const { facts, event, settings } = this;
    const isLoss = this.#type === 'traffic.dropped';
    const { failures, losses } = facts;
    const counted = isLoss ? { losses: losses + 1 } : { failures: failures + 1 };
    if (state === 'excluded') return isLoss ? this.#stays : [this.state, counted];
    if (event.mends !== undefined) {
      return ['serving.excluded', { ...counted, restMs: event.mends, isDoubted: true }];
    }
    const ejected: Next = ['serving.ejected', { ...counted, ...this.#ejection(), losses: 0, loses: isLoss }];
    if (state.startsWith('trying')) {
      if (event.mayEject === true) return ejected;
      return [isLoss ? this.state : 'serving.trying.free', counted];
    }
    const isTooMuch = event.verdict !== undefined || (isLoss ? losses : failures) + 1 >= settings.failures;
    if (!isChoosable(this.state) || !isTooMuch) return [this.state, counted];
    if (settings.onError === 'eject') return event.mayEject === true ? ejected : [this.state, counted];
    const health = this.#marked();
    const isLower = this.state === 'serving.up' || health < settings.rise;
    return [isLower ? this.#byHealth(health) : this.state, { health, failures: 0, losses: 0 }];
  }

  #ejection(): Partial<Facts> {
    const { ejections } = this.facts;
    const { baseMs, factor, maxMs, jitter } = this.settings;
    const whole = Math.min(maxMs, baseMs * factor ** ejections);
    const {
      verdict = { restMs: Math.round(whole - whole * jitter * (this.event.random ?? 0)), ejections: ejections + 1 },
    } = this.event;
    return { ...verdict, isDoubted: true };
  }

  /** HAProxy's counter after a check, which also forgets the failures of traffic where those count as checks. */
  #counted(): Partial<Facts> {
    const { facts, settings } = this;
    const { health } = facts;
    if (this.#type === 'check.failed') return { health: this.#fallen(health - 1) };
    if (this.#type !== 'check.passed') return {};
    const risen = health + 1 < settings.rise ? health + 1 : this.#full;
    return settings.onError === 'eject' ? { health: risen } : { health: risen, failures: 0 };
  }

  /** HAProxy's counter after as many failures of traffic as are a reason to act. */
  #marked(): number {
    const { health } = this.facts;
    const { onError, rise } = this.settings;
    if (onError === 'failCheck') return this.#fallen(health - 1);
    // The next check that fails takes it down.
    if (onError === 'suddenDeath') return this.#fallen(Math.min(rise, health - 1));
    return onError === 'markDown' ? 0 : health;
  }

  /** Checks have to pass in a row: what is down begins at 0 again. */
  #fallen(health: number): number {
    return health < this.settings.rise ? 0 : health;
  }

  #recovers(): boolean {
    return this.settings.slowStart > 0 && this.facts.hasServed;
  }

  #byHealth(health: number): string {
    if (health < this.settings.rise) return 'serving.down';
    return health < this.#full ? 'serving.suspect' : 'serving.up';
  }

  /** Where it stands when nothing keeps it out any more. */
  #standing(): string {
    const { isDoubted, restMs, health } = this.facts;
    if (isDoubted && restMs === NEVER_MS) return 'serving.excluded';
    return isDoubted && health >= this.settings.rise ? 'serving.trying.free' : this.#byHealth(health);
  }

  /** Nothing is known of it any more. */
  #afresh(): Partial<Facts> {
    return { ...FORGIVEN, health: this.settings.rise, hasAddress: true };
  }

  #anew(): Next {
    return [this.#byHealth(this.settings.rise), this.#afresh()];
  }
}
