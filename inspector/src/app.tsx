import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { notice } from './actions.js';
import { Connection } from './connection.js';
import { Connections } from './connections.js';
import { about, type Link, link, overview, ownOnly, servers } from './live.js';
import { Overview } from './overview.js';
import { Replay } from './replay.js';
import { go, route } from './route.js';
import { ServerPage } from './server.js';
import { ServersView } from './servers.js';
import { useStore } from './store.js';
import { THEMES, theme } from './theme.js';

const VIEWS = [
  ['overview', 'Overview', '#/'],
  ['connections', 'Connections', '#/connections'],
  ['servers', 'Servers', '#/servers'],
  ['replay', 'Replay', '#/replay'],
] as const;

const LINKS: Readonly<Record<Link, string>> = {
  connecting: 'connecting',
  live: 'live',
  silent: 'no answer: what is shown is old',
  paused: 'paused',
  lost: 'not reachable',
  denied: 'not allowed',
};

/** The page; without a server only what it carries can be looked at. */
export function App({ isExport }: { readonly isExport: boolean }) {
  const { view, id } = useStore(route);
  const help = useRef<HTMLDialogElement>(null);
  const state = useStore(link);

  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const { key, target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return;
      if (target instanceof HTMLElement && target.matches('input:not([type=range]), select, textarea')) return;
      const chosen = VIEWS[Number(key) - 1];
      if (key === '?') help.current?.showModal();
      else if (isExport) return;
      else if (key === '/') search();
      else if (key === 'Escape' && route.value.id !== '') go(`#/${route.value.view}s`);
      else if (chosen !== undefined) go(chosen[2]);
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [isExport]);

  useEffect(() => {
    const name =
      view === 'connection' ? id : view === 'server' ? serverName(id) : VIEWS.find(([known]) => known === view)?.[1];
    document.title = isExport ? 'Recording · sockchart' : `${name} · sockchart`;
  }, [view, id, isExport]);

  return (
    <>
      <button type="button" class="skip" onClick={() => document.querySelector<HTMLElement>('#main')?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <strong class="brand">sockchart</strong>
        {isExport ? (
          <span class="note">recording</span>
        ) : (
          <nav aria-label="Views">
            {VIEWS.map(([name, title, href]) => {
              const isHere = name === view || name === `${view}s`;
              return (
                <a key={name} href={href} aria-current={isHere ? 'page' : undefined}>
                  {title}
                </a>
              );
            })}
          </nav>
        )}
        <span class="grow" />
        {!isExport && (
          <span class={`link ${state}`} role="status">
            {LINKS[state]}
          </span>
        )}
        {!isExport && <Live />}
        <ThemeButton />
        <button
          type="button"
          class="quiet"
          aria-label="Keys"
          title="Keys ( ? )"
          onClick={() => help.current?.showModal()}
        >
          ?
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <Notice />
        {state === 'denied' && !isExport ? (
          <Denied />
        ) : isExport || view === 'replay' ? (
          <Replay />
        ) : view === 'connections' ? (
          <Connections />
        ) : view === 'connection' ? (
          <Connection key={id} id={id} />
        ) : view === 'servers' ? (
          <ServersView />
        ) : view === 'server' ? (
          <ServerPage key={id} id={id} />
        ) : (
          <Overview />
        )}
      </main>
      <dialog ref={help} aria-label="Keys">
        <h2>Keys</h2>
        <dl class="keys">
          {(isExport ? KEYS.slice(-3) : KEYS).map(([keys, what]) => (
            <div key={what}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <form method="dialog" class="actions">
          <button type="submit" class="primary">
            Close
          </button>
        </form>
      </dialog>
    </>
  );
}

const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [['1', '2', '3', '4'], 'overview, connections, servers, replay'],
  [['/'], 'search'],
  [['↑', '↓', 'j', 'k'], 'move in the table'],
  [['Enter'], 'open the connection'],
  [['Esc'], 'back to the table'],
  [['←', '→'], 'step back, step forward'],
  [['Space'], 'play, pause'],
  [['Home', 'End'], 'to the start, to the end'],
];

const serverName = (id: string): string => servers.value?.rows.get(id)?.name ?? id;

function search(): void {
  const focus = (): void => document.querySelector<HTMLInputElement>('#search')?.focus();
  if (route.value.view === 'connections' || route.value.view === 'servers') focus();
  else {
    go('#/connections');
    // The view is there once it has been drawn.
    requestAnimationFrame(() => requestAnimationFrame(focus));
  }
}

function Live() {
  const whole = useStore(overview);
  const known = useStore(about);
  const { recordingError } = whole ?? {};
  const isRecording = known?.recording === true;
  const own = ownOnly(known, whole);
  const live =
    own.length === 0
      ? whole?.live
      : whole?.machines.reduce((sum, { machine, live = 0 }) => sum + (own.includes(machine) ? live : 0), 0);
  return (
    <>
      {isRecording && recordingError === undefined && <span class="recording">recording</span>}
      {recordingError !== undefined && (
        <span class="note bad" role="status">
          the recording has stopped: {recordingError}
        </span>
      )}
      {live !== undefined && <span class="note live-count">{live.toLocaleString('en')} alive</span>}
    </>
  );
}

function Notice() {
  const text = useStore(notice);
  return (
    <p class={text === '' ? 'notice sr-only' : 'notice'} role="status">
      {text}
      {text !== '' && (
        <button type="button" class="quiet" aria-label="Dismiss" onClick={() => (notice.value = '')}>
          ✕
        </button>
      )}
    </p>
  );
}

function Denied() {
  return (
    <div class="card nothing">
      <h1>This page is not allowed in</h1>
      <p>Its URL is good once. Start the program again, or take the URL that it prints.</p>
    </div>
  );
}

const ICONS = { auto: '◐', light: '☀', dark: '☾' } as const;

function ThemeButton() {
  const name = useStore(theme);
  const next = THEMES[(THEMES.indexOf(name) + 1) % THEMES.length] ?? 'auto';
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`Theme: ${name}`}
      title={`Theme: ${name}`}
      onClick={() => {
        theme.value = next;
      }}
    >
      {ICONS[name]}
    </button>
  );
}
