/** The same picture as Mermaid text, which code hosts draw by themselves. */
import type { Model, State } from './model.js';
import { type Line, plan } from './plan.js';

export function mermaid(model: Model): string {
  const { edges, initials, notes, boxes } = plan(model);
  const { root } = model;
  const idOf = idsOf(boxes, model);

  const block = (state: State, indent: string): string[] => {
    const head = `${indent}state "${nameOf(state)}" as ${idOf(state)}`;
    return state.children.length > 0 ? [`${head} {`, ...blocks(state, `${indent}  `), `${indent}}`] : [head];
  };
  const blocks = (parent: State, indent: string): string[] => {
    const separator = parent.kind === 'parallel' ? [`${indent}--`] : [];
    return [
      ...parent.children.flatMap((child, index) => [...(index === 0 ? [] : separator), ...block(child, indent)]),
      ...parent.children.filter((child) => initials.has(child)).map((child) => `${indent}[*] --> ${idOf(child)}`),
    ];
  };

  const arrow = (from: State, to: State, lines: readonly Line[]) =>
    `  ${idOf(from)} --> ${idOf(to)} : ${lines.map(lineText).join('<br/>')}`;
  const noted = [...notes].flatMap(([state, those]) => those.map((note) => ({ state, ...note })));
  return `${[
    'stateDiagram-v2',
    `  accTitle: Statechart of ${model.id.replace(/[\s;#]+/g, ' ')}`,
    ...(boxes.includes(root) ? block(root, '  ') : blocks(root, '  ')),
    ...edges.map(({ from, to, lines }) => arrow(from, to, lines)),
    ...noted
      .filter(({ again }) => again)
      .map((note) => arrow(note.state, note.state, [{ ...note, socket: undefined }])),
    ...(root.children.length > 0 ? [] : noted.filter(({ again }) => !again)).map(
      (note) => `  ${idOf(note.state)} : ${lineText({ ...note, socket: undefined })} / ${safe(note.effect)}`,
    ),
    ...boxes.filter(({ kind }) => kind === 'final').map((state) => `  ${idOf(state)} --> [*]`),
  ].join('\n')}\n`;
}

const lineText = ({ label, timer, guard, socket }: Line): string =>
  [
    timer ? `⏱ ${safe(label)}` : safe(label),
    ...(socket === undefined ? [] : [socket ? '(with a socket)' : '(without a socket)']),
    ...(guard === undefined ? [] : [`[${safe(guard)}]`]),
  ]
    .filter(Boolean)
    .join(' ') || 'otherwise';

const nameOf = ({ kind, name }: State): string => safe(kind === 'history' ? `${name} (history)` : name);

const ENTITIES: Readonly<Record<string, string>> = {
  '"': '#quot;',
  '<': '#lt;',
  '>': '#gt;',
  '#': '#35;',
  ';': '#59;',
  '`': '#96;',
  _: '#95;',
  '*': '#42;',
};

/** Text that is neither Mermaid nor Markdown. A star alone, or an underscore inside a word, is neither already. */
const safe = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/["<>#;`]|(?<!\w)_|_(?!\w)|\*(?=\S)|(?<=[^\s.])\*/g, (char) => ENTITIES[char] ?? char);

/** Words of Mermaid, and names that it finds on every object: none can be the id of a state. */
const isTaken = (id: string): boolean =>
  /^(?:state|note|default|class|classdef|style|click|scale|href|root|end|acctitle|accdescr)$/i.test(id) ||
  id in Object.prototype;

/** Ids that are words, and as many as there are states. */
function idsOf(states: readonly State[], { id: machine }: Model): (state: State) => string {
  const ids = new Map<State, string>();
  const given = new Set<string>();
  for (const state of states) {
    let id = (state.path || machine).replace(/\W/g, '_');
    while (given.has(id) || isTaken(id)) id += '_';
    given.add(id);
    ids.set(state, id);
  }
  return (state) => ids.get(state) as string;
}
