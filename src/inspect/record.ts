/** Writes what happens to a file, as lines of JSON: within bounds on the disk, and in memory where the disk is slow. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { OptionError } from '../errors.js';
import { hook, integer, onlyKnown, text } from '../options.js';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import { VERSION } from '../version.js';
import { now, plain } from './plain.js';
import type { RecordedHead, RecordedLine, StepInfo } from './protocol.js';

export interface RecordOptions {
  /** Bytes of one file; a new one is begun beyond. Default 16 MiB. */
  readonly bytesMax?: number | undefined;
  /** Files that are kept: `run.jsonl`, and before it `run.jsonl.1` … Default 4. */
  readonly filesMax?: number | undefined;
  /**
   * Called once if the recording stops by itself: the disk is full, or the file cannot be written any more. What was
   * written so far can be read, and {@link Recorder.steps} counts it.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

const RECORD_OPTIONS = ['bytesMax', 'filesMax', 'onError'] as const;

/** A recording under way. Made by {@link record}. */
export interface Recorder {
  readonly file: string;
  /** Steps that were taken down; once it has stopped, those that are in the files. */
  readonly steps: number;
  /** Steps that were left out, since the disk was too slow, or since they cannot be written; the file says where. */
  readonly missing: number;
  /** Why it has stopped by itself: see {@link RecordOptions.onError}. */
  readonly error: Error | undefined;
  /** Writes what it has taken down so far. */
  flush(): Promise<void>;
  /** Takes down no more, and writes the rest. */
  stop(): Promise<void>;
}

/** What a disk that does not keep up may cost. */
const PENDING_BYTES_MAX = 1_048_576;
/** What the first line of a file may take, and the last. */
const HEAD_BYTES_MAX = 256;
const END_BYTES_MAX = 96;
/** Lines are written together: what is written one by one costs more than all else. */
const WRITE_EVERY_MS = 200;

export const headOf = (startedAt: number): RecordedHead => ({ sockchart: VERSION, recording: 1, startedAt });

/**
 * Records every transition of every life of this process. The file is a new one. Where an earlier recording has the name
 * already, that becomes `<file>.1`, or is removed if `filesMax` is 1; nothing else is ever renamed, written to or removed.
 * The last fifth of a second is lost if the process dies without {@link Recorder.stop}.
 *
 * @throws OptionError for what cannot be right, and where `file`, or a name that it would be given later, is taken by
 *   anything but a recording: another file, a folder, a link, a device
 * @throws Error when the file cannot be opened
 * @example
 * ```ts
 * const recorder = await record('run.jsonl', { onError: ({ message }) => console.error(message) });
 * // …
 * await recorder.stop();
 * ```
 */
export async function record(file: string, options: RecordOptions = {}): Promise<Recorder> {
  onlyKnown('record', options, RECORD_OPTIONS);
  const recorder = new FileRecorder(
    text('file', file),
    integer('bytesMax', options.bytesMax, 16_777_216, 4_096, Number.MAX_SAFE_INTEGER),
    integer('filesMax', options.filesMax, 4, 1, 1_000),
    hook('onError', options.onError),
  );
  await recorder.start();
  return recorder;
}

class FileRecorder implements Recorder {
  readonly file: string;
  steps = 0;
  missing = 0;
  error: Error | undefined;
  readonly #bytesMax: number;
  readonly #filesMax: number;
  readonly #onError: RecordOptions['onError'];
  readonly #run = randomUUID();
  readonly #startedAt = now();
  #part = 0;
  /** Steps that are in the files. */
  #written = 0;
  #handle: FileHandle | undefined;
  #bytes = 0;
  #pending: string[] = [];
  #pendingBytes = 0;
  /** Left out since the last line. */
  #gap = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(file: string, bytesMax: number, filesMax: number, onError: RecordOptions['onError']) {
    this.file = file;
    this.#bytesMax = bytesMax;
    this.#filesMax = filesMax;
    this.#onError = onError;
  }

  async start(): Promise<void> {
    for (let number = 0; number < this.#filesMax; number++) {
      const name = nameOf(this.file, number);
      const found = await foundAt(name);
      if (found.kind === 'none' || found.kind === 'recording' || (number === 0 && found.kind === 'empty')) continue;
      throw new OptionError('file', this.file, `a new file, or one of an earlier recording: ${name} is ${found.what}`);
    }
    try {
      await this.#begin();
    } catch (error) {
      // A file without a head is of no use.
      if (this.#handle !== undefined) await rm(this.file, { force: true });
      await this.#handle?.close().catch(() => {});
      throw error;
    }
    subscribe(TRANSITION_CHANNEL, this.#onTransition);
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#pending.length > 0) this.#flushSoon();
    });
    return this.#writing;
  }

  async stop(): Promise<void> {
    unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
    if (this.error === undefined) this.#pushGap();
    // What came while a write was under way is not part of it.
    while (this.#writing !== undefined || this.#timer !== undefined || this.#pending.length > 0) await this.flush();
    const handle = this.#handle;
    if (handle === undefined) return;
    try {
      await this.#append([lineOf({ at: now(), end: this.#written })]);
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#handle = undefined;
    await handle.close().catch(() => {});
  }

  readonly #onTransition = (message: unknown): void => {
    if (this.#pendingBytes > PENDING_BYTES_MAX) {
      this.#miss();
      return;
    }
    let written: string;
    try {
      written = lineOf(stepOf(message));
      if (Buffer.byteLength(written) > this.#bytesMax - HEAD_BYTES_MAX - END_BYTES_MAX)
        throw new RangeError('It fits into no file.');
    } catch {
      // What is thrown out of a subscriber ends the process.
      this.#miss();
      return;
    }
    this.#pushGap();
    this.#push(written);
    this.steps++;
    if (this.#writing === undefined) this.#flushSoon();
  };

  #flushSoon(): void {
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_EVERY_MS).unref();
  }

  #miss(): void {
    this.missing++;
    this.#gap++;
  }

  #pushGap(): void {
    if (this.#gap === 0) return;
    this.#push(lineOf({ at: now(), missing: this.#gap }));
    this.#gap = 0;
  }

  #push(written: string): void {
    this.#pending.push(written);
    this.#pendingBytes += written.length;
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0 && this.error === undefined) {
      const lines = this.#pending;
      this.#pending = [];
      try {
        let first = 0;
        let bytes = this.#bytes;
        for (const [index, line] of lines.entries()) {
          const length = Buffer.byteLength(line);
          if (bytes + length > this.#bytesMax - END_BYTES_MAX) {
            await this.#append(lines.slice(first, index));
            first = index;
            await this.#begin();
            bytes = this.#bytes;
          }
          bytes += length;
        }
        await this.#append(lines.slice(first));
        for (const line of lines) this.#pendingBytes -= line.length;
      } catch (error) {
        this.#fail(error as Error);
      }
    }
  }

  /** Appends whole lines. Where the disk takes a part of them, the last whole one is the end of the file. */
  async #append(lines: readonly string[]): Promise<void> {
    const handle = this.#handle as FileHandle;
    const all = Buffer.from(lines.join(''));
    let done = 0;
    try {
      while (done < all.length) done += (await handle.write(all, done)).bytesWritten;
    } catch (error) {
      const whole = done === 0 ? 0 : all.lastIndexOf(NEWLINE, done - 1) + 1;
      await handle.truncate(this.#bytes + whole).catch(() => {});
      this.#note(all.toString('utf8', 0, whole).match(LINES) ?? [], whole);
      throw error;
    }
    this.#note(lines, all.length);
  }

  #note(lines: readonly string[], bytes: number): void {
    this.#bytes += bytes;
    for (const line of lines) if (STEP_LINE.test(line)) this.#written++;
  }

  /** It stops by itself: what was to be written is missing. */
  #fail(error: Error): void {
    unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
    this.error = error;
    this.missing += this.steps - this.#written;
    this.steps = this.#written;
    this.#pending = [];
    const handle = this.#handle;
    this.#handle = undefined;
    void handle?.close().catch(() => {});
    try {
      this.#onError?.(error);
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown;
      });
    }
  }

  /** A file of its own, after those of recordings that were there have moved up by one. */
  async #begin(): Promise<void> {
    const isFirst = this.#part === 0;
    const names: string[] = [];
    let isEmpty = false;
    for (let number = 0; number < this.#filesMax; number++) {
      const name = nameOf(this.file, number);
      const { kind, head, what } = await foundAt(name);
      if (kind === 'none') break;
      isEmpty ||= kind === 'empty';
      if (kind !== 'recording' && !(isEmpty && isFirst && number === 0)) throw new Error(`${name} is ${what} now.`);
      if (number === 0 && !isFirst && head?.run !== this.#run)
        throw new Error(`${name} belongs to another recording now.`);
      if (isEmpty) break;
      names.push(name);
    }
    const handle = this.#handle;
    if (handle !== undefined) {
      await this.#append([lineOf({ at: now(), end: this.#written, continues: true })]);
      this.#handle = undefined;
      await handle.close();
    }
    if (isEmpty || this.#filesMax === 1) await rm(this.file, { force: true });
    else
      for (let number = Math.min(names.length, this.#filesMax - 1); number > 0; number--) {
        await rename(names[number - 1] as string, nameOf(this.file, number));
      }
    // Never into a file that is there: not through a link, nor where others may read.
    this.#handle = await open(this.file, 'wx', 0o600);
    this.#part++;
    this.#bytes = 0;
    await this.#append([
      lineOf({ ...headOf(this.#startedAt), run: this.#run, part: this.#part, before: this.#written }),
    ]);
  }
}

const NEWLINE = 10;
const LINES = /[^\n]*\n/g;
/** A step, and nothing else, says who has taken it right after when. */
const STEP_LINE = /^\{"at":[\d.e+]+,"who":/;

const lineOf = (line: RecordedLine): string => `${JSON.stringify(line)}\n`;

const nameOf = (file: string, number: number): string => (number === 0 ? file : `${file}.${number}`);

type Found =
  | { readonly kind: 'none' | 'empty'; readonly what: string; readonly head?: undefined }
  | { readonly kind: 'recording'; readonly what: string; readonly head: RecordedHead }
  | { readonly kind: 'other'; readonly what: string; readonly head?: undefined };

const other = (what: string): Found => ({ kind: 'other', what });

/** What there is of this name. Links are not followed. */
async function foundAt(name: string): Promise<Found> {
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

/** @throws TypeError when it is no transition */
function stepOf(message: unknown): StepInfo {
  // What is undefined is not written.
  return { at: Math.round(now() * 10) / 10, ...plain(message) };
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
