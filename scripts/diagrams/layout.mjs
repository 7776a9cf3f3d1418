// @ts-check
/** Finds a place for every state, arrow and label. ELK does the work; the tidiest of several of its answers is kept. */
import ELK from 'elkjs/lib/elk.bundled.js';
import { backEdges } from './order.mjs';

// The types of elkjs describe a default export that Node does not make of it.
const elk = new /** @type {new () => import('elkjs/lib/elk-api.js').ELK} */ (/** @type {unknown} */ (ELK))();

/** @typedef {import('./model.mjs').Model} Model */
/** @typedef {import('./model.mjs').State} State */
/** @typedef {import('./plan.mjs').Edge} Edge */
/** @typedef {import('./plan.mjs').Plan} Plan */
/** @typedef {{ x: number, y: number }} Point */
/** @typedef {[Point, Point]} Segment */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box */
/** @typedef {{ width: number, height: number }} Size for a compound: of its title */

/**
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {Map<State, Box>} boxes
 * @property {Map<State, Point>} titles of compounds: the middle of the left end, clear of arrows where there is room
 * @property {{ edge: Edge, points: Point[], label: Box }[]} arrows
 * @property {{ center: Point, points: Point[] }[]} markers of initial states
 */

export const PAD = 14;
export const MARGIN = 20;
export const DOT = 12;

const OPTIONS = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.spacing.nodeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeNodeBetweenLayers': '13',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '9',
  'elk.spacing.nodeNode': '16',
  'elk.spacing.edgeNode': '12',
  'elk.spacing.edgeEdge': '10',
  'elk.spacing.edgeLabel': '4',
};

const FIRST = { 'elk.layered.layering.layerConstraint': 'FIRST' };
const LAST = { 'elk.layered.layering.layerConstraint': 'LAST' };

const SEEDS = 16;

/** A bend this short looks like a mistake; arrows keep twice this distance from each other. */
const JOG = 5;

/**
 * @param {Model} model
 * @param {Plan} plan
 * @param {(state: State) => Size} stateSize
 * @param {(edge: Edge) => Size} labelSize
 * @returns {Promise<Layout>}
 */
export async function layout(model, plan, stateSize, labelSize) {
  /** @type {Set<State>} compounds that get room for their title beside the arrows that enter from above */
  const roomy = new Set();
  for (;;) {
    const { layout, hidden } = await tidiest((options) => graphOf(model, plan, stateSize, labelSize, roomy, options));
    const more = hidden.filter((state) => !roomy.has(state));
    if (more.length === 0) return layout;
    for (const state of more) roomy.add(state);
  }

  /** @param {(options: Record<string, string>) => import('elkjs/lib/elk-api.js').ElkNode} graph */
  async function tidiest(graph) {
    /** @type {ReturnType<typeof read>[]} */
    const found = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      for (const straight of ['true', 'false']) {
        const laid = await elk.layout(
          graph({
            ...OPTIONS,
            'elk.randomSeed': String(seed),
            'elk.layered.nodePlacement.favorStraightEdges': straight,
          }),
        );
        found.push(read(model, plan, stateSize, laid));
      }
    }
    return found.reduce((best, next) => (next.cost < best.cost ? next : best));
  }
}

/**
 * @param {Model} model
 * @param {Plan} plan
 * @param {(state: State) => Size} stateSize
 * @param {(edge: Edge) => Size} labelSize
 * @param {Set<State>} roomy
 * @param {Record<string, string>} options
 * @returns {import('elkjs/lib/elk-api.js').ElkNode}
 */
function graphOf(model, { edges, initials }, stateSize, labelSize, roomy, options) {
  const upward = backEdges(model, edges);

  /** @param {State} state @returns {import('elkjs/lib/elk-api.js').ElkNode} */
  const nodeOf = (state) => {
    const { width, height } = stateSize(state);
    if (state.kind !== 'compound') {
      return { id: state.path, width, height, ...(state.kind === 'final' && { layoutOptions: LAST }) };
    }
    return {
      id: state.path,
      children: childrenOf(state),
      layoutOptions: {
        ...options,
        'elk.padding': `[top=${height},left=${roomy.has(state) ? width : PAD},bottom=${PAD},right=${PAD}]`,
        // Width and height the other way round: ELK turns pictures that point down, but not this size.
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(1, ${width})`,
      },
    };
  };

  /** @param {State} state */
  const childrenOf = (state) => [
    ...state.children
      .filter((child) => initials.has(child))
      .map((child) => ({ id: `to ${child.path}`, width: DOT, height: DOT, layoutOptions: FIRST })),
    ...state.children.map(nodeOf),
  ];

  return {
    id: '',
    layoutOptions: { ...options, 'elk.padding': `[top=${MARGIN},left=${MARGIN},bottom=${MARGIN},right=${MARGIN}]` },
    children: childrenOf(model.root),
    edges: [
      ...edges.map((edge, index) => ({
        id: `edge ${index}`,
        sources: [upward.has(edge) ? edge.to.path : edge.from.path],
        targets: [upward.has(edge) ? edge.from.path : edge.to.path],
        labels: [{ text: ' ', ...labelSize(edge), layoutOptions: { 'elk.edgeLabels.inline': 'true' } }],
      })),
      ...[...initials].map((state) => ({
        id: `initial ${state.path}`,
        sources: [`to ${state.path}`],
        targets: [state.path],
      })),
    ],
  };
}

/**
 * @param {Model} model
 * @param {Plan} plan
 * @param {(state: State) => Size} stateSize
 * @param {any} laid
 * @returns {{ layout: Layout, hidden: State[], cost: number }} hidden: compounds whose title is in an arrow's way
 */
function read(model, { edges, initials }, stateSize, laid) {
  /** @type {Map<string, any>} */
  const nodes = new Map();
  /** @param {any} node */
  const collect = (node) => {
    nodes.set(node.id, node);
    node.children?.forEach(collect);
  };
  collect(laid);
  /** @type {Map<string, any>} */
  const lines = new Map(laid.edges.map((/** @type {any} */ line) => [line.id, line]));
  /** @param {any} line @returns {Point[]} */
  const pointsOf = ({ sections: [{ startPoint, bendPoints = [], endPoint }] }) =>
    straightened([startPoint, ...bendPoints, endPoint]);

  const arrows = edges.map((edge, index) => {
    const line = lines.get(`edge ${index}`);
    const points = pointsOf(line);
    return { edge, points: line.sources[0] === edge.from.path ? points : points.reverse(), label: line.labels[0] };
  });
  const markers = [...initials].map((state) => {
    const { x, y } = nodes.get(`to ${state.path}`);
    return { center: { x: x + DOT / 2, y: y + DOT / 2 }, points: pointsOf(lines.get(`initial ${state.path}`)) };
  });

  const boxes = new Map(model.states.map((state) => [state, nodes.get(state.path)]));
  const segments = arrows.map(({ points }) => segmentsOf(points));
  /** @type {State[]} */
  const hidden = [];
  /** @type {Map<State, Point>} */
  const titles = new Map();
  for (const [state, { x, y, width }] of boxes) {
    if (state.kind !== 'compound') continue;
    const size = stateSize(state);
    const clear = clearOf(segments.flat(), x + PAD, x + width - PAD, y, size);
    if (clear === undefined) hidden.push(state);
    titles.set(state, { x: clear ?? x + PAD, y: y + 18 });
  }

  const lengths = segments.flat().map(([a, b]) => Math.abs(a.x - b.x) + Math.abs(a.y - b.y));
  const cost =
    (laid.width * laid.height) / 100 +
    lengths.reduce((sum, length) => sum + length, 0) +
    300 * crossings(segments) +
    20 * lengths.length +
    600 * hidden.length;
  return {
    layout: { width: Math.ceil(laid.width), height: Math.ceil(laid.height), boxes, titles, arrows, markers },
    hidden,
    cost,
  };
}

/**
 * Takes out a sidestep that is too short to be seen as one: what comes before it moves over.
 *
 * @param {Point[]} points
 * @returns {Point[]}
 */
function straightened(points) {
  const at = points.findIndex(({ x }, index) => {
    const [before, next, after] = [points[index - 1], points[index + 1], points[index + 2]];
    return before && next && after && before.x === x && after.x === next.x && Math.abs(next.x - x) < JOG;
  });
  const next = points[at + 1];
  if (at === -1 || next === undefined) return points;
  const moved = points.map((point, index) => (index === at - 1 ? { x: next.x, y: point.y } : point));
  return straightened(moved.filter((_, index) => index !== at && index !== at + 1));
}

/** @param {Point[]} points @returns {Segment[]} */
const segmentsOf = (points) => points.slice(1).map((end, index) => [/** @type {Point} */ (points[index]), end]);

/**
 * The leftmost place in a compound's head where its title meets no arrow.
 *
 * @param {Segment[]} segments
 * @param {number} left
 * @param {number} right
 * @param {number} top
 * @param {Size} size
 * @returns {number | undefined}
 */
function clearOf(segments, left, right, top, { width, height }) {
  const textWidth = width - 2 * PAD;
  const apart = 6;
  const within = segments.filter(([a, b]) => Math.min(a.y, b.y) < top + height && Math.max(a.y, b.y) > top);
  const places = [left, ...within.map((points) => Math.max(...points.map(({ x }) => x)) + apart)];
  return places
    .sort((a, b) => a - b)
    .find(
      (place) =>
        place >= left &&
        place + textWidth <= right &&
        within.every((points) => {
          const xs = points.map(({ x }) => x);
          return Math.max(...xs) + apart <= place || Math.min(...xs) - apart >= place + textWidth;
        }),
    );
}

/**
 * How often two arrows cross.
 *
 * @param {Segment[][]} arrows their segments
 */
function crossings(arrows) {
  let count = 0;
  arrows.forEach((one, index) => {
    for (const [a, b] of one) {
      for (const [c, d] of arrows.slice(index + 1).flat()) {
        if (turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0) count++;
      }
    }
  });
  return count;
}

/** @param {Point} a @param {Point} b @param {Point} c on which side of the line from a to b c lies */
const turn = (a, b, c) => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
