/**
 * Draws a machine: same machine in, same bytes out.
 *
 * Every state's group has `data-state`, every arrow's has `data-from`, `data-to` and `data-event`, so that a live page
 * can light them up. An arrow may stand for several transitions: then `data-event` lists the events, separated by
 * spaces, and the real source and target may be inside `data-from` and `data-to`.
 */
import { flow, labelRuns, legendOf, noteRuns, wrap } from './labels.js';
import { type Arrow, type Box, layout, MARGIN, PAD, type Point } from './layout.js';
import { holdsSocket, type Model, type State } from './model.js';
import { plan } from './plan.js';
import { definitions, HEAD, STYLE } from './style.js';
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
} from './type.js';

const NAME_HEIGHT = 30;
const LEAF_WIDTH_MIN = 76;
const TITLE_HEIGHT = 34;
const LABEL_PAD = 6;
const HEADING = 46;
const HEADING_SIZE = 20;
const TEXT_WIDTH_MIN = 320;
const LEGEND_HEIGHT = 20;

/** @throws NotSupportedError where elkjs is not installed */
export async function svg(model: Model): Promise<string> {
  const id = model.id.replace(/[^\p{L}\p{N}_-]+/gu, '-');
  const drawing = plan(model);
  const notesOf = (state: State) => noteRuns(drawing.notes.get(state), model.id);

  const { boxes, titles, arrows, markers, ...chart } = await layout(
    model,
    drawing,
    (state) => {
      const notes = notesOf(state);
      const width = Math.max(nameWidth(state), ...notes.map(runsWidth)) + 2 * PAD;
      return state.children.length > 0
        ? { width, height: TITLE_HEIGHT + notes.length * LINE_HEIGHT }
        : { width: Math.max(width, LEAF_WIDTH_MIN), height: NAME_HEIGHT + notes.length * (LINE_HEIGHT + 1) };
    },
    ({ lines }) => {
      const runs = labelRuns(lines, model.id);
      return {
        width: Math.max(...runs.map(runsWidth)) + 2 * LABEL_PAD,
        height: runs.length * LINE_HEIGHT + 4,
      };
    },
  );

  const drawState = (state: State) => {
    const box = boxes.get(state) as Box;
    const title = titles.get(state);
    const x = title?.x ?? box.x + (box.width - nameWidth(state)) / 2;
    const y = title?.y ?? box.y + NAME_HEIGHT / 2;
    const holds = holdsSocket(state);
    return [
      `<g class="state ${classOf(state)}" data-state="${escaped(state.path)}">`,
      `<title>${escaped([state.path || model.id, state.description].filter(Boolean).join(': '))}</title>`,
      `<rect x="${round(box.x)}" y="${round(box.y)}" width="${round(box.width)}" height="${round(box.height)}" rx="8"${dashes(state)}/>`,
      ...(state.kind === 'final' ? [innerBorder(box)] : []),
      ...(holds ? [drawIcon('plug', x, y, id)] : []),
      `<text class="name" x="${round(x + (holds ? ICON_WIDTH + 4 : 0))}" y="${round(y + 4.5)}">${escaped(nameOf(state))}</text>`,
      ...notesOf(state).map((runs, index) =>
        drawRuns(runs, title?.x ?? box.x + (box.width - runsWidth(runs)) / 2, y + 17 + index * LINE_HEIGHT, id),
      ),
      '</g>',
    ];
  };

  const drawArrow = ({ edge: { from, to, gathered, lines, events }, points, label }: Arrow) => [
    `<g class="edge${gathered ? ' gathered' : ''}" data-from="${escaped(from.path)}" data-to="${escaped(to.path)}" data-event="${escaped(events.join(' '))}">`,
    `<path d="${pathOf(points)}" marker-end="url(#${id}-arrow)"/>`,
    `<rect x="${round(label.x)}" y="${round(label.y)}" width="${round(label.width)}" height="${round(label.height)}" rx="6"/>`,
    ...labelRuns(lines, model.id).map((runs, index) =>
      drawRuns(runs, label.x + LABEL_PAD, label.y + 2 + LINE_HEIGHT * (index + 0.5), id),
    ),
    '</g>',
  ];

  const items = legendOf(model, drawing);
  const needed = Math.max(TEXT_WIDTH_MIN, textWidth(model.id, HEADING_SIZE), ...items.map(runsWidth));
  const width = Math.max(chart.width, Math.ceil(needed) + 2 * MARGIN);
  const heading = model.description === '' ? [] : wrap(model.description, width - 2 * MARGIN);
  const legend = flow(items, width - 2 * MARGIN);
  const top = HEADING + heading.length * LINE_HEIGHT;
  const bottom = top + chart.height;
  const total = bottom + legend.length * LEGEND_HEIGHT + MARGIN / 2;
  const compounds = drawing.boxes.filter(({ children }) => children.length > 0);
  const leaves = drawing.boxes.filter(({ children }) => children.length === 0);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" class="statechart" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${escaped(`Statechart of ${model.id}`)}</title>`,
    `<desc id="${id}-desc">${escaped(`${model.description} States: ${leaves.map(({ path }) => path).join(', ')}.`.trim())}</desc>`,
    `<style>${STYLE}</style>`,
    definitions(id),
    `<rect class="card" x=".5" y=".5" width="${width - 1}" height="${total - 1}" rx="12"/>`,
    `<text class="heading" x="${MARGIN}" y="36">${escaped(model.id)}</text>`,
    ...heading.map(
      (text, index) =>
        `<text class="description" x="${MARGIN}" y="${57 + index * LINE_HEIGHT}">${escaped(text)}</text>`,
    ),
    `<g transform="translate(${round((width - chart.width) / 2)} ${top})">`,
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

const nameOf = ({ kind, name }: State): string => (kind === 'history' ? `${name} (history)` : name);

const nameWidth = (state: State): number =>
  textWidth(nameOf(state), NAME_SIZE) + (holdsSocket(state) ? ICON_WIDTH + 4 : 0);

const classOf = ({ kind }: State): string => (kind === 'parallel' ? 'compound parallel' : kind);

/** The border of a region. */
const dashes = ({ parent }: State): string => (parent?.kind === 'parallel' ? ' stroke-dasharray="6 4"' : '');

/** A final state has a double border. */
const innerBorder = ({ x, y, width, height }: Box): string =>
  `<rect class="inner" x="${round(x + 3)}" y="${round(y + 3)}" width="${round(width - 6)}" height="${round(height - 6)}" rx="5.5"/>`;

/** A line with rounded corners. */
function pathOf(points: readonly Point[]): string {
  const [first, ...rest] = points as [Point, ...Point[]];
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

const distance = (a: Point, b: Point): number => Math.hypot(b.x - a.x, b.y - a.y);

function towards(from: Point, to: Point, length: number): Point {
  const share = distance(from, to) === 0 ? 0 : length / distance(from, to);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
