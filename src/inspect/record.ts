/** Writes what happens to a file, as lines of JSON: within bounds on the disk, and in memory where the disk is slow. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createReadStream } from 'node:fs';
import { access, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { integer, onlyKnown, text } from '../options.js';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import { VERSION } from '../version.js';
import { now, plain } from './plain.js';
import type { RecordedHead, RecordedLine, StepInfo } from './protocol.js';

export interface RecordOptions {
  /** Bytes of one file; a new one is begun beyond. Default 16 MiB. */
  readonly bytesMax?: number | undefined;
  /** Files that are kept: `run.jsonl`, and before it `run.jsonl.1` … Default 4. */
  readonly filesMax?: number | undefined;
}

const RECORD_OPTIONS = ['bytesMax', 'filesMax'] as const;

/** A recording under way. Made by {@link record}. */
export interface Recorder {
  readonly file: string;
  /** Steps that were taken down. */
  readonly steps: number;
  /** Steps that were left out, since the disk was too slow, or since they cannot be written; the file says where. */
  readonly missing: number;
  /** Why it has stopped by itself: the disk is full, or the file cannot be written any more. */
  readonly error: Error | undefined;
  /** Writes what it has taken down so far. */
  flush(): Promise<void>;
  /** Takes down no more, and writes the rest. */
  stop(): Promise<void>;
}

/** What a disk that does not keep up may cost. */
const PENDING_BYTES_MAX = 1_048_576;
/** What the first line of a file may take. */
const HEAD_BYTES_MAX = 256;
/** Lines are written together: what is written one by one costs more than all else. */
const WRITE_EVERY_MS = 200;

export const headOf = (startedAt: number): RecordedHead => ({ sockchart: VERSION, recording: 1, startedAt });

/**
 * Records every transition of every life of this process. A file of that name that is there already becomes
 * `<file>.1`, or is removed if `filesMax` is 1. The last fifth of a second is lost if the process dies without {@link Recorder.stop}.
 *
 * @throws OptionError
 * @throws Error when the file cannot be opened
 * @example
 * ```ts
 * const recorder = await record('run.jsonl');
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
  #handle: FileHandle | undefined;
  #bytes = 0;
  #pending: string[] = [];
  #pendingBytes = 0;
  /** Left out since the last line. */
  #gap = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(file: string, bytesMax: number, filesMax: number) {
    this.file = file;
    this.#bytesMax = bytesMax;
    this.#filesMax = filesMax;
  }

  async start(): Promise<void> {
    await this.#begin();
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
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }

  readonly #onTransition = (message: unknown): void => {
    if (this.#pendingBytes > PENDING_BYTES_MAX) {
      this.#miss();
      return;
    }
    let written: string;
    try {
      written = lineOf(stepOf(message));
      if (Buffer.byteLength(written) > this.#bytesMax - HEAD_BYTES_MAX) throw new RangeError('It fits into no file.');
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
    try {
      while (this.#pending.length > 0 && this.error === undefined) {
        const lines = this.#pending;
        this.#pending = [];
        let chunk: string[] = [];
        for (const line of lines) {
          const bytes = Buffer.byteLength(line);
          if (this.#bytes + bytes > this.#bytesMax) {
            await this.#handle?.appendFile(chunk.join(''));
            chunk = [];
            await this.#begin();
          }
          chunk.push(line);
          this.#bytes += bytes;
        }
        await this.#handle?.appendFile(chunk.join(''));
        for (const line of lines) this.#pendingBytes -= line.length;
      }
    } catch (error) {
      this.error = error as Error;
      unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
      this.#pending = [];
    }
  }

  /** A file of its own, after those that were there have moved up by one. */
  async #begin(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    for (let number = this.#filesMax - 1; number > 0; number--) {
      const older = nameOf(this.file, number);
      await rename(nameOf(this.file, number - 1), older).catch(ignoreMissing);
    }
    // Never through a link that somebody has put there, nor into a file that others may read.
    await rm(this.file, { force: true });
    this.#handle = await open(this.file, 'wx', 0o600);
    const head = `${JSON.stringify(headOf(now()))}\n`;
    await this.#handle.appendFile(head);
    this.#bytes = head.length;
  }
}

const lineOf = (line: RecordedLine): string => `${JSON.stringify(line)}\n`;

const nameOf = (file: string, number: number): string => (number === 0 ? file : `${file}.${number}`);

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** @throws TypeError when it is no transition */
function stepOf(message: unknown): StepInfo {
  // What is undefined is not written.
  return { at: Math.round(now() * 10) / 10, ...plain(message) };
}

/** The files of a recording that are there, the oldest first. */
export async function filesOf(file: string): Promise<string[]> {
  const files = [file];
  for (let number = 1; ; number++) {
    const older = nameOf(file, number);
    const isThere = await access(older).then(
      () => true,
      () => false,
    );
    if (!isThere) return files;
    files.unshift(older);
  }
}

/**
 * The lines of a recording. A line that was cut off, or that is none of a recording, is left out.
 *
 * @throws Error when a file cannot be read, or is no recording
 */
async function* readRecording(files: readonly string[]): AsyncGenerator<RecordedLine> {
  let isFirst = true;
  for (const file of files) {
    const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY });
    let isHead = true;
    for await (const line of lines) {
      const read = parse(line);
      if (isHead) {
        if (read === undefined || !('recording' in read)) throw new Error(`${file} is no recording of sockchart.`);
        isHead = false;
        if (!isFirst) continue;
        isFirst = false;
      }
      if (read !== undefined) yield read;
    }
    if (isHead) throw new Error(`${file} is no recording of sockchart.`);
  }
}

/** The head of a recording, and its last lines. */
export async function lastLines(files: readonly string[], max: number): Promise<RecordedLine[]> {
  let lines: RecordedLine[] = [];
  for await (const line of readRecording(files)) {
    lines.push(line);
    // The head stays.
    if (lines.length > 2 * max) lines = [lines[0] as RecordedLine, ...lines.slice(-max)];
  }
  return lines.length > max + 1 ? [lines[0] as RecordedLine, ...lines.slice(-max)] : lines;
}

function parse(line: string): RecordedLine | undefined {
  try {
    const read: unknown = JSON.parse(line);
    if (read === null || typeof read !== 'object') return undefined;
    const is = (name: string, type: string): boolean => typeof (read as Record<string, unknown>)[name] === type;
    const isStep = is('at', 'number') && ['who', 'machine', 'from', 'event', 'to'].every((name) => is(name, 'string'));
    const isOther = is('recording', 'number') || (is('at', 'number') && is('missing', 'number'));
    return isStep || isOther ? (read as RecordedLine) : undefined;
  } catch {
    return undefined;
  }
}
