/**
 * The relay and its legs by hand, on streams that take what they are given when they are told to: what is counted, where
 * bytes go, when a socket waits, and who owns a buffer.
 */
import { Socket } from 'node:net';
import { Duplex, PassThrough, Transform } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { acquire, buffersAcquired, discard, release, SHARED } from '../../src/relay/buffers.js';
import { Leg, onread } from '../../src/relay/leg.js';
import { Relay } from '../../src/relay/relay.js';
import { turns } from '../support/wait.js';

/** A socket without a network. */
class Peer extends Duplex {
  /** What was written to it. */
  readonly got: Buffer[] = [];
  readonly reads: (number | undefined)[] = [];
  /** What is written waits for `drain()`. */
  isSlow = false;
  #waiting: (() => void)[] = [];

  constructor(highWaterMark = 4) {
    super({ highWaterMark, allowHalfOpen: true });
    this.pause();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.got.push(chunk);
    if (this.isSlow) this.#waiting.push(done);
    else done();
  }

  override read(size?: number): Buffer | null {
    this.reads.push(size);
    return super.read(size);
  }

  /** All that was written is written out. */
  async drain(): Promise<void> {
    this.isSlow = false;
    for (const done of this.#waiting.splice(0)) done();
    await turns(2);
  }

  get text(): string {
    return Buffer.concat(this.got).toString();
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }
}

/** One that can be told to read into buffers, as those of this Node can. */
function handled(): Peer {
  const peer = new Peer();
  for (const key of Object.getOwnPropertySymbols(new Socket())) {
    if (/^kBuffer(Cb|Gen)?$/.test(key.description ?? '')) Object.assign(peer, { [key]: null });
  }
  return Object.assign(peer, { _handle: { useUserBuffer: () => {} } });
}

/** A socket of Node's that keeps what is written to it, for it is never connected. */
function unconnected(): Socket {
  return Object.assign(new Socket(), { connecting: true });
}

/** A socket of Node's without a network: what is written to it waits for `drain()`. */
function slow(): { socket: Socket; got: string[]; drain: () => Promise<void> } {
  const got: string[] = [];
  let waiting: (() => void) | undefined;
  const socket = Object.assign(new Socket(), {
    _writev: undefined,
    _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
      got.push(String(chunk));
      waiting = done;
    },
  });
  const drain = async (): Promise<void> => {
    for (let done = waiting; done !== undefined; done = waiting) {
      waiting = undefined;
      done();
      await turns(2);
    }
  };
  return { socket, got, drain };
}

/** What Node reads comes in one of our buffers. */
function fill(buffer: Buffer, text: string): number {
  return buffer.write(text);
}

/** Compared by what they are: their bytes are many. */
function expectOwner(leg: Leg, next: Buffer, taken: number): void {
  expect(leg.next === next).toBe(true);
  expect(buffersAcquired()).toBe(taken);
}

/** How Node calls the leg of a socket that was dialled. */
type Dialled = { callback: (this: Socket, bytes: number, buffer: Buffer) => boolean };

const full = (leg: Leg): boolean => leg.read(SHARED.length, SHARED);

/** A leg that owns a buffer, for it has filled the shared one. */
function eager(from = new Peer()): { leg: Leg; own: Buffer; from: Peer; to: Socket } {
  const to = unconnected();
  const leg = new Leg(true);
  leg.start(from.socket, to);
  full(leg);
  expect(leg.next === SHARED).toBe(false);
  return { leg, own: leg.next, from, to };
}

// Every test gives back what it has taken.
afterEach(() => expect(buffersAcquired()).toBe(0));

function relayed(): { client: Peer; backend: Peer; relay: Relay } {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  relay.start(backend.socket);
  relay.begin();
  return { client, backend, relay };
}

async function says(peer: Peer, text: string): Promise<void> {
  peer.push(text);
  await turns(2);
}

test('bytes go both ways, and what was read is counted by who sent it', async () => {
  const { client, backend, relay } = relayed();
  await says(client, 'question');
  await says(backend, 'an answer');
  expect([client.text, backend.text]).toEqual(['an answer', 'question']);
  expect([relay.fromClient, relay.fromBackend]).toEqual([8, 9]);
});

test('nothing has moved before there is a backend, and nothing was read after another socket', () => {
  const client = new Peer();
  const relay = new Relay(client.socket);
  expect([relay.fromClient, relay.fromBackend, relay.progress]).toEqual([0, 0, 0]);
  expect(relay.wasReadLast(client.socket)).toBe(true);
  expect(relay.wasReadLast(new Peer().socket)).toBe(true);
});

test('progress is what was read, what of it was written out, and each end', async () => {
  const { client, backend, relay } = relayed();
  client.isSlow = backend.isSlow = true;
  await says(client, '12');
  await says(backend, '123');
  expect(relay.progress).toBe(0);
  await backend.drain();
  expect(relay.progress).toBe(2);
  await client.drain();
  expect(relay.progress).toBe(5);
  relay.end(backend.socket);
  expect(relay.progress).toBe(6);
  expect(backend.writableEnded).toBe(true);
});

test('what comes out of a transform is progress, too, of either direction', async () => {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  const [fromClient, fromBackend] = [new PassThrough(), new PassThrough()];
  relay.start(backend.socket, { fromClient, fromBackend, failed: () => expect.unreachable() });
  relay.begin();
  await says(client, '12');
  expect([backend.text, relay.progress]).toEqual(['12', 4]);
  await says(backend, '123');
  expect([client.text, relay.progress]).toEqual(['123', 10]);
  relay.release();
  expect([fromClient.destroyed, fromBackend.destroyed]).toEqual([true, true]);
});

test('before there is a backend, what waits for the client is no progress', () => {
  const client = new Peer();
  const relay = new Relay(client.socket);
  client.isSlow = true;
  client.write('greeting');
  expect(relay.progress).toBe(-8);
});

test.each(['client', 'backend'] as const)('flush of the %s calls back once its bytes are written out', async (who) => {
  const { client, backend, relay } = relayed();
  const [one, other] = who === 'client' ? [client, backend] : [backend, client];
  one.isSlow = true;
  await says(other, 'late');
  let flushed = 0;
  one.resume();
  relay.flush(one.socket, () => flushed++);
  expect(one.isPaused()).toBe(true);
  await turns(2);
  expect(flushed).toBe(0);
  await one.drain();
  expect(flushed).toBe(1);
  // It is left: nothing is read from it, and nothing is written to it.
  one.resume();
  await says(one, 'lost');
  await says(other, 'lost');
  expect([one.text, other.text]).toEqual(['late', '']);
  expect(other.isPaused()).toBe(true);
});

test.each(['nothing waits', 'the socket is destroyed'])('flush calls back at once where %s', (why) => {
  const { client, relay } = relayed();
  if (why !== 'nothing waits') {
    client.isSlow = true;
    client.write('never written out');
    client.destroy();
  }
  let flushed = 0;
  relay.flush(client.socket, () => flushed++);
  expect(flushed).toBe(1);
});

test('flush of a socket that was ended calls back when it has finished', async () => {
  const { client, relay } = relayed();
  client.isSlow = true;
  client.end('last');
  let flushed = 0;
  relay.flush(client.socket, () => flushed++);
  await turns(2);
  expect(flushed).toBe(0);
  await client.drain();
  expect(flushed).toBe(1);
});

test('flush writes no byte of its own', async () => {
  const { client, relay } = relayed();
  client.isSlow = true;
  client.write('x');
  const flushed = new Promise<void>((resolve) => relay.flush(client.socket, resolve));
  await client.drain();
  await flushed;
  expect(Buffer.concat(client.got)).toEqual(Buffer.from('x'));
});

describe('flush of a socket of Node’s', () => {
  test('calls back once its bytes are written out, and writes none of its own', async () => {
    const { socket, got, drain } = slow();
    const relay = new Relay(socket);
    relay.start(new Peer().socket);
    socket.write('abc');
    let flushed = 0;
    relay.flush(socket, () => flushed++);
    await turns(2);
    expect(flushed).toBe(0);
    await drain();
    expect(flushed).toBe(1);
    expect(got.join('')).toBe('abc');
  });

  test.each(['nothing waits', 'it is destroyed'])('calls back at once where %s', (why) => {
    const socket = unconnected();
    const relay = new Relay(socket);
    relay.start(new Peer().socket);
    if (why === 'it is destroyed') {
      socket.write('never written out');
      socket.on('error', () => {}).destroy();
    }
    let flushed = 0;
    relay.flush(socket, () => flushed++);
    expect(flushed).toBe(1);
  });
});

test('before there is a backend, flush of a stream calls back at once', () => {
  const client = new Peer();
  client.isSlow = true;
  client.write('greeting');
  let flushed = 0;
  new Relay(client.socket).flush(client.socket, () => flushed++);
  expect(flushed).toBe(1);
});

describe('a transform', () => {
  /** The one of the bytes of the client; it is told of no failure. */
  function transformed(fromClient: Duplex, [client, backend] = [new Peer(), new Peer()]) {
    const relay = new Relay(client.socket);
    relay.start(backend.socket, { fromClient, failed: () => expect.unreachable() });
    return { client, backend, relay };
  }

  /** Keeps all to its end, which comes when it is told to. */
  function keeper(): { stream: Transform; finish: () => void } {
    let kept = '';
    const made = {
      stream: new Transform({
        autoDestroy: false,
        transform(chunk, _encoding, done) {
          kept += chunk;
          done();
        },
        flush(done) {
          made.finish = () => done(null, kept);
        },
      }),
      finish: () => {},
    };
    return made;
  }

  test('what it gives before the relay begins waits', async () => {
    const stream = new PassThrough();
    stream.write('head');
    const { backend, relay } = transformed(stream);
    await turns(4);
    expect(backend.text).toBe('');
    relay.begin();
    await turns(4);
    expect(backend.text).toBe('head');
    relay.release();
  });

  test('no more goes into it than comes out', async () => {
    const { client, backend, relay } = transformed(new PassThrough({ highWaterMark: 1 }), [new Peer(), new Peer(1)]);
    relay.begin();
    backend.isSlow = true;
    let sent = '';
    for (const text of 'abcdefgh') {
      if (client.isPaused()) break;
      await says(client, text);
      sent += text;
    }
    expect(client.isPaused()).toBe(true);
    await backend.drain();
    await turns(8);
    expect([client.isPaused(), backend.text]).toEqual([false, sent]);
    relay.release();
  });

  test('what it has kept comes before a reset, and after an end that is owed', async () => {
    for (const isOwed of [false, true]) {
      const made = keeper();
      const { client, backend, relay } = transformed(made.stream);
      relay.begin();
      await says(client, 'abc');
      if (isOwed) relay.end(backend.socket);
      let flushed = 0;
      relay.flush(backend.socket, () => flushed++);
      await turns(4);
      expect([flushed, backend.text]).toEqual([0, '']);
      made.finish();
      await turns(4);
      expect([flushed, backend.text, backend.writableEnded]).toEqual([1, 'abc', isOwed]);
      relay.release();
    }
  });

  test('fails once, and not any more once the relay is released', async () => {
    for (const isReleased of [false, true]) {
      const stream = new PassThrough();
      const relay = new Relay(new Peer().socket);
      let failures = 0;
      relay.start(new Peer().socket, { fromClient: stream, failed: () => failures++ });
      relay.begin();
      if (isReleased) relay.release();
      else stream.destroy(new Error('broken'));
      await turns(4);
      expect(failures).toBe(isReleased ? 0 : 1);
      relay.release();
    }
  });

  test('that reads into buffers gives them back', () => {
    const stream = handled();
    const relay = new Relay(new Peer().socket);
    relay.start(unconnected(), { fromClient: stream, failed: () => {} });
    readInto(stream, SHARED.length);
    expect(buffersAcquired()).toBe(1);
    relay.release();
    expect(buffersAcquired()).toBe(0);
  });

  test.each(['ended', 'destroyed'])('that was %s is not waited for', async (how) => {
    const made = keeper();
    const { backend, relay } = transformed(made.stream);
    relay.begin();
    if (how === 'destroyed') {
      relay.release();
    } else {
      relay.end(backend.socket);
      await turns(2);
      made.finish();
      await turns(4);
    }
    let flushed = 0;
    relay.flush(backend.socket, () => flushed++);
    await turns(2);
    expect(flushed).toBe(1);
    relay.release();
  });
});

test('a socket that is none of the two is not left', async () => {
  const { client, backend, relay } = relayed();
  relay.detach(new Peer().socket);
  await says(client, 'question');
  await says(backend, 'answer');
  expect([client.text, backend.text]).toEqual(['answer', 'question']);
});

test('a client that left before there was a backend is not relayed', async () => {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  relay.readAhead(100);
  await says(client, 'early');
  relay.detach(client.socket);
  relay.start(backend.socket);
  relay.begin();
  client.resume();
  await says(client, 'late');
  await says(backend, 'answer');
  expect([client.text, backend.text]).toEqual(['', '']);
});

test('what a client sends early is kept up to the limit, and comes first', async () => {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  relay.readAhead(5);
  await says(client, 'ab');
  await says(client, 'cd');
  expect(client.isPaused()).toBe(false);
  await says(client, 'e');
  expect(client.isPaused()).toBe(true);
  expect(relay.dialled(false)).toBeUndefined();
  relay.start(backend.socket);
  expect(backend.text).toBe('');
  relay.begin();
  expect(backend.text).toBe('abcde');
  await says(client, 'f');
  expect(backend.text).toBe('abcdef');
  expect(client.isPaused()).toBe(false);
  // All was written once.
  relay.begin();
  expect(backend.text).toBe('abcdef');
});

test.each([1, 2])('what waits unread counts: one byte of at most %d', (bytesMax) => {
  const client = handled();
  client.push('a');
  new Leg().readAhead(client.socket, bytesMax);
  // All of it, and then more, unless it is enough.
  expect(client.reads).toEqual(bytesMax === 1 ? [undefined] : [undefined, 0]);
});

test('a peek sees what was read and what comes, reads no further than it may, and sees no more once it is over', async () => {
  const leg = new Leg();
  const client = new Peer();
  const seen: string[] = [];
  leg.readAhead(client.socket, 1);
  client.push('abc');
  await turns(2);
  leg.peek(3, (chunk) => seen.push(String(chunk)));
  expect(client.isPaused()).toBe(true);
  leg.peek(2, (chunk) => seen.push(String(chunk)));
  expect(client.isPaused()).toBe(true);
  leg.peek(5, (chunk) => seen.push(String(chunk)));
  expect(client.isPaused()).toBe(false);
  client.push('d');
  await turns(2);
  leg.stopPeek();
  client.push('e');
  await turns(2);
  expect(seen).toEqual(['abc', 'abc', 'abc', 'd']);
  expect([leg.bytes, client.isPaused()]).toEqual([5, true]);
});

test('what is given back counts no more, and whoever reads the client gets it', async () => {
  const client = new Peer();
  const relay = new Relay(client.socket);
  relay.readAhead(10);
  client.push('abc');
  await turns(2);
  expect(relay.fromClient).toBe(3);
  relay.giveBack();
  expect([relay.fromClient, relay.readsAhead]).toEqual([0, true]);
  const got: string[] = [];
  client.on('data', (chunk) => got.push(String(chunk)));
  client.resume();
  await turns(2);
  client.push('d');
  await turns(2);
  expect(got).toEqual(['abc', 'd']);
  expect(relay.fromClient).toBe(0);
});

test('one byte is a limit, too', async () => {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  relay.readAhead(1);
  await says(client, 'a');
  expect(client.isPaused()).toBe(true);
  relay.start(backend.socket);
  relay.begin();
  expect(backend.text).toBe('a');
});

test('code that listens to a client sees early bytes once, when they are relayed', () => {
  const [client, backend] = [handled(), new Peer()];
  const relay = new Relay(client.socket);
  relay.readAhead(10);
  let seen = '';
  client.on('data', (chunk) => {
    seen += chunk;
  });
  readInto(client, fill(SHARED, 'abc'));
  expect(seen).toBe('');
  relay.start(backend.socket);
  relay.begin();
  expect([seen, backend.text]).toEqual(['abc', 'abc']);
});

test.each(['early', 'late'])('so does code that listens %s to a client that emits data', async (when) => {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  relay.readAhead(10);
  let seen = '';
  const listen = (): unknown => client.on('data', (chunk) => (seen += chunk));
  if (when === 'early') listen();
  await says(client, 'abc');
  if (when === 'late') listen();
  relay.start(backend.socket);
  relay.begin();
  expect([seen, backend.text]).toEqual(['abc', 'abc']);
});

test('a leg that has kept more than is taken at once waits for the drain', async () => {
  const [client, backend] = [new Peer(), new Peer(1)];
  const relay = new Relay(client.socket);
  relay.readAhead(2);
  await says(client, 'a');
  expect(client.isPaused()).toBe(false);
  backend.isSlow = true;
  relay.start(backend.socket);
  relay.begin();
  expect(client.isPaused()).toBe(true);
  await backend.drain();
  expect(client.isPaused()).toBe(false);
});

test('whoever is read faster than is taken waits for the drain, and no longer', async () => {
  const [client, backend] = [new Peer(), new Peer(1)];
  const relay = new Relay(client.socket);
  relay.start(backend.socket);
  relay.begin();
  // Too much by its size, but taken at once.
  await says(client, 'ab');
  expect(client.isPaused()).toBe(false);
  backend.isSlow = true;
  await says(client, 'c');
  expect(client.isPaused()).toBe(true);
  await backend.drain();
  expect(client.isPaused()).toBe(false);
});

test('whoever writes much, and has it taken at once, waits for no drain', () => {
  const [from, to] = [new Peer(), new Peer()];
  // Some versions of Node say so of a large write, though nothing of it waits.
  to.write = () => false;
  const leg = new Leg();
  leg.start(from.socket, to.socket);
  leg.begin();
  leg.data(Buffer.from('ab'));
  expect(from.isPaused()).toBe(false);
});

test('a socket that somebody else has paused is not resumed by a drain', async () => {
  const { client, backend } = relayed();
  client.pause();
  backend.emit('drain');
  expect(client.isPaused()).toBe(true);
  client.resume();
  backend.isSlow = true;
  await says(client, 'too much');
  await backend.drain();
  client.pause();
  backend.emit('drain');
  expect(client.isPaused()).toBe(true);
});

test('a drain is no reason to read what has nowhere to go', async () => {
  const [from, to] = [new Peer(), new Peer(1)];
  const [leg, back] = [new Leg(), new Leg()];
  leg.opposite = back;
  back.opposite = leg;
  leg.start(from.socket, to.socket);
  back.start(to.socket, from.socket);
  leg.begin();
  to.isSlow = true;
  await says(from, 'a');
  leg.stop();
  from.pause();
  await to.drain();
  to.emit('drain');
  expect(from.isPaused()).toBe(true);
});

test('a leg without a socket does nothing', () => {
  const leg = new Leg();
  leg.begin();
  leg.stop();
  leg.leave();
  leg.rest();
  leg.release();
  leg.drained();
  expect(leg.bytes).toBe(0);
});

test('a leg that stops pauses its socket, and listens no more; one that is left is somebody else’s', async () => {
  const [from, to] = [new Peer(), new Peer()];
  const leg = new Leg();
  leg.start(from.socket, to.socket);
  leg.begin();
  expect(from.isPaused()).toBe(false);
  leg.stop();
  expect(from.isPaused()).toBe(true);
  expect(from.listenerCount('data')).toBe(0);
  leg.data(Buffer.from('late'));
  expect(to.text).toBe('');
  leg.leave();
  from.resume();
  leg.stop();
  expect(from.isPaused()).toBe(false);
});

test('a leg that leaves has no listener any more, stops the other one, and keeps nothing', async () => {
  const [from, to] = [new Peer(), new Peer()];
  const [leg, back] = [new Leg(), new Leg()];
  leg.opposite = back;
  back.opposite = leg;
  leg.readAhead(from.socket, 2);
  await says(from, 'abc');
  back.start(to.socket, from.socket);
  back.begin();
  leg.leave();
  expect(['data', 'drain'].map((event) => from.listenerCount(event))).toEqual([0, 0]);
  expect(to.isPaused()).toBe(true);
  // Whoever reads it reads on: no maximum holds any more.
  expect(leg.read(1, SHARED)).toBe(true);
  leg.data(Buffer.from('x'));
  leg.start(from.socket, to.socket);
  expect(from.listenerCount('drain')).toBe(1);
  leg.leave();
  expect(from.listenerCount('drain')).toBe(0);
  leg.start(from.socket, to.socket);
  leg.begin();
  expect(to.text).toBe('');
});

test('what has nowhere to go is thrown away, and pauses nobody', async () => {
  const from = new Peer();
  const leg = new Leg();
  leg.start(from.socket, new Peer().socket);
  leg.begin();
  leg.stop();
  from.resume();
  leg.data(Buffer.from('thrown away'));
  expect(from.isPaused()).toBe(false);
  expect(leg.read(fill(SHARED, 'thrown away'), SHARED)).toBe(true);
  expect(leg.bytes).toBe(22);
  expect(new Leg(true).read(3, SHARED)).toBe(true);
});

test('a leg that is being read keeps its maximum only until it begins', () => {
  const [from, to] = [new Peer(), new Peer()];
  const leg = new Leg();
  leg.readAhead(from.socket, 2);
  leg.start(from.socket, to.socket);
  leg.begin();
  leg.stop();
  expect(leg.read(3, SHARED)).toBe(true);
});

test('a socket that can be told reads into buffers, and emits nothing', () => {
  const from = handled();
  const to = new Peer();
  const leg = new Leg();
  leg.start(from.socket, to.socket);
  expect(from.listenerCount('data')).toBe(0);
  leg.begin();
  expect(from.reads).toEqual([0]);
  expect(from.isPaused()).toBe(true);
});

test('a socket that cannot be told flows', () => {
  const from = new Peer();
  const leg = new Leg();
  leg.start(from.socket, new Peer().socket);
  expect(from.listenerCount('data')).toBe(1);
  from.pause();
  from.reads.length = 0;
  leg.begin();
  expect(from.isPaused()).toBe(false);
  expect(from.reads).toEqual([]);
  // It began to read ahead: it is not listened to twice.
  leg.start(from.socket, new Peer().socket);
  expect(from.listenerCount('data')).toBe(1);
});

test('a socket that was dialled with a buffer reads by itself', () => {
  const [from, to] = [new Peer(), new Peer()];
  const relay = new Relay(new Peer().socket);
  const { callback } = relay.dialled(true) as Dialled;
  relay.opened(from.socket);
  relay.start(from.socket);
  relay.begin();
  expect(from.reads).toEqual([]);
  expect(from.isPaused()).toBe(true);
  expect(from.listenerCount('data')).toBe(0);
  expect(callback.call(from.socket, fill(SHARED, 'answer'), SHARED)).toBe(true);
  expect(relay.fromBackend).toBe(6);
  expect(to.text).toBe('');
});

test('a socket that was dialled with a buffer may be read before its relay starts', () => {
  const from = new Peer();
  const relay = new Relay(new Peer().socket);
  const { callback } = relay.dialled(true) as Dialled;
  relay.opened(from.socket);
  expect(callback.call(from.socket, 1, SHARED)).toBe(true);
  expect(relay.fromBackend).toBe(1);
});

test('who was read last is known of those that read into buffers', () => {
  const [one, other] = [new Leg(true), new Leg(true)];
  expect([one.wasReadLast, new Leg().wasReadLast]).toEqual([false, true]);
  one.read(1, SHARED);
  expect([one.wasReadLast, other.wasReadLast]).toEqual([true, false]);
  other.read(1, SHARED);
  expect([one.wasReadLast, other.wasReadLast]).toEqual([false, true]);
  one.release();
  expect(other.wasReadLast).toBe(true);
  other.release();
  expect(other.wasReadLast).toBe(false);
});

test('each socket of a relay is asked about its own leg', () => {
  const [client, backend] = [new Peer(), new Peer()];
  const relay = new Relay(client.socket);
  const { callback } = relay.dialled(true) as Dialled;
  relay.start(backend.socket);
  new Leg(true).read(1, SHARED);
  expect([client, backend].map((peer) => relay.wasReadLast(peer.socket))).toEqual([true, false]);
  callback.call(backend.socket, 1, SHARED);
  expect(relay.wasReadLast(backend.socket)).toBe(true);
});

test('what is read into the shared buffer is copied', () => {
  const to = new Peer();
  const leg = new Leg(true);
  leg.start(new Peer().socket, to.socket);
  expect(leg.read(fill(SHARED, 'abc'), SHARED)).toBe(true);
  fill(SHARED, 'xyz');
  expect(to.text).toBe('abc');
  expect(leg.bytes).toBe(3);
});

test('a read that fills the shared buffer is followed by one into an own one, if its socket is Node’s', () => {
  const { leg, own, to } = eager();
  expect(own.length).toBe(524_288);
  expect(to.writableLength).toBe(SHARED.length);
  discard(own);
  for (const [bytes, target] of [
    [SHARED.length, new Peer().socket],
    [SHARED.length - 1, unconnected()],
  ] as const) {
    const other = new Leg(true);
    other.start(new Peer().socket, target);
    other.read(bytes, SHARED);
    expect(other.next === SHARED).toBe(true);
  }
  leg.release();
});

test('where all buffers are taken, it goes on with the shared one', () => {
  const taken = Array.from({ length: 64 }, () => acquire() as Buffer);
  expect(taken.includes(undefined as never)).toBe(false);
  expect(acquire()).toBeUndefined();
  const leg = new Leg(true);
  leg.start(new Peer().socket, unconnected());
  full(leg);
  expect(leg.next === SHARED).toBe(true);
  for (const buffer of taken) release(buffer);
});

test('eight buffers are kept for the next who need one; one that was given up never comes back', () => {
  expect(SHARED.length).toBe(16_384);
  const first = Array.from({ length: 20 }, () => acquire() as Buffer);
  for (const buffer of first) release(buffer);
  // Once is enough.
  for (const buffer of first) release(buffer);
  const again = Array.from({ length: 20 }, () => acquire() as Buffer);
  expect(again.filter((buffer) => first.includes(buffer))).toHaveLength(8);
  expect(new Set(again).size).toBe(20);
  for (const buffer of again) discard(buffer);
  expect(buffersAcquired()).toBe(0);
  const [lost] = again as [Buffer];
  release(lost);
  const fresh = acquire() as Buffer;
  expect(again.includes(fresh)).toBe(false);
  discard(fresh);
});

/** A leg with a buffer of its own, which writes to this. */
function owning(to: Peer): { leg: Leg; own: Buffer } {
  const { leg, own, from } = eager();
  const back = new Leg();
  leg.opposite = back;
  back.opposite = leg;
  leg.start(from.socket, to.socket);
  back.start(to.socket, new Peer().socket);
  return { leg, own };
}

const isIn = (buffer: Buffer, chunk: Buffer | undefined): boolean => chunk?.buffer === buffer.buffer;

test('few bytes in an own buffer are copied, and the buffer is given back', () => {
  const to = new Peer(4);
  const { leg, own } = owning(to);
  expect(leg.read(fill(own, 'abc'), own)).toBe(true);
  expect(to.text).toBe('abc');
  expect(isIn(own, to.got[0])).toBe(false);
  expectOwner(leg, SHARED, 0);
});

test('many bytes in an own buffer are written as they are; taken at once, the buffer is free again', () => {
  const to = new Peer(4);
  const { leg, own } = owning(to);
  expect(leg.read(fill(own, 'abcd'), own)).toBe(true);
  expect(to.text).toBe('abcd');
  expect(isIn(own, to.got[0])).toBe(true);
  expectOwner(leg, SHARED, 0);
});

/** A leg that reads TLS into a buffer of its own, which writes to this. */
function ownOfTls(to: Peer): { leg: Leg; own: Buffer } {
  const leg = new Leg(true);
  const from = Object.assign(handled(), { encrypted: true });
  leg.start(from.socket, unconnected());
  leg.read(SHARED.length, SHARED);
  const own = leg.next;
  leg.start(from.socket, to.socket);
  const back = new Leg();
  leg.opposite = back;
  back.opposite = leg;
  back.start(to.socket, new Peer().socket);
  return { leg, own };
}

test('a full record of TLS is followed by a buffer for one record, which is none of the pool', () => {
  const { leg, own } = ownOfTls(new Peer());
  expect(own).not.toBe(SHARED);
  expect(own.length).toBe(16_384);
  expectOwner(leg, own, 0);
});

test.each([
  [16_384, true],
  [16_383, false],
  [3, false],
])('%d bytes of TLS are written as they are; taken at once, the buffer is read into again: %s', (bytes, again) => {
  const to = new Peer(100_000);
  const { leg, own } = ownOfTls(to);
  expect(leg.read(bytes, own)).toBe(true);
  expect(to.got.map(({ length }) => length)).toEqual([bytes]);
  expect(isIn(own, to.got[0])).toBe(true);
  expect(leg.next).toBe(again ? own : SHARED);
});

test('bytes of TLS that are not taken at once keep their buffer until they are written out, and reading goes on', async () => {
  const to = new Peer(100_000);
  const { leg, own } = ownOfTls(to);
  to.isSlow = true;
  expect(leg.read(fill(own, 'abc'), own)).toBe(true);
  expect(leg.next).toBe(SHARED);
  // Who has another buffer by now copies what comes.
  const other = Buffer.alloc(16_384);
  expect(leg.read(fill(other, 'de'), other)).toBe(true);
  fill(other, 'xy');
  await to.drain();
  expect(to.text).toBe('abcde');
  // And no more, once they are.
  const third = Buffer.alloc(16_384);
  expect(leg.read(fill(third, 'fg'), third)).toBe(true);
  expect(isIn(third, to.got.at(-1))).toBe(true);
});

test('bytes of TLS that are never written out keep their buffer until the end', async () => {
  const to = new Peer(100_000);
  const { leg, own } = ownOfTls(to);
  to.on('error', () => {});
  to.isSlow = true;
  leg.read(fill(own, 'abc'), own);
  to.destroy(new Error('lost'));
  await turns(2);
  const other = Buffer.alloc(16_384);
  leg.read(fill(other, 'de'), other);
  leg.release();
  expect(buffersAcquired()).toBe(0);
});

test('of a socket with TLS nobody knows what was read last', () => {
  const [leg, other] = [new Leg(true), new Leg(true)];
  leg.start(Object.assign(handled(), { encrypted: true }).socket, new Peer().socket);
  other.read(1, SHARED);
  expect(leg.wasReadLast).toBe(true);
  other.release();
});

test('an own buffer that is filled, and taken at once, is read into again', () => {
  const { leg, own, to } = eager();
  to.destroy();
  const peer = new Peer(4);
  leg.start(new Peer().socket, peer.socket);
  expect(leg.read(own.length, own)).toBe(true);
  expect(peer.got[0]?.length).toBe(own.length);
  expectOwner(leg, own, 1);
  leg.release();
});

test('an own buffer is nobody’s until its bytes are written out', async () => {
  const to = new Peer(1);
  const { leg, own } = owning(to);
  to.isSlow = true;
  expect(leg.read(fill(own, 'a'), own)).toBe(false);
  expectOwner(leg, SHARED, 1);
  // What comes meanwhile, in another one, is copied.
  const other = acquire() as Buffer;
  expect(leg.read(fill(other, 'bc'), other)).toBe(false);
  expect(buffersAcquired()).toBe(1);
  await to.drain();
  expect([buffersAcquired(), to.text]).toEqual([0, 'abc']);
  // It is given back once: by then it may be somebody else's.
  const again = acquire() as Buffer;
  to.emit('drain');
  expect(buffersAcquired()).toBe(1);
  discard(again);
  discard(own);
});

test('an own buffer that is not pinned is read into while its next bytes wait', async () => {
  const to = new Peer(1);
  const { leg, own } = owning(to);
  to.isSlow = true;
  leg.read(own.length, own);
  expect(leg.next === SHARED).toBe(true);
  await to.drain();
  expect(buffersAcquired()).toBe(0);
});

test('an own buffer whose bytes have nowhere to go is given back', () => {
  const leg = new Leg(true);
  const own = acquire() as Buffer;
  expect(leg.read(own.length, own)).toBe(true);
  expectOwner(leg, SHARED, 0);
});

test('a leg that rests gives its buffer back, if its socket can wait with the shared one', () => {
  const can = eager(handled());
  can.leg.rest();
  expectOwner(can.leg, SHARED, 0);
  const cannot = eager();
  cannot.leg.rest();
  expectOwner(cannot.leg, cannot.own, 1);
  cannot.leg.release();
  // It has none, and takes none away.
  const other = acquire() as Buffer;
  const idle = new Leg(true);
  const waiting = handled();
  let told = 0;
  Object.assign(waiting, { _handle: { useUserBuffer: () => told++ } });
  idle.start(waiting.socket, new Peer().socket);
  idle.rest();
  expect(told).toBe(0);
  expect(idle.next === SHARED).toBe(true);
  release(other);
});

/** What Node does with a socket that was told to read into buffers. */
function readInto(peer: Peer, bytes: number): void {
  const [key] = Object.getOwnPropertySymbols(peer).filter(({ description }) => description === 'kBufferCb');
  (Reflect.get(peer, key as symbol) as Leg['read']).call(peer, bytes, SHARED);
}

test.each(['rest', 'release'] as const)('%s: the leg that reads from the client gives its buffer back', (how) => {
  const client = handled();
  const relay = new Relay(client.socket);
  relay.start(unconnected());
  readInto(client, SHARED.length);
  expect(buffersAcquired()).toBe(1);
  relay[how]();
  expect(buffersAcquired()).toBe(0);
});

test.each(['rest', 'release'] as const)('%s: the leg that reads from the server gives its buffer back', (how) => {
  const relay = new Relay(unconnected());
  const { callback } = relay.dialled(true) as Dialled;
  const { socket } = handled();
  relay.start(socket);
  callback.call(socket, SHARED.length, SHARED);
  expect(buffersAcquired()).toBe(1);
  relay[how]();
  expect(buffersAcquired()).toBe(0);
});

test('at the end, a buffer is given back if its socket reads no more, and given up otherwise', () => {
  for (const isOver of [true, false]) {
    const { leg, own, from } = eager();
    if (isOver) from.destroy();
    leg.release();
    expectOwner(leg, SHARED, 0);
    const next = acquire() as Buffer;
    expect(next === own).toBe(isOver);
    discard(next);
  }
});

test('at the end, a buffer whose bytes are still on their way is given up', async () => {
  const to = new Peer(1);
  const { leg, own } = owning(to);
  to.isSlow = true;
  leg.read(fill(own, 'a'), own);
  leg.release();
  expect(buffersAcquired()).toBe(0);
  await to.drain();
  const next = acquire() as Buffer;
  expect(next === own).toBe(false);
  discard(next);
});

test('the next buffer is asked for right after a read, and is the one of whoever has read', () => {
  const { leg, own } = eager();
  leg.read(0, Buffer.alloc(0));
  const { buffer } = onread() as unknown as { buffer: () => Buffer };
  // Whoever is dialled starts with the shared one.
  expect(buffer() === SHARED).toBe(true);
  full(leg);
  const mine = leg.next;
  expect(buffer() === mine).toBe(true);
  expect(buffer() === SHARED).toBe(true);
  discard(own);
  leg.release();
});

test('a write that throws leaves its buffer to nobody else', () => {
  const { leg, own, to } = eager();
  to.write = () => {
    throw new Error('Not today');
  };
  expect(() => leg.read(1, SHARED)).toThrow('Not today');
  const { buffer } = onread() as unknown as { buffer: () => Buffer };
  expect(buffer() === SHARED).toBe(true);
  expect(leg.next === own).toBe(true);
  leg.release();
});
