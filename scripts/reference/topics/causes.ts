/**
 * Why something happened, and how it ended: the payload of events, and the outcome of every handle.
 *
 * @module
 */
export type { Cause, Ending, Initiator, Leg, Manner, Means, NameAnswer, Outcome, Phase, Report } from 'sockchart';
