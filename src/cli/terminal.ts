/**
 * The two streams that people and programs read: whether they take colours, the status line at the bottom of a
 * terminal, and readers that are slow or gone.
 */
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';
import { printable } from './args.js';

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

type Stream = NodeJS.WriteStream & Partial<Pick<WriteStream, 'columns'>>;

/** What a reader that has stopped reading may cost. */
const BACKLOG_BYTES_MAX = 1_048_576;

const CLEAR_LINE = '\r\u001b[K';

/** True if the stream takes colours; `FORCE_COLOR` and `NO_COLOR` are asked first, as Node does. */
export function hasColours(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR, NO_COLOR, NODE_DISABLE_COLORS, TERM } = env;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (NODE_DISABLE_COLORS !== undefined || TERM === 'dumb') return false;
  return stream.isTTY === true;
}

function painter(coloured: boolean): Paint {
  return coloured ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}

export class Terminal {
  readonly paint: Paint;
  /** Called once, when no process reads stdout any more. */
  onReaderGone: () => void = () => {};
  readonly #out: Stream;
  readonly #err: Stream;
  readonly #messages: Stream;
  readonly #hasStatus: boolean;
  #status = '';
  #isGone = false;

  /** @param messagesTo where lines for people go: stderr leaves stdout to machines */
  constructor(messagesTo: 'stdout' | 'stderr', streams: Pick<NodeJS.Process, 'stdout' | 'stderr'> = process) {
    this.#out = streams.stdout;
    this.#err = streams.stderr;
    this.#messages = streams[messagesTo];
    this.paint = painter(hasColours(this.#messages, process.env));
    const { TERM } = process.env;
    this.#hasStatus = this.#messages.isTTY === true && TERM !== 'dumb';
    for (const stream of [this.#out, this.#err]) {
      stream.on('error', () => {
        if (stream !== this.#out || this.#isGone) return;
        this.#isGone = true;
        this.onReaderGone();
      });
    }
  }

  /** True on a terminal, where a line at the bottom can be redrawn. */
  get hasStatus(): boolean {
    return this.#hasStatus;
  }

  /** True once no process reads stdout any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** False while stdout is not read fast enough, or not at all: what may be left out should be. */
  get isReady(): boolean {
    return !this.#isGone && this.#out.writableLength < BACKLOG_BYTES_MAX;
  }

  /** Lines for programs, with nothing around them. */
  writeRaw(text: string): void {
    if (!this.#isGone) this.#out.write(text);
  }

  /** Lines for people. */
  print(...lines: string[]): void {
    if (this.#messages === this.#out && this.#isGone) return;
    const text = lines.map((line) => `${line}\n`).join('');
    this.#messages.write(this.#hasStatus ? `${CLEAR_LINE}${text}${this.#status}` : text);
  }

  /** A line about something that is not as it should be, on stderr in any case. */
  warn(text: string): void {
    this.#writeError('yellow', 'warning:', text);
  }

  /** Why it ends, on stderr. */
  error(text: string): void {
    this.#writeError('red', 'sockchart:', text);
  }

  #writeError(style: Style, label: string, text: string): void {
    const paint = painter(hasColours(this.#err, process.env));
    if (this.#hasStatus) this.#messages.write(CLEAR_LINE);
    this.#err.write(`${paint(style, label)} ${printable(text)}\n`);
    if (this.#hasStatus) this.#messages.write(this.#status);
  }

  /** Replaces the line at the bottom; nothing where there is none. */
  status(text: string): void {
    if (!this.#hasStatus) return;
    const width = Math.max(20, this.#messages.columns ?? 80) - 1;
    const next = text === '' ? '' : this.paint('inverse', ` ${text} `.slice(0, width));
    if (next === this.#status) return;
    this.#status = next;
    this.#messages.write(`${CLEAR_LINE}${next}`);
  }
}
