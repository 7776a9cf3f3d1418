/** Finds a place for every state, arrow and label. ELK does the work; the tidiest of several of its answers is kept. */
import type { ElkExtendedEdge, ElkNode, ELK as Layouter } from 'elkjs/lib/elk-api.js';
import { NotSupportedError } from '../errors.js';
import type { Model, State } from './model.js';
import { backEdges } from './order.js';
import type { Edge, Plan } from './plan.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

type Segment = readonly [Point, Point];

/** For a state with others inside: of its title. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Point, Size {}

export interface Arrow {
  readonly edge: Edge;
  readonly points: readonly Point[];
  readonly label: Box;
}

export interface Layout extends Size {
  readonly boxes: ReadonlyMap<State, Box>;
  /** Of states with others inside: the middle of the left end, clear of arrows where there is room. */
  readonly titles: ReadonlyMap<State, Point>;
  readonly arrows: readonly Arrow[];
  /** Of initial states. */
  readonly markers: readonly { readonly center: Point; readonly points: readonly Point[] }[];
}

type SizeOf<T> = (of: T) => Size;
type Options = Readonly<Record<string, string>>;

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

/** A small picture has few arrows that could be laid out otherwise: no more seeds than arrows are tried. */
const SEEDS_MAX = 16;

/** A bend this short looks like a mistake; arrows keep twice this distance from each other. */
const JOG = 5;

async function layouter(): Promise<Layouter> {
  const { default: ELK } = await import('elkjs/lib/elk.bundled.js').catch((error: unknown) => {
    throw new NotSupportedError(
      'An SVG picture needs the package elkjs: npm install --save-dev elkjs. Mermaid text and tables do not need it.',
      { cause: error },
    );
  });
  // The types of elkjs describe a default export that Node does not make of it.
  return new (ELK as unknown as new () => Layouter)();
}

/** @throws NotSupportedError where elkjs is not installed */
export async function layout(
  model: Model,
  plan: Plan,
  stateSize: SizeOf<State>,
  labelSize: SizeOf<Edge>,
): Promise<Layout> {
  const elk = await layouter();
  // They get room for their title beside the arrows that enter from above.
  const roomy = new Set<State>();
  for (;;) {
    const { layout, hidden } = await tidiest((options) => graphOf(model, plan, stateSize, labelSize, roomy, options));
    const more = hidden.filter((state) => !roomy.has(state));
    if (more.length === 0) return layout;
    for (const state of more) roomy.add(state);
  }

  async function tidiest(graph: (options: Options) => ElkNode): Promise<Reading> {
    const found: Reading[] = [];
    const seeds = Math.min(SEEDS_MAX, Math.max(1, plan.edges.length));
    for (let seed = 1; seed <= seeds; seed++) {
      for (const straight of ['true', 'false']) {
        const laid = await elk.layout(
          graph({
            ...OPTIONS,
            'elk.randomSeed': String(seed),
            'elk.layered.nodePlacement.favorStraightEdges': straight,
          }),
        );
        found.push(read(plan, stateSize, laid));
      }
    }
    return found.reduce((best, next) => (next.cost < best.cost ? next : best));
  }
}

// No name of a state begins so.
const nodeId = ({ path }: State): string => path || '\0root';
const markerId = ({ path }: State): string => `\0to ${path}`;
const initialId = ({ path }: State): string => `\0initial ${path}`;
const edgeId = (index: number): string => `\0edge ${index}`;

function graphOf(
  model: Model,
  { edges, initials, boxes }: Plan,
  stateSize: SizeOf<State>,
  labelSize: SizeOf<Edge>,
  roomy: ReadonlySet<State>,
  options: Options,
): ElkNode {
  const upward = backEdges(model, edges);

  const nodeOf = (state: State): ElkNode => {
    const { width, height } = stateSize(state);
    if (state.children.length === 0) {
      return { id: nodeId(state), width, height, ...(state.kind === 'final' && { layoutOptions: LAST }) };
    }
    return {
      id: nodeId(state),
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

  const childrenOf = (state: State): ElkNode[] => [
    ...state.children
      .filter((child) => initials.has(child))
      .map((child) => ({ id: markerId(child), width: DOT, height: DOT, layoutOptions: FIRST })),
    ...state.children.map(nodeOf),
  ];

  return {
    id: '',
    layoutOptions: { ...options, 'elk.padding': `[top=${MARGIN},left=${MARGIN},bottom=${MARGIN},right=${MARGIN}]` },
    children: boxes.includes(model.root) ? [nodeOf(model.root)] : childrenOf(model.root),
    edges: [
      ...edges.map((edge, index) => ({
        id: edgeId(index),
        sources: [nodeId(upward.has(edge) ? edge.to : edge.from)],
        targets: [nodeId(upward.has(edge) ? edge.from : edge.to)],
        labels: [{ text: ' ', ...labelSize(edge), layoutOptions: { 'elk.edgeLabels.inline': 'true' } }],
      })),
      ...[...initials].map((state) => ({
        id: initialId(state),
        sources: [markerId(state)],
        targets: [nodeId(state)],
      })),
    ],
  };
}

interface Reading {
  readonly layout: Layout;
  /** States whose title is in an arrow's way. */
  readonly hidden: readonly State[];
  readonly cost: number;
}

function read({ edges, initials, boxes: drawn }: Plan, stateSize: SizeOf<State>, laid: ElkNode): Reading {
  const nodes = new Map<string, Box>();
  const collect = (node: ElkNode) => {
    nodes.set(node.id, node as Box);
    node.children?.forEach(collect);
  };
  collect(laid);
  const lines = new Map((laid.edges ?? []).map((line) => [line.id, line]));
  const nodeAt = (id: string) => nodes.get(id) as Box;
  const lineAt = (id: string) => lines.get(id) as ElkExtendedEdge;
  const pointsOf = ({ sections = [] }: ElkExtendedEdge): Point[] =>
    straightened(
      sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]),
    );

  const arrows = edges.map((edge, index) => {
    const line = lineAt(edgeId(index));
    const points = pointsOf(line);
    const label = line.labels?.[0] as Box;
    return { edge, points: line.sources[0] === nodeId(edge.from) ? points : points.reverse(), label };
  });
  const markers = [...initials].map((state) => {
    const { x, y } = nodeAt(markerId(state));
    return { center: { x: x + DOT / 2, y: y + DOT / 2 }, points: pointsOf(lineAt(initialId(state))) };
  });

  const boxes = new Map(drawn.map((state) => [state, nodeAt(nodeId(state))]));
  const segments = arrows.map(({ points }) => segmentsOf(points));
  const hidden: State[] = [];
  const titles = new Map<State, Point>();
  for (const [state, { x, y, width }] of boxes) {
    if (state.children.length === 0) continue;
    const size = stateSize(state);
    const clear = clearOf(segments.flat(), x + PAD, x + width - PAD, y, size);
    if (clear === undefined) hidden.push(state);
    titles.set(state, { x: clear ?? x + PAD, y: y + 18 });
  }

  const lengths = segments.flat().map(([a, b]) => Math.abs(a.x - b.x) + Math.abs(a.y - b.y));
  const { width = 0, height = 0 } = laid;
  const cost =
    (width * height) / 100 +
    lengths.reduce((sum, length) => sum + length, 0) +
    300 * crossings(segments) +
    20 * lengths.length +
    600 * hidden.length;
  return {
    layout: { width: Math.ceil(width), height: Math.ceil(height), boxes, titles, arrows, markers },
    hidden,
    cost,
  };
}

/** Takes out a sidestep that is too short to be seen as one: what comes before it moves over. */
function straightened(points: Point[]): Point[] {
  const at = points.findIndex(({ x }, index) => {
    const [before, next, after] = [points[index - 1], points[index + 1], points[index + 2]];
    return before && next && after && before.x === x && after.x === next.x && Math.abs(next.x - x) < JOG;
  });
  const next = points[at + 1];
  if (at === -1 || next === undefined) return points;
  const moved = points.map((point, index) => (index === at - 1 ? { x: next.x, y: point.y } : point));
  return straightened(moved.filter((_, index) => index !== at && index !== at + 1));
}

const segmentsOf = (points: readonly Point[]): Segment[] =>
  points.slice(1).map((end, index) => [points[index] as Point, end]);

/** The leftmost place in a compound's head where its title meets no arrow. */
function clearOf(
  segments: readonly Segment[],
  left: number,
  right: number,
  top: number,
  { width, height }: Size,
): number | undefined {
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

/** How often two arrows cross, which are given by their segments. */
function crossings(arrows: readonly Segment[][]): number {
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

/** On which side of the line from a to b c lies. */
const turn = (a: Point, b: Point, c: Point): number => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
