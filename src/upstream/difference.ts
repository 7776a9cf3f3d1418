/** What has to be done so that the servers of a set are those of another list. */
import { builtin } from '../builtin.js';
import type { ServerOptions } from './server-options.js';

/** What can be changed while it runs. */
const LIVE = ['weight', 'connectionsMax', 'queueMax'] as const;

/** What makes a server the same in another list. */
export const identityOf = ({ name, host = '127.0.0.1', port, path }: ServerOptions): string =>
  name ?? path ?? `${host}:${port}`;

/** What a change of needs another server. */
function fixedOf(options: ServerOptions): object {
  const fixed: Record<string, unknown> = { ...options };
  for (const name of LIVE) delete fixed[name];
  for (const name of Object.keys(fixed)) if (fixed[name] === undefined) delete fixed[name];
  return fixed;
}

export interface Difference<T> {
  /** Those that stay, each with its options from now on. */
  readonly kept: readonly (readonly [T, ServerOptions])[];
  readonly added: readonly ServerOptions[];
  readonly removed: readonly T[];
}

/** @param servers those that are not being removed, or names */
export function differenceOf<T extends { readonly options: ServerOptions }>(
  servers: readonly T[],
  list: readonly ServerOptions[],
): Difference<T> {
  const left = new Map<string, T[]>();
  for (const server of servers) {
    const key = identityOf(server.options);
    left.set(key, [...(left.get(key) ?? []), server]);
  }
  const kept: [T, ServerOptions][] = [];
  const added: ServerOptions[] = [];
  for (const options of list) {
    const alike = left.get(identityOf(options)) ?? [];
    const fixed = fixedOf(options);
    const index = alike.findIndex((server) => builtin.util.isDeepStrictEqual(fixedOf(server.options), fixed));
    if (index < 0) added.push(options);
    else kept.push([...alike.splice(index, 1), options] as unknown as [T, ServerOptions]);
  }
  return { kept, added, removed: [...left.values()].flat() };
}
