/** The last checks of a server: a row of bars, which says in words what it shows. */
import type { CheckInfo } from '../../src/inspect/protocol.js';
import { checkWords } from '../../src/inspect/words.js';
import { clock, count } from './format.js';

const BAR = 5;
const HEIGHT = 14;
const PLACES = 20;

/** `passed`: a low bar; what did not pass is as high as the row. */
const HEIGHTS: Readonly<Record<string, number>> = { passed: 7, undecided: 11, failed: HEIGHT };

const wordsOf = ([at, result, tookMs, why]: CheckInfo): string => `${clock(at)} ${checkWords(result, tookMs, why)}`;

/** How the last ones ended, in short. */
function summary(checks: readonly CheckInfo[]): string {
  const last = checks.at(-1);
  if (last === undefined) return 'not checked yet';
  const failed = checks.filter(([, result]) => result === 'failed').length;
  const passed = checks.filter(([, result]) => result === 'passed').length;
  return `last ${count(checks.length)} checks: ${count(passed)} passed, ${count(failed)} failed; the last one: ${wordsOf(last)}`;
}

export function CheckBars({ checks }: { readonly checks: readonly CheckInfo[] }) {
  const words = summary(checks);
  // The newest one is always at the same place.
  const first = PLACES - checks.length;
  return (
    <svg class="checks" width={PLACES * BAR} height={HEIGHT} role="img" aria-label={words}>
      <title>{words}</title>
      {checks.map((check, index) => {
        const [at, result] = check;
        const height = HEIGHTS[result] ?? HEIGHT;
        return (
          <rect
            key={at}
            class={result}
            x={(first + index) * BAR}
            y={HEIGHT - height}
            width={BAR - 1}
            height={height}
            rx={1}
          >
            <title>{wordsOf(check)}</title>
          </rect>
        );
      })}
    </svg>
  );
}

/** The same as text, the newest one first. */
export function CheckList({ checks }: { readonly checks: readonly CheckInfo[] }) {
  return (
    <ol class="check-list" aria-label="Checks, newest first">
      {checks.toReversed().map(([at, result, tookMs, why]) => (
        <li key={at} class={result}>
          <time>{clock(at)}</time> <span>{checkWords(result, tookMs, why)}</span>
        </li>
      ))}
    </ol>
  );
}
