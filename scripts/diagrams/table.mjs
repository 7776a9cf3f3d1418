// @ts-check
/** What every state does about every event, as Markdown; and the events that nobody thought of. */
import { candidates, chainOf, holdsSocket, isIgnored, isPassedThrough, timersOf } from './model.mjs';

/** @typedef {import('./model.mjs').Model} Model */
/** @typedef {import('./model.mjs').State} State */
/** @typedef {import('./model.mjs').Transition} Transition */

/** @param {State} state */
const code = ({ path }) => `\`${path}\``;

/** @param {string[]} cells */
const row = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

/** @param {string[]} actions */
const actionList = (actions) => actions.map((action) => `\`${action}\``).join(', ');

/**
 * The leaves that events can find active.
 *
 * @param {Model} model
 */
const livingLeaves = ({ states }) => states.filter((state) => state.kind === 'leaf' && !isPassedThrough(state));

/**
 * Not handled at all, or only as long as a guard holds.
 *
 * @param {Transition[]} found
 */
const mayFallThrough = (found) => found.length === 0 || found.at(-1)?.guard !== undefined;

/**
 * Every event that some state neither handles nor ignores on purpose, or ignores without a reason.
 *
 * @param {Model} model
 * @returns {string[]}
 */
export const gaps = (model) =>
  livingLeaves(model).flatMap((leaf) =>
    model.events.flatMap((event) => {
      const found = candidates(leaf, event);
      if (mayFallThrough(found)) return [`${model.id}: ${leaf.path} does not handle ${event}`];
      const silent = found.some((transition) => isIgnored(transition) && transition.description === '');
      return silent ? [`${model.id}: ${leaf.path} ignores ${event} without a reason`] : [];
    }),
  );

/** @param {Transition} transition */
function effect(transition) {
  const { target, guard, actions, raises, description } = transition;
  if (isIgnored(transition)) return `ignored: ${description || '**no reason given**'}`;
  return [
    ...(target ? [`→ ${code(target)}`] : []),
    ...(guard ? [`[${guard}]`] : []),
    ...(actions.length > 0 ? [`${target ? '/ ' : ''}${actionList(actions)}`] : []),
    ...(raises.length > 0 ? [`(raises ${raises.map((event) => `\`${event}\``).join(', ')})`] : []),
    ...(description ? [`– ${description}`] : []),
  ].join(' ');
}

/**
 * The rows of a leaf: first what does something, then what is ignored, one row per reason.
 *
 * @param {State} leaf
 * @param {string[]} events
 */
function eventRows(leaf, events) {
  /** @type {Map<string, { names: string[], what: string, where: string, ignored: boolean }>} */
  const rows = new Map();
  for (const event of events) {
    const found = candidates(leaf, event);
    const label = found[0]?.label ?? event;
    const name = event === '' ? '_at once_' : found[0]?.timer ? `⏱ \`${label}\`` : `\`${label}\``;
    const effects = found.map(effect);
    if (mayFallThrough(found)) effects.push('**UNHANDLED**');
    const what = effects.join('<br>');
    const where = [...new Set(found.map(({ source }) => placeOf(source, leaf)))].join(', ');
    const ignored = found.length > 0 && found.every(isIgnored);
    const key = ignored ? `${what} ${where}` : event;
    const known = rows.get(key);
    if (known) known.names.push(name);
    else rows.set(key, { names: [name], what, where, ignored });
  }
  return [...rows.values()]
    .sort((a, b) => Number(a.ignored) - Number(b.ignored))
    .map(({ names, what, where }) => row([names.join(', '), what, where]));
}

/** @param {State} source @param {State} leaf */
const placeOf = (source, leaf) => (source === leaf ? 'here' : source.parent === undefined ? 'the root' : code(source));

/**
 * @param {Model} model
 * @param {State} state
 */
function section(model, state) {
  const lines = [`### ${state.path}`, '', state.description || '_No description._'];
  if (state.kind === 'final') return [...lines, '', 'Final: the instance is over.', ''];
  const chain = chainOf(state);
  const outermostFirst = chain.toReversed();
  const tags = [...new Set(outermostFirst.flatMap(({ tags }) => tags))];
  const facts = [
    ...(tags.length > 0 ? [`- Tags: ${tags.map((tag) => `\`${tag}\``).join(', ')}`] : []),
    ...outermostFirst
      .filter(({ entry }) => entry.length > 0)
      .map((at) => `- On entry${at === state ? '' : ` of ${code(at)}`}: ${actionList(at.entry)}`),
    ...chain
      .filter(({ exit }) => exit.length > 0)
      .map((at) => `- On exit${at === state ? '' : ` of ${code(at)}`}: ${actionList(at.exit)}`),
  ];
  return [
    ...lines,
    '',
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

/**
 * What the machine may tell itself in a leaf: a condition that came true, an inner life that is over.
 *
 * @param {State} leaf
 */
const internalEvents = (leaf) => [
  ...new Set(
    chainOf(leaf).flatMap(({ on }) => [...on.keys()].filter((key) => key === '' || key.startsWith('xstate.done.'))),
  ),
];

/**
 * One character for what a leaf does about an event.
 *
 * @param {State} leaf
 * @param {string} event
 */
function sign(leaf, event) {
  const found = candidates(leaf, event);
  if (mayFallThrough(found)) return '?';
  if (found.some(({ target }) => target !== undefined)) return '→';
  return found.every(isIgnored) ? '·' : '!';
}

/**
 * All states and events at a glance. The names of the events come down like a staircase: seventeen column heads in
 * a row would not fit.
 *
 * @param {Model} model
 */
function overview(model) {
  const { events } = model;
  const leaves = livingLeaves(model);
  const width = Math.max(...leaves.map(({ path }) => path.length)) + 2;
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
      return `${leaf.path.padEnd(width)}${signs}${timers.length > 0 ? `   ⏱ ${timers.join(', ')}` : ''}`;
    }),
    '```',
  ];
}

/**
 * @param {Model} model
 * @returns {string}
 */
export function table(model) {
  const compounds = model.states.filter(({ kind }) => kind === 'compound');
  const holders = livingLeaves(model).filter(holdsSocket);
  return `${[
    `# ${model.id}`,
    '',
    model.description,
    '',
    `![Statechart of ${model.id}](${model.id}.svg)`,
    '',
    `Generated from the machine by \`npm run diagrams\`; the same picture as [Mermaid text](${model.id}.mmd).`,
    '',
    '## Overview',
    '',
    '`→` enters a state, perhaps only if a guard holds; `!` acts and stays; `·` ignored on purpose; `⏱` timers that run.',
    ...(gaps(model).length > 0 ? ['`?` **UNHANDLED**.'] : []),
    '',
    ...overview(model),
    '',
    ...(holders.length > 0 ? [`May hold a socket: ${holders.map(code).join(', ')}.`, ''] : []),
    '## States',
    '',
    ...compounds.flatMap((state) => [`- ${code(state)}: ${state.description}`]),
    ...(compounds.length > 0 ? [''] : []),
    ...model.states.filter(({ kind }) => kind !== 'compound').flatMap((state) => section(model, state)),
    ...commandTable(model),
  ].join('\n')}\n`;
}

/** @param {Model} model */
function commandTable({ commands }) {
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
