/**
 * Who is on the other side of the proxy: clients and servers that follow a script, on endpoints of their own, without Node.
 * Each sends a stream that can be told from all others at every byte, and holds what it gets against that.
 */
import { Random } from '../runtime/random.js';
import type { Endpoint } from './network.js';
import type { Time } from './time.js';

export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'send'; readonly bytes: number }
  /** Until it has got so many bytes altogether, the end, or no patience left. */
  | { readonly do: 'receive'; readonly bytes: number; readonly ms: number }
  | { readonly do: 'receiveEnd'; readonly ms: number }
  | { readonly do: 'end' | 'close' | 'reset' | 'vanish' | 'stopReading' | 'read' }
  /** Nothing arrives, either way, for a while. */
  | { readonly do: 'stall'; readonly ms: number };

export interface Script {
  readonly steps: readonly Step[];
  /** The most that it takes per read, and how long it then waits. */
  readonly readBytes: number;
  readonly readEveryMs: number;
}

const FAULTS = new Set(['close', 'reset', 'vanish', 'stopReading', 'stall']);

/** True for a script that says all it has to say, ends, and listens to the end. */
export const isSound = ({ steps }: Script): boolean =>
  steps.some((step) => step.do === 'end') && !steps.some((step) => FAULTS.has(step.do));

/** How the other side's stream has ended, as far as this one could see. */
export type How = 'open' | 'end' | 'reset' | 'timeout';

const PATTERN_BYTES = 262_139;
const pattern = Buffer.alloc(PATTERN_BYTES);
const random = new Random(1);
for (let index = 0; index < PATTERN_BYTES; index++) pattern[index] = random.below(256);

/** The bytes of a stream from an offset on; its first two are its number. */
export function bytesOf(stream: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let at = (stream * 7_919 + offset) % PATTERN_BYTES;
  for (let done = 0; done < length; ) {
    const copied = pattern.copy(bytes, done, at, Math.min(PATTERN_BYTES, at + length - done));
    done += copied;
    at = (at + copied) % PATTERN_BYTES;
  }
  if (offset === 0 && length > 0) bytes[0] = stream >> 8;
  if (offset <= 1 && offset + length > 1) bytes[1 - offset] = stream & 255;
  return bytes;
}

export interface PeerOwner {
  /** It did something, for the story. */
  tell(who: string, what: string): void;
  /** It got something that nobody has sent so. */
  wrong(who: string, what: string): void;
}

export class Peer {
  /** Bytes of its own that its system has taken. */
  sent = 0;
  received = 0;
  how: How = 'open';
  /** It has sent all it had, and its FIN. */
  hasEnded = false;
  hasVanished = false;
  /** Its script is done, or cannot go on. */
  isDone = false;
  /** When it was done and had seen the end of the other side. */
  overAt: number | undefined;
  /** The stream that it gets, once its number has come. */
  from: number | undefined;
  #head = 0;
  #isReading = true;
  #hasRelented = false;
  #isDue = false;
  #everyMs: number;
  #changed: () => void = () => {};

  constructor(
    readonly name: string,
    readonly stream: number,
    readonly script: Script,
    readonly endpoint: Endpoint,
    readonly time: Time,
    readonly owner: PeerOwner,
  ) {
    this.#everyMs = script.readEveryMs;
    endpoint.wake = () => {
      this.#readSoon();
      this.#changed();
    };
    this.#readSoon();
    void this.#play();
  }

  /** Nothing keeps it from reading any more. */
  relent(): void {
    this.#hasRelented = true;
    this.#isReading = true;
    this.#everyMs = 0;
    this.#readSoon();
  }

  async #play(): Promise<void> {
    for (const step of this.script.steps) {
      await this.#perform(step);
      if (this.endpoint.isClosed || this.how === 'reset' || this.how === 'timeout' || this.hasVanished) break;
    }
    this.isDone = true;
    this.#closeWhenOver();
  }

  async #perform(step: Step): Promise<void> {
    const { endpoint, time } = this;
    switch (step.do) {
      case 'wait':
        return time.sleep(step.ms);
      case 'send':
        return this.#send(step.bytes);
      case 'receive':
        return this.#until(() => this.received >= step.bytes || this.how !== 'open', step.ms);
      case 'receiveEnd':
        return this.#until(() => this.how !== 'open', step.ms);
      case 'end':
        this.#tell('ends');
        this.hasEnded = endpoint.shutdown() === undefined;
        return;
      case 'close':
        this.#tell('closes');
        // To the other side that is an end, if nothing is left unread.
        this.hasEnded ||= endpoint.unread === 0 && !endpoint.isDead;
        endpoint.close();
        return;
      case 'reset':
        this.#tell('resets');
        endpoint.reset();
        return;
      case 'vanish':
        this.#tell('vanishes');
        this.hasVanished = true;
        endpoint.cut();
        return;
      case 'stall':
        this.#tell(`is cut off for ${step.ms} ms`);
        endpoint.stall(step.ms * 1_000);
        return;
      case 'stopReading':
        this.#tell('reads no more');
        this.#isReading = this.#hasRelented;
        return;
      case 'read':
        this.#isReading = true;
        this.#readSoon();
    }
  }

  async #send(bytes: number): Promise<void> {
    const last = this.sent + bytes;
    this.#tell(`sends ${bytes}`);
    while (this.sent < last) {
      const taken = this.endpoint.send(bytesOf(this.stream, this.sent, Math.min(65_536, last - this.sent)));
      if (typeof taken === 'string') {
        this.#over(taken === 'ETIMEDOUT' ? 'timeout' : 'reset');
        return;
      }
      this.sent += taken;
      if (this.sent < last) await this.#until(() => this.endpoint.isWritable, undefined);
    }
  }

  #until(holds: () => boolean, ms: number | undefined): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#changed = () => {};
        if (patience !== undefined) this.time.cancel(patience);
        resolve();
      };
      const patience = ms === undefined ? undefined : this.time.after(ms * 1_000, done);
      this.#changed = () => {
        if (holds()) done();
      };
    });
  }

  #readSoon(): void {
    if (this.#isDue || !this.#isReading || this.how !== 'open' || this.hasVanished || !this.endpoint.isReadable) return;
    this.#isDue = true;
    this.time.after(this.#everyMs * 1_000 + 1, () => {
      this.#isDue = false;
      if (this.#isReading && !this.endpoint.isClosed && this.how === 'open') this.#read();
    });
  }

  #read(): void {
    const data = this.endpoint.receive(this.script.readBytes);
    if (data === undefined) return;
    if (data === null) this.#over('end');
    else if (typeof data === 'string') this.#over(data === 'ETIMEDOUT' ? 'timeout' : 'reset');
    else this.#take(data);
    this.#readSoon();
    this.#changed();
  }

  #take(data: Buffer): void {
    for (let index = 0; this.received + index < 2 && index < data.length; index++) {
      this.#head = (this.#head << 8) | (data[index] as number);
      if (this.received + index === 1) this.from = this.#head;
    }
    if (this.from !== undefined) {
      const due = bytesOf(this.from, this.received, data.length);
      if (!due.equals(data)) {
        const index = due.findIndex((byte, at) => byte !== data[at]);
        this.owner.wrong(this.name, `got a wrong byte of stream ${this.from} at ${this.received + index}`);
      }
    }
    this.received += data.length;
    this.#tell(`got ${data.length}, ${this.received} in all`);
  }

  #over(how: How): void {
    if (this.how !== 'open') return;
    this.how = how;
    this.#tell(how === 'end' ? `sees the end, after ${this.received}` : `sees a ${how}, after ${this.received}`);
    this.#closeWhenOver();
  }

  /** As whoever has said and heard all; one that has not waits for the other side. */
  #closeWhenOver(): void {
    if (this.how === 'open' || !this.isDone) return;
    this.overAt ??= this.time.ms;
    if (this.how !== 'end' || this.hasEnded) this.endpoint.close();
  }

  #tell(what: string): void {
    this.owner.tell(this.name, what);
  }
}
