/** The small type of a picture: what stands on arrows, what the signs mean, and how it is fitted into lines. */
import { holdsSocket, type Model, type State } from './model.js';
import type { Line, Note, Plan } from './plan.js';
import { DESCRIPTION_SIZE } from './style.js';
import { type Run, runsWidth, textWidth } from './type.js';

/** The machine's own events are written short: `close` for `backend.close`. */
export const eventRun = (label: string, id: string): Run =>
  label.startsWith(`${id}.`) ? { text: label.slice(id.length + 1), className: 'own' } : { text: label };

/** The lines of an arrow's label. A guard that all of them have is written once, below them. */
export function labelRuns(lines: readonly Line[], id: string): Run[][] {
  const guards = new Set(lines.map(({ guard }) => guard));
  const [shared] = guards.size === 1 && lines.length > 1 ? guards : [];
  const rows = lines.map(({ label, timer, guard, socket }) => {
    const row: Run[] = [];
    if (label) row.push(timer ? { text: label, icon: 'clock' } : eventRun(label, id));
    if (socket !== undefined) row.push({ text: '', icon: socket ? 'plug' : 'noPlug', gap: true });
    if (guard !== undefined && shared === undefined) row.push({ ...guardRun(guard), gap: row.length > 0 });
    return row.length > 0 ? row : [{ text: 'otherwise' }];
  });
  return shared === undefined ? rows : [...rows, [guardRun(shared)]];
}

const guardRun = (guard: string): Run => ({ text: `[${guard}]`, className: 'guard' });

/** What stands in a state about what happens there: `⏱ idleProbe / probe`. */
export const noteRuns = (notes: readonly Note[] | undefined, id: string): Run[][] =>
  (notes ?? []).map(({ label, timer, guard, effect }) => [
    timer ? { text: label, icon: 'clock' } : eventRun(label || 'at once', id),
    ...(guard === undefined ? [] : [{ ...guardRun(guard), gap: true }]),
    { text: '/', gap: true },
    { ...eventRun(effect, id), gap: true },
  ]);

/** What the signs in this picture mean; nothing is explained that is not there. */
export function legendOf({ id, states }: Model, { edges, notes }: Plan): Run[][] {
  const lines = edges.flatMap((edge) => edge.lines);
  const own = lines.find(({ label }) => label.startsWith(`${id}.`));
  const noted = [...notes.values()].flat();
  const isParallel = ({ kind, parent }: State) => kind === 'parallel' || parent?.kind === 'parallel';
  const items: [used: boolean, runs: Run[]][] = [
    [states.some(holdsSocket), [{ text: 'holds a socket', icon: 'plug' }]],
    [
      lines.some(({ socket }) => socket !== undefined),
      [
        { text: 'only if it holds one', icon: 'plug' },
        { text: 'only if it holds none', icon: 'noPlug', gap: true },
      ],
    ],
    [own !== undefined, [{ ...eventRun(own?.label ?? '', id) }, { text: `= ${own?.label}`, gap: true }]],
    [[...lines, ...noted].some(({ timer }) => timer), [{ text: 'timer', icon: 'clock' }]],
    [noted.some(({ timer }) => timer), [{ text: 'timer / what it does there', icon: 'clock' }]],
    [noted.some(({ timer }) => !timer), [{ text: 'event / what it does there' }]],
    [[...lines, ...noted].some(({ guard }) => guard !== undefined), [{ text: '[guard]', className: 'guard' }]],
    [states.some(isParallel), [{ text: 'dashed: regions that are active at the same time' }]],
    [
      edges.some(({ gathered }) => gathered),
      [{ text: 'from every state inside; where to: see the table', icon: 'thick' }],
    ],
  ];
  return items.filter(([used]) => used).map(([, runs]) => runs);
}

/** Fills lines with items. */
export function flow(items: readonly Run[][], width: number): Run[][] {
  const lines: Run[][] = [];
  for (const item of items) {
    const last = lines.at(-1);
    const more = [...(last ?? []), ...(last ? [{ text: '   ' }] : []), ...item];
    if (last && runsWidth(more) <= width) lines[lines.length - 1] = more;
    else lines.push(item);
  }
  return lines;
}

export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (textWidth(longer, DESCRIPTION_SIZE) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
