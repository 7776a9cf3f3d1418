// @ts-check
/** The small type of a picture: what stands on arrows, what the signs mean, and how it is fitted into lines. */
import { holdsSocket } from './model.mjs';
import { DESCRIPTION_SIZE } from './style.mjs';
import { runsWidth, textWidth } from './type.mjs';

/** @typedef {import('./model.mjs').Model} Model */
/** @typedef {import('./plan.mjs').Line} Line */
/** @typedef {import('./type.mjs').Run} Run */

/**
 * The machine's own events are written short: `close` for `backend.close`.
 *
 * @param {string} label
 * @param {string} id
 * @returns {Run}
 */
export const eventRun = (label, id) =>
  label.startsWith(`${id}.`) ? { text: label.slice(id.length + 1), className: 'own' } : { text: label };

/**
 * The lines of an arrow's label. A guard that all of them have is written once, below them.
 *
 * @param {Line[]} lines
 * @param {string} id
 * @returns {Run[][]}
 */
export function labelRuns(lines, id) {
  const guards = new Set(lines.map(({ guard }) => guard));
  const [shared] = guards.size === 1 && lines.length > 1 ? guards : [];
  /** @param {string} guard @returns {Run} */
  const guardRun = (guard) => ({ text: `[${guard}]`, className: 'guard' });
  const rows = lines.map(({ label, timer, guard, socket }) => {
    /** @type {Run[]} */
    const row = [];
    if (label) row.push(timer ? { text: label, icon: 'clock' } : eventRun(label, id));
    if (socket !== undefined) row.push({ text: '', icon: socket ? 'plug' : 'noPlug', gap: true });
    if (guard !== undefined && shared === undefined) row.push({ ...guardRun(guard), gap: row.length > 0 });
    return row.length > 0 ? row : [{ text: 'otherwise' }];
  });
  return shared === undefined ? rows : [...rows, [guardRun(shared)]];
}

/**
 * What the signs in this picture mean; nothing is explained that is not there.
 *
 * @param {Model} model
 * @param {import('./plan.mjs').Plan} plan
 * @returns {Run[][]}
 */
export function legendOf({ id, states }, { edges, notes }) {
  const lines = edges.flatMap((edge) => edge.lines);
  const own = lines.find(({ label }) => label.startsWith(`${id}.`));
  /** @type {[boolean, Run[]][]} */
  const items = [
    [states.some(holdsSocket), [{ text: 'holds a socket', icon: 'plug' }]],
    [
      lines.some(({ socket }) => socket !== undefined),
      [
        { text: 'only if it holds one', icon: 'plug' },
        { text: 'only if it holds none', icon: 'noPlug', gap: true },
      ],
    ],
    [own !== undefined, [{ ...eventRun(own?.label ?? '', id) }, { text: `= ${own?.label}`, gap: true }]],
    [lines.some(({ timer }) => timer) || notes.size > 0, [{ text: 'timer', icon: 'clock' }]],
    [notes.size > 0, [{ text: 'timer / what it does there', icon: 'clock' }]],
    [lines.some(({ guard }) => guard !== undefined), [{ text: '[guard]', className: 'guard' }]],
    [
      edges.some(({ gathered }) => gathered),
      [{ text: 'from every state inside; where to: see the table', icon: 'thick' }],
    ],
  ];
  return items.filter(([used]) => used).map(([, runs]) => runs);
}

/**
 * Fills lines with items.
 *
 * @param {Run[][]} items
 * @param {number} width
 * @returns {Run[][]}
 */
export function flow(items, width) {
  /** @type {Run[][]} */
  const lines = [];
  for (const item of items) {
    const last = lines.at(-1);
    const more = [...(last ?? []), ...(last ? [{ text: '   ' }] : []), ...item];
    if (last && runsWidth(more) <= width) lines[lines.length - 1] = more;
    else lines.push(item);
  }
  return lines;
}

/** @param {string} text @param {number} width @returns {string[]} */
export function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (textWidth(longer, DESCRIPTION_SIZE) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
