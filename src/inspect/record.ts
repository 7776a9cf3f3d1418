/** Writes what happens to a file, as lines of JSON: within bounds on the disk, and in memory where the disk is slow. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { AnyStateMachine } from 'xstate';
import { OptionError } from '../errors.js';
import { hook, integer, onlyKnown, text } from '../options.js';
import { TRANSITION_CHANNEL } from '../runtime/channel.js';
import type { Transition } from '../runtime/instance.js';
import { VERSION } from '../version.js';
import { checkMachines, OwnMachines, type Redact } from './own-machines.js';
import { commandTypes, now, plain } from './plain.js';
import type { RecordedHead, RecordedLine, StepInfo } from './protocol.js';
import { foundAt, HEAD_BYTES_MAX, NEWLINE, nameOf } from './recording.js';

/** Options of {@link record}. */
export interface RecordOptions {
  /** Bytes of one file; a new one is begun beyond. Default 16 MiB. */
  readonly bytesMax?: number | undefined;
  /** Files that are kept: `run.jsonl`, and before it `run.jsonl.1` … Default 4. */
  readonly filesMax?: number | undefined;
  /** Machines of your own: with each of their steps goes what the instance remembers, and what it has emitted. Default: none. */
  readonly machines?: readonly AnyStateMachine[] | undefined;
  /** Decides what of the contexts of these machines is recorded. Default: everything. */
  readonly redact?: Redact | undefined;
  /**
   * Called once if the recording stops by itself: the disk is full, or the file cannot be written any more. What was
   * written so far can be read, and {@link Recorder.steps} counts it.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

const RECORD_OPTIONS = ['bytesMax', 'filesMax', 'machines', 'redact', 'onError'] as const;

/** A recording under way. Made by {@link record}. */
export interface Recorder {
  /** The file that it writes. */
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
/** The room for the last line of a file. */
const END_BYTES_MAX = 96;
/** Lines are written together: what is written one by one costs more than all else. */
const WRITE_EVERY_MS = 200;

export const headOf = (startedAt: number): RecordedHead => ({ sockchart: VERSION, recording: 1, startedAt });

/**
 * Records every transition of every instance of this process. The file is a new one. Where an earlier recording has the name
 * already, that becomes `<file>.1`, or is removed if `filesMax` is 1; nothing else is ever renamed, written to or removed.
 * The last fifth of a second is lost if the process dies without {@link Recorder.stop}.
 *
 * A context of a machine of yours is in the recording only if the machine is in `machines`. It is plain data: sockets, buffers and functions
 * are texts such as `[Socket]`, and what is too large is cut. `redact` decides what of it is written.
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
 * @example
 * With the contexts of a machine of your own:
 * ```ts
 * await record('run.jsonl', { machines: [mqttMachine], redact: ({ password, ...context }) => context });
 * ```
 */
export async function record(file: string, options: RecordOptions = {}): Promise<Recorder> {
  onlyKnown('record', options, RECORD_OPTIONS);
  const recorder = new FileRecorder(
    text('file', file),
    integer('bytesMax', options.bytesMax, 16_777_216, 4_096, Number.MAX_SAFE_INTEGER),
    integer('filesMax', options.filesMax, 4, 1, 1_000),
    new OwnMachines(checkMachines(options.machines), hook('redact', options.redact)),
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
  readonly #own: OwnMachines;
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

  constructor(file: string, bytesMax: number, filesMax: number, own: OwnMachines, onError: RecordOptions['onError']) {
    this.file = file;
    this.#bytesMax = bytesMax;
    this.#filesMax = filesMax;
    this.#own = own;
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
      written = this.#lineOf(message as Transition);
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

  /** The line of a step. A context that is too large for a file is left out, and the step is not. */
  #lineOf(message: Transition): string {
    const step = stepOf(message);
    const lineMax = this.#bytesMax - HEAD_BYTES_MAX - END_BYTES_MAX;
    const run = this.#own.isEmpty ? undefined : this.#own.runOf(message);
    if (run !== undefined) {
      const { who, machine } = step;
      const own = { ...step, commands: commandTypes(message.commands) };
      const whole = lineOf({ ...own, context: this.#own.contextOf(run, machine, who) });
      if (Buffer.byteLength(whole) <= lineMax) return whole;
      const cut = lineOf({ ...own, context: { problem: 'it is too large for the recording' } });
      if (Buffer.byteLength(cut) <= lineMax) return cut;
    }
    const line = lineOf(step);
    if (Buffer.byteLength(line) > lineMax) throw new RangeError('It fits into no file.');
    return line;
  }

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

const LINES = /[^\n]*\n/g;
/** Only a step has `who` right after its time. */
const STEP_LINE = /^\{"at":[\d.e+]+,"who":/;

const lineOf = (line: RecordedLine): string => `${JSON.stringify(line)}\n`;

/** @throws TypeError when it is no transition */
function stepOf(message: unknown): StepInfo {
  // What is undefined is not written.
  return { at: Math.round(now() * 10) / 10, ...plain(message) };
}
