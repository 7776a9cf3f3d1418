/** The pool of connections: how many there are, and what becomes of one that its server ends. */
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { useBench } from '../support/bench.js';
import { killPrograms, Program } from './recipes.js';

const bench = useBench();

afterEach(killPrograms);

test('pool.mjs opens no more connections than it may, and gives each answer to the command that it is for', async () => {
  let most = 0;
  const server = await bench.server((socket) => {
    most = Math.max(most, server.live.length);
    socket.on('end', () => socket.end());
    createInterface({ input: socket }).on('line', (line) => {
      const [, word = ''] = line.split(' ');
      // The first ones are answered last.
      const answer = `$${word.length}\r\n${word}\r\n`;
      setTimeout(() => socket.write(answer), 20 - Number(word));
    });
  });
  const program = new Program('pool.mjs', [server.port, 2]);
  const words = Array.from({ length: 20 }, (_, index) => String(index));
  program.write(words.map((word) => `ECHO ${word}\n`).join(''));
  expect(await program.exited).toEqual({ code: 0, errors: '' });
  expect(program.lines).toEqual([...words, '2 connections', 'closed']);
  expect(most).toBe(2);
  expect(server.accepted).toBe(2);
});

test('pool.mjs opens a connection in place of one that is reset', async () => {
  const server = await bench.server((socket, index) => {
    socket.on('end', () => socket.end());
    socket.on('data', () => (index === 0 ? socket.resetAndDestroy() : socket.write(`:${index}\r\n`)));
  });
  const program = new Program('pool.mjs', [server.port, 1]);
  program.write('INCR n\nINCR n\nINCR n\n');
  expect(await program.exited).toEqual({ code: 0, errors: '' });
  expect(program.lines).toEqual([expect.stringMatching(/^error: /), ':1', ':1', '1 connections', 'closed']);
  expect(server.accepted).toBe(2);
});
