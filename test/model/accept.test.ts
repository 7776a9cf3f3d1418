/**
 * The acceptor refuses what no socket and no server does: else it would prove nothing that it accepts what they did. The
 * traces that it accepts are recorded in test/node and test/paths.
 */
import { expect, test } from 'vitest';
import { accept, type Happening, NO_SERVER, ownedSocket, seenServer, seenSocket } from './accept.js';
import { ACCEPTED, NO_SOCKET } from './socket.js';

/** `connected` is reported; `end()` is called. */
const traceOf = (words: string, of: 'socket' | 'server'): Happening[] =>
  words
    .split(' ')
    .map((word): Happening => (word.endsWith('()') ? `called ${of}.${word.slice(0, -2)}` : `reported ${of}.${word}`));

const dialled = (words: string): void => accept(seenSocket, NO_SOCKET, traceOf(words, 'socket'));
const accepted = (words: string): void => accept(seenSocket, ACCEPTED, traceOf(words, 'socket'));
const owned = (words: string): void => accept(ownedSocket, ACCEPTED, traceOf(words, 'socket'));
const served = (words: string): void => accept(seenServer, NO_SERVER, traceOf(words, 'server'));

test.each([
  'open() connected ended end() finished closed',
  'open() connected end() finished ended closed',
  'open() failed closed',
  'open() ended failed closed',
  'open() destroy() connected closed',
  'open() end() finished connected ended closed',
  'open() connected end() destroy() ended finished closed',
])('of a socket that was dialled it accepts: %s', (words) => dialled(words));

test.each([
  ['connected before it is opened', 'connected'],
  ['connected twice', 'open() connected connected'],
  ['connected after it has closed', 'open() failed closed connected'],
  ['opened while there is one', 'open() connected open()'],
  ['ended twice', 'open() connected ended ended'],
  ['finished without an end() of ours', 'open() connected finished'],
  ['finished twice', 'open() connected end() finished finished'],
  ['closed while the peer has not ended', 'open() connected end() finished closed'],
  ['closed while we have not ended', 'open() connected ended closed'],
  ['closed while it connects', 'open() closed'],
  ['closed twice', 'open() failed closed closed'],
  ['ended after it has closed', 'open() connected destroy() closed ended'],
  ['failed after it has closed', 'open() connected failed closed failed'],
])('of a socket that was dialled it refuses: %s', (_what, words) => {
  expect(() => dialled(words)).toThrow(/The model does not allow/);
});

test('of a socket that was accepted it refuses that it is connected, and an unlink twice', () => {
  expect(() => accepted('connected')).toThrow(/The model does not allow: reported socket.connected/);
  expect(() => accepted('unlink() unlink()')).toThrow(/The model does not allow: called socket.unlink/);
});

test('what its owner may have done is not in the trace of an instance: it is guessed, while it is his', () => {
  owned('finished ended closed');
  owned('closed');
  expect(() => owned('finished finished')).toThrow(/The model does not allow/);
  expect(() => owned('unlink() closed')).not.toThrow();
  expect(() => accepted('closed')).toThrow(/The model does not allow/);
});

test.each(['listen() listening close() closed', 'listen() failed listen() listening closed', 'closed'])(
  'of a server it accepts: %s',
  (words) => served(words),
);

test.each([
  ['listening before it is asked to', 'listening'],
  ['listening twice', 'listen() listening listening'],
  ['listening after it was closed', 'listen() close() listening'],
  ['failed while it neither binds nor listens', 'listen() failed failed'],
  ['asked to listen twice', 'listen() listening listen()'],
])('of a server it refuses: %s', (_what, words) => {
  expect(() => served(words)).toThrow(/The model does not allow/);
});
