/** What the server's machine asks before it takes a transition. */
import { NEVER_MS } from '../vocabulary.js';

import { fullOf, type Given, type GivenEvent, isLoss, marked } from './server.js';

export const isAtFullCredit = ({ context: { health, settings } }: Given): boolean => health === fullOf(settings);
export const isHealthy = ({ context: { health, settings } }: Given): boolean => health >= settings.rise;
export const awaitsCheck = ({ context }: Given): boolean => context.settings.init === 'down';
export const isLastCredit = ({ context: { health, settings } }: Given): boolean => health <= settings.rise;
export const isRisen = ({ context: { health, settings } }: Given): boolean => health + 1 >= settings.rise;
export const isFullAtRise = ({ context }: Given): boolean => context.settings.fall === 1;
export const hasNoAddress = ({ context }: Given): boolean => !context.hasAddress;
const recovers = ({ context: { settings, hasServed } }: Given): boolean => settings.slowStart > 0 && hasServed;
export const risesSlowly = (given: Given): boolean => isRisen(given) && recovers(given);
export const isLastStep = ({ context }: Given): boolean => context.step + 1 >= context.settings.steps;
export const isLastStepAtFullCredit = (given: Given): boolean => isLastStep(given) && isAtFullCredit(given);
export const isUnmendable = ({ event }: GivenEvent): boolean => event.mends !== undefined;

/** As many failures in a row as are a reason to act, this one included; or another process has had as many. */
const isTooMuch = ({ context: { failures, losses, settings }, event }: GivenEvent): boolean =>
  event.verdict !== undefined || (isLoss(event) ? losses : failures) + 1 >= settings.failures;
export const ejects = (given: GivenEvent): boolean =>
  given.context.settings.onError === 'eject' && given.event.mayEject === true && isTooMuch(given);
export const isMarked = (given: GivenEvent): boolean => given.context.settings.onError !== 'eject' && isTooMuch(given);
export const isMarkedDown = (given: GivenEvent): boolean =>
  isMarked(given) && marked(given.context) < given.context.settings.rise;
export const isMarkedSuspect = (given: GivenEvent): boolean =>
  isMarked(given) && marked(given.context) < fullOf(given.context.settings);
export const maySpare = ({ event }: GivenEvent): boolean => event.mayEject === true;

/** Only time ends the ejection of a server that accepts connections and loses them. */
export const proves = ({ context }: Given): boolean => !context.loses;
export const provesSlowly = (given: Given): boolean => proves(given) && recovers(given);
export const provesAtFullCredit = (given: Given): boolean => proves(given) && isAtFullCredit(given);
/** A check that passes is a trial that costs no client. */
export const passes = (given: Given): boolean => proves(given) && isRisen(given);
export const passesSlowly = (given: Given): boolean => passes(given) && recovers(given);
export const isDoubted = (given: Given): boolean => given.context.isDoubted && isHealthy(given);
export const isExcludedForGood = ({ context }: Given): boolean => context.isDoubted && context.restMs === NEVER_MS;
export const isDeadline = ({ event }: GivenEvent): boolean => event.deliver === true;
