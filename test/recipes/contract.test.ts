/**
 * What each recipe passes on as `createProxy` does, whatever protocol opens the way: resets, ends, every byte, and the
 * stop of its process.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useBench } from '../support/bench.js';
import { type PeerServer, plainServer, Reader } from '../support/peers.js';
import { gate, turns, within } from '../support/wait.js';
import { killPrograms, type Program, RECIPES } from './recipes.js';

const BYTES = randomBytes(2 ** 21);
const DIGEST = createHash('sha256').update(BYTES).digest('hex');

/** How a reset shows, at once or later. */
const RESET = /^reset |ECONNRESET/;

const bench = useBench();

/** Reads a socket that was paused. */
function read(socket: Socket): Reader {
  const reader = new Reader(socket, { keep: false });
  socket.resume();
  return reader;
}

describe.each(Object.entries(RECIPES))('%s', (_name, recipe) => {
  const { dial = (_bench, port) => bench.dial({ port }), opening, refusal = RESET, lacks, retries = false } = recipe;
  let programs: Program[] = [];
  let port = 0;
  let server: PeerServer;
  let accepted = gate<Socket>();

  beforeAll(async () => {
    server = await (recipe.makeServer ?? plainServer)((socket) => accepted.open(socket)).listen();
    ({ programs, port } = await recipe.start(server.port));
  }, 30_000);

  afterAll(async () => {
    await killPrograms();
    await server.stop();
  });

  /** Both ends of a connection through the recipe, on which bytes have gone both ways. */
  async function connection() {
    accepted = gate();
    const near = await dial(bench, port, server.port);
    near.write('?');
    const far = bench.own(await within(5_000, 'a connection at the server', accepted.promise));
    const [question] = await within(5_000, 'the first byte', once(far, 'data'));
    far.pause();
    expect(String(question)).toBe('?');
    far.write('!');
    const [answer] = await within(5_000, 'the first byte back', once(near, 'data'));
    near.pause();
    expect(String(answer)).toBe('!');
    return { near, far };
  }

  if (opening !== undefined) {
    test('a client that stops after a byte does not hold up the next one', async () => {
      const stopped = await bench.dial({ port });
      stopped.write(opening);
      const { near, far } = await connection();
      const reader = read(far);
      near.resetAndDestroy();
      expect(await reader.ends()).toBe('reset');
      stopped.resetAndDestroy();
    });
  }

  test('the reset of a client reaches the server as a reset', async () => {
    const { near, far } = await connection();
    const reader = read(far);
    near.resetAndDestroy();
    expect(await reader.ends()).toBe('reset');
  });

  test('the reset of a server reaches the client as a reset', async () => {
    const { near, far } = await connection();
    const reader = read(near);
    far.resetAndDestroy();
    expect(await reader.ends()).toBe('reset');
  });

  if (lacks !== 'halfClose') {
    test('a client that has ended still gets the answer', async () => {
      const { near, far } = await connection();
      const [question, answer] = [read(far), read(near)];
      near.end('question');
      expect(await question.ends()).toBe('end');
      expect(question.bytes).toBe(8);
      far.end(BYTES);
      expect(await answer.ends()).toBe('end');
      expect(answer.digest).toBe(DIGEST);
    });

    test('a server that has ended still gets what the client sends', async () => {
      const { near, far } = await connection();
      const [upload, greeting] = [read(far), read(near)];
      far.end('greeting');
      expect(await greeting.ends()).toBe('end');
      expect(greeting.bytes).toBe(8);
      near.end(BYTES);
      expect(await upload.ends()).toBe('end');
      expect(upload.digest).toBe(DIGEST);
    });
  }

  test('a client that reads slowly gets every byte', async () => {
    const { near, far } = await connection();
    const reader = new Reader(near, { keep: false, flow: false });
    far.end(BYTES);
    near.on('data', () => {
      near.pause();
      setImmediate(() => near.resume());
    });
    await turns(50);
    near.resume();
    expect(await reader.ends()).toBe('end');
    expect(reader.digest).toBe(DIGEST);
  });

  if (!retries) {
    test('the client of a server that is down is turned away', async () => {
      const at = server.port;
      server.server.close();
      await once(server.server, 'close');
      const told = dial(bench, port, at).then(
        async (near) => {
          near.write('?');
          const reader = new Reader(near);
          near.resume();
          return `${await reader.ends()} ${reader.text}`;
        },
        (error: Error) => error.message,
      );
      expect(await told).toMatch(refusal);
      await server.listen({ port: at });
    });
  }

  test('SIGTERM lets a session end by itself, refuses clients, and exits with 0', async () => {
    const { near, far } = await connection();
    for (const program of programs) program.terminate();
    await Promise.all(programs.map((program) => program.refuses()));
    const [reader, echoed] = [read(near), read(far)];
    near.write('still there');
    await echoed.has(11);
    far.end('goodbye');
    expect(await reader.ends()).toBe('end');
    expect(reader.bytes).toBe(7);
    near.end();
    for (const program of programs) expect(await program.exited).toEqual({ code: 0, errors: '' });
  });
});
