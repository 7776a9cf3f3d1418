/** The open pages, each with a stream of server-sent events: the same for all of them, made once. */
import type { ServerResponse } from 'node:http';
import { Refusal } from './requests.js';
import type { ServerTable } from './servers.js';

const STREAM_EVERY_MS = 500;
/** News of the servers come with every second overview. */
const NEWS_EVERY = 2;
const PAGES_MAX = 16;
/** A page that has taken nothing for so long is let go; it comes back by itself. */
const STALLED_MS = 30_000;

/** An open page. */
interface Stream {
  readonly response: ServerResponse;
  /** Since when it has not taken what it was sent. */
  fullSince: number | undefined;
  /** News went by that it has not got: it gets the whole. */
  isBehind: boolean;
}

/** What the pages are sent. */
export interface Feed {
  overview(): unknown;
  readonly servers: Pick<ServerTable, 'news' | 'whole' | 'clear'>;
}

export class Streams {
  readonly #all = new Set<Stream>();
  readonly #feed: Feed;
  readonly #onLast: () => void;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  /** @param onLast called when the last page has left */
  constructor(feed: Feed, onLast: () => void) {
    this.#feed = feed;
    this.#onLast = onLast;
  }

  get size(): number {
    return this.#all.size;
  }

  /** @throws Refusal where too many pages are open */
  add(response: ServerResponse): void {
    if (this.#all.size >= PAGES_MAX) throw new Refusal(503, `There are ${PAGES_MAX} pages open already.`);
    const stream: Stream = { response, fullSince: undefined, isBehind: false };
    // The others have seen what the last look has found.
    if (this.#all.size === 0) this.#feed.servers.news();
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
    send(stream, this.#overview() + this.#whole());
    this.#timer ??= setInterval(() => this.#sendAll(), STREAM_EVERY_MS).unref();
  }

  /** Sends nothing more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#feed.servers.clear();
  }

  /** An event is made once for all pages; a page that has not taken the last one goes without, and gets all servers anew. */
  #sendAll(): void {
    const at = performance.now();
    const streams = [...this.#all];
    try {
      const isReady = streams.some(({ fullSince }) => fullSince === undefined);
      const overview = isReady ? this.#overview() : '';
      const news = isReady && this.#ticks++ % NEWS_EVERY === 0 ? this.#news() : '';
      let whole: string | undefined;
      for (const stream of streams) {
        if (stream.fullSince === undefined) {
          if (stream.isBehind) whole ??= this.#whole();
          send(stream, overview + (stream.isBehind ? whole : news));
          stream.isBehind = false;
        } else {
          stream.isBehind ||= news !== '';
          if (at - stream.fullSince > STALLED_MS) stream.response.destroy();
        }
      }
    } catch {
      // A registry has thrown: the pages come back by themselves, and get the error then.
      for (const { response } of this.#all) response.destroy();
    }
  }

  #overview(): string {
    return eventOf('overview', this.#feed.overview());
  }

  #news(): string {
    const news = this.#feed.servers.news();
    return news === undefined ? '' : eventOf('servers', news);
  }

  #whole(): string {
    return eventOf('servers', this.#feed.servers.whole());
  }
}

const eventOf = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

function send(stream: Stream, event: string): void {
  if (!stream.response.write(event)) stream.fullSince = performance.now();
}
