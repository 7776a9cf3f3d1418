// @ts-check
/** Sizes and small type: what the layout measures is what the picture draws. */

/** @typedef {'clock' | 'plug' | 'noPlug' | 'thick'} Icon */
/** @typedef {{ text: string, className?: string, icon?: Icon, gap?: boolean }} Run a piece of a line */

export const NAME_SIZE = 13;
export const LABEL_SIZE = 11;
export const LINE_HEIGHT = 15;
export const ICON_WIDTH = 14;
const GAP = 6;

// Monospaced type can be measured without a font: every usual face is at most this wide per point of its size.
const ADVANCE = 0.605;

/** @param {string} text @param {number} size */
export const textWidth = (text, size) => [...text].length * size * ADVANCE;

/** @param {Run} run */
const runWidth = ({ text, icon, gap }) => (gap ? GAP : 0) + (icon ? ICON_WIDTH : 0) + textWidth(text, LABEL_SIZE);

/** @param {Run[]} runs */
export const runsWidth = (runs) => runs.reduce((width, run) => width + runWidth(run), 0);

/** @param {number} value */
export const round = (value) => String(Math.round(value * 10) / 10);

/** @param {string} text */
export const escaped = (text) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/**
 * @param {Icon} icon
 * @param {number} x its left end
 * @param {number} y its middle
 * @param {string} id prefix of the icons' ids
 */
export const drawIcon = (icon, x, y, id) =>
  `<use class="${icon}" href="#${id}-${icon}" x="${round(x)}" y="${round(y - 5)}"/>`;

/**
 * A line of small type with its icons.
 *
 * @param {Run[]} runs
 * @param {number} x its left end
 * @param {number} y its middle
 * @param {string} id prefix of the icons' ids
 */
export function drawRuns(runs, x, y, id) {
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
