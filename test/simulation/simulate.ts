/** Runs plans, makes a failing one as small as its failure allows, and tells its story. */
import type { Plan } from './plan.js';
import { planOf } from './plan.js';
import { type Result, Run } from './run.js';

/** So that the story of a failure does not take longer than the search for it. */
const TRIES_MAX = 400;

export const play = (plan: Plan, hasStory = false): Promise<Result> => new Run(plan, hasStory).run();

const PARTS = ['clients', 'backends', 'actions', 'faults'] as const;

/** What each part of a plan may be replaced by, the boldest first. */
function* simpler(plan: Plan): Generator<Plan> {
  for (const part of PARTS) {
    const items: readonly unknown[] = plan[part];
    if (items.length > 1) yield { ...plan, [part]: [] };
    for (const index of items.keys()) yield { ...plan, [part]: without(items, index) };
  }
  for (const index of plan.servers.keys()) {
    if (plan.servers.length > 1) yield { ...plan, servers: without(plan.servers, index) };
  }
  for (const [index, server] of plan.servers.entries()) {
    const replaced = (change: object): Plan => ({
      ...plan,
      servers: replace(plan.servers, index, { ...server, ...change }),
    });
    if (server.outages.length > 0) yield replaced({ outages: [] });
    for (const outage of server.outages.keys()) yield replaced({ outages: without(server.outages, outage) });
    if (server.dials.length > 0) yield replaced({ dials: [] });
    if (server.capacity !== Number.POSITIVE_INFINITY) yield replaced({ capacity: Number.POSITIVE_INFINITY });
    if (server.connectionsMax !== undefined) yield replaced({ connectionsMax: undefined });
    if (server.scripts.length > 1) for (const script of server.scripts) yield replaced({ scripts: [script] });
    for (const [number, script] of server.scripts.entries()) {
      for (const step of script.steps.keys()) {
        const steps = without(script.steps, step);
        yield replaced({ scripts: replace(server.scripts, number, { ...script, steps }) });
      }
    }
  }
  for (const [index, client] of plan.clients.entries()) {
    for (const step of client.script.steps.keys()) {
      const script = { ...client.script, steps: without(client.script.steps, step) };
      yield { ...plan, clients: replace(plan.clients, index, { ...client, script }) };
    }
  }
  for (const [index, backend] of plan.backends.entries()) {
    if (backend.prepare.length > 0) {
      yield { ...plan, backends: replace(plan.backends, index, { ...backend, prepare: [] }) };
    }
    if (backend.holdsLetGoMs.length > 0) {
      yield { ...plan, backends: replace(plan.backends, index, { ...backend, holdsLetGoMs: [] }) };
    }
  }
  if (plan.listeners > 1 && plan.clients.every(({ listener }) => listener === 0)) yield { ...plan, listeners: 1 };
  if (plan.hasAdmit) yield { ...plan, hasAdmit: false };
  if (plan.hasRoute) yield { ...plan, hasRoute: false };
  if (plan.hasRefusal) yield { ...plan, hasRefusal: false };
  for (const name of ['retryBudget', 'attemptsMax', 'durationMax', 'connectBufferBytes'] as const) {
    if (plan.options[name] !== undefined) yield { ...plan, options: { ...plan.options, [name]: undefined } };
  }
}

const without = <T>(items: readonly T[], index: number): T[] => items.filter((_, at) => at !== index);
const replace = <T>(items: readonly T[], index: number, item: T): T[] => items.with(index, item);

/** The smallest plan found that violates the same property. */
export async function shrink(plan: Plan, property: number): Promise<Plan> {
  let least = plan;
  let tries = 0;
  for (let found = true; found; ) {
    found = false;
    let candidates = [...simpler(least)];
    for (let index = 0; index < candidates.length && tries < TRIES_MAX; tries++) {
      const candidate = candidates[index] as Plan;
      const { found: violation } = await play(candidate);
      if (violation?.property === property) {
        least = candidate;
        found = true;
        // What stood behind it stands here now.
        candidates = [...simpler(least)];
      } else {
        index++;
      }
    }
  }
  return least;
}

/** A run that failed: the smallest like it, and how to see all of it. */
export async function report(seed: number, result: Result): Promise<string> {
  const { property, what } = result.found as NonNullable<Result['found']>;
  const least = await shrink(planOf(seed), property);
  const { story } = await play(least, true);
  return [
    `seed ${seed}: property ${property} is violated: ${what}`,
    '',
    'The smallest run like it:',
    ...story,
    '',
    `its plan: ${JSON.stringify(least)}`,
    '',
    `all of it: npm run simulate -- --seed ${seed}`,
  ].join('\n');
}
