/** Sizes and small type: what the layout measures is what the picture draws. */

export type Icon = 'clock' | 'plug' | 'noPlug' | 'thick';

/** A piece of a line. */
export interface Run {
  readonly text: string;
  readonly className?: string;
  readonly icon?: Icon;
  readonly gap?: boolean;
}

export const NAME_SIZE = 13;
export const LABEL_SIZE = 11;
export const LINE_HEIGHT = 15;
export const ICON_WIDTH = 14;
const GAP = 6;

// Monospaced type can be measured without a font: every usual face is at most this wide per point of its size.
const ADVANCE = 0.605;

export const textWidth = (text: string, size: number): number => [...text].length * size * ADVANCE;

const runWidth = ({ text, icon, gap }: Run): number =>
  (gap ? GAP : 0) + (icon ? ICON_WIDTH : 0) + textWidth(text, LABEL_SIZE);

export const runsWidth = (runs: readonly Run[]): number => runs.reduce((width, run) => width + runWidth(run), 0);

export const round = (value: number): string => String(Math.round(value * 10) / 10);

// XML has no place for control characters, escaped or not.
const CONTROLS = /[\p{Cc}\uFFFE\uFFFF]|\p{Cs}/gu;

export const escaped = (text: string): string =>
  text
    .replace(CONTROLS, '\uFFFD')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');

/** At `x` is its left end, at `y` its middle. The ids of the icons begin with `id`. */
export const drawIcon = (icon: Icon, x: number, y: number, id: string): string =>
  `<use class="${icon}" href="#${id}-${icon}" x="${round(x)}" y="${round(y - 5)}"/>`;

/** A line of small type with its icons. At `x` is its left end, at `y` its middle. The ids of the icons begin with `id`. */
export function drawRuns(runs: readonly Run[], x: number, y: number, id: string): string {
  let end = x;
  return runs
    .map((run) => {
      const { text, className, icon, gap } = run;
      const start = end + (gap ? GAP : 0);
      end += runWidth(run);
      const left = round(start + (icon ? ICON_WIDTH : 0));
      return [
        icon ? drawIcon(icon, start, y, id) : '',
        text ? `<text class="${className ?? 'label'}" x="${left}" y="${round(y + 4)}">${escaped(text)}</text>` : '',
      ].join('');
    })
    .join('');
}
