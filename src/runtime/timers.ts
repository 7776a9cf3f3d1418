/**
 * The timers of instances that run on the process's own time. As in Node, all timers of one duration form a list, which is
 * in order by itself; here a whole list has only one of Node's timers, and an entry costs no closure.
 */
import type { Clock, Timer } from './clock.js';
import { systemClock } from './clock.js';
import { inNoContext } from './context.js';

/** Whose timers these are. */
export interface TimerOwner {
  timerFired(timer: InstanceTimer): void;
}

/** One of the timers of a machine. */
export interface TimerDefinition {
  /** The name of the delay. */
  readonly name: string;
  /** Its place among the timers that may run at the same time. */
  readonly slot: number;
  /** Sent when the time is over. */
  readonly event: { readonly type: string };
}

/** A timer that was armed. */
export class InstanceTimer {
  /** Nothing once it has fired or was cleared. */
  owner: TimerOwner | undefined;
  readonly definition: TimerDefinition;
  dueAt = 0;
  keepsAlive: boolean;
  list: DurationList | undefined = undefined;
  previous: InstanceTimer | undefined = undefined;
  next: InstanceTimer | undefined = undefined;
  /** On any other clock than the process's own: its timer there. */
  handle: Timer | undefined = undefined;

  constructor(owner: TimerOwner, definition: TimerDefinition, keepsAlive: boolean) {
    this.owner = owner;
    this.definition = definition;
    this.keepsAlive = keepsAlive;
  }
}

/** All timers of one duration, the first to fire first. */
class DurationList {
  first: InstanceTimer | undefined;
  last: InstanceTimer | undefined;
  /** How many of them keep the process alive. */
  keepAlive = 0;
  timeout: NodeJS.Timeout | undefined;
  isFiring = false;
  readonly fire = (): void => fireList(this);
  constructor(readonly delayMs: number) {}
}

/** From this delay on, in milliseconds, a timer is armed only if it is still wanted after {@link LATER_MS}. */
export const LONG_MS = 1_000;
/**
 * Most long timers of a short connection are cleared within some milliseconds: those of all instances that have come to rest
 * within this time are armed together, which makes them as much late at most, and no clock is read before.
 */
const LATER_MS = 25;

/** An instance at rest, with long timers that have yet to be armed. */
export interface Resting {
  armTimers(): void;
  /** Its place among those whose timers are armed later; -1 where it is not among them. */
  laterAt: number;
}

const ownSetTimeout = setTimeout;
const armedLater: Resting[] = [];
let arming: NodeJS.Timeout | undefined;
/** Whether that timer keeps the process alive. */
let armingKeepsAlive = false;

/** True if timers on this clock may be armed a little later: not where somebody else moves the time. */
export const mayBeLate = (clock: Clock): boolean => clock === systemClock && setTimeout === ownSetTimeout;

/** Has the timers of an instance armed a little later; until then the process is kept alive where its timers may have to. */
export function armLater(instance: Resting, keepsAlive: boolean): void {
  if (instance.laterAt === -1) instance.laterAt = armedLater.push(instance) - 1;
  if (arming === undefined) {
    arming = inNoContext(setLater, armThem, LATER_MS);
    armingKeepsAlive = true;
    if (!keepsAlive) keepAliveUntilArmed(false);
  } else if (keepsAlive && !armingKeepsAlive) {
    keepAliveUntilArmed(true);
  }
}

/** An instance has ended, or its turn has come. */
export function forgetLater(instance: Resting): void {
  const at = instance.laterAt;
  if (at === -1) return;
  instance.laterAt = -1;
  const last = armedLater.pop() as Resting;
  if (last === instance) return;
  armedLater[at] = last;
  last.laterAt = at;
}

function keepAliveUntilArmed(keepsAlive: boolean): void {
  armingKeepsAlive = keepsAlive;
  if (keepsAlive) arming?.ref();
  else arming?.unref();
}

const setLater = (callback: () => void, delayMs: number): NodeJS.Timeout => setTimeout(callback, delayMs);

function armThem(): void {
  arming = undefined;
  try {
    for (let next = armedLater.at(-1); next !== undefined; next = armedLater.at(-1)) {
      forgetLater(next);
      next.armTimers();
    }
  } finally {
    // The host of one may throw; the others go on.
    if (armedLater.length > 0) armLater(armedLater[0] as Resting, true);
  }
}

let lists = new Map<number, DurationList>();
/** The function that the lists were armed with: code that replaces it, to own the time, gets lists of its own. */
let armedWith = setTimeout;

export function armTimer(clock: Clock, now: number, timer: InstanceTimer, delayMs: number): void {
  if (clock === systemClock) {
    // As Node does: never in the same turn, and in whole milliseconds, which need no memory of their own.
    const delay = delayMs >= 1 ? delayMs : 1;
    timer.dueAt = Math.ceil(now + delay);
    append(listOf(delay), timer);
  } else {
    timer.dueAt = now + delayMs;
    timer.handle = inNoContext(setOn, clock, () => fire(timer), delayMs);
    if (!timer.keepsAlive) timer.handle.unref();
  }
}

export function clearTimer(clock: Clock, timer: InstanceTimer): void {
  if (timer.list !== undefined) remove(timer.list, timer);
  else if (timer.handle !== undefined) clock.clearTimeout(timer.handle);
  timer.owner = undefined;
}

export function refTimer(timer: InstanceTimer, keepsAlive: boolean): void {
  if (timer.keepsAlive === keepsAlive) return;
  timer.keepsAlive = keepsAlive;
  if (timer.list !== undefined) countAlive(timer.list, keepsAlive ? 1 : -1);
  else if (keepsAlive) timer.handle?.ref();
  else timer.handle?.unref();
}

/** The timers that are set on the process's own time, for tests that look who has left one. */
export function* armedTimers(): Generator<InstanceTimer, void> {
  armThem();
  for (const { first } of lists.values()) for (let timer = first; timer !== undefined; timer = timer.next) yield timer;
}

function listOf(delayMs: number): DurationList {
  if (armedWith !== setTimeout) {
    armedWith = setTimeout;
    lists = new Map();
  }
  let list = lists.get(delayMs);
  if (list === undefined) {
    list = new DurationList(delayMs);
    lists.set(delayMs, list);
  }
  return list;
}

function append(list: DurationList, timer: InstanceTimer): void {
  timer.list = list;
  timer.previous = list.last;
  if (list.last === undefined) list.first = timer;
  else list.last.next = timer;
  list.last = timer;
  // One that is armed for a timer that was cleared since fires too early, sees that, and is armed anew.
  if (list.timeout === undefined && !list.isFiring) arm(list, list.delayMs);
  if (timer.keepsAlive) countAlive(list, 1);
}

function remove(list: DurationList, timer: InstanceTimer): void {
  const { previous, next } = timer;
  if (previous === undefined) list.first = next;
  else previous.next = next;
  if (next === undefined) list.last = previous;
  else next.previous = previous;
  timer.list = undefined;
  timer.previous = undefined;
  timer.next = undefined;
  if (timer.keepsAlive) countAlive(list, -1);
}

/** Sets a timer on a clock: what it keeps of an async context must not be that of the event that has set it. */
export const setOn = (clock: Clock, callback: () => void, delayMs: number): Timer =>
  clock.setTimeout(callback, delayMs);

/** A timer of Node's fires for many instances: it belongs to the async context of none. */
const setFire = (list: DurationList, delayMs: number): NodeJS.Timeout => setTimeout(list.fire, delayMs);

function arm(list: DurationList, delayMs: number): void {
  list.timeout = inNoContext(setFire, list, delayMs);
  if (list.keepAlive === 0) list.timeout.unref();
}

function countAlive(list: DurationList, change: 1 | -1): void {
  list.keepAlive += change;
  if (change === -1 && list.keepAlive === 0) list.timeout?.unref();
  else if (change === 1 && list.keepAlive === 1) list.timeout?.ref();
}

function fireList(list: DurationList): void {
  list.timeout = undefined;
  list.isFiring = true;
  const now = systemClock.now();
  try {
    for (let { first } = list; first !== undefined && first.dueAt <= now; { first } = list) {
      remove(list, first);
      fire(first);
    }
  } finally {
    // One of them may throw; the others go on.
    list.isFiring = false;
    if (list.first !== undefined) arm(list, Math.max(1, Math.ceil(list.first.dueAt - now)));
    else if (lists.get(list.delayMs) === list) lists.delete(list.delayMs);
  }
}

function fire(timer: InstanceTimer): void {
  const { owner } = timer;
  // A user's clock may fire a timer that was cleared.
  if (owner === undefined) return;
  timer.owner = undefined;
  owner.timerFired(timer);
}
