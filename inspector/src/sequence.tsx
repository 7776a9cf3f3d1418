import type { StepInfo } from '../../src/inspect/protocol.js';
import { since } from './format.js';
import { narrow, useMedia } from './media.js';
import { LANES, type Lane, messageOf } from './messages.js';

interface Layout {
  readonly x: Readonly<Record<Lane, number>>;
  readonly width: number;
  /** Characters that there is room for: between two lanes, and beside the one in the middle. */
  readonly between: number;
  readonly beside: number;
}

const WIDE: Layout = { x: { client: 90, proxy: 310, backend: 530 }, width: 620, between: 29, beside: 36 };
const NARROW: Layout = { x: { client: 42, proxy: 168, backend: 294 }, width: 340, between: 16, beside: 23 };
const TOP = 44;
const ROW = 26;
/** The oldest are left out: a picture that nobody can scroll through is none. */
const ROWS_MAX = 200;

/** Client, proxy and backend as lanes, what they said to each other as arrows. */
export function Sequence({ steps, forgotten }: { readonly steps: readonly StepInfo[]; readonly forgotten: number }) {
  const layout = useMedia(narrow) ? NARROW : WIDE;
  const { x, width } = layout;
  const shown = steps.slice(-ROWS_MAX);
  const first = forgotten + steps.length - shown.length;
  const start = steps[0]?.at ?? 0;
  const height = TOP + shown.length * ROW + 12;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section class="frame" tabIndex={0} aria-label="Sequence diagram, scrollable">
      <svg class="sequence" viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img">
        <title>What client, proxy and backend said to each other</title>
        <defs>
          <marker
            id="sequence-arrow"
            viewBox="0 0 10 10"
            refX="9"
            refY="5"
            markerWidth="8"
            markerHeight="8"
            orient="auto"
          >
            <path class="head" d="M0 1L10 5L0 9z" />
          </marker>
        </defs>
        {LANES.map((lane) => (
          <g key={lane} class="lane">
            <path d={`M${x[lane]} 32V${height - 4}`} />
            <rect x={x[lane] - 40} y={6} width={80} height={26} rx={7} />
            <text x={x[lane]} y={24}>
              {lane}
            </text>
          </g>
        ))}
        {shown.map((step, index) => (
          <Arrow key={first + index} step={step} y={TOP + index * ROW + 14} start={start} layout={layout} />
        ))}
      </svg>
    </section>
  );
}

interface ArrowProps {
  readonly step: StepInfo;
  readonly y: number;
  readonly start: number;
  readonly layout: Layout;
}

function Arrow({ step, y, start, layout }: ArrowProps) {
  const { from, to, label } = messageOf(step);
  const { x, between, beside } = layout;
  const after = step.at === start ? '' : `+${since(step.at - start)}`;
  const tone = label === 'RST' || step.cause?.manner === 'error' ? ' bad' : '';
  if (from === to) {
    return (
      <g class="decision">
        <circle cx={x.proxy} cy={y} r={3.5} />
        <text x={x.proxy + 10} y={y + 4}>
          {cut(label, beside)}
        </text>
        <text class="when" x={x.proxy - 10} y={y + 4}>
          {after}
        </text>
      </g>
    );
  }
  const [a, b] = [x[from], x[to]];
  const isRight = b > a;
  return (
    <g class={`message${tone}`}>
      <path d={`M${a + (isRight ? 4 : -4)} ${y}H${b + (isRight ? -4 : 4)}`} marker-end="url(#sequence-arrow)" />
      <text x={(a + b) / 2} y={y - 4}>
        {cut(label, between)}
      </text>
      <text
        class={`when ${Math.min(a, b) === x.client ? 'right' : 'left'}`}
        x={Math.min(a, b) === x.client ? x.proxy + 10 : x.proxy - 10}
        y={y + 4}
      >
        {after}
      </text>
    </g>
  );
}

/** By characters that are seen, so that none is torn. */
function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}
