import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import {
  type ConnectionRow,
  type ConnectionsPage,
  LISTED,
  type Listed,
  type Overview,
  type Sort,
} from '../../src/inspect/protocol.js';
import { durationText } from '../../src/inspect/words.js';
import { api } from './api.js';
import { bytes, count } from './format.js';
import { about, overview, ownOnly } from './live.js';
import { narrow, useMedia } from './media.js';
import { go, hrefOf } from './route.js';
import { Store, useStore } from './store.js';

const REFRESH_MS = 1_000;
/** Rows beyond what is seen, above and below: a scroll shows them at once. */
const OVERSCAN = 20;

interface Wanted {
  readonly of: Listed;
  /** Empty for connections, or a machine of the user's; undefined until that is chosen. */
  readonly machine: string | undefined;
  readonly sort: Sort;
  readonly order: 'asc' | 'desc';
  readonly filter: string;
  readonly state: string;
}

/** It outlives the view: who comes back finds the table as it was. */
const wanted = new Store<Wanted>({
  of: 'alive',
  machine: undefined,
  sort: 'age',
  order: 'desc',
  filter: '',
  state: '',
});
const selected = new Store('');

/** Shows these, when the table is looked at next. */
export function want(part: Partial<Wanted>): void {
  wanted.value = { ...wanted.value, filter: '', state: '', ...part };
  scrolled = 0;
}
let scrolled = 0;

const COLUMNS: readonly (readonly [sort: Sort, title: string])[] = [
  ['id', 'id'],
  ['peer', 'peer'],
  ['server', 'server'],
  ['state', 'state'],
  ['age', 'age'],
  ['bytes', 'bytes'],
  ['cause', 'last cause'],
];
const LISTED_TEXTS: Readonly<Record<Listed, string>> = {
  alive: 'alive',
  ended: 'ended last',
  dropped: 'dropped',
};
const NONE: Readonly<Record<Listed, string>> = {
  alive: 'There is no connection now.',
  ended: 'No connection has ended since the counting began.',
  dropped: 'No connection was dropped since the counting began.',
};
/** Of instances of a user's machine there is less to tell. */
const OWN_COLUMNS: typeof COLUMNS = [
  ['id', 'id'],
  ['peer', 'peer'],
  ['state', 'state'],
  ['age', 'age'],
  ['cause', 'last event'],
];
const noneOf = (of: Listed, machine: string): string => {
  if (machine === '') return NONE[of];
  return of === 'alive'
    ? `There is no instance of ${machine} now.`
    : `No instance of ${machine} has ended so since the counting began.`;
};
const NUMBERS: ReadonlySet<Sort> = new Set(['age', 'bytes']);

export function Connections() {
  const chosenQuery = useStore(wanted);
  const machine = useMachine(chosenQuery.machine);
  const query = useMemo(() => ({ ...chosenQuery, machine }), [chosenQuery, machine]);
  const columns = machine === '' ? COLUMNS : OWN_COLUMNS;
  const isNarrow = useMedia(narrow);
  // As the style sheet has it: a row is two lines where the page is narrow.
  const rowHeight = isNarrow ? 58 : 28;
  const frame = useRef<HTMLDivElement>(null);
  const [first, setFirst] = useState(Math.floor(scrolled / rowHeight));
  const visible = useVisible(frame, rowHeight);
  const offset = Math.max(0, first - OVERSCAN);
  const limit = Math.min(500, visible + 2 * OVERSCAN);
  const { page, problem } = usePage(query, offset, limit);
  const chosen = useStore(selected);

  useEffect(() => frame.current?.scrollTo({ top: scrolled }), [page === undefined]);
  const change = (part: Partial<Wanted>): void => {
    wanted.value = { ...wanted.value, ...part };
    frame.current?.scrollTo({ top: 0 });
  };
  const move = (by: number): void => {
    if (page === undefined || page.rows.length === 0) return;
    // Not what was drawn last: the next key may come before that.
    const index = page.rows.findIndex(({ id }) => id === selected.value);
    const at = index < 0 ? first - page.offset : index + by;
    const next = page.rows[Math.max(0, Math.min(at, page.rows.length - 1))] as ConnectionRow;
    selected.value = next.id;
    reveal(frame.current, (page.offset + page.rows.indexOf(next)) * rowHeight, rowHeight);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'ArrowDown' || event.key === 'j') move(1);
    else if (event.key === 'ArrowUp' || event.key === 'k') move(-1);
    else if (event.key === 'Enter' && selected.value !== '' && !(event.target instanceof HTMLButtonElement)) {
      go(hrefOf(selected.value));
    } else return;
    event.preventDefault();
  };
  // Keys move the rows wherever one is on the page, but where they have a meaning of their own.
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
      onKeyDown(event);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  });

  const matching = page?.matching ?? 0;
  return (
    <section class="connections" aria-labelledby="connections-title">
      <div class="toolbar">
        <h1 id="connections-title">{machine === '' ? 'Connections' : `Instances of ${machine}`}</h1>
        <MachineChoice machine={machine} change={(next) => change({ machine: next, state: '' })} />
        <input
          type="search"
          id="search"
          placeholder={`Search: ${columns
            .map(([, title]) => title)
            .filter((title) => title !== 'age' && title !== 'bytes')
            .join(', ')}   ( / )`}
          aria-label="Search connections"
          value={query.filter}
          onInput={({ currentTarget }) => change({ filter: currentTarget.value })}
          onKeyDown={({ key, currentTarget }) => (key === 'Enter' || key === 'Escape') && currentTarget.blur()}
          autocomplete="off"
          spellcheck={false}
        />
        <select
          aria-label="Which connections"
          value={query.of}
          onChange={({ currentTarget }) => change({ of: currentTarget.value as Listed, state: '' })}
        >
          {LISTED.map((kind) => (
            <option key={kind} value={kind}>
              {LISTED_TEXTS[kind]}
            </option>
          ))}
        </select>
        <StateFilter machine={machine} state={query.state} change={(state) => change({ state })} />
        <p class="note" role="status">
          {page === undefined ? '…' : `${count(matching)} of ${count(page.total)}`}
        </p>
      </div>
      {problem !== '' && <p class="note bad">{problem}</p>}
      <section
        class="scroll"
        ref={frame}
        aria-label="Connections, scrollable"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        onScroll={({ currentTarget }) => {
          scrolled = currentTarget.scrollTop;
          setFirst(Math.floor(scrolled / rowHeight));
        }}
      >
        <table class="rows" aria-rowcount={matching + 1} aria-labelledby="connections-title">
          <Head columns={columns} query={query} change={change} />
          <tbody>
            <Space rows={Math.min(page?.offset ?? 0, matching)} height={rowHeight} />
            {page?.rows.map((row, index) => (
              <Row
                key={row.id}
                row={row}
                isOwn={machine !== ''}
                index={page.offset + index}
                isSelected={row.id === chosen}
                isNarrow={isNarrow}
              />
            ))}
            <Space rows={matching - (page?.offset ?? 0) - (page?.rows.length ?? 0)} height={rowHeight} />
          </tbody>
        </table>
        {page !== undefined && matching === 0 && (
          <p class="note empty">
            {page.total === 0
              ? noneOf(query.of, machine)
              : machine === ''
                ? 'No connection matches.'
                : 'No instance matches.'}
          </p>
        )}
      </section>
    </section>
  );
}

interface HeadProps {
  readonly columns: typeof COLUMNS;
  readonly query: Wanted;
  readonly change: (part: Partial<Wanted>) => void;
}

function Head({ columns, query, change }: HeadProps) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        {columns.map(([sort, title]) => {
          const isSorted = query.sort === sort;
          const order =
            isSorted && query.order === 'asc' ? 'desc' : isSorted ? 'asc' : NUMBERS.has(sort) ? 'desc' : 'asc';
          return (
            <th
              key={sort}
              scope="col"
              class={`of-${sort}`}
              aria-sort={isSorted ? (query.order === 'asc' ? 'ascending' : 'descending') : undefined}
            >
              <button type="button" onClick={() => change({ sort, order })}>
                {title}
                <span aria-hidden="true">{isSorted ? (query.order === 'asc' ? ' ▲' : ' ▼') : ''}</span>
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

interface RowProps {
  readonly row: ConnectionRow;
  readonly isOwn: boolean;
  readonly index: number;
  readonly isSelected: boolean;
  readonly isNarrow: boolean;
}

function Row({ row, isOwn, index, isSelected, isNarrow }: RowProps) {
  return (
    <tr
      aria-rowindex={index + 2}
      aria-current={isSelected ? 'true' : undefined}
      class={isSelected ? 'selected' : undefined}
      onClick={() => {
        selected.value = row.id;
        go(hrefOf(row.id));
      }}
    >
      <td class="of-id">
        <a href={hrefOf(row.id)} tabIndex={isSelected ? 0 : -1}>
          {row.id}
        </a>
      </td>
      <td class="of-peer" title={row.peer}>
        {row.peer}
      </td>
      {!isOwn && (
        <td class="of-server" title={row.server}>
          {row.server}
        </td>
      )}
      <td class="of-state" title={row.state}>
        <span class="state">{row.state}</span>
      </td>
      <td class="of-age">{durationText(row.ageMs)}</td>
      {!isOwn && (
        <td class="of-bytes">
          {isNarrow ? (
            bytes(row.bytesFromClient + row.bytesFromBackend)
          ) : (
            <>
              {bytes(row.bytesFromClient)} <span class="arrow">⇄</span> {bytes(row.bytesFromBackend)}
            </>
          )}
        </td>
      )}
      <td class="of-cause" title={row.lastCause}>
        {row.lastCause}
      </td>
    </tr>
  );
}

/** What stands for the rows that are not there. */
function Space({ rows, height }: { readonly rows: number; readonly height: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can be focused; it holds no row.
    <tr class="space" aria-hidden="true" style={{ height: `${rows * height}px` }}>
      <td colSpan={COLUMNS.length} />
    </tr>
  );
}

/** What the table has: connections, or the instances of a machine of the user's. */
function MachineChoice({ machine, change }: { readonly machine: string; readonly change: (machine: string) => void }) {
  const own = useStore(about)?.own ?? [];
  if (own.length === 0) return null;
  return (
    <select
      aria-label="Connections or instances"
      value={machine}
      onChange={({ currentTarget }) => change(currentTarget.value)}
    >
      <option value="">connections</option>
      {own.map((id) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  );
}

/** What was chosen; without a choice connections, unless there are only machines of the user's. */
function useMachine(chosen: string | undefined): string {
  const known = useStore(about);
  const [first, setFirst] = useState('');
  // The overview comes often, and this changes seldom.
  useEffect(() => {
    const update = (): void => setFirst(ownOnly(known, overview.value)[0] ?? '');
    update();
    return overview.follow(update);
  }, [known]);
  return chosen ?? first;
}

interface StateFilterProps {
  readonly machine: string;
  readonly state: string;
  readonly change: (state: string) => void;
}

function StateFilter({ machine, state, change }: StateFilterProps) {
  const [choices, setChoices] = useState<readonly string[]>([]);
  // The overview comes often, and the choices change seldom.
  useEffect(() => {
    const update = (): void =>
      setChoices((before) => {
        const now = choicesOf(overview.value, machine);
        return now.join() === before.join() ? before : now;
      });
    update();
    return overview.follow(update);
  }, [machine]);
  const all = state === '' || choices.includes(state) ? choices : [state, ...choices];
  return (
    <select aria-label="State" value={state} onChange={({ currentTarget }) => change(currentTarget.value)}>
      <option value="">in any state</option>
      {all.map((choice) => (
        <option key={choice} value={choice}>
          {choice.replace(':', ': ')}
        </option>
      ))}
    </select>
  );
}

const PARTS: ReadonlySet<string> = new Set(['session', 'client', 'backend']);
const ENDS: ReadonlySet<string> = new Set(['ended', 'closed', 'aborted', 'dropped', 'handedOver', 'refused', 'failed']);

/** States where somebody is now, and the states around them. */
function choicesOf(whole: Overview | undefined, own: string): string[] {
  const choices = new Set<string>();
  for (const { machine, states } of whole?.machines ?? []) {
    const isMeant = own === '' ? PARTS.has(machine) : machine === own;
    if (!isMeant) continue;
    for (const [state, instances] of Object.entries(states)) {
      if (instances <= 0 || (own === '' && ENDS.has(state))) continue;
      const parts = state.split('.');
      for (let depth = 1; depth <= parts.length; depth++) choices.add(`${machine}:${parts.slice(0, depth).join('.')}`);
    }
  }
  return [...choices].sort();
}

/** Asks for the rows that are seen, again and again; never twice at a time, and not while nobody looks. */
function usePage(query: Wanted & { readonly machine: string }, offset: number, limit: number) {
  const [page, setPage] = useState<ConnectionsPage>();
  const [problem, setProblem] = useState('');
  const latest = useRef({ query, offset, limit });
  latest.current = { query, offset, limit };
  const ask = useRef<() => void>(() => {});

  useEffect(() => {
    const aborter = new AbortController();
    let timer: number | undefined;
    let isAsking = false;
    let isStale = false;
    const run = async (): Promise<void> => {
      window.clearTimeout(timer);
      if (isAsking) {
        isStale = true;
        return;
      }
      isAsking = true;
      isStale = false;
      try {
        const { query, ...where } = latest.current;
        const next = await api.connections({ ...query, ...where }, aborter.signal);
        setPage(next);
        setProblem('');
      } catch (error) {
        if (aborter.signal.aborted) return;
        setProblem(`The connections could not be read: ${(error as Error).message}`);
      }
      isAsking = false;
      if (isStale) void run();
      else if (document.visibilityState === 'visible') timer = window.setTimeout(run, REFRESH_MS);
    };
    ask.current = () => void run();
    const onVisible = (): void => {
      if (document.visibilityState === 'visible') void run();
    };
    document.addEventListener('visibilitychange', onVisible);
    void run();
    return () => {
      aborter.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, []);

  useEffect(() => ask.current(), [query, offset, limit]);
  return { page, problem };
}

/** How many rows there is room for. */
function useVisible(frame: { readonly current: HTMLElement | null }, rowHeight: number): number {
  const [height, setHeight] = useState(800);
  const measure = useCallback(() => setHeight(frame.current?.clientHeight ?? 800), [frame]);
  useEffect(() => {
    measure();
    const observer = new ResizeObserver(measure);
    if (frame.current !== null) observer.observe(frame.current);
    return () => observer.disconnect();
  }, [frame, measure]);
  return Math.ceil(height / rowHeight) + 1;
}

function reveal(frame: HTMLElement | null, top: number, height: number): void {
  if (frame === null) return;
  // The head of the table stays where it is, above the rows.
  const head = frame.querySelector('thead')?.clientHeight ?? 0;
  if (top < frame.scrollTop) frame.scrollTo({ top });
  else if (top + height + head > frame.scrollTop + frame.clientHeight) {
    frame.scrollTo({ top: top + height + head - frame.clientHeight });
  }
}
