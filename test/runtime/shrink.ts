/** Makes the config of a failing machine as small as the failure allows. */

type Config = Record<string, unknown>;
type Path = readonly (string | number)[];

/** Without these the machine might never come to rest, or would be none. */
const KEPT = new Set<string | number>(['id', 'context', 'guard', 'target', 'type', 'states', 'initial']);
const KEPT_ACTION = 'burn';

/** So that the story of a failure does not take longer than the search for it. */
const TRIES_MAX = 3_000;

/** Leaves out whatever can be left out while it still fails. */
export function shrink(config: Config, fails: (smaller: Config) => boolean): Config {
  let least = config;
  let tries = 0;
  for (let found = true; found; ) {
    found = false;
    // The large parts first, for they come first: a state before what is in it.
    let parts = partsOf(least);
    for (let index = 0; index < parts.length && tries < TRIES_MAX; tries++) {
      const smaller = without(least, parts[index] as Path) as Config;
      if (fails(smaller)) {
        least = smaller;
        found = true;
        // What stood behind it stands here now.
        parts = partsOf(least);
      } else {
        index++;
      }
    }
  }
  return least;
}

function partsOf(value: unknown, path: Path = []): Path[] {
  if (value === null || typeof value !== 'object') return [];
  const parts: Path[] = [];
  for (const [name, part] of Object.entries(value)) {
    const key = Array.isArray(value) ? Number(name) : name;
    const here = [...path, key];
    // A state may well have the name of a key that is kept.
    const isName = path.at(-1) === 'states' || path.at(-1) === 'on' || path.at(-1) === 'after';
    if (isName || !(KEPT.has(key) || part === KEPT_ACTION || (key === 'actions' && holds(part)))) parts.push(here);
    if (key !== 'guard' && key !== 'context' && key !== 'params') parts.push(...partsOf(part, here));
  }
  return parts;
}

const holds = (actions: unknown): boolean => Array.isArray(actions) && actions.includes(KEPT_ACTION);

function without(value: unknown, [first, ...rest]: Path): unknown {
  if (Array.isArray(value)) {
    if (rest.length === 0) return value.filter((_, index) => index !== first);
    return value.map((part, index) => (index === first ? without(part, rest) : part));
  }
  const { [first as string]: part, ...others } = value as Config;
  if (rest.length === 0) return others;
  return Object.fromEntries(
    Object.entries(value as Config).map(([key, own]) => (key === first ? [key, without(own, rest)] : [key, own])),
  );
}
