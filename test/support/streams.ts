/** Streams that are no sockets. */
import { Duplex, type DuplexOptions } from 'node:stream';
import { beforeEach } from 'vitest';
import type { Bench } from './bench.js';
import { until, within } from './wait.js';

/** As in Node 20, on every Node. */
const SIZE = { highWaterMark: 16_384 };

/** What a stream of a pair writes, the other one reads: as two ends of a connection in memory, each of which can half-close. */
class PairedStream extends Duplex {
  other!: PairedStream;
  /** The write that waits until the other one is read. */
  #waiting: (() => void) | undefined;

  override _read(): void {
    this.other.#goOn();
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.other.destroyed) done();
    else if (this.other.push(chunk)) setImmediate(done);
    else this.#waiting = done;
  }

  override _final(done: () => void): void {
    if (!this.other.destroyed) this.other.push(null);
    done();
  }

  /** The other one learns of it, as of a connection that is lost. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    if (!other.readableEnded || !this.writableFinished) {
      setImmediate(() =>
        other.destroy(error === null ? undefined : Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
      );
    }
    done(error);
  }
}

/** Counts the streams that it makes, so that a test can tell that none was left open. */
export class Pairs {
  #made: Duplex[] = [];

  /** Two streams: give the first to the library. */
  make(options: DuplexOptions = {}): [ours: Duplex, theirs: Duplex] {
    const [ours, theirs] = [new PairedStream({ ...SIZE, ...options }), new PairedStream(SIZE)];
    ours.other = theirs;
    theirs.other = ours;
    this.count(ours);
    theirs.on('error', () => {});
    return [ours, theirs];
  }

  count<D extends Duplex>(stream: D): D {
    this.#made.push(stream);
    return stream;
  }

  forget(): void {
    this.#made = [];
  }

  get open(): number {
    return this.#made.filter(({ destroyed }) => !destroyed).length;
  }

  allClosed(): Promise<void> {
    return until('every stream to be closed', () => this.open === 0);
  }
}

/** Call it once at the top of a test file, after `useBench()`: after each test every stream must be closed. */
export function usePairs(bench: Bench): Pairs {
  const pairs = new Pairs();
  beforeEach(() => {
    pairs.forget();
    bench.later(() => pairs.allClosed());
  });
  return pairs;
}

/** What a stream says until its end, which is awaited. The stream is not destroyed by that, as by an async iterator. */
export async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  await within(5_000, 'the end of a stream', new Promise((resolve) => stream.once('end', resolve)));
  return Buffer.concat(chunks).toString('latin1');
}

/** A stream over a socket that flips every bit, as a protocol of its own. */
export class Flipped extends Duplex {
  /** True where it leaves the socket to itself: it neither ends nor closes it, and does not wait for it. */
  readonly #isCareless: boolean;

  constructor(
    readonly below: Duplex,
    { careless = false }: { careless?: boolean } = {},
  ) {
    super(SIZE);
    this.#isCareless = careless;
    below.on('data', (chunk: Buffer) => {
      if (!this.push(flip(chunk))) below.pause();
    });
    below.on('end', () => this.push(null));
    if (!careless) below.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.below.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#isCareless) {
      this.below.write(flip(chunk));
      done();
    } else {
      this.below.write(flip(chunk), done);
    }
  }

  override _final(done: () => void): void {
    if (this.#isCareless) done();
    else this.below.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#isCareless) this.below.destroy();
    done(error);
  }
}

export const flip = (chunk: Buffer): Buffer => Buffer.from(chunk.map((byte) => byte ^ 0xff));
