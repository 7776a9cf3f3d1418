/** How many of a machine's transitions the paths take, and why they do not take the others. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { type ExploreOptions, shortName, type Walk } from './graph.js';
import { namesOf } from './replay.js';

/** A transition as a machine has it. */
export interface Definition {
  readonly source: AnyStateNode;
  readonly target: readonly AnyStateNode[] | undefined;
  readonly eventType: string;
  readonly guard: unknown;
  readonly actions: readonly unknown[];
}

/** How many transitions were taken, in a line, and those that were not. */
export function coverage(
  machine: AnyStateMachine,
  taken: ReadonlySet<string>,
  how = '',
): { line: string; missing: Definition[] } {
  const names = namesOf(machine);
  const missing = [...names].filter(([, name]) => !taken.has(name)).map(([transition]) => transition as Definition);
  const never = missing.length === 0 ? '' : `; never taken: ${missing.map(describeTransition).join(', ')}`;
  return { line: `transitions ${names.size - missing.length}/${names.size}${how}${never}`, missing };
}

/** `waiting –retry→ failed [isExhausted]`. */
export function describeTransition({ source, target, eventType, guard }: Definition): string {
  const event = eventType === '' ? 'always' : shortName(eventType);
  const to = target?.map(pathOf).join(', ') ?? pathOf(source);
  return `${pathOf(source)} –${event}→ ${to}${guard === undefined ? '' : ` [${guardName(guard)}]`}`;
}

const pathOf = ({ path, machine }: AnyStateNode): string => (path.length === 0 ? machine.id : path.join('.'));

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  const { type, name } = guard as { type?: string; name?: string };
  return type ?? (name || 'a guard');
}

/** Why the walk did not take a transition, and what would help. */
export function reason<M extends AnyStateMachine>(
  walk: Walk<M>,
  transition: Definition,
  options: ExploreOptions<M>,
): string {
  const { source, eventType, guard } = transition;
  if (walk.taken.has(transition)) return 'it was explored, and did not happen';
  if (!enteredBy(walk).has(source)) return `no path enters ${pathOf(source)}`;
  const before = triedBefore(transition);
  const areGuarded = before.every((other) => other.guard !== undefined);
  const first = areGuarded && before.some((other) => walk.taken.has(other)) ? before : [];
  if (!areGuarded || (guard === undefined && first.length === 0)) return 'another transition takes the event first';
  const context = new Set<string>();
  const event = new Set<string>();
  for (const { guard: one } of [...first, ...(guard === undefined ? [] : [transition])]) {
    const reads = readsOf(walk.machine, one, eventType);
    for (const field of reads.context) context.add(field);
    for (const field of reads.event) event.add(field);
  }
  const others = first.map((other) => `[${guardName(other.guard)}]`).join(' or ');
  const advice: string[] = [];
  const fields = walk.untold().filter((field) => context.has(field));
  const from = fields.map((field) => `context.${field}`);
  if (fields.length > 0) {
    const key = fields.length === 1 ? from[0] : `\`${from.map((field) => `\${${field}}`).join(' ')}\``;
    advice.push(`"key" does not tell ${fields.join(', ')} apart, so give key: ({ context }) => ${key}`);
  }
  if (event.size > 0) {
    const payload = options.events === undefined ? 'the event had nothing but its type, so give' : 'give';
    const verb = guard === undefined ? 'refuses' : 'accepts';
    advice.push(`${payload} one whose ${[...event].join(', ')} the guard ${verb}, by "events"`);
  }
  const what =
    guard === undefined
      ? `${others} was always true in ${pathOf(source)}`
      : `its guard was never true${first.length > 0 ? ` where ${others} was not` : ''}`;
  return [what, ...advice].join('; ');
}

/** Those that the same state tries first for the event. */
function triedBefore(transition: Definition): Definition[] {
  const { source, eventType } = transition;
  const all = (eventType === '' ? source.always : source.transitions.get(eventType)) as Definition[] | undefined;
  return all?.slice(0, all.indexOf(transition)) ?? [];
}

/** Every state that a path has entered, also those that it has left at once. */
function enteredBy(walk: Walk<AnyStateMachine>): Set<AnyStateNode> {
  const entered = new Set<AnyStateNode>();
  const enter = (node: AnyStateNode): void => {
    for (let at: AnyStateNode | undefined = node; at !== undefined; at = at.parent) entered.add(at);
    for (const inside of node.initial?.target ?? []) enter(inside);
  };
  enter(walk.machine.root);
  for (const { snapshot } of walk.places.values()) for (const node of snapshot._nodes) entered.add(node);
  for (const { source, target } of walk.taken as ReadonlySet<Definition>)
    for (const node of [source, ...(target ?? [])]) enter(node);
  return entered;
}

type Guard = ((given: object, params: unknown) => unknown) & { guards?: readonly unknown[]; check?: unknown };

/** The fields of the context and of the event that a guard looks at. */
function readsOf(
  machine: AnyStateMachine,
  guard: unknown,
  eventType: string,
): { context: Set<string>; event: Set<string> } {
  const reads = { context: new Set<string>(), event: new Set<string>() };
  const noting = (fields: Set<string>, known: object): object =>
    new Proxy(known, {
      get(_, field) {
        if (field in known) return Reflect.get(known, field);
        fields.add(String(field));
        return undefined;
      },
    });
  const ask = (one: unknown): void => {
    const { type, params } = (typeof one === 'object' ? one : { type: one }) as { type: unknown; params?: unknown };
    const run = (typeof type === 'string' ? machine.implementations.guards[type] : type) as Guard | undefined;
    if (run?.guards !== undefined) run.guards.forEach(ask);
    else if (typeof run === 'function' && run.check === undefined) {
      try {
        const given = { context: noting(reads.context, {}), event: noting(reads.event, { type: eventType }) };
        run(given, typeof params === 'function' ? params(given) : params);
      } catch {
        // What it has read until then is enough.
      }
    }
  };
  ask(guard);
  return reads;
}
