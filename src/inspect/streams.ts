/** The open pages, each with a stream of server-sent events: some times a second the same overview for all of them. */
import type { ServerResponse } from 'node:http';
import { Refusal } from './requests.js';

const STREAM_EVERY_MS = 500;
const PAGES_MAX = 16;
/** A page that has taken nothing for so long is let go; it comes back by itself. */
const STALLED_MS = 30_000;

/** An open page. */
interface Stream {
  readonly response: ServerResponse;
  /** Since when it has not taken what it was sent. */
  fullSince: number | undefined;
}

export class Streams {
  readonly #all = new Set<Stream>();
  readonly #overview: () => unknown;
  readonly #onLast: () => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param overview makes what the pages are sent
   * @param onLast called when the last page has left
   */
  constructor(overview: () => unknown, onLast: () => void) {
    this.#overview = overview;
    this.#onLast = onLast;
  }

  get size(): number {
    return this.#all.size;
  }

  /** @throws Refusal where too many pages are open */
  add(response: ServerResponse): void {
    if (this.#all.size >= PAGES_MAX) throw new Refusal(503, `There are ${PAGES_MAX} pages open already.`);
    const stream: Stream = { response, fullSince: undefined };
    this.#all.add(stream);
    response.on('drain', () => {
      stream.fullSince = undefined;
    });
    response.on('close', () => {
      this.#all.delete(stream);
      if (this.#all.size > 0) return;
      this.stop();
      this.#onLast();
    });
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 1000\n\n');
    send(stream, this.#event());
    this.#timer ??= setInterval(() => this.#sendAll(), STREAM_EVERY_MS).unref();
  }

  /** Sends nothing more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** An event is made once for all pages; a page that has not taken the last one goes without. */
  #sendAll(): void {
    const at = performance.now();
    let event: string | undefined;
    try {
      for (const stream of this.#all) {
        if (stream.fullSince === undefined) {
          event ??= this.#event();
          send(stream, event);
        } else if (at - stream.fullSince > STALLED_MS) {
          stream.response.destroy();
        }
      }
    } catch {
      // A registry has thrown: the pages come back by themselves, and get the error then.
      for (const { response } of this.#all) response.destroy();
    }
  }

  #event(): string {
    return `event: overview\ndata: ${JSON.stringify(this.#overview())}\n\n`;
  }
}

function send(stream: Stream, event: string): void {
  if (!stream.response.write(event)) stream.fullSince = performance.now();
}
