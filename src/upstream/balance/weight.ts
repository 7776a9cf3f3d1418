import { OptionError } from '../../errors.js';

/** The greatest weight, as in HAProxy. */
export const WEIGHT_MAX = 256;

export function weightOf(name: string, value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > WEIGHT_MAX) {
    throw new OptionError(name, value, `a whole number from 0 to ${WEIGHT_MAX}; with 0 it gets no new connection`);
  }
  return value as number;
}
