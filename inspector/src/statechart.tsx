import { useEffect, useRef, useState } from 'preact/hooks';
import { ChartTable } from './chart-table.js';
import { Drawing, load, type Marks } from './drawing.js';
import { count } from './format.js';
import { about } from './live.js';
import { useStore } from './store.js';

const SCALE_MIN = 0.75;
/** How large a badge is, next to a drawing that is shown in its own size; larger would hide what is next to it. */
const BADGE_SCALE = 0.85;
const BADGE_ZOOM_MAX = 2.6;

interface Props extends Marks {
  readonly machine: string;
  /** As large as it is drawn, and scrolled; else as wide as there is room. */
  readonly isLarge?: boolean;
}

/** The drawing of a machine with what happens in it, and its counts in words for whoever cannot see it. */
export function Statechart({ machine, isLarge = false, ...marks }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [drawing, setDrawing] = useState<Drawing>();
  const [problem, setProblem] = useState('');
  const known = useStore(about);
  const hasServer = known !== undefined;
  const isOwn = known?.own.includes(machine) === true;

  useEffect(() => {
    let isWanted = true;
    setDrawing(undefined);
    setProblem('');
    load(machine, hasServer).then(
      (svg) => {
        if (!isWanted) return;
        setProblem(svg === undefined ? `There is no drawing of ${machine}.` : '');
        if (svg === undefined) return;
        const next = new Drawing(svg);
        // In its own size if there is room, else smaller, but not so small that it cannot be read.
        const { width } = next;
        if (isLarge) svg.style.width = `min(${width}px, max(100%, ${Math.round(width * SCALE_MIN)}px))`;
        frame.current?.replaceChildren(svg);
        setDrawing(next);
      },
      (error: Error) => isWanted && setProblem(`There is no drawing of ${machine}: ${error.message}`),
    );
    return () => {
      isWanted = false;
    };
  }, [machine, hasServer, isLarge]);

  useEffect(() => drawing?.show(marks));

  useEffect(() => {
    if (drawing === undefined) return;
    const measure = (): void => {
      const { width, height } = drawing.svg.getBoundingClientRect();
      const scale = Math.min(width / drawing.width, height / drawing.height);
      if (scale > 0) drawing.setZoom(Math.min(BADGE_ZOOM_MAX, Math.max(1, BADGE_SCALE / scale)));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(drawing.svg);
    return () => observer.disconnect();
  }, [drawing]);

  // A small part of a large drawing is seen: let it be the part where something is.
  useEffect(() => {
    if (drawing === undefined || !isLarge || marks.current === undefined) return;
    const state = drawing.svg.querySelector('g.state.leaf.current, g.state.final.current');
    if (state !== null && frame.current !== null) center(frame.current, state);
  }, [drawing, isLarge, marks.current]);

  const occupied = Object.entries(marks.counts ?? {}).filter(([, instances]) => instances > 0);
  return (
    <div class={isLarge ? 'chart large' : 'chart'}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section class="frame" ref={frame} tabIndex={0} aria-label={`Statechart of ${machine}`} />
      {isOwn && drawing === undefined && problem === '' && <p class="note">The picture is being drawn…</p>}
      {problem !== '' && (
        <>
          <p class="note">{problem}</p>
          <ChartTable machine={machine} {...marks} />
        </>
      )}
      {marks.counts !== undefined && (
        <ul class="sr-only" aria-label={`States of ${machine}`}>
          {occupied.map(([state, instances]) => (
            <li key={state}>
              {state}: {count(instances)}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function center(frame: HTMLElement, element: Element): void {
  const [outer, inner] = [frame.getBoundingClientRect(), element.getBoundingClientRect()];
  frame.scrollBy(
    inner.x + inner.width / 2 - outer.x - outer.width / 2,
    inner.y + inner.height / 2 - outer.y - outer.height / 2,
  );
}
