/** The state × event table of a machine as an accepted file. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { AnyStateMachine } from 'xstate';
import { type Model, readModel } from '../diagrams/model.js';
import { table } from '../diagrams/table.js';
import { OptionError } from '../errors.js';

/**
 * Compares what a machine does with a file that you have accepted: the table of what every state does about every event. Paths
 * come from the machine, so a path to a wrong state passes; the table shows it, as it shows an event, a timer or an
 * action that was forgotten. An event that a state does not handle is marked **UNHANDLED**. The table has names, and the delays
 * that are numbers; what a guard, an action or a delay computes is not in it.
 *
 * The file is written where it does not exist, but not in CI (where the environment variable `CI` is set); and with the
 * environment variable `SOCKCHART_ACCEPT=1`, which accepts what the machine does now. Read it, and commit it.
 *
 * @param file a path, relative to the working directory, or a `file:` URL, such as `new URL('door.table.md', import.meta.url)`
 * @throws Error when the machine does something else than the file says, with the differences, state by state; and when the
 * file is missing in CI
 * @throws OptionError for what is no machine, and for what is no path
 * @example
 * ```ts
 * test('the table', () => acceptTable(doorMachine, 'door.table.md'));
 * ```
 */
export function acceptTable(machine: AnyStateMachine, file: string | URL): void {
  const model = readModel(machine);
  if (!(file instanceof URL) && (typeof file !== 'string' || file === '')) {
    throw new OptionError('file', file, 'a path, or a file: URL');
  }
  const now = textOf(model);
  const isThere = existsSync(file);
  const { SOCKCHART_ACCEPT, CI } = process.env;
  if (isSet(SOCKCHART_ACCEPT) || (!isThere && !isSet(CI))) {
    writeFileSync(file, now);
    return;
  }
  if (!isThere) {
    throw new Error(
      `${file} does not exist, and is not written in CI: run the test elsewhere, read the file and commit it.`,
    );
  }
  const differences = compare(readFileSync(file, 'utf8').replaceAll('\r\n', '\n'), now);
  if (differences.length === 0) return;
  throw new Error(
    [
      `${model.id} does not do what ${file} says (- accepted, + now):`,
      ...differences,
      'If it is right now, run the test with SOCKCHART_ACCEPT=1, and review the change of the file.',
    ].join('\n'),
  );
}

const isSet = (variable: string | undefined): boolean => !['', '0', 'false', undefined].includes(variable);

/** The table, and where the machine and the states with states inside start: paths cannot tell that either. */
function textOf(model: Model): string {
  const starts = [model.root, ...model.states].flatMap(({ initial, path }) =>
    initial === undefined ? [] : [`- ${path === '' ? 'The machine' : `\`${path}\``} starts in \`${initial.path}\`.`],
  );
  const head = { command: 'acceptTable()', svg: undefined, mermaid: undefined };
  return [table(model, head), ...(starts.length > 0 ? ['## Initial states', '', ...starts, ''] : [])].join('\n');
}

const OVERVIEW = '## Overview';

/** The lines that are in one of two tables only, below the heading that they belong to. */
function compare(accepted: string, now: string): string[] {
  const [before, after] = [sectionsOf(accepted), sectionsOf(now)];
  const differences = (headings: Iterable<string>): string[] =>
    [...headings].flatMap((heading) => {
      const [was, is] = [before.get(heading) ?? [], after.get(heading) ?? []];
      const [said, says] = [new Set(was.map(saying)), new Set(is.map(saying))];
      const removed = was.filter((line) => !says.has(saying(line)));
      const added = is.filter((line) => !said.has(saying(line)));
      if (removed.length === 0 && added.length === 0) return [];
      const pairs = removed.flatMap((line) => {
        const index = added.findIndex((other) => cellOf(other) === cellOf(line));
        const same = index === -1 ? [] : added.splice(index, 1);
        return [`    - ${line}`, ...same.map((other) => `    + ${other}`)];
      });
      return [heading.replace(/^#+/, ' '), ...pairs, ...added.map((line) => `    + ${line}`)];
    });
  const headings = new Set([...after.keys(), ...before.keys()]);
  headings.delete(OVERVIEW);
  // It says the same, less readably.
  const found = differences(headings);
  return found.length > 0 ? found : differences([OVERVIEW]);
}

/** What a row says, also where its events have come in another order: that depends on the states before it. */
function saying(line: string): string {
  if (!line.startsWith('| ')) return line;
  const [events = '', ...cells] = line.slice(2).split(' | ');
  return [events.split(', ').sort().join(', '), ...cells].join(' | ');
}

/** The first cell of a row: the event, or the timer without its delay. */
const cellOf = (line: string): string => (line.split(' | ', 1)[0] as string).replace(/(⏱ `.*`) \S+ m?s$/, '$1');

/** The lines below each heading of the second and third level. */
function sectionsOf(text: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] | undefined;
  for (const line of text.split('\n')) {
    if (/^###? /.test(line)) {
      lines = [];
      sections.set(line, lines);
    } else if (line !== '') lines?.push(line);
  }
  return sections;
}
