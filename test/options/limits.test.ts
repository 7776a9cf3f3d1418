/** The table of limits, and the places that tell users of it: comments of the options, and the tables in docs/. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as tables from '../../src/machines/limits.js';
import { type Limit, type Limits, namesOf } from '../../src/machines/limits.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const groups = Object.fromEntries(
  Object.entries(tables).filter(([name]) => name.endsWith('_LIMITS')),
) as unknown as Record<string, Limits>;

/** Which interface has the options of which tables. */
const INTERFACES: Readonly<Record<string, readonly string[]>> = {
  ClientLimits: ['CLIENT_LIMITS'],
  PeekOptions: ['PEEK_LIMITS'],
  ListenerLimits: ['LISTENER_LIMITS'],
  'DialLimits, BackendLimits': ['BACKEND_LIMITS'],
  'SessionLimits, ProxyOptions': ['SESSION_LIMITS', 'BUFFER_LIMITS'],
  ServersOptions: ['SERVERS_LIMITS'],
  ChecksOptions: ['CHECK_LIMITS'],
  AddressesOptions: ['NAME_LIMITS'],
  ClusterOptions: ['WORKER_LIMITS'],
};

const sources = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(`${ROOT}src/${file}`, 'utf8'));

/** The body of an interface, wherever it is. */
function bodyOf(name: string): string {
  const bodies = sources.flatMap((text) => new RegExp(`interface ${name}\\b.*?\\n}\\n`, 's').exec(text)?.[0] ?? []);
  expect(bodies, name).toHaveLength(1);
  return bodies[0] as string;
}

/** How a comment says a default: `10 000`, or `no limit`; of one that the table leaves open, anything. */
function defaultOf({ fallback }: Limit): RegExp {
  if (fallback === undefined) return /Default: /;
  if (fallback === NEVER_MS || fallback === Number.POSITIVE_INFINITY) return /Default: (no limit|none)\./;
  return new RegExp(`Default:? ${fallback.toLocaleString('en').replaceAll(',', '[ _]')}(?=[.:, ])`);
}

describe.each(Object.entries(INTERFACES))('the comments of %s', (name, names) => {
  const body = name.split(', ').map(bodyOf).join('');
  const rows = names.flatMap((group) => Object.entries(groups[group] as Limits));

  test.each(rows)('%s', (option, limit) => {
    const comment = new RegExp(`/\\*\\*((?:(?!\\*/).)*)\\*/\\s+readonly ${option}\\?:`, 's').exec(body)?.[1] ?? '';
    expect(comment.replaceAll(/\s+\*\s+/g, ' ')).toMatch(defaultOf(limit));
  });
});

const UNITS: readonly (readonly [number, string])[] = [
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
  [1, 'ms'],
];

function defaultText({ kind, fallback, otherwise = '' }: Limit): string {
  if (fallback === undefined) return otherwise;
  if (fallback === NEVER_MS || fallback === Number.POSITIVE_INFINITY) return 'none';
  if (kind === 'count') return String(fallback);
  const [unit, name] = UNITS.find(([size]) => fallback % size === 0) as readonly [number, string];
  return `${fallback / unit} ${name}`;
}

const documented = new Map<string, Set<string>>();

/** The same page, with what a limit bounds and its default as the table has them. */
function written(page: string): string {
  let rows: Limits = {};
  return page
    .split('\n')
    .map((line) => {
      const names = /^<!-- limits: (.*) -->$/.exec(line)?.[1]?.split(' ');
      if (names !== undefined) {
        rows = Object.assign({}, ...names.map((name) => groups[name]));
        for (const name of names) if (!documented.has(name)) documented.set(name, new Set());
      } else if (line.startsWith('#')) {
        rows = {};
      }
      const [, option = ''] = /^\| `(\w+)` \|/.exec(line) ?? [];
      const limit = rows[option];
      if (limit === undefined) return line;
      for (const [name, group] of Object.entries(groups))
        if (group[option] === limit) documented.get(name)?.add(option);
      const cells = line.split('|');
      cells[2] = ` ${limit.bounds} `;
      cells[3] = ` ${defaultText(limit)} `;
      return cells.join('|');
    })
    .join('\n');
}

test.each(['timeouts.md', 'cluster.md', 'servers.md'])(
  'docs/%s says what the table says; if not, run this with -u',
  async (page) => {
    const file = `${ROOT}docs/${page}`;
    await expect(written(readFileSync(file, 'utf8'))).toMatchFileSnapshot(file);
  },
);

test('the docs have a row for every limit', () => {
  const told = new Set(
    [...documented].flatMap(([name, options]) => [...options].map((option) => groups[name]?.[option])),
  );
  const missing = Object.entries(groups).flatMap(([name, group]) =>
    namesOf(group)
      .filter((option) => !told.has(group[option]))
      .map((option) => `${name}.${option}`),
  );
  expect(missing).toEqual([]);
});
