import { useState } from 'preact/hooks';
import type { Second } from '../../src/inspect/protocol.js';
import { clock, count } from './format.js';

const WIDTH = 600;
const HEIGHT = 90;

const SERIES = [
  ['accepted', 'accepted'],
  ['closed', 'closed'],
  ['retried', 'retried'],
  ['failedOver', 'failed over'],
  ['dropped', 'dropped'],
] as const;

type Value = (second: Second) => number;

const most = (seconds: readonly Second[], values: readonly Value[]): number =>
  Math.max(1, ...seconds.map((second) => Math.max(...values.map((value) => value(second)))));

/** The last minutes: how many lived, and what happened in each second. */
export function TimeLine({ seconds }: { readonly seconds: readonly Second[] }) {
  const [at, setAt] = useState<number>();
  const last = seconds.at(-1);
  const shown = (at === undefined ? undefined : seconds[Math.min(at, seconds.length - 1)]) ?? last;
  if (shown === undefined || last === undefined) return <p class="note">Nothing has been counted yet.</p>;

  const step = WIDTH / Math.max(1, seconds.length - 1);
  const liveMost = most(seconds, [({ live }) => live]);
  const values = SERIES.map(
    ([name]): Value =>
      (second) =>
        second[name],
  );
  const eventsMost = most(seconds, values);
  const path = (value: Value, top: number): string =>
    seconds
      .map((second, index) => `${index === 0 ? 'M' : 'L'}${(index * step).toFixed(1)} ${y(value(second), top)}`)
      .join('');
  const live = path((second) => second.live, liveMost);
  const point = (event: PointerEvent): void => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    setAt(Math.round(((event.clientX - left) / width) * (seconds.length - 1)));
  };
  return (
    <div class="timeline" onPointerMove={point} onPointerLeave={() => setAt(undefined)}>
      <div class="plot">
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Connections alive over ${seconds.length} seconds: ${count(last.live)} now, ${count(liveMost)} at most`}
        >
          <path class="area" d={`${live}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
          <path class="line live" d={live} />
          {at !== undefined && <path class="cursor" d={`M${at * step} 0V${HEIGHT}`} />}
        </svg>
        <span class="most">{count(liveMost)}</span>
        <span class="what">alive</span>
      </div>
      <div class="plot">
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`What happened each second: ${SERIES.map(([name, text]) => `${count(last[name])} ${text}`).join(', ')} in the last`}
        >
          {SERIES.map(([name], index) => (
            <path key={name} class={`line ${name}`} d={path(values[index] as Value, eventsMost)} />
          ))}
          {at !== undefined && <path class="cursor" d={`M${at * step} 0V${HEIGHT}`} />}
        </svg>
        <span class="most">{count(eventsMost)}</span>
        <span class="what">per second</span>
      </div>
      <p class="legend">
        <time>{clock(shown.at)}</time>
        <span class="key live">alive {count(shown.live)}</span>
        {SERIES.map(([name, text]) => (
          <span key={name} class={`key ${name}`}>
            {text} {count(shown[name])}
          </span>
        ))}
      </p>
    </div>
  );
}

const y = (value: number, top: number): string => (HEIGHT - 1.5 - (value / top) * (HEIGHT - 4)).toFixed(1);
