/** Events, commands and context of the machine of a server's checks, and its functions. */
import type { CHECK_LIMITS, SettingsOf } from '../limits.js';
import type { Cause, Ending, Outcome, Report } from '../vocabulary.js';

/** How often a server is checked: while all is well, while that is in doubt, and while the server is down. */
export type Pace = 'normal' | 'fast' | 'down';

/** What the checks of all servers of one configuration share. */
export interface CheckSettings
  extends Pick<SettingsOf<typeof CHECK_LIMITS>, 'interval' | 'fastInterval' | 'downInterval' | 'timeout'> {
  /** The part of an interval, from 0 to 0.5, that is random in both directions. */
  readonly spread: number;
}

export interface CheckInput {
  readonly settings: CheckSettings;
}

export interface CheckContext {
  readonly settings: CheckSettings;
  pace: Pace;
  /** Checks so far: the number of the last one. */
  number: number;
  /** A number from 0 to 1, which decides the random part of a wait. */
  random: number;
  /** How long the present wait is at most, in milliseconds from when it was decided. */
  waitMs: number;
  /** Why the last check failed or was undecided, or why the checks ended; undefined at first. */
  cause: Cause | undefined;
}

export type CheckEvent =
  /** The first check follows after this time, in milliseconds. */
  | { type: 'check.start'; offsetMs: number }
  /** The server is well. */
  | { type: 'check.passed'; number: number }
  /** The server is not well, or cannot be reached. */
  | { type: 'check.failed'; number: number; cause: Report }
  /** This process could not ask: no descriptor, memory or port is left. */
  | { type: 'check.undecided'; number: number; cause: Report }
  /** The answer to `wait.choose`: a number from 0 to 1. */
  | { type: 'wait.chosen'; random: number }
  /** The owner wants another pace from now on. */
  | { type: 'pace.changed'; pace: Pace }
  /** No check runs until `check.resume`. */
  | { type: 'check.pause' }
  /** The next check runs at once. */
  | { type: 'check.resume' }
  /** The owner ends the checks. */
  | { type: 'check.close'; cause?: Report }
  | { type: 'check.abort'; cause?: Report };

export type CheckCommand =
  /** Ask the server, and report `check.passed`, `check.failed` or `check.undecided` with this number. */
  | { type: 'check.run'; number: number }
  /** What becomes of this check matters no more: reset its stream. */
  | { type: 'check.cancel'; number: number }
  /** Choose the random part of the wait; answered by `wait.chosen`. */
  | { type: 'wait.choose' }
  | { type: 'owner.passed' }
  | { type: 'owner.failed'; cause: Cause };

interface Given {
  readonly context: CheckContext;
}

interface GivenEvent extends Given {
  readonly event: {
    readonly type: string;
    readonly number?: number;
    readonly offsetMs?: number;
    readonly random?: number;
    readonly pace?: Pace;
  };
}

export const startOf = ({ input: { settings } }: { readonly input: CheckInput }): CheckContext => ({
  settings,
  pace: 'normal',
  number: 0,
  random: 0.5,
  waitMs: 0,
  cause: undefined,
});

/** A check sends nothing that could be lost. */
export const outcomeOf = ({ context, event }: Given & { readonly event: { readonly output?: unknown } }): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: true,
});

const intervalOf = ({ interval, fastInterval, downInterval }: CheckSettings, pace: Pace): number =>
  pace === 'normal' ? interval : pace === 'fast' ? fastInterval : downInterval;

/** The interval of a pace, and its random part. */
const waitOf = ({ settings, random }: CheckContext, pace: Pace): number =>
  Math.max(1, Math.round(intervalOf(settings, pace) * (1 + settings.spread * (2 * random - 1))));

// Context.
export const askedPace = ({ context, event }: GivenEvent): Pace => event.pace ?? context.pace;
export const offsetMs = ({ event }: GivenEvent): number => event.offsetMs ?? 0;
export const chosenRandom = ({ event }: GivenEvent): number => event.random ?? 0.5;
export const paceMs = ({ context }: Given): number => waitOf(context, context.pace);
export const nextNumber = ({ context }: Given): number => context.number + 1;

// Commands.
export const run = ({ context }: Given): CheckCommand => ({ type: 'check.run', number: context.number });
export const cancel = ({ context }: Given): CheckCommand => ({ type: 'check.cancel', number: context.number });
export const tellFailed = ({ context }: Given): CheckCommand => ({
  type: 'owner.failed',
  cause: context.cause as Cause,
});

// Guards.
export const isPresent = ({ context, event }: GivenEvent): boolean => event.number === context.number;
export const isSooner = (given: GivenEvent): boolean => waitOf(given.context, askedPace(given)) < given.context.waitMs;

// Delays.
export const waitMs = ({ context }: Given): number => context.waitMs;
export const checkTimeout = ({ context }: Given): number => context.settings.timeout;
