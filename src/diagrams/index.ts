/**
 * Draws machines: a picture as SVG, the same as Mermaid text, and the table of what every state does about every event.
 * It draws every machine of XState 5. Only the SVG needs the package `elkjs`.
 *
 * @module
 */
import type { AnyStateMachine } from 'xstate';
import { mermaid } from './mermaid.js';
import { readModel } from './model.js';
import { svg } from './svg.js';
import { gaps, table } from './table.js';

export { checkDiagrams, type DiagramKind, type DiagramOptions, type StaleDiagram, writeDiagrams } from './files.js';

/**
 * The picture of a machine, as SVG. It may take seconds; the same machine gives the same bytes.
 *
 * Each state is a group with `data-state`; each arrow has `data-from`, `data-to` and `data-event`, so that a page can light
 * them up. An arrow may stand for several transitions: then `data-event` lists the events, separated by spaces, and the
 * real source and target may be inside `data-from` and `data-to`. The machine itself is the empty string.
 *
 * @param name - what the heading calls the machine. Default: its id
 * @throws {@link OptionError} for what is no machine
 * @throws {@link NotSupportedError} if the package `elkjs` is missing
 *
 * @example
 * ```ts
 * await writeFile('door.svg', await svgOf(doorMachine));
 * ```
 */
export const svgOf = async (machine: AnyStateMachine, name?: string): Promise<string> => svg(readModel(machine, name));

/**
 * The picture of a machine, as Mermaid text (`stateDiagram-v2`), which GitHub and GitLab draw in Markdown.
 *
 * @param name - what the title calls the machine. Default: its id
 * @throws {@link OptionError} for what is no machine
 *
 * @example
 * ```ts
 * console.log(`\`\`\`mermaid\n${mermaidOf(doorMachine)}\`\`\``);
 * ```
 */
export const mermaidOf = (machine: AnyStateMachine, name?: string): string => mermaid(readModel(machine, name));

/**
 * The table of what every state does about every event, as Markdown. An event that a state does not handle is marked with
 * `?` and **UNHANDLED**.
 *
 * @param name - what the heading calls the machine. Default: its id
 * @throws {@link OptionError} for what is no machine
 *
 * @example
 * ```ts
 * await writeFile('door.md', tableOf(doorMachine));
 * ```
 */
export const tableOf = (machine: AnyStateMachine, name?: string): string =>
  table(readModel(machine, name), { command: 'sockchart diagram', svg: undefined, mermaid: undefined });

/**
 * Every event that some state neither handles nor ignores with a reason, one sentence each. A state ignores an event with a
 * reason if its transition has a `description`, and neither a target nor actions. In a parallel state, an event that no
 * state of a region names is left to the other regions.
 *
 * @throws {@link OptionError} for what is no machine
 *
 * @example
 * ```ts
 * gapsOf(doorMachine); // ['door: open does not handle door.open']
 * ```
 */
export const gapsOf = (machine: AnyStateMachine): string[] => gaps(readModel(machine));
