/** Where in the page one is: after the `#`, so that the server need not know, and back leads back. */
import { Store } from './store.js';

export interface Route {
  readonly view: 'overview' | 'connections' | 'connection' | 'servers' | 'server' | 'replay';
  readonly id: string;
}

function read(): Route {
  const [view = '', id = ''] = location.hash.replace(/^#\/?/, '').split('/');
  if (view === 'connections' && id !== '') return { view: 'connection', id: decode(id) };
  if (view === 'servers' && id !== '') return { view: 'server', id: decode(id) };
  return { view: view === 'connections' || view === 'servers' || view === 'replay' ? view : 'overview', id: '' };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = new Store<Route>(read());
window.addEventListener('hashchange', () => {
  route.value = read();
});

export const hrefOf = (id: string): string => `#/connections/${encodeURIComponent(id)}`;

export const hrefOfServer = (id: string): string => `#/servers/${encodeURIComponent(id)}`;

export function go(hash: string): void {
  location.hash = hash;
}
