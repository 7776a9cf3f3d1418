// @ts-check
/**
 * Draws a machine: same machine in, same bytes out.
 *
 * Every state's group has `data-state`, every arrow's has `data-from`, `data-to` and `data-event`, so that a live page
 * can light them up. An arrow may stand for several transitions: then `data-event` lists the events, separated by
 * spaces, and the real source and target may be inside `data-from` and `data-to`.
 */
import { eventRun, flow, labelRuns, legendOf, wrap } from './labels.mjs';
import { layout, MARGIN, PAD } from './layout.mjs';
import { holdsSocket } from './model.mjs';
import { plan } from './plan.mjs';
import { definitions, HEAD, STYLE } from './style.mjs';
import {
  drawIcon,
  drawRuns,
  escaped,
  ICON_WIDTH,
  LINE_HEIGHT,
  NAME_SIZE,
  round,
  runsWidth,
  textWidth,
} from './type.mjs';

/** @typedef {import('./model.mjs').Model} Model */
/** @typedef {import('./model.mjs').State} State */
/** @typedef {import('./plan.mjs').Edge} Edge */
/** @typedef {import('./layout.mjs').Point} Point */
/** @typedef {import('./type.mjs').Run} Run */

const NAME_HEIGHT = 30;
const LEAF_WIDTH_MIN = 76;
const TITLE_HEIGHT = 34;
const LABEL_PAD = 6;
const HEADING = 46;
const LEGEND_HEIGHT = 20;

/**
 * @param {Model} model
 * @returns {Promise<string>}
 */
export async function svg(model) {
  const { id } = model;
  const drawing = plan(model);

  /** @param {State} state @returns {Run[][]} */
  const notesOf = (state) =>
    (drawing.notes.get(state) ?? []).map(({ label, effect }) => [
      { text: label, icon: 'clock' },
      { text: '/', gap: true },
      { ...eventRun(effect, id), gap: true },
    ]);

  const { width, height, boxes, titles, arrows, markers } = await layout(
    model,
    drawing,
    (state) => {
      const notes = notesOf(state);
      const width = Math.max(nameWidth(state), ...notes.map(runsWidth)) + 2 * PAD;
      return state.kind === 'compound'
        ? { width, height: TITLE_HEIGHT + notes.length * LINE_HEIGHT }
        : { width: Math.max(width, LEAF_WIDTH_MIN), height: NAME_HEIGHT + notes.length * (LINE_HEIGHT + 1) };
    },
    ({ lines }) => {
      const runs = labelRuns(lines, id);
      return {
        width: Math.max(...runs.map(runsWidth)) + 2 * LABEL_PAD,
        height: runs.length * LINE_HEIGHT + 4,
      };
    },
  );

  /** @param {State} state */
  const drawState = (state) => {
    const box = /** @type {import('./layout.mjs').Box} */ (boxes.get(state));
    const title = titles.get(state);
    const x = title?.x ?? box.x + (box.width - nameWidth(state)) / 2;
    const y = title?.y ?? box.y + NAME_HEIGHT / 2;
    const holds = holdsSocket(state);
    return [
      `<g class="state ${state.kind}" data-state="${state.path}">`,
      `<title>${escaped(`${state.path}: ${state.description}`)}</title>`,
      `<rect x="${round(box.x)}" y="${round(box.y)}" width="${round(box.width)}" height="${round(box.height)}" rx="8"/>`,
      ...(state.kind === 'final' ? [innerBorder(box)] : []),
      ...(holds ? [drawIcon('plug', x, y, id)] : []),
      `<text class="name" x="${round(x + (holds ? ICON_WIDTH + 4 : 0))}" y="${round(y + 4.5)}">${escaped(state.name)}</text>`,
      ...notesOf(state).map((runs, index) =>
        drawRuns(runs, title?.x ?? box.x + (box.width - runsWidth(runs)) / 2, y + 17 + index * LINE_HEIGHT, id),
      ),
      '</g>',
    ];
  };

  /** @param {import('./layout.mjs').Layout['arrows'][number]} arrow */
  const drawArrow = ({ edge: { from, to, gathered, lines, events }, points, label }) => [
    `<g class="edge${gathered ? ' gathered' : ''}" data-from="${from.path}" data-to="${to.path}" data-event="${escaped(events.join(' '))}">`,
    `<path d="${pathOf(points)}" marker-end="url(#${id}-arrow)"/>`,
    `<rect x="${round(label.x)}" y="${round(label.y)}" width="${round(label.width)}" height="${round(label.height)}" rx="6"/>`,
    ...labelRuns(lines, id).map((runs, index) =>
      drawRuns(runs, label.x + LABEL_PAD, label.y + 2 + LINE_HEIGHT * (index + 0.5), id),
    ),
    '</g>',
  ];

  const heading = wrap(model.description, width - 2 * MARGIN);
  const legend = flow(legendOf(model, drawing), width - 2 * MARGIN);
  const top = HEADING + heading.length * LINE_HEIGHT;
  const bottom = top + height;
  const total = bottom + legend.length * LEGEND_HEIGHT + MARGIN / 2;
  const compounds = model.states.filter(({ kind }) => kind === 'compound');
  const leaves = model.states.filter(({ kind }) => kind !== 'compound');
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" class="statechart" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${escaped(`Statechart of ${id}`)}</title>`,
    `<desc id="${id}-desc">${escaped(`${model.description} States: ${leaves.map(({ path }) => path).join(', ')}.`)}</desc>`,
    `<style>${STYLE}</style>`,
    definitions(id),
    `<rect class="card" x=".5" y=".5" width="${width - 1}" height="${total - 1}" rx="12"/>`,
    `<text class="heading" x="${MARGIN}" y="36">${escaped(id)}</text>`,
    ...heading.map(
      (text, index) =>
        `<text class="description" x="${MARGIN}" y="${57 + index * LINE_HEIGHT}">${escaped(text)}</text>`,
    ),
    `<g transform="translate(0 ${top})">`,
    ...compounds.flatMap(drawState),
    ...markers.map(
      ({ center, points }) =>
        `<g class="initial"><circle cx="${round(center.x)}" cy="${round(center.y)}" r="5"/><path d="${pathOf(points)}" marker-end="url(#${id}-arrow)"/></g>`,
    ),
    ...arrows.flatMap(drawArrow),
    ...leaves.flatMap(drawState),
    '</g>',
    ...legend.map((runs, index) => drawRuns(runs, MARGIN, bottom + (index + 0.5) * LEGEND_HEIGHT, id)),
    '</svg>',
  ].join('\n')}\n`;
}

/** @param {State} state */
const nameWidth = (state) => textWidth(state.name, NAME_SIZE) + (holdsSocket(state) ? ICON_WIDTH + 4 : 0);

/** @param {import('./layout.mjs').Box} box of a final state: it has a double border */
const innerBorder = ({ x, y, width, height }) =>
  `<rect class="inner" x="${round(x + 3)}" y="${round(y + 3)}" width="${round(width - 6)}" height="${round(height - 6)}" rx="5.5"/>`;

/**
 * A line with rounded corners.
 *
 * @param {Point[]} points
 */
function pathOf(points) {
  const [first, ...rest] = /** @type {[Point, ...Point[]]} */ (points);
  let d = `M${round(first.x)} ${round(first.y)}`;
  let last = first;
  rest.forEach((corner, index) => {
    const next = rest[index + 1];
    if (next === undefined) {
      d += `L${round(corner.x)} ${round(corner.y)}`;
      return;
    }
    // The head of the arrow stays on a straight piece.
    const room = rest[index + 2] === undefined ? distance(corner, next) - HEAD : distance(corner, next) / 2;
    const radius = Math.max(0, Math.min(6, distance(last, corner) / 2, room));
    const before = towards(corner, last, radius);
    const after = towards(corner, next, radius);
    d += `L${round(before.x)} ${round(before.y)}Q${round(corner.x)} ${round(corner.y)} ${round(after.x)} ${round(after.y)}`;
    last = corner;
  });
  return d;
}

/** @param {Point} a @param {Point} b */
const distance = (a, b) => Math.hypot(b.x - a.x, b.y - a.y);

/** @param {Point} from @param {Point} to @param {number} length */
function towards(from, to, length) {
  const share = distance(from, to) === 0 ? 0 : length / distance(from, to);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
