/** Diagrams as files in a folder, written or compared. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AnyStateMachine } from 'xstate';
import { OptionError } from '../errors.js';
import { mermaid } from './mermaid.js';
import { type Model, readModel } from './model.js';
import { svg } from './svg.js';
import { table } from './table.js';

/** A kind of diagram: a picture, its Mermaid text, or the table of states and events. */
export type DiagramKind = 'svg' | 'mermaid' | 'table';

/** Which diagrams are written, and what they are called. */
export interface DiagramOptions {
  /** The name of the machine in headings and file names. Default: its id. */
  readonly name?: string;
  /** Which files: `NAME.svg`, `NAME.mmd` and `NAME.md`. Default: all three. */
  readonly kinds?: readonly DiagramKind[];
  /** The command that a table names as its source. Default: `sockchart diagram`. */
  readonly command?: string;
}

/** A file that is not as {@link writeDiagrams} would write it. */
export interface StaleDiagram {
  /** The path of the file. */
  readonly file: string;
  /** `missing`: the file does not exist. `stale`: the machine has changed since, or this package draws otherwise now. */
  readonly why: 'missing' | 'stale';
}

const ENDINGS: Readonly<Record<DiagramKind, string>> = { svg: '.svg', mermaid: '.mmd', table: '.md' };
const KINDS = Object.keys(ENDINGS) as DiagramKind[];

/** Raise it when the same machine is drawn otherwise, so that pictures that were drawn before are stale. */
const DRAWING = 1;

/** How files of this library begin, or what they have in them: a file without it is not overwritten. */
const SIGNS: Readonly<Record<DiagramKind, RegExp>> = {
  svg: /^<svg [^>]*class="statechart"/,
  mermaid: /^stateDiagram-v2\n {2}accTitle: Statechart of /,
  table: /^Generated from the machine by `/m,
};

interface File {
  readonly kind: DiagramKind;
  readonly file: string;
  /** Undefined if there is no such file. */
  readonly there: string | undefined;
  readonly isFresh: boolean;
  readonly text: () => Promise<string>;
}

/**
 * Writes the diagrams of a machine into a folder, which is made if it does not exist.
 *
 * To draw an SVG picture needs the package `elkjs`, and takes a second for a small machine and a minute for one with
 * twenty states; a picture that is fresh is not drawn again. The same machine gives the same bytes.
 *
 * @param machine - made by XState's `createMachine()`
 * @param folder - a path, relative to the working directory
 * @returns the paths of the files
 * @throws {@link OptionError} for what is no machine, for a kind that does not exist, and if a file of the same name exists
 * that this function has not written
 * @throws {@link NotSupportedError} if `elkjs` is missing; no file is written then
 *
 * @example
 * ```ts
 * await writeDiagrams(doorMachine, 'docs'); // docs/door.svg, docs/door.mmd, docs/door.md
 * ```
 */
export async function writeDiagrams(
  machine: AnyStateMachine,
  folder: string,
  options: DiagramOptions = {},
): Promise<string[]> {
  const files = await filesOf(machine, folder, options);
  for (const { kind, file, there } of files) {
    if (there !== undefined && !SIGNS[kind].test(there))
      throw new OptionError('folder', folder, `a folder without a ${basename(file)} that sockchart has not written`);
  }
  const texts = await Promise.all(files.map(({ isFresh, there, text }) => (isFresh ? there : text())));
  await mkdir(folder, { recursive: true });
  for (const [index, { file }] of files.entries()) await writeFile(file, texts[index] as string);
  return files.map(({ file }) => file);
}

/**
 * Compares the diagrams in a folder with the machine, and writes nothing. It draws no picture, but looks at the mark at the
 * end of each, so it is fast, and `elkjs` need not be there.
 *
 * @returns the files that are missing or stale; an empty array if all are fresh
 * @throws {@link OptionError} for what is no machine, and for a kind that does not exist
 *
 * @example
 * ```ts
 * test('the diagrams are fresh', async () => {
 *   expect(await checkDiagrams(doorMachine, 'docs')).toEqual([]);
 * });
 * ```
 */
export async function checkDiagrams(
  machine: AnyStateMachine,
  folder: string,
  options: DiagramOptions = {},
): Promise<StaleDiagram[]> {
  const files = await filesOf(machine, folder, options);
  return files.flatMap(({ file, there, isFresh }) =>
    isFresh ? [] : { file, why: there === undefined ? 'missing' : 'stale' },
  );
}

async function filesOf(machine: AnyStateMachine, folder: string, options: DiagramOptions): Promise<File[]> {
  const { name, kinds = KINDS, command = 'sockchart diagram' } = options;
  if (typeof folder !== 'string' || folder === '') throw new OptionError('folder', folder, 'the path of a folder');
  const unknown = kinds.find((kind) => !KINDS.includes(kind));
  if (unknown !== undefined) throw new OptionError('kinds', unknown, "made of 'svg', 'mermaid' and 'table'");
  const model = readModel(machine, name);
  const base = fileName(model);
  const beside = (kind: DiagramKind) => (kinds.includes(kind) ? `${base}${ENDINGS[kind]}` : undefined);
  const texts: Readonly<Record<Exclude<DiagramKind, 'svg'>, string>> = {
    mermaid: mermaid(model),
    table: table(model, { command, svg: beside('svg'), mermaid: beside('mermaid') }),
  };
  const marked = (picture: string) => `${picture}${markOf(model, picture)}`;
  return Promise.all(
    KINDS.filter((kind) => kinds.includes(kind)).map(async (kind) => {
      const file = join(folder, `${base}${ENDINGS[kind]}`);
      const there = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return undefined;
      });
      if (kind !== 'svg') return { kind, file, there, isFresh: there === texts[kind], text: async () => texts[kind] };
      const isFresh = there !== undefined && there === marked(there.slice(0, there.lastIndexOf('<!-- ')));
      return { kind, file, there, isFresh, text: async () => marked(await svg(model)) };
    }),
  );
}

/** What a picture ends with: it changes with what the picture is drawn from, how, and with the picture itself. */
function markOf(model: Model, picture: string): string {
  const texts = [mermaid(model), table(model, { command: '', svg: undefined, mermaid: undefined }), picture, DRAWING];
  return `<!-- ${createHash('sha256').update(texts.join('\0')).digest('hex')} -->\n`;
}

const fileName = ({ id }: Model): string =>
  id.replace(/[^\p{L}\p{N}_.-]+/gu, '-').replace(/^[-.]+|-+$/g, '') || 'machine';
