/** What every state does about every event, as Markdown; and the events that a state neither handles nor ignores. */
import {
  candidates,
  chainOf,
  holdsSocket,
  isForOthers,
  isIgnored,
  isPassedThrough,
  isWildcard,
  type Model,
  type State,
  type Transition,
  timersOf,
} from './model.js';

const code = ({ path }: State): string => `\`${path}\``;

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

const codes = (texts: readonly string[]): string => texts.map((text) => `\`${text}\``).join(', ');

/** Text that is no Markdown. */
const plain = (text: string): string => text.replace(/[\\`*_<]/g, '\\$&');

/** The leaves that events can find active. */
const livingLeaves = ({ states }: Model): State[] =>
  states.filter((state) => state.kind === 'leaf' && !isPassedThrough(state));

/** Not handled at all, or only as long as a guard holds. No state has to handle the events that no state names, nor to be left at once. */
const isUnhandled = (leaf: State, event: string): boolean =>
  mayFallThrough(candidates(leaf, event)) && event !== '' && !isWildcard(event) && !isForOthers(leaf, event);

const mayFallThrough = (found: readonly Transition[]): boolean =>
  found.length === 0 || found.at(-1)?.guard !== undefined;

/** Every event that some state neither handles nor ignores on purpose, or ignores without a reason. */
export const gaps = (model: Model): string[] =>
  livingLeaves(model).flatMap((leaf) =>
    model.events.flatMap((event) => {
      const found = candidates(leaf, event);
      if (isUnhandled(leaf, event)) return [`${model.id}: ${leaf.path} does not handle ${event}`];
      const silent = found.some((transition) => isIgnored(transition) && transition.description === '');
      return silent ? [`${model.id}: ${leaf.path} ignores ${event} without a reason`] : [];
    }),
  );

function effect(transition: Transition): string {
  const { targets, guard, actions, raises, description } = transition;
  const when = guard === undefined ? [] : [`[${plain(guard)}]`];
  if (isIgnored(transition)) return description ? `ignored: ${description}` : [...when, 'ignored'].join(' ');
  return [
    ...(targets.length > 0 ? [`→ ${targets.map(code).join(', ')}`] : []),
    ...when,
    ...(actions.length > 0 ? [`${targets.length > 0 ? '/ ' : ''}${codes(actions)}`] : []),
    ...(raises.length > 0 ? [`(raises ${codes(raises)})`] : []),
    ...(description ? [`– ${description}`] : []),
  ].join(' ');
}

interface Row {
  readonly names: string[];
  readonly what: string;
  readonly where: string;
  readonly ignored: boolean;
}

/** The rows of a leaf: first what does something, then what is ignored, one row per reason. */
function eventRows(leaf: State, events: readonly string[]): string[] {
  const rows = new Map<string, Row>();
  for (const event of events) {
    const found = candidates(leaf, event);
    if (found.length === 0 && isWildcard(event)) continue;
    const name = nameOf(event, found[0]);
    const effects = found.map(effect);
    if (isUnhandled(leaf, event)) effects.push('**UNHANDLED**');
    else if (found.length === 0) effects.push('left to another region');
    const what = effects.join('<br>');
    const where = [...new Set(found.map(({ source }) => placeOf(source, leaf)))].join(', ');
    const ignored = found.every(isIgnored) && !isUnhandled(leaf, event);
    const key = ignored ? `${what} ${where}` : event;
    const known = rows.get(key);
    if (known) known.names.push(name);
    else rows.set(key, { names: [name], what, where, ignored });
  }
  return [...rows.values()]
    .sort((a, b) => Number(a.ignored) - Number(b.ignored))
    .map(({ names, what, where }) => row([names.join(', '), what, where]));
}

/** The event of a row. A catch-all that takes it has a row of its own. */
function nameOf(event: string, first: Transition | undefined): string {
  if (event === '') return '_at once_';
  if (first === undefined || isWildcard(first.event)) return `\`${event}\``;
  const { label, timer, delayMs } = first;
  return `${timer ? '⏱ ' : ''}\`${label}\`${delayMs === undefined ? '' : ` ${durationText(delayMs)}`}`;
}

/** Exact, so that the table changes with it. */
const durationText = (ms: number): string => (ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`);

const placeOf = (source: State, leaf: State): string =>
  source === leaf ? 'here' : source.parent === undefined ? 'the root' : code(source);

function section(model: Model, state: State): string[] {
  const { path, description, kind, parent } = state;
  const lines = [`### ${path}`, '', ...(description ? [description, ''] : [])];
  if (kind === 'final') {
    const over = parent === undefined || parent === model.root ? 'the instance is over' : `${code(parent)} is done`;
    return [...lines, `Final: ${over}.`, ''];
  }
  if (kind === 'history') {
    const of = parent === undefined || parent === model.root ? 'the machine' : code(parent);
    return [...lines, `History: it enters the state of ${of} that was active last.`, ''];
  }
  const chain = chainOf(state);
  const outermostFirst = chain.toReversed();
  const nameOf = (at: State) => (at === model.root ? 'the root' : code(at));
  const ofOther = (at: State) => (at === state ? '' : ` of ${nameOf(at)}`);
  const tags = [...new Set(outermostFirst.flatMap(({ tags }) => tags))];
  const facts = [
    ...(tags.length > 0 ? [`- Tags: ${codes(tags)}`] : []),
    ...outermostFirst
      .filter(({ entry }) => entry.length > 0)
      .map((at) => `- On entry${ofOther(at)}: ${codes(at.entry)}`),
    ...chain.filter(({ exit }) => exit.length > 0).map((at) => `- On exit${ofOther(at)}: ${codes(at.exit)}`),
    ...outermostFirst
      .filter(({ invokes }) => invokes.length > 0)
      .map((at) => `- Runs${at === state ? '' : `, by ${nameOf(at)}`}: ${codes(at.invokes)}`),
  ];
  return [
    ...lines,
    ...(facts.length > 0 ? [...facts, ''] : []),
    row(['event', 'what happens', 'handled']),
    row(['---', '---', '---']),
    ...eventRows(
      state,
      isPassedThrough(state) ? [''] : [...internalEvents(state), ...model.events, ...timersOf(state)],
    ),
    '',
  ];
}

/** What the machine may report to itself in a leaf: a condition that came true, a state inside or an actor that is done. */
function internalEvents(leaf: State): string[] {
  const timers = new Set(timersOf(leaf));
  const keys = chainOf(leaf).flatMap(({ on }) => [...on.keys()]);
  return [...new Set(keys.filter((key) => key === '' || (key.startsWith('xstate.') && !timers.has(key))))];
}

/** One character for what a leaf does about an event. */
function sign(leaf: State, event: string): string {
  const found = candidates(leaf, event);
  if (isUnhandled(leaf, event)) return '?';
  if (found.length === 0) return isWildcard(event) ? ' ' : '∥';
  if (found.some(({ targets }) => targets.length > 0)) return '→';
  return found.every(isIgnored) ? '·' : '!';
}

/**
 * All states and events at a glance. The names of the events come down like a staircase: seventeen column heads in
 * a row would not fit.
 */
function overview(model: Model): string[] {
  const { events } = model;
  const leaves = livingLeaves(model);
  const width = Math.max(0, ...leaves.map(({ path }) => path.length)) + 2;
  const stairs = events.map((event, index) => {
    const columns = '│ '.repeat(index);
    const landing = '──'.repeat(events.length - index - 1);
    return `${' '.repeat(width)}${columns}┌─${landing} ${event}`;
  });
  return [
    '```text',
    ...stairs,
    ...leaves.map((leaf) => {
      const timers = timersOf(leaf).map((event) => candidates(leaf, event)[0]?.label);
      const signs = events.map((event) => sign(leaf, event)).join(' ');
      return `${leaf.path.padEnd(width)}${signs}${timers.length > 0 ? `   ⏱ ${timers.join(', ')}` : ''}`.trimEnd();
    }),
    '```',
  ];
}

/** What a table says of itself. */
export interface TableHead {
  /** What wrote it. */
  readonly command: string;
  /** The picture beside it. */
  readonly svg: string | undefined;
  /** The Mermaid text beside it. */
  readonly mermaid: string | undefined;
}

export function table(model: Model, { command, svg, mermaid }: TableHead): string {
  const compounds = model.states.filter(({ children }) => children.length > 0);
  const leaves = livingLeaves(model);
  const holders = leaves.filter(holdsSocket);
  const signs = new Set(leaves.flatMap((leaf) => model.events.map((event) => sign(leaf, event))));
  const same = mermaid === undefined ? '' : `; the same ${svg ? 'picture ' : ''}as [Mermaid text](${mermaid})`;
  return `${[
    `# ${model.id}`,
    '',
    ...(model.description ? [model.description, ''] : []),
    ...(svg === undefined ? [] : [`![Statechart of ${model.id}](${svg})`, '']),
    `Generated from the machine by \`${command}\`${same}.`,
    '',
    ...(leaves.length > 0
      ? [
          '## Overview',
          '',
          '`→` enters a state, perhaps only if a guard holds; `!` acts and stays; `·` ignored on purpose; `⏱` timers that run.',
          ...(signs.has('∥') ? ['`∥` left to another region.'] : []),
          ...(signs.has('?') ? ['`?` **UNHANDLED**.'] : []),
          '',
          ...overview(model),
          '',
        ]
      : []),
    ...(holders.length > 0 ? [`May hold a socket: ${holders.map(code).join(', ')}.`, ''] : []),
    '## States',
    '',
    ...compounds.flatMap((state) => [`- ${[code(state), factOf(state)].filter(Boolean).join(': ')}`]),
    ...(compounds.length > 0 ? [''] : []),
    ...model.states.filter(({ children }) => children.length === 0).flatMap((state) => section(model, state)),
    ...commandTable(model),
  ].join('\n')}\n`;
}

const factOf = ({ kind, description, children }: State): string =>
  [kind === 'parallel' ? `${children.length} regions at the same time.` : '', description].filter(Boolean).join(' ');

function commandTable({ commands }: Model): string[] {
  if (commands.length === 0) return [];
  return [
    '## Commands',
    '',
    'What the machine tells its adapter to do.',
    '',
    row(['command', 'emitted by the action']),
    row(['---', '---']),
    ...commands.map(({ command, action }) => row([`\`${command}\``, `\`${action}\``])),
  ];
}
