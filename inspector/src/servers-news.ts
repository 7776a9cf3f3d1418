/** The servers as the page knows them: each news changes what was known before. */
import type { ServerRow, ServersNews } from '../../src/inspect/protocol.js';
import { TONES, type Tone } from '../../src/machines/words.js';

export interface KnownServers {
  readonly sets: ServersNews['sets'];
  /** By id, in the order in which they came. */
  readonly rows: ReadonlyMap<string, ServerRow>;
  /** How often each had been chosen, some times in the last half minute, oldest first. */
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly at: number;
  readonly chosen: ReadonlyMap<string, number>;
}

const CHECKS_MAX = 20;
const LATELY_MS = 30_000;
/** Of fewer choices no share can be told. */
const CHOICES_MIN = 10;

export function merged(before: KnownServers | undefined, news: ServersNews): KnownServers {
  const known = news.isWhole ? undefined : before;
  const rows = new Map(known?.rows);
  for (const id of news.gone) rows.delete(id);
  for (const changes of news.servers) {
    const old = rows.get(changes.id);
    const row: Record<string, unknown> = { ...old, ...changes };
    for (const name in changes) if (row[name] === null) delete row[name];
    if (changes.checks != null) row.checks = [...(old?.checks ?? []), ...changes.checks].slice(-CHECKS_MAX);
    rows.set(changes.id, row as unknown as ServerRow);
  }
  const chosen = new Map<string, number>();
  for (const row of rows.values()) if (row.chosen !== undefined) chosen.set(row.id, row.chosen);
  const samples = [...(before?.samples ?? []), { at: news.at, chosen }];
  // The newest one that is old enough is where the half minute begins.
  const first = samples.findLastIndex(({ at }) => at <= news.at - LATELY_MS);
  return { sets: news.sets, rows, samples: samples.slice(Math.max(0, first)) };
}

/** The part of the connections of its set that a server got in the last half minute, from 0 to 1; nothing if they were too few. */
export function latelyOf({ rows, samples }: KnownServers, { id, set, chosen }: ServerRow): number | undefined {
  const first = samples[0]?.chosen;
  const before = first?.get(id);
  if (first === undefined || before === undefined || chosen === undefined) return undefined;
  let all = 0;
  for (const row of rows.values()) {
    if (row.set === set && row.chosen !== undefined) all += row.chosen - (first.get(row.id) ?? 0);
  }
  return all < CHOICES_MIN ? undefined : (chosen - before) / all;
}

export const toneOf = (state: string): Tone | undefined => TONES.find(([start]) => start.test(state))?.[1];

const WORST_FIRST: readonly (Tone | undefined)[] = ['bad', 'warning', 'over', 'good', undefined];

/** Those that need a look come first; the others stay in their order. */
export function worstFirst(rows: Iterable<ServerRow>): ServerRow[] {
  const all = [...rows];
  return WORST_FIRST.slice(0, 3)
    .map((tone) => all.filter(({ state }) => toneOf(state) === tone))
    .concat(all.filter(({ state }) => isWell(state)))
    .flat();
}

/** Nothing keeps new connections from it. */
export const isWell = (state: string): boolean => WORST_FIRST.indexOf(toneOf(state)) > 2;

/** How many are in each state, the worst first. */
export function statesOf(rows: Iterable<ServerRow>): [state: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { state } of worstFirst(rows)) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts];
}
