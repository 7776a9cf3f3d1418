import { useState } from 'preact/hooks';
import type { MachineInfo, Totals, Overview as Whole } from '../../src/inspect/protocol.js';
import { Act } from './actions.js';
import { want } from './connections.js';
import { bytes, clock, compact, count, rate } from './format.js';
import { about, overview, ownOnly } from './live.js';
import { narrow } from './media.js';
import { go, hrefOf } from './route.js';
import { NotGiven, ServersAtAGlance } from './servers.js';
import { Statechart } from './statechart.js';
import { useStore } from './store.js';
import { TimeLine } from './timeline.js';

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, value) => total + value, 0);

export function Overview() {
  const whole = useStore(overview);
  const known = useStore(about);
  if (whole === undefined) return <p class="note">Waiting for the first overview…</p>;
  const own = known?.own ?? [];
  const since = <p class="note">Counted since {clock(whole.since)}, when somebody began to watch.</p>;
  if (ownOnly(known, whole).length > 0) {
    return (
      <>
        <h1 class="sr-only">Overview</h1>
        <Tiles tiles={[...ownTiles(whole, own), rateTile(whole)]} />
        {since}
        <Charts machines={whole.machines} names={own} />
      </>
    );
  }
  return (
    <>
      <h1 class="sr-only">Overview</h1>
      <Tiles tiles={[...tilesOf(whole), ...ownTiles(whole, own)]} />
      {since}
      <div class="columns">
        <section class="card" aria-labelledby="timeline-title">
          <h2 id="timeline-title">The last minutes</h2>
          <TimeLine seconds={whole.seconds} />
        </section>
        <Losses totals={whole.totals} />
      </div>
      <div class="columns">
        <ServersAtAGlance />
        <Listeners whole={whole} />
      </div>
      <Charts machines={whole.machines} names={known?.machines ?? []} />
    </>
  );
}

type Tile = readonly [name: string, value: string, tone?: string];

/** How many instances of each machine of the user's live. */
const ownTiles = ({ machines }: Whole, own: readonly string[]): Tile[] =>
  own.map((id) => [`${id} alive`, count(machines.find(({ machine }) => machine === id)?.live ?? 0), 'accent']);

const rateTile = ({ transitionRate }: Whole): Tile => ['transitions', `${rate(transitionRate)}/s`];

function tilesOf(whole: Whole): readonly Tile[] {
  const { totals, live } = whole;
  const dropped = sum(totals.dropped);
  return [
    ['alive', count(live), 'accent'],
    ['accepted', count(totals.accepted)],
    ['established', count(totals.established)],
    ['retried', count(totals.retried), totals.retried > 0 ? 'warn' : ''],
    ['failed over', count(totals.failedOver), totals.failedOver > 0 ? 'warn' : ''],
    ['dropped', count(dropped), dropped > 0 ? 'bad' : ''],
    ['closed', count(totals.closed)],
    ['from clients', bytes(totals.bytesFromClients)],
    ['from servers', bytes(totals.bytesFromBackends)],
    rateTile(whole),
  ];
}

function Tiles({ tiles }: { readonly tiles: readonly Tile[] }) {
  return (
    <dl class="tiles" aria-label="Totals">
      {tiles.map(([name, value, tone = '']) => (
        <div key={name} class={`tile ${tone}`}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Losses({ totals }: { readonly totals: Totals }) {
  return (
    <section class="card" aria-labelledby="losses-title">
      <h2 id="losses-title">Drops and ends</h2>
      <Counts of={totals.dropped} what="Dropped, by cause" none="Nothing was dropped." tone="bad" />
      {sum(totals.dropped) > 0 && (
        <p>
          <button
            type="button"
            onClick={() => {
              want({ of: 'dropped' });
              go('#/connections');
            }}
          >
            Show the dropped connections
          </button>
        </p>
      )}
      <Counts of={totals.endings} what="Sessions, by how they ended" none="No session has ended." tone="" />
    </section>
  );
}

function Counts(props: {
  readonly of: Readonly<Record<string, number>>;
  readonly what: string;
  readonly none: string;
  readonly tone: string;
}) {
  const rows = Object.entries(props.of)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return (
    <>
      <h3>{props.what}</h3>
      {rows.length === 0 ? (
        <p class="note">{props.none}</p>
      ) : (
        <ul class="bars">
          {rows.slice(0, 8).map(([name, value]) => (
            <li key={name}>
              <span class="name">{name}</span>
              <span class="value">{count(value)}</span>
              <span class={`bar ${props.tone}`} style={{ width: `${(value / most) * 100}%` }} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Listeners({ whole }: { readonly whole: Whole }) {
  const actions = useStore(about)?.actions === true;
  return (
    <section class="card" aria-labelledby="listeners-title">
      <h2 id="listeners-title">Proxies and listeners</h2>
      {whole.proxies.length === 0 ? (
        <NotGiven what="your proxy and its listeners" />
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">id</th>
              <th scope="col">address</th>
              <th scope="col">state</th>
            </tr>
          </thead>
          <tbody>
            {[...whole.proxies.map((proxy) => ({ ...proxy, address: '' })), ...whole.listeners].map(
              ({ id, address, state }) => (
                <tr key={id}>
                  <th scope="row" class="mono id">
                    <a href={hrefOf(id)}>{id}</a>
                  </th>
                  <td class="mono">{address}</td>
                  <td>
                    <span class="state">{state}</span>
                  </td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      )}
      {actions &&
        whole.proxies.map(({ id }) => (
          <p key={id} class="actions">
            {whole.proxies.length > 1 && <span class="mono">{id}</span>}
            {whole.listeners.some(({ canSuspend }) => canSuspend) && <Act action="suspend" id={id} />}
            {whole.listeners.some(({ canResume }) => canResume) && <Act action="resume" id={id} />}
            <Act action="drain" id={id} />
            <Act action="abort" id={id} />
          </p>
        ))}
    </section>
  );
}

/** From the whole to the part, as a reader meets them. */
const ORDER = ['session', 'client', 'backend', 'listener', 'proxy'];

const place = (machine: string): number => (ORDER.includes(machine) ? ORDER.indexOf(machine) : ORDER.length);

/** @param names the machines that are drawn also while they have no instance */
function Charts({
  machines,
  names: known,
}: {
  readonly machines: readonly MachineInfo[];
  readonly names: readonly string[];
}) {
  // All of them on a phone would be too small to tell anything; one alone has the room of all.
  const [chosen, setChosen] = useState(() => {
    if (known.length === 1) return known[0];
    return narrow.matches ? (known.find((name) => name === 'session') ?? known[0]) : undefined;
  });
  const empty = known.filter((name) => machines.every(({ machine }) => machine !== name));
  const all = [...machines, ...empty.map((machine): MachineInfo => ({ machine, states: {}, edges: [] }))];
  const sorted = all.sort((a, b) => place(a.machine) - place(b.machine));
  const large = sorted.find(({ machine }) => machine === chosen);
  const names: readonly (string | undefined)[] = [undefined, ...sorted.map(({ machine }) => machine)];
  const move = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    const tabs = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]')];
    // From the tab that has the focus: what is chosen may not be drawn yet.
    const here = tabs.indexOf(event.target as HTMLElement);
    const next = (here + by + tabs.length) % tabs.length;
    setChosen(names[next]);
    tabs[next]?.focus();
  };
  return (
    <section class="charts" aria-labelledby="charts-title">
      <div class="bar-of-tabs">
        <h2 id="charts-title">Statecharts</h2>
        <div class="tabs" role="tablist" tabIndex={-1} aria-label="Machine" onKeyDown={move}>
          {names.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              aria-selected={name === large?.machine}
              tabIndex={name === large?.machine ? 0 : -1}
              onClick={() => setChosen(name)}
            >
              {name ?? 'all'}
            </button>
          ))}
        </div>
      </div>
      {large === undefined ? (
        <div class="grid" role="tabpanel">
          {sorted.map((info) => (
            <Machine key={info.machine} info={info} open={() => setChosen(info.machine)} />
          ))}
        </div>
      ) : (
        <div role="tabpanel">
          <Machine key={large.machine} info={large} />
        </div>
      )}
    </section>
  );
}

function Machine({ info, open }: { readonly info: MachineInfo; readonly open?: () => void }) {
  const { machine, states, edges, live } = info;
  const isOwn = useStore(about)?.own.includes(machine) === true;
  const perSecond = edges.reduce((total, edge) => total + edge.rate, 0);
  const busy = Object.entries(states)
    .filter(([, instances]) => instances > 0)
    .sort(([, a], [, b]) => b - a);
  return (
    <article class="card machine" aria-label={machine}>
      <header>
        <h3>{machine}</h3>
        <span class="note">{rate(perSecond)} transitions/s</span>
        {isOwn && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              want({ of: 'alive', machine });
              go('#/connections');
            }}
          >
            {count(live ?? 0)} alive
          </button>
        )}
        {open !== undefined && (
          <button type="button" class="quiet" onClick={open} aria-label={`Show ${machine} large`}>
            larger
          </button>
        )}
      </header>
      <p class="chips" aria-hidden="true">
        {busy.slice(0, 5).map(([state, instances]) => (
          <span key={state} class="chip">
            {state} <b>{compact(instances)}</b>
          </span>
        ))}
        {busy.length > 5 && <span class="chip">and {busy.length - 5} more</span>}
      </p>
      <Statechart machine={machine} counts={states} rates={edges} isLarge={open === undefined} />
    </article>
  );
}
