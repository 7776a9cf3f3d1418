/**
 * A statechart as it is drawn in `diagrams/`, with what happens in it: how many are in each state, and how often each edge
 * is taken. The page keeps the node and changes as little of it as it can, for a large drawing is not cheap to paint.
 */
import { api } from './api.js';
import { covers, type Edge, edgesOf, type Step } from './edges.js';
import { compact, count, rate } from './format.js';
import { adopt } from './theme.js';

const SVG = 'http://www.w3.org/2000/svg';

/** A rate is shown by one of these strengths: an edge whose rate wavers is not painted anew each time. */
const LEVELS = [0, 0.5, 5, 50, 500] as const;

const levelOf = (perSecond: number): number => LEVELS.filter((least) => perSecond > least).length;

export interface Marks {
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly rates?: readonly (Step & { readonly total?: number; readonly rate: number })[] | undefined;
  /** The state that an instance is in. */
  readonly current?: string | undefined;
  /** The step that was taken last. */
  readonly step?: Step | undefined;
}

const embedded = new Map<string, string>();
const templates = new Map<string, Promise<SVGSVGElement>>();
let isStyled = false;

/** For a page without a server: the drawings that it carries. */
export function embed(diagrams: Readonly<Record<string, unknown>>): void {
  for (const [machine, text] of Object.entries(diagrams)) if (typeof text === 'string') embedded.set(machine, text);
}

/** A copy of the drawing of a machine; nothing, if there is none. */
export async function load(machine: string, hasServer: boolean): Promise<SVGSVGElement | undefined> {
  if (!hasServer && !embedded.has(machine)) return undefined;
  let template = templates.get(machine);
  if (template === undefined) {
    template = read(machine);
    templates.set(machine, template);
    template.catch(() => templates.delete(machine));
  }
  return (await template).cloneNode(true) as SVGSVGElement;
}

async function read(machine: string): Promise<SVGSVGElement> {
  const text = embedded.get(machine) ?? (await api.diagram(machine));
  // Style in a document is against the page's policy: all drawings have the same, which the page adopts as a sheet.
  const styles: string[] = [];
  const bare = text.replace(/<style>([^<]*)<\/style>/g, (_, css: string) => {
    styles.push(css);
    return '';
  });
  const root = new DOMParser().parseFromString(bare, 'image/svg+xml').documentElement;
  if (root.localName !== 'svg') throw new Error(`The drawing of ${machine} is none.`);
  if (!isStyled) for (const css of styles) adopt(css);
  isStyled = true;
  return document.importNode(root, true) as unknown as SVGSVGElement;
}

interface DrawnState {
  readonly group: SVGElement;
  readonly badge: SVGElement;
  /** The corner of the state that its badge sits on. */
  readonly corner: readonly [x: number, y: number];
  readonly plate: SVGElement;
  readonly text: SVGElement;
  shown: number;
}

interface DrawnEdge {
  readonly group: SVGElement;
  readonly text: SVGElement;
  readonly title: SVGElement;
  level: number;
  shown: string;
  total: number;
}

const number = (element: Element | null, name: string): number => Number(element?.getAttribute(name) ?? 0);

function make(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

export class Drawing {
  readonly width: number;
  readonly height: number;
  readonly #states = new Map<string, DrawnState>();
  readonly #edges: Edge[] = [];
  readonly #drawn: DrawnEdge[] = [];
  readonly #known = new Map<string, readonly number[]>();
  #lit: Element[] = [];
  #zoom = 0;

  constructor(readonly svg: SVGSVGElement) {
    this.width = number(svg, 'width');
    this.height = number(svg, 'height');
    for (const group of svg.querySelectorAll<SVGElement>('g.state')) this.#readState(group);
    const edges = [...svg.querySelectorAll<SVGElement>('g.edge')];
    // Above all that is drawn: labels stand close to each other.
    const rates = make('g', { class: 'rates' });
    for (const group of edges) this.#readEdge(group, rates);
    edges.at(-1)?.parentElement?.append(rates);
  }

  /** Badges are to be read where the drawing is too small to be: `zoom` is how much larger they are than the rest. */
  setZoom(zoom: number): void {
    if (Math.abs(zoom - this.#zoom) < 0.05) return;
    this.#zoom = zoom;
    for (const { badge, corner } of this.#states.values()) {
      // What grows goes outwards, so that the name of the state can still be read.
      const [x, y] = corner;
      const out = zoom - 1;
      badge.setAttribute('transform', `translate(${x + 14 * out} ${y - 9 * out}) scale(${zoom.toFixed(2)})`);
    }
  }

  show({ counts = {}, rates = [], current, step }: Marks): void {
    // A machine without states is drawn as one that has its name, and its instances are in no state.
    const alone = this.#states.size === 1 ? counts[''] : undefined;
    for (const [name, state] of this.#states) this.#setCount(state, counts[name] ?? alone ?? 0);
    const perSecond = new Float64Array(this.#edges.length);
    const totals = new Float64Array(this.#edges.length);
    for (const taken of rates) {
      for (const index of this.#edgesOf(taken)) {
        perSecond[index] = (perSecond[index] ?? 0) + taken.rate;
        totals[index] = (totals[index] ?? 0) + (taken.total ?? 0);
      }
    }
    for (const [index, edge] of this.#drawn.entries()) {
      this.#setRate(edge, perSecond[index] as number);
      this.#setTotal(edge, totals[index] as number);
    }
    this.#light(current, step);
  }

  #readState(group: SVGElement): void {
    const rect = group.querySelector('rect');
    if (group.classList.contains('compound')) return;
    const badge = make('g', { class: 'badge', display: 'none' });
    const corner = [number(rect, 'x') + number(rect, 'width') + 8, number(rect, 'y')] as const;
    const plate = make('rect', { y: -10, height: 19, rx: 9.5 });
    const text = make('text', { y: 4, 'text-anchor': 'middle' });
    badge.append(plate, text);
    group.append(badge);
    this.#states.set(group.dataset.state ?? '', { group, badge, corner, plate, text, shown: 0 });
  }

  #readEdge(group: SVGElement, rates: SVGElement): void {
    const { from = '', to = '', event = '' } = group.dataset;
    this.#edges.push({ from, to, events: event.split(' ').filter((name) => name !== '') });
    const rect = group.querySelector('rect');
    const text = make('text', {
      class: 'rate',
      x: number(rect, 'x') + number(rect, 'width') / 2 + 5,
      y: number(rect, 'y') - 4,
      display: 'none',
    });
    const title = make('title', {});
    group.prepend(title);
    if (rect !== null) rates.append(text);
    this.#drawn.push({ group, text, title, level: 0, shown: '', total: 0 });
  }

  #setCount(state: DrawnState, value: number): void {
    if (state.shown === value) return;
    state.shown = value;
    if (value <= 0) {
      state.badge.setAttribute('display', 'none');
      state.group.classList.remove('occupied');
      return;
    }
    const label = compact(value);
    if (state.text.textContent !== label) {
      const width = 12 + 7.3 * label.length;
      state.plate.setAttribute('x', String(-width));
      state.plate.setAttribute('width', String(width));
      state.text.setAttribute('x', String(-width / 2));
      state.text.textContent = label;
    }
    state.badge.removeAttribute('display');
    state.group.classList.add('occupied');
  }

  #setRate(edge: DrawnEdge, perSecond: number): void {
    const level = levelOf(perSecond);
    if (level !== edge.level) {
      edge.level = level;
      if (level === 0) delete edge.group.dataset.level;
      else edge.group.dataset.level = String(level);
    }
    const label = level === 0 ? '' : `${rate(perSecond)}/s`;
    if (label === edge.shown) return;
    if (label === '') edge.text.setAttribute('display', 'none');
    else if (edge.shown === '') edge.text.removeAttribute('display');
    edge.text.textContent = label;
    edge.shown = label;
  }

  #setTotal(edge: DrawnEdge, total: number): void {
    if (total === edge.total) return;
    edge.total = total;
    edge.title.textContent = `taken ${count(total)} ${total === 1 ? 'time' : 'times'}`;
  }

  #light(current: string | undefined, step: Step | undefined): void {
    for (const element of this.#lit) element.classList.remove('current', 'taken');
    this.#lit = [];
    const light = (element: Element, name: string): void => {
      element.classList.add(name);
      this.#lit.push(element);
    };
    if (current !== undefined) {
      for (const group of this.svg.querySelectorAll<SVGElement>('g.state')) {
        const { state = '' } = group.dataset;
        // The frame of the machine itself says nothing.
        if (state !== '' && covers(state, current)) light(group, 'current');
      }
    }
    if (step !== undefined)
      for (const index of this.#edgesOf(step)) light((this.#drawn[index] as DrawnEdge).group, 'taken');
  }

  #edgesOf(step: Step): readonly number[] {
    const key = `${step.from} ${step.event} ${step.to}`;
    let found = this.#known.get(key);
    if (found === undefined) {
      found = edgesOf(this.#edges, step);
      // What is asked comes from outside: it is not remembered without bound.
      if (this.#known.size > 1_000) this.#known.clear();
      this.#known.set(key, found);
    }
    return found;
  }
}
