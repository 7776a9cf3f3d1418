/** What the page asks its server. */
import type {
  About,
  ActionRequest,
  ConnectionDetail,
  ConnectionsPage,
  ServerDetail,
  Sort,
} from '../../src/inspect/protocol.js';

/** The server has answered, and not with what was asked for. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    what: string,
  ) {
    super(what);
  }
}

async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, { cache: 'no-store', credentials: 'same-origin', ...init });
  if (response.ok) return response;
  const body = (await response.json().catch(() => undefined)) as { error?: unknown } | undefined;
  throw new Refused(
    response.status,
    typeof body?.error === 'string' ? body.error : `the server says ${response.status}`,
  );
}

const json = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await ask(path, signal === undefined ? undefined : { signal })).json() as Promise<T>;

export interface Query {
  readonly machine: string;
  readonly sort: Sort;
  readonly order: 'asc' | 'desc';
  readonly filter: string;
  readonly state: string;
  readonly offset: number;
  readonly limit: number;
}

export const api = {
  about: () => json<About>('/api/about'),
  connections: ({ offset, limit, ...rest }: Query, signal: AbortSignal) =>
    json<ConnectionsPage>(
      `/api/connections?${new URLSearchParams({ ...rest, offset: String(offset), limit: String(limit) })}`,
      signal,
    ),
  connection: (id: string, signal: AbortSignal) =>
    json<ConnectionDetail>(`/api/connections/${encodeURIComponent(id)}`, signal),
  server: (id: string, signal: AbortSignal) => json<ServerDetail>(`/api/servers/${encodeURIComponent(id)}`, signal),
  diagram: async (machine: string) => (await ask(`/diagrams/${encodeURIComponent(machine)}.svg`)).text(),
  /** A page that needs no server, with what is remembered in it, or with nothing. */
  export: async (isEmpty = false) => (await ask(isEmpty ? '/api/export?empty' : '/api/export')).text(),
  act: (request: ActionRequest) =>
    ask('/api/actions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sockchart': 'action' },
      body: JSON.stringify(request),
    }),
};
