/** One situation, made to happen to a bare socket, to one that the library listens to, and to one that it owns. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { adoptClient, type Backend, type Client, createBackend } from '../../src/index.js';
import { link, linkConnecting, type SocketOwner } from '../../src/sockets/socket.js';
import { accept, type Happening, seenSocket } from '../model/accept.js';
import { ACCEPTED, NO_SOCKET } from '../model/socket.js';
import { CERTIFICATE } from '../support/peers.js';
import { how, recordTransitions } from '../support/record.js';
import { turns, within } from '../support/wait.js';
import { type Over, other, quiet, type Side, Stage, unquiet, type Where } from './stage.js';
import { outcomeOf, read, watch } from './watch.js';

/** What may be done in a situation. The calls that are the owner's are noted in a trace. */
export interface Scene {
  readonly over: Over;
  readonly socket: Socket;
  readonly peer: Socket;
  /** Adds a word to what the socket emits. */
  note(word: string): void;
  /** Writes, and notes what the callback says. */
  write(what?: string | Buffer): void;
  end(): void;
  destroy(error?: Error): void;
  /** What the peer can do worst: over a Unix socket, to go and leave something unread. */
  resetPeer(): void;
  emitted(event: string): Promise<unknown>;
  closed(): Promise<unknown>;
}

export interface Situation {
  readonly what: string;
  readonly over?: readonly Over[];
  readonly sides?: readonly Side[];
  /** False: the bare socket ends by itself when its peer does. The library's never do. */
  readonly halfOpen?: false;
  /** It was accepted without being read. */
  readonly paused?: true;
  /** Nobody reads it. */
  readonly unread?: true;
  act(scene: Scene): unknown;
  /** What a bare socket emits, over each kind where they differ. */
  readonly emits: string | Partial<Record<Over, string>>;
  /** The states of the library's life from when it is established, and its outcome; none if only a bare socket is looked at. */
  readonly instance?: string | Partial<Record<Over, string>>;
}

export const expectedOver = (expected: string | Partial<Record<Over, string>>, over: Over): string =>
  typeof expected === 'string' ? expected : (expected[over] as string);

interface Subject {
  readonly socket: Socket;
  readonly peer: Socket;
  readonly below: Socket;
  readonly words: string[];
  readonly trace: Happening[];
}

async function play(situation: Situation, over: Over, { socket, peer, below, words, trace }: Subject): Promise<void> {
  const emitted = (event: string): Promise<unknown> =>
    within(5_000, `${event} of a socket, after ${words}`, new Promise((resolve) => socket.once(event, resolve)));
  // At an error it is closed already, though the event is still to come.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  if (situation.unread === undefined) read(socket, words);
  // Where the library has paused it, its bytes are the owner's to ask for.
  if (situation.unread === undefined && situation.paused === undefined) socket.resume();
  quiet(peer).resume();
  await situation.act({
    over,
    socket,
    peer,
    note: (word) => void words.push(word),
    write: (what = 'x') => void socket.write(what, (error) => words.push(`written ${outcomeOf(error)}`)),
    end: () => {
      trace.push('called socket.end');
      socket.end();
    },
    destroy: (error) => {
      trace.push('called socket.destroy');
      socket.destroy(error);
    },
    resetPeer: () => {
      if (over !== 'Unix') {
        below.resetAndDestroy();
      } else {
        socket.write('unread');
        peer.destroy();
      }
    },
    emitted,
    closed: () => within(5_000, `the close of a socket, after ${words}`, closed),
  });
  await turns(3);
}

/** What a bare socket emits. */
export async function emitted(situation: Situation, over: Over, side: Side): Promise<string[]> {
  const stage = new Stage();
  try {
    const { halfOpen: allowHalfOpen = true, paused: pauseOnConnect = false } = situation;
    const ends = await stage.pair(over, { allowHalfOpen, pauseOnConnect });
    const words = watch(ends[side]);
    await play(situation, over, {
      socket: ends[side],
      peer: ends[other(side)],
      below: ends.below[other(side)],
      words,
      trace: [],
    });
    return words;
  } finally {
    await stage.close();
  }
}

/** Notes what the adapters report of a socket. */
export function recorder(trace: Happening[]): SocketOwner {
  const note = (name: string) => (): void => void trace.push(`reported socket.${name}`);
  return {
    socketConnected: note('connected'),
    socketEnded: note('ended'),
    socketFinished: note('finished'),
    socketFailed: note('failed'),
    socketClosed: note('closed'),
    wasReadLast: () => true,
  };
}

/** What the adapters make of it, held against the model. */
export async function traced(situation: Situation, over: Over, side: Side): Promise<readonly Happening[]> {
  const stage = new Stage();
  const trace: Happening[] = [];
  try {
    const dial = async (where: Where): Promise<Socket> => {
      const socket = stage.dial(over, where);
      trace.push('called socket.open');
      linkConnecting(socket, recorder(trace));
      await once(socket, over === 'TLS' ? 'secureConnect' : 'connect');
      return socket;
    };
    const options = { pauseOnConnect: situation.paused === true };
    const ends = await stage.pair(over, options, side === 'dialled' ? dial : undefined);
    if (side === 'accepted') link(ends.accepted, recorder(trace));
    await play(situation, over, {
      socket: ends[side],
      peer: ends[other(side)],
      below: ends.below[other(side)],
      words: [],
      trace,
    });
    accept(seenSocket, side === 'accepted' ? ACCEPTED : NO_SOCKET, trace);
    return trace;
  } finally {
    await stage.close();
  }
}

const WAITS = { closeTimeout: 5_000, abortTimeout: 5_000 };

/** The states of an instance that the library makes of it, and how that ends. */
export async function lived(situation: Situation, over: Over, side: Side): Promise<string> {
  const stage = new Stage();
  const { transitions, stop } = recordTransitions();
  let handle: Client | Backend | undefined;
  try {
    const dial = async (where: Where): Promise<Socket> => {
      const tls = over === 'TLS' ? { ca: CERTIFICATE.cert, servername: 'localhost' } : undefined;
      const backend = createBackend({ servers: [{ ...where, tls }], persistent: false, attemptsMax: 1, ...WAITS });
      handle = backend;
      return (await backend.connect()).socket;
    };
    const options = { pauseOnConnect: situation.paused === true };
    const ends = await stage.pair(over, options, side === 'dialled' ? dial : undefined);
    if (side === 'accepted') {
      // From now on its errors are the library's to hear.
      const client = adoptClient(unquiet(ends.accepted), WAITS);
      handle = client;
      await new Promise((resolve) => client.once('established', resolve));
    }
    await play(situation, over, {
      socket: ends[side],
      peer: ends[other(side)],
      below: ends.below[other(side)],
      words: [],
      trace: [],
    });
    const { id, outcome } = handle as Client | Backend;
    const states = transitions.filter(({ who }) => who === id).map(({ to }) => to);
    const established = states.flatMap((state) => /established\.(\w+)/.exec(state)?.[1] ?? []);
    return (outcome === undefined ? established : [...established, how(outcome)]).join(', ');
  } finally {
    stop();
    await handle?.abort();
    await stage.close();
  }
}
