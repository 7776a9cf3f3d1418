/** The servers: at a glance on the overview, and all of them in a view of their own. Those that need a look come first. */
import { useState } from 'preact/hooks';
import type { ServerRow } from '../../src/inspect/protocol.js';
import { CheckBars } from './checks.js';
import { Since } from './elapsed.js';
import { count } from './format.js';
import { servers } from './live.js';
import { hrefOfServer } from './route.js';
import { isWell, type KnownServers, latelyOf, statesOf, toneOf, worstFirst } from './servers-news.js';
import { useStore } from './store.js';

/** Rows of the overview. */
const GLANCE = 8;
/** Rows of the view that are shown at first, and more at a time. */
const PAGE = 100;

export const percent = (share: number): string =>
  share > 0 && share < 0.001 ? '<0.1 %' : `${(share * 100).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;

export const placesText = ({ connections, connectionsMax }: ServerRow): string =>
  connectionsMax === undefined ? count(connections) : `${count(connections)} / ${count(connectionsMax)}`;

export function StateChip({ state }: { readonly state: string }) {
  return <span class={`state ${toneOf(state) ?? ''}`}>{state}</span>;
}

/** How many are in each state. */
function States({
  rows,
  chosen,
  choose,
}: {
  readonly rows: readonly ServerRow[];
  readonly chosen?: string;
  readonly choose?: (state: string) => void;
}) {
  const states = statesOf(rows);
  if (choose === undefined) {
    return (
      <p class="chips">
        {states.map(([state, servers]) => (
          <span key={state} class={`state ${toneOf(state) ?? ''}`}>
            {count(servers)} {state}
          </span>
        ))}
      </p>
    );
  }
  return (
    <fieldset class="chips choices">
      <legend class="sr-only">Servers in the state</legend>
      {states.map(([state, servers]) => (
        <button
          key={state}
          type="button"
          class={`state ${toneOf(state) ?? ''}`}
          aria-pressed={state === chosen}
          onClick={() => choose(state === chosen ? '' : state)}
        >
          {count(servers)} {state}
        </button>
      ))}
    </fieldset>
  );
}

/** What to do where the page was given no proxy: the program may have one. */
export const NotGiven = ({ what }: { readonly what: string }) => (
  <p class="note">
    To see {what} here, add <code>proxies: [proxy]</code> to the options of <code>createInspectorServer()</code>.
  </p>
);

const NoServer = ({ known }: { readonly known: KnownServers }) =>
  known.sets.length === 0 ? <NotGiven what="the servers of your proxy" /> : <p class="note">There is no server.</p>;

/** On the overview: how they are, and those that need a look. */
export function ServersAtAGlance() {
  const known = useStore(servers);
  const rows = worstFirst(known?.rows.values() ?? []);
  const shown = rows.slice(0, Math.max(GLANCE, 0));
  return (
    <section class="card" aria-labelledby="servers-title">
      <div class="bar-of-tabs">
        <h2 id="servers-title">Servers</h2>
        {rows.length > 1 && <States rows={rows} />}
      </div>
      {known !== undefined && rows.length === 0 && <NoServer known={known} />}
      {known !== undefined && rows.length > 0 && <Table known={known} rows={shown} isShort />}
      {rows.length > shown.length && (
        <p>
          <a href="#/servers">All {count(rows.length)} servers</a>
        </p>
      )}
    </section>
  );
}

/** The view of all of them. */
export function ServersView() {
  const known = useStore(servers);
  const [filter, setFilter] = useState('');
  const [state, setState] = useState('');
  const [most, setMost] = useState(PAGE);
  if (known === undefined) return <p class="note">Waiting for the servers…</p>;
  const all = worstFirst(known.rows.values());
  const text = filter.trim().toLowerCase();
  const rows = all.filter((row) => (state === '' || row.state === state) && row.name.toLowerCase().includes(text));
  const waiting = known.sets.map((set) => set.waiting).filter((one) => one !== undefined);
  return (
    <>
      <div class="toolbar">
        <h1>Servers</h1>
        <input
          id="search"
          type="search"
          placeholder="Name of a server"
          aria-label="Name of a server"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
        <States rows={all} chosen={state} choose={setState} />
        <span class="grow" />
        {waiting.length > 0 && (
          <span class="note" role="status">
            {waiting.map(count).join(', ')} waiting in the queue{waiting.length > 1 ? 's of the sets' : ''}
          </span>
        )}
      </div>
      <section class="card" aria-label="Servers">
        {rows.length > 0 && <Table known={known} rows={rows.slice(0, most)} />}
        {rows.length === 0 && (all.length === 0 ? <NoServer known={known} /> : <p class="note">No server matches.</p>)}
        {rows.length > most && (
          <p class="actions">
            <button type="button" onClick={() => setMost(most + PAGE)}>
              Show more
            </button>
            <span class="note">
              {count(most)} of {count(rows.length)} are shown, those that need a look first
            </span>
          </p>
        )}
      </section>
    </>
  );
}

interface TableProps {
  readonly known: KnownServers;
  readonly rows: readonly ServerRow[];
  readonly isShort?: boolean;
}

function Table({ known, rows, isShort = false }: TableProps) {
  const hasChecks = rows.some(({ checks }) => checks !== undefined);
  return (
    <table class={isShort ? 'plain servers short' : 'plain servers'}>
      <thead>
        <tr>
          <th scope="col">server</th>
          <th scope="col">state</th>
          {!isShort && <th scope="col">why</th>}
          {!isShort && (
            <th scope="col" class="number" title="Of new connections: by weight, and in the last half minute">
              share
            </th>
          )}
          <th scope="col" class="number">
            connections
          </th>
          {!isShort && (
            <th scope="col" class="number">
              chosen
            </th>
          )}
          <th scope="col" class="number">
            failed
          </th>
          {hasChecks && <th scope="col">checks</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.id} known={known} row={row} isShort={isShort} hasChecks={hasChecks} />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly known: KnownServers;
  readonly row: ServerRow;
  readonly isShort: boolean;
  readonly hasChecks: boolean;
}

function Row({ known, row, isShort, hasChecks }: RowProps) {
  const { id, name, state, since, why, share, waiting = 0, chosen, failed = row.failures, checks, backup } = row;
  const needsALook = !isWell(state);
  return (
    <tr>
      <th scope="row" class="mono of-name">
        {since === undefined ? name : <a href={hrefOfServer(id)}>{name}</a>}
        {backup === true && <span class="note"> spare</span>}
      </th>
      <td class="of-state">
        <StateChip state={state} />
        {since !== undefined && (
          <span class="note">
            {' '}
            for <Since at={since} />
          </span>
        )}
        {isShort && needsALook && <p class="note">{why}</p>}
      </td>
      {!isShort && <td class="of-why">{needsALook ? why : <LastFailure row={row} />}</td>}
      {!isShort && (
        <td class="number of-share">
          {share === undefined ? '' : percent(share)}
          <Lately known={known} row={row} />
        </td>
      )}
      <td class="number of-connections">
        {placesText(row)}
        {waiting > 0 && <span class="note"> + {count(waiting)} waiting</span>}
      </td>
      {!isShort && <td class="number of-chosen">{chosen === undefined ? '' : count(chosen)}</td>}
      <td class={failed > 0 ? 'number of-failed bad' : 'number of-failed'}>{count(failed)}</td>
      {hasChecks && <td class="of-checks">{checks !== undefined && <CheckBars checks={checks} />}</td>}
    </tr>
  );
}

function Lately({ known, row }: { readonly known: KnownServers; readonly row: ServerRow }) {
  const lately = latelyOf(known, row);
  return lately === undefined ? null : <span class="note"> ({percent(lately)})</span>;
}

/** What failed last, of a server that is well now. */
function LastFailure({ row: { failure, failedAt } }: { readonly row: ServerRow }) {
  if (failure === undefined || failedAt === undefined) return null;
  return (
    <span class="note">
      <Since at={failedAt} /> ago: {failure}
    </span>
  );
}
