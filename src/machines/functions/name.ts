/** Events, commands and context of the machine of a name, and its functions. */
import type { NAME_LIMITS, SettingsOf } from '../limits.js';
import { type Cause, type Ending, NEVER_MS, type Outcome, type Report } from '../vocabulary.js';

/** Why a look-up brought no answer: no such name, refused, no answer in time, or anything else. */
export type LookupFailure = 'nx' | 'refused' | 'timeout' | 'other';

/** How long the last good answer counts while look-ups fail, in milliseconds, by why they fail. */
export type HoldSettings = Readonly<Record<LookupFailure, number>>;

/** What one name is told. */
export interface NameSettings
  extends Pick<SettingsOf<typeof NAME_LIMITS>, 'interval' | 'failureInterval' | 'timeout' | 'tries'> {
  /** The part of an interval, from 0 to 0.5, that is random in both directions. */
  readonly spread: number;
  readonly hold: HoldSettings;
}

export interface NameInput {
  readonly settings: NameSettings;
}

export interface NameContext {
  readonly settings: NameSettings;
  /** Look-ups so far: the number of the last one. */
  number: number;
  /** Look-ups in a row that were not answered in time. */
  tries: number;
  /** Why the last look-up failed; nothing if it was answered. */
  failure: LookupFailure | undefined;
  /** For how long the last answer is good, as the answer says. */
  ttlMs: number;
  /** It was neither answered nor has failed yet. */
  isUnanswered: boolean;
  /** The name has addresses: those of the last good answer. */
  hasAddresses: boolean;
  /** How long the next look-up is waited for. */
  waitMs: number;
  /** How long the last good answer still counts. */
  holdMs: number;
  /** Why the last look-up failed, or why the name is over; undefined at first. */
  cause: Cause | undefined;
}

export type NameEvent =
  /** The first look-up follows at once. */
  | { type: 'name.start' }
  /** The name has addresses, or is said to have none. `ttlMs`: for how long the answer is good, as far as it says so. */
  | { type: 'lookup.answered'; number: number; ttlMs: number; isEmpty: boolean }
  /** There is no answer, for this reason. */
  | { type: 'lookup.failed'; number: number; failure: LookupFailure; cause: Report }
  /** The answer to `wait.choose`: a number from 0 to 1, and how long ago the last good answer came. */
  | { type: 'wait.chosen'; random: number; ageMs: number }
  /** The owner wants it looked up now. */
  | { type: 'name.refresh' }
  /** The owner wants it looked up no more. */
  | { type: 'name.close'; cause?: Report }
  | { type: 'name.abort'; cause?: Report };

export type NameCommand =
  /** Look the name up, and report `lookup.answered` or `lookup.failed` with this number. */
  | { type: 'lookup.run'; number: number }
  /** What becomes of this look-up matters no more. */
  | { type: 'lookup.cancel'; number: number }
  /** Choose the random part of the wait, and say how old the last good answer is; answered by `wait.chosen`. */
  | { type: 'wait.choose' }
  /** The servers are those of this answer. */
  | { type: 'servers.update' }
  /** The last good answer counts no longer. */
  | { type: 'servers.lose'; cause: Cause }
  /** A look-up has failed. */
  | { type: 'owner.failed'; cause: Cause };

interface Given {
  readonly context: NameContext;
}

interface GivenEvent extends Given {
  readonly event: {
    readonly type: string;
    readonly number?: number;
    readonly ttlMs?: number;
    readonly isEmpty?: boolean;
    readonly failure?: LookupFailure;
    readonly random?: number;
    readonly ageMs?: number;
  };
}

export const startOf = ({ input: { settings } }: { readonly input: NameInput }): NameContext => ({
  settings,
  number: 0,
  tries: 0,
  failure: undefined,
  ttlMs: 0,
  isUnanswered: true,
  hasAddresses: false,
  waitMs: 0,
  holdMs: 0,
  cause: undefined,
});

/** A look-up sends nothing that could be lost. */
export const outcomeOf = ({ context, event }: Given & { readonly event: { readonly output?: unknown } }): Outcome => ({
  ending: event.output as Ending,
  cause: context.cause as Cause,
  flushed: true,
});

// Context.
export const nextNumber = ({ context }: Given): number => context.number + 1;
export const nextTry = ({ context }: Given): number => context.tries + 1;
export const toldFailure = ({ event }: GivenEvent): LookupFailure | undefined => event.failure;
export const toldTtl = ({ event }: GivenEvent): number => event.ttlMs ?? 0;
export const toldAddresses = ({ event }: GivenEvent): boolean => event.isEmpty !== true;

/** An answer is good for as long as it says, and no name is asked for before that; the random part makes it longer. */
export const chosenWait = ({ context: { settings, failure, ttlMs }, event: { random = 0.5 } }: GivenEvent): number => {
  const { interval, failureInterval, spread } = settings;
  const waitMs = (failure === undefined ? interval : failureInterval) * (1 + spread * (2 * random - 1));
  return Math.min(NEVER_MS, Math.max(1, Math.round(waitMs), Math.round(ttlMs * (1 + spread * random))));
};

const heldMs = ({ context: { settings, failure }, event: { ageMs = 0 } }: GivenEvent): number => {
  const holdMs = failure === undefined ? NEVER_MS : settings.hold[failure];
  return holdMs === NEVER_MS ? NEVER_MS : holdMs - ageMs;
};
export const leftToHold = (given: GivenEvent): number => Math.max(1, heldMs(given));

// Commands.
export const run = ({ context }: Given): NameCommand => ({ type: 'lookup.run', number: context.number });
export const cancel = ({ context }: Given): NameCommand => ({ type: 'lookup.cancel', number: context.number });
export const lose = ({ context }: Given): NameCommand => ({ type: 'servers.lose', cause: context.cause as Cause });
export const tellFailed = ({ context }: Given): NameCommand => ({
  type: 'owner.failed',
  cause: context.cause as Cause,
});

// Guards.
export const isPresent = ({ context, event }: GivenEvent): boolean => event.number === context.number;
export const mayTryAgain = ({ context: { tries, settings } }: Given): boolean => tries < settings.tries;
/** Only a look-up that is not answered in time is worth another try at once, as in HAProxy. */
export const isTriedAgain = (given: GivenEvent): boolean =>
  isPresent(given) && given.event.failure === 'timeout' && mayTryAgain(given);
export const isFresh = ({ context }: Given): boolean => context.failure === undefined && context.hasAddresses;
export const isHeld = (given: GivenEvent): boolean => given.context.hasAddresses && heldMs(given) > 0;
export const isKnown = ({ context }: Given): boolean => context.hasAddresses;

// Delays.
export const waitMs = ({ context }: Given): number => context.waitMs;
export const holdMs = ({ context }: Given): number => context.holdMs;
export const lookupTimeout = ({ context }: Given): number => context.settings.timeout;
