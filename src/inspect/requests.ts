/** Reads the requests of a page, and refuses those that make no sense. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ConnectionsQuery } from './connections.js';
import { LISTED, type Listed, SORTS, type Sort } from './protocol.js';

const ROWS_MAX = 500;
const FILTER_MAX = 200;
const ACTION_BYTES_MAX = 4_096;

/** The answer to a request that is refused. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}

export function urlOf({ url = '' }: IncomingMessage): URL {
  // The target of a request to a proxy is no path.
  if (!url.startsWith('/') || !URL.canParse(url, 'http://localhost')) throw new Refusal(400, 'This is no path.');
  return new URL(`http://localhost${url}`);
}

export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal(400, 'This is no name of a connection.');
  }
}

export function queryOf(given: URLSearchParams): ConnectionsQuery {
  const sort = given.get('sort') ?? 'age';
  const order = given.get('order') ?? 'asc';
  if (!(SORTS as readonly string[]).includes(sort)) throw new Refusal(400, `sort is one of ${SORTS.join(', ')}.`);
  if (order !== 'asc' && order !== 'desc') throw new Refusal(400, 'order is asc or desc.');
  const of = given.get('of') ?? 'alive';
  if (!(LISTED as readonly string[]).includes(of)) throw new Refusal(400, `of is one of ${LISTED.join(', ')}.`);
  return {
    of: of as Listed,
    machine: (given.get('machine') ?? '').slice(0, FILTER_MAX),
    sort: sort as Sort,
    descending: order === 'desc',
    filter: (given.get('filter') ?? '').slice(0, FILTER_MAX).toLowerCase(),
    state: (given.get('state') ?? '').slice(0, FILTER_MAX),
    offset: whole(given, 'offset', 0, Number.MAX_SAFE_INTEGER),
    limit: whole(given, 'limit', 100, ROWS_MAX),
  };
}

function whole(given: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = given.get(name);
  if (text === null) return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new Refusal(400, `${name} is a whole number up to ${most}.`);
  return value;
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ACTION_BYTES_MAX) throw new Refusal(413, 'An action is shorter than this.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
