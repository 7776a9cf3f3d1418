// @ts-check
/** The same picture as Mermaid text, which code hosts draw by themselves. */
import { plan } from './plan.mjs';

/** @typedef {import('./model.mjs').Model} Model */
/** @typedef {import('./model.mjs').State} State */
/** @typedef {import('./plan.mjs').Line} Line */

/** @param {State} state */
const idOf = (state) => state.path.replaceAll('.', '_');

/** @param {Line} line */
const lineText = ({ label, timer, guard, socket }) =>
  [
    timer ? `⏱ ${label}` : label,
    ...(socket === undefined ? [] : [socket ? '(with a socket)' : '(without a socket)']),
    ...(guard === undefined ? [] : [`[${guard}]`]),
  ]
    .filter(Boolean)
    .join(' ') || 'otherwise';

/**
 * @param {Model} model
 * @returns {string}
 */
export function mermaid(model) {
  const { edges, initials } = plan(model);

  /** @param {State} state @param {string} indent @returns {string[]} */
  const block = (state, indent) => {
    const head = `${indent}state "${state.name}" as ${idOf(state)}`;
    return state.kind === 'compound' ? [`${head} {`, ...blocks(state, `${indent}  `), `${indent}}`] : [head];
  };

  /** @param {State} parent @param {string} indent @returns {string[]} */
  const blocks = (parent, indent) => [
    ...parent.children.flatMap((child) => block(child, indent)),
    ...parent.children.filter((child) => initials.has(child)).map((child) => `${indent}[*] --> ${idOf(child)}`),
  ];

  const final = model.states.filter(({ kind }) => kind === 'final');
  return `${[
    'stateDiagram-v2',
    `  accTitle: Statechart of ${model.id}`,
    ...blocks(model.root, '  '),
    ...edges.map(({ from, to, lines }) => `  ${idOf(from)} --> ${idOf(to)} : ${lines.map(lineText).join('<br/>')}`),
    ...final.map((state) => `  ${idOf(state)} --> [*]`),
  ].join('\n')}\n`;
}
