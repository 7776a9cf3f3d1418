/** Numbers and times as they are read here. Nothing of it depends on the reader's locale, so that two people see the same. */

import { durationText } from '../../src/inspect/words.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (value: number): string => whole.format(value);

/** For badges: exact while there is room. */
export const compact = (value: number): string => (value < 10_000 ? whole.format(value) : short.format(value));

export function rate(perSecond: number): string {
  if (perSecond === 0) return '0';
  if (perSecond < 0.1) return '<0.1';
  return perSecond < 10 ? perSecond.toFixed(1) : compact(Math.round(perSecond));
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

export function bytes(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1000;
    unit++;
  }
  return `${unit === 0 || rest >= 100 ? rest.toFixed(0) : rest.toFixed(1)} ${UNITS[unit]}`;
}

/** Since the start of a history: a first step is at zero. */
export const since = (ms: number): string => (ms < 1 ? '0 ms' : durationText(ms));

const two = (value: number): string => String(value).padStart(2, '0');

/** The time of day, to the second. */
export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The time of day, to the millisecond. */
export const clockMs = (at: number): string =>
  `${clock(at)}.${String(new Date(at).getMilliseconds()).padStart(3, '0')}`;
