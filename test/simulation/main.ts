/** The program `npm run simulate`: runs many seeds, or tells the story of one. */
import { parseArgs } from 'node:util';
import type { Counts } from './checks.js';
import { planOf } from './plan.js';
import { playServers } from './servers.js';
import { play, report } from './simulate.js';

const USAGE = `npm run simulate -- [options]

  --seeds N   how many runs; default 1000
  --first N   the seed of the first; default 1
  --seed N    only this one: prints all that happens in it
  --servers   a set of servers under random commands, in place of a whole proxy
  --commands N  how many commands per run, with --servers; default 200
  --help

The same seed is the same run on every computer, on the same major version of Node. Exit codes: 0 every property holds,
1 one is violated, 2 a bad option.`;

const SEEDS = 1_000;

class UsageError extends Error {}

/** Returns the exit code. */
export async function main(args: readonly string[], print: (text: string) => void): Promise<number> {
  try {
    const { seed, first, count, commands, isHelp } = parsed(args);
    if (isHelp) print(USAGE);
    else if (commands !== undefined)
      return await ofServers(seed ?? first, seed === undefined ? count : 1, commands, print);
    else if (seed !== undefined) return await tell(seed, print);
    else return await many(first, count, print);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    print(`simulate: ${error.message}\n\n${USAGE}`);
    return 2;
  }
}

function parsed(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seeds: { type: 'string' },
        first: { type: 'string' },
        seed: { type: 'string' },
        servers: { type: 'boolean' },
        commands: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    const { seeds, first, seed, servers: isOfServers = false, commands, help: isHelp = false } = values;
    if (commands !== undefined && !isOfServers) throw new UsageError('--commands goes with --servers.');
    if (seed !== undefined && (seeds !== undefined || first !== undefined)) {
      throw new UsageError('--seed is one run: leave out --seeds and --first.');
    }
    return {
      seed: seed === undefined ? undefined : number('--seed', seed, 0),
      first: first === undefined ? 1 : number('--first', first, 0),
      count: seeds === undefined ? SEEDS : number('--seeds', seeds, 1),
      commands: isOfServers ? number('--commands', commands ?? '200', 1) : undefined,
      isHelp,
    };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
}

const SEED_MAX = 2 ** 31 - 1;

function number(flag: string, text: string, least: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isInteger(value) || value < least || value > SEED_MAX) {
    throw new UsageError(`${flag} takes a whole number from ${least} to ${SEED_MAX}; it is "${text}".`);
  }
  return value;
}

async function tell(seed: number, print: (text: string) => void): Promise<number> {
  const result = await play(planOf(seed), true);
  print(result.story.join('\n'));
  if (result.found === undefined) {
    print(`\nseed ${seed}: every property holds, over ${result.events} events.`);
    return 0;
  }
  print(`\n${await report(seed, result)}`);
  return 1;
}

/** Runs of servers under so many commands each; of one that fails, its story. */
async function ofServers(
  first: number,
  count: number,
  commands: number,
  print: (text: string) => void,
): Promise<number> {
  const start = performance.now();
  const counts: Counts = new Map();
  for (let seed = first; seed < first + count; seed++) {
    const result = await playServers(seed, commands);
    if (result.found !== undefined) print(result.story.join('\n'));
    if (result.found !== undefined) {
      print(`\nseed ${seed}: ${result.found}`);
      return 1;
    }
    for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  }
  const seconds = (performance.now() - start) / 1_000;
  print(`${count * commands} commands in ${count} runs from seed ${first}, ${seconds.toFixed(1)} s: P1 to P13 hold.\n`);
  printCounts(counts, print);
  return 0;
}

function printCounts(counts: Counts, print: (text: string) => void): void {
  for (const [what, times] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
    print(`${String(times).padStart(9)} ${what}`);
}

async function many(first: number, count: number, print: (text: string) => void): Promise<number> {
  const start = performance.now();
  const counts: Counts = new Map();
  let events = 0;
  for (let seed = first; seed < first + count; seed++) {
    const result = await play(planOf(seed));
    if (result.found !== undefined) {
      print(await report(seed, result));
      return 1;
    }
    events += result.events;
    for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  }
  const seconds = (performance.now() - start) / 1_000;
  print(`${count} runs from seed ${first}, ${events} events, ${seconds.toFixed(1)} s: every property holds.\n`);
  printCounts(counts, print);
  return 0;
}
