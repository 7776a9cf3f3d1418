/** Reads the files of a recording, and recognises them. */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { RecordedHead, RecordedLine } from './protocol.js';

/** The room for the first line of a file. */
export const HEAD_BYTES_MAX = 256;
export const NEWLINE = 10;

/** The files of a recording: `run.jsonl`, and before it `run.jsonl.1` … */
export const nameOf = (file: string, number: number): string => (number === 0 ? file : `${file}.${number}`);

export type Found =
  | { readonly kind: 'none' | 'empty'; readonly what: string; readonly head?: undefined }
  | { readonly kind: 'recording'; readonly what: string; readonly head: RecordedHead }
  | { readonly kind: 'other'; readonly what: string; readonly head?: undefined };

const other = (what: string): Found => ({ kind: 'other', what });

/** What there is of this name. Links are not followed. */
export async function foundAt(name: string): Promise<Found> {
  const stats = await lstat(name).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stats === undefined) return { kind: 'none', what: 'missing' };
  if (stats.isSymbolicLink()) return other('a link');
  if (stats.isDirectory()) return other('a folder');
  if (!stats.isFile()) return other('no regular file');
  if (stats.size === 0) return { kind: 'empty', what: 'an empty file' };
  const handle = await openToRead(name);
  try {
    const head = await headIn(handle);
    return head === undefined ? other('a file that is no recording') : { kind: 'recording', what: 'a recording', head };
  } finally {
    await handle.close();
  }
}

/** Not through what has become a pipe meanwhile: that would wait for a writer. */
const openToRead = (name: string): Promise<FileHandle> => open(name, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));

async function headIn(handle: FileHandle): Promise<RecordedHead | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES_MAX), 0, HEAD_BYTES_MAX, 0);
  const end = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
  const line = end < 0 ? undefined : parse(buffer.toString('utf8', 0, end));
  return line !== undefined && 'recording' in line ? line : undefined;
}

/** True for a file that a recording would be lost in. */
export async function isRecording(name: string): Promise<boolean> {
  return (await foundAt(name)).kind === 'recording';
}

/** A file of a recording that is open to be read: that it is renamed meanwhile does not matter. */
export interface Part {
  readonly name: string;
  readonly handle: FileHandle;
  readonly head: RecordedHead;
}

/**
 * Opens all files of the recording whose last file this is, the oldest first: those of the same run. Close each.
 *
 * @throws Error when the file cannot be read, or is no recording
 */
export async function openParts(file: string): Promise<Part[]> {
  const parts: Part[] = [];
  try {
    for (let number = 0; ; number++) {
      const name = nameOf(file, number);
      const handle = await openToRead(name).catch((error) => {
        if (number === 0) throw error;
      });
      if (handle === undefined) return parts;
      const head = await headIn(handle).catch(() => undefined);
      const last = parts[0]?.head;
      if (head === undefined || (last !== undefined && (head.run === undefined || head.run !== last.run))) {
        await handle.close();
        if (number === 0) throw new Error(`${name} is no recording of sockchart.`);
        return parts;
      }
      // One that has got the next name since it was opened.
      if (last !== undefined && (head.part ?? 0) >= (last.part ?? 0)) await handle.close();
      else parts.unshift({ name, handle, head });
    }
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

export async function closeParts(parts: readonly Part[]): Promise<void> {
  for (const { handle } of parts) await handle.close().catch(() => {});
}

/**
 * The lines of a recording, of all its files, in their order: the head, and then, so many at most, the last ones. What is
 * not there, because its file was removed or cut, or because it is beyond that number, is counted by lines that say so. A
 * line that was cut off, or that is none of a recording, is left out.
 *
 * @throws Error when a file cannot be read, or is no recording
 */
export async function lastLines(file: string, max: number): Promise<RecordedLine[]> {
  const parts = await openParts(file);
  try {
    const { sockchart, recording, startedAt, run } = (parts[0] as Part).head;
    const last = new LastLines(startedAt, max);
    // Steps that went by, where the files say how many there should be.
    let steps = 0;
    let at = startedAt;
    const expect = (count = 0): void => {
      if (count > steps) last.push({ at, missing: count - steps });
      steps = Math.max(steps, count);
    };
    for (const { handle, head } of parts) {
      expect(head.before);
      for await (const line of linesIn(handle)) {
        if ('recording' in line) continue;
        ({ at } = line);
        if ('who' in line) steps++;
        if ('end' in line) expect(line.end);
        if (!('end' in line && line.continues)) last.push(line);
      }
    }
    return [{ sockchart, recording, startedAt, run }, ...last.lines];
  } finally {
    await closeParts(parts);
  }
}

/** So many lines at most; of those before, only how many steps they were. */
class LastLines {
  readonly #startedAt: number;
  readonly #max: number;
  #lines: RecordedLine[] = [];
  #leftOut = 0;

  constructor(startedAt: number, max: number) {
    this.#startedAt = startedAt;
    this.#max = max;
  }

  push(line: RecordedLine): void {
    this.#lines.push(line);
    // By half, so that the list is not moved for each line.
    if (this.#lines.length > 2 * this.#max) this.#trim();
  }

  get lines(): RecordedLine[] {
    this.#trim();
    const gap = { at: this.#startedAt, missing: this.#leftOut };
    return this.#leftOut === 0 ? this.#lines : [gap, ...this.#lines];
  }

  #trim(): void {
    const count = this.#lines.length - this.#max;
    if (count <= 0) return;
    for (const line of this.#lines.splice(0, count)) {
      if ('who' in line) this.#leftOut++;
      else if ('missing' in line) this.#leftOut += line.missing;
    }
  }
}

async function* linesIn(handle: FileHandle): AsyncGenerator<RecordedLine> {
  const input = handle.createReadStream({ encoding: 'utf8', start: 0, autoClose: false });
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const line = parse(text);
    if (line !== undefined) yield line;
  }
}

function parse(line: string): RecordedLine | undefined {
  try {
    const read: unknown = JSON.parse(line);
    if (read === null || typeof read !== 'object') return undefined;
    const is = (name: string, type: string): boolean => typeof (read as Record<string, unknown>)[name] === type;
    const isStep = is('at', 'number') && ['who', 'machine', 'from', 'event', 'to'].every((name) => is(name, 'string'));
    const isOther =
      is('recording', 'number') || (is('at', 'number') && (is('missing', 'number') || is('end', 'number')));
    return isStep || isOther ? (read as RecordedLine) : undefined;
  } catch {
    return undefined;
  }
}
