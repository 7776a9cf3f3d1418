/** How long ago, and how long still: times of the watched process that go on between two answers of it. */
import { durationText } from '../../src/inspect/words.js';
import { clock } from './format.js';
import { Store, useStore } from './store.js';

/** What time it is there, as far as is known: its clock may be another machine's. */
const processTime = new Store(Date.now());
let ahead: number | undefined;

/** The process has said what time it is. */
export function noteTime(at: number): void {
  const difference = Date.now() - at;
  // What it says takes a moment to come: the least difference is the nearest. A great one: a clock was set.
  if (ahead === undefined || difference < ahead || difference > ahead + 5_000) ahead = difference;
}

window.setInterval(() => {
  processTime.value = Date.now() - (ahead ?? 0);
}, 1_000);

/** To the second: tenths of what goes on cannot be read. */
const whole = (ms: number): string => (ms < 1_000 ? '0 s' : durationText(ms).replace(/\.\d s$/, ' s'));

interface Props {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** For how long, with the time of the day on hover. */
export function Since({ at }: Props) {
  return <time title={clock(at)}>{whole(Math.max(0, useStore(processTime) - at))}</time>;
}

/** In how long. */
export function Until({ at }: Props) {
  const left = at - useStore(processTime);
  return <time title={clock(at)}>{left < 1_000 ? 'now' : `in ${whole(left)}`}</time>;
}
