/**
 * An accepted client. Its rules:
 *
 * 1. A client lives as long as its one socket: there is nothing to reconnect to.
 * 2. A client that was never established is refused, whichever side gave up first, and so is one whose owner turns it
 *    away later, for it has nothing to serve it with. Only an established client can be dropped.
 * 3. The owner's resources are released once, after the socket was unlinked, in every end.
 * 4. A stream is complete once its last byte and FIN are with the system, which delivers them. From then on only the
 *    owner's own abort resets it. A deadline lets the socket linger: incoming bytes are read and thrown away, for a
 *    bounded time, and then the socket is closed.
 *
 * 5. A socket that the owner gives to other code is counted until it closes: only its end, a close and an abort are heard.
 *
 * Left out on purpose: why admission says no (a hook decides), what a PROXY header and a TLS handshake say, and the
 * bytes.
 */
import { assign, emit, raise, setup } from 'xstate';
import {
  aborts,
  almostOver,
  closeChangesNothing,
  endedOnce,
  failedLate,
  final,
  finalStates,
  finishedOnce,
  halfClose,
  ignored,
  note,
  notProbed,
  probed,
  reading,
} from './fragments.js';
import * as client from './functions/client.js';
import * as connection from './functions/connection.js';
import { causeNoted } from './functions/outcome.js';
import { type CauseHint, type Outcome, type Phase, QUIET_PROBES } from './vocabulary.js';

export type {
  ClientCommand,
  ClientContext,
  ClientEvent,
  ClientInput,
  ClientSettings,
} from './functions/client.js';

const noHook = ignored(['owner.admitted', 'owner.refused'], 'Admission is decided: the hook has settled late.');
const noHeader = ignored(['header.done', 'header.failed'], 'No PROXY header is awaited.');
const noHandshake = ignored(['handshake.done', 'handshake.failed'], 'No handshake is under way.');
/** What comes before admission is over. */
const noPrelude = { ...noHeader, ...noHandshake };
const notGivenYet = ignored(['client.handOver'], 'Which client this is has yet to be known.');
const noHookYet = ignored(['owner.admitted'], 'No hook was called yet.');
const dying = ignored(
  ['socket.ended', 'socket.finished', 'socket.failed', 'socket.idled'],
  'The socket is being destroyed: only its close counts.',
);

/** The end is decided: reports of what comes before it, and requests for another end, come too late. */
const tooLate = {
  ...noHook,
  ...noPrelude,
  ...ignored(['client.refuse'], 'The end is decided already: nothing more can be said.'),
  ...ignored(['client.handOver'], 'The end is decided already.'),
};

/** Our last bytes and a FIN are on their way. */
const sendingLast = {
  ...tooLate,
  ...closeChangesNothing('client'),
  ...notProbed,
  ...ignored(['socket.ended'], 'The socket closes by itself once our side is flushed.'),
  ...failedLate,
};

/** Only the socket's close is left, or its absence: then the client is in the state `next`. */
const untilClosed = <const N extends string>(next: N) =>
  ({
    tags: 'holdsSocket',
    on: { ...tooLate, ...dying, ...almostOver('client'), 'socket.closed': { target: next } },
    after: { abortTimeout: { target: next, actions: 'abandonSocket' } },
  }) as const;

/** The socket is no longer the owner’s. */
const letGo = ['unlinkSocket', 'releaseOwner'] as const;

/** Everything was sent: the socket lingers, so that it arrives. */
const linger = (...why: Parameters<typeof note>) =>
  ({ target: '#client.lingering', actions: [...letGo, note(...why)] }) as const;

/** The client is reset. */
const reset = (...why: Parameters<typeof note>) =>
  ({ target: '#client.aborting', actions: [...letGo, note(...why)] }) as const;

/** What is complete was the last word to a client that is turned away: it arrives. */
const lastWordArrives = (...why: Parameters<typeof note>) =>
  ({ guard: 'isFlushed', target: '#client.lingering', actions: ['noteRefused', ...letGo, note(...why)] }) as const;

/** The client is not admitted. */
const refuse = (timeout?: string) =>
  [lastWordArrives('accepted', timeout), { target: '#client.refusing', actions: note('accepted', timeout) }] as const;

/** It is known which client this is: over TLS, the handshake is next. */
const admissionBegins = [{ guard: 'speaksTls', target: 'handshaking' }, { target: 'open' }] as const;

/** The owner turns the client away, with words or without. */
const turnAway = (phase: Phase) =>
  ({
    'client.refuse': [
      lastWordArrives(phase),
      { guard: 'hasWords', target: '#client.explaining', actions: ['noteRefused', note(phase)] },
      { target: '#client.refusing', actions: note(phase) },
    ],
  }) as const;

/** What follows is for other code to decide. */
const handOver = <const A extends readonly 'noteBytesWritten'[]>(phase: Phase, ...also: A) =>
  ({ 'client.handOver': { target: '#client.lent', actions: [...also, note(phase)] } }) as const;

/** The owner’s abort, or a deadline, of a socket that other code has. */
const takeBack = (phase: Phase) =>
  aborts(
    'client',
    { target: '#client.lingering', actions: note(phase) } as const,
    { target: '#client.aborting', actions: note(phase) } as const,
  );

/** The owner’s abort, or a deadline. */
const abortIn = (phase: Phase) => aborts('client', linger(phase), reset(phase));

export const clientMachine = setup({
  types: {
    context: {} as client.ClientContext,
    events: {} as client.ClientEvent,
    emitted: {} as client.ClientCommand,
    input: {} as client.ClientInput,
    output: {} as Outcome,
    tags: {} as 'holdsSocket' | 'linked' | 'handshaking' | 'givable' | 'lent' | 'served' | 'ending',
  },
  actions: {
    noteCause: assign<client.ClientContext, client.ClientEvent, CauseHint, client.ClientEvent, never>({
      cause: causeNoted,
    }),
    noteCloseTimeout: assign({ closeTimeoutMs: connection.askedCloseTimeout }),
    noteBytesWritten: assign({ sent: client.someOrAll }),
    // A last word that was sent before is reported again.
    noteEstablished: assign({ sent: 'some' }),
    noteFlushed: assign({ sent: connection.flushedOrLost }),
    noteBytesLost: assign({ sent: 'lost' }),
    noteClosed: assign({ ending: 'closed' }),
    noteRefused: assign({ ending: 'refused' }),
    abortClose: raise({ type: 'client.abort', deliver: true, cause: connection.deadline('closeTimeout') }),
    acceptOwner: emit({ type: 'owner.accept' }),
    admitOwner: emit({ type: 'owner.admit' }),
    establishOwner: emit({ type: 'owner.establish' }),
    dropOwner: emit(client.drop),
    releaseOwner: emit({ type: 'owner.release' }),
    beginHeader: emit({ type: 'header.begin' }),
    beginHandshake: emit({ type: 'handshake.begin' }),
    endHandshake: emit({ type: 'handshake.end' }),
    endSocket: emit({ type: 'socket.end' }),
    lingerSocket: emit({ type: 'socket.linger' }),
    probeReads: emit({ type: 'socket.probe', bytes: 'read', times: 1 }),
    probeAll: emit({ type: 'socket.probe', bytes: 'all', times: QUIET_PROBES }),
    writeWords: emit(client.writeWords),
    destroySocket: emit({ type: 'socket.destroy' }),
    resetSocket: emit({ type: 'socket.reset' }),
    unlinkSocket: emit({ type: 'socket.unlink' }),
    abandonSocket: emit({ type: 'socket.abandon' }),
    giveSocket: emit({ type: 'socket.give' }),
  },
  guards: {
    hasWords: client.hasWords,
    isFlushed: connection.isFlushed,
    isDeadline: connection.isDeadline,
    isProxied: client.isProxied,
    isToBeDelivered: connection.isToBeDelivered,
    speaksTls: client.speaksTls,
    wasReadForLong: connection.wasReadForLong,
    willBeClosed: connection.willBeClosed,
    willBeRefused: client.willBeRefused,
  },
  delays: {
    acceptTimeout: client.acceptTimeout,
    proxyHeaderTimeout: client.proxyHeaderTimeout,
    idleProbe: connection.idleProbe,
    halfCloseProbe: connection.halfCloseProbe,
    lingerTimeout: connection.lingerTimeout,
    lingerMax: connection.lingerMax,
    closeTimeout: connection.closeTimeout,
    abortTimeout: connection.abortTimeout,
  },
}).createMachine({
  id: 'client',
  description: 'An accepted client, from accept to the end of its socket.',
  context: client.startOf,
  output: connection.outcomeOf,
  initial: 'live',
  states: {
    live: {
      description: 'The socket is linked to its owner.',
      tags: ['holdsSocket', 'linked'],
      initial: 'accepted',
      states: {
        accepted: {
          description: 'Linked in the tick of its accept; whether it may stay is being decided.',
          entry: 'acceptOwner',
          on: {
            ...notProbed,
            'socket.finished': {
              description: 'The hook sent its last byte; admission goes on.',
              actions: 'noteFlushed',
            },
            'owner.refused': refuse(),
            'socket.failed': { target: '#client.refusing', actions: note('accepted') },
            'socket.closed': { target: '#client.refusing', actions: note('accepted') },
            'client.close': {
              target: '#client.closing',
              actions: ['noteBytesWritten', 'noteCloseTimeout', note('accepted')],
            },
            ...turnAway('accepted'),
            ...abortIn('accepted'),
          },
          after: { acceptTimeout: refuse('acceptTimeout') },
          initial: 'arrived',
          states: {
            arrived: {
              description: 'What comes first depends on the listener.',
              always: [{ guard: 'isProxied', target: 'identifying' }, ...admissionBegins],
            },
            identifying: {
              description: 'A proxy has connected, which is trusted: its PROXY header says which client this is.',
              entry: 'beginHeader',
              on: {
                ...noHookYet,
                ...notGivenYet,
                ...noHandshake,
                'header.done': admissionBegins,
                'header.failed': refuse(),
                'client.refuse': refuse(),
                'socket.ended': refuse(),
              },
              after: { proxyHeaderTimeout: refuse('proxyHeaderTimeout') },
            },
            handshaking: {
              description: 'The TLS handshake is under way; the hook is called once it is done.',
              tags: 'handshaking',
              entry: 'beginHandshake',
              on: {
                ...noHookYet,
                ...notGivenYet,
                ...noHeader,
                ...ignored(['socket.ended'], 'The handshake cannot be done any more, and fails.'),
                // Words in the clear would be no TLS.
                'client.refuse': refuse(),
                'handshake.done': { target: 'open' },
                'handshake.failed': { target: '#client.alerting', actions: note('accepted') },
              },
            },
            open: {
              description: 'A hook may be deciding; the client may still send.',
              tags: 'givable',
              entry: 'admitOwner',
              on: {
                ...noPrelude,
                ...handOver('accepted', 'noteBytesWritten'),
                'owner.admitted': { target: '#client.live.established' },
                'socket.ended': { target: 'peerEnded', actions: note('accepted') },
              },
            },
            peerEnded: {
              description: 'The client has sent its last byte before it was admitted: that is no reason to refuse it.',
              tags: 'givable',
              on: {
                ...handOver('accepted', 'noteBytesWritten'),
                ...endedOnce,
                ...noPrelude,
                'owner.admitted': { target: '#client.live.established.peerEnded' },
              },
            },
          },
        },
        established: {
          description: 'Admitted: it can be written to.',
          tags: ['served', 'givable'],
          entry: ['noteEstablished', 'establishOwner'],
          on: {
            ...noHook,
            ...noPrelude,
            'socket.failed': { target: '#client.dropping', actions: note('established') },
            'socket.closed': {
              description: 'The owner has destroyed it: that is no loss.',
              ...reset('established'),
            },
            'client.close': { target: '#client.closing', actions: ['noteCloseTimeout', note('established')] },
            ...turnAway('established'),
            ...handOver('established'),
            ...abortIn('established'),
          },
          initial: 'open',
          states: halfClose({
            ended: { target: 'peerEnded', actions: note('established') },
            idle: reset('established', 'idleTimeout'),
            stalled: reset('established', 'halfCloseTimeout'),
            silent: linger('established', 'halfCloseTimeout'),
            closed: { target: '#client.ended', actions: letGo },
          }),
        },
      },
    },

    lent: {
      description:
        'Other code has the socket, such as an HTTP server. The client counts until it closes, and hears of no byte.',
      tags: ['holdsSocket', 'served', 'lent'],
      entry: [...letGo, 'giveSocket'],
      on: {
        ...noHook,
        ...noPrelude,
        ...notProbed,
        ...ignored(['client.handOver'], 'It was given away already.'),
        ...ignored(['client.refuse'], 'Its new owner may have written to it.'),
        ...ignored(['socket.ended'], 'What the socket reads is its new owner’s.'),
        ...failedLate,
        'socket.finished': { actions: 'noteFlushed' },
      },
      initial: 'open',
      states: {
        open: {
          description: 'Its new owner ends it when it likes.',
          on: {
            'client.close': { target: 'closing', actions: ['noteCloseTimeout', note('established')] },
            'socket.closed': { target: '#client.handedOver' },
            ...takeBack('established'),
          },
        },
        closing: {
          description: 'Its new owner has this long to end it.',
          on: {
            ...closeChangesNothing('client'),
            'socket.closed': { target: '#client.closed' },
            ...takeBack('closing'),
          },
          after: { closeTimeout: { description: 'Too slow: reset, unless all was sent.', actions: 'abortClose' } },
        },
      },
    },

    refusing: {
      description: 'Turned away before it was established: reset, so that the client cannot take silence for success.',
      entry: [...letGo, 'resetSocket', 'destroySocket'],
      ...untilClosed('refused'),
    },

    explaining: {
      description:
        'Turned away with words: they and a FIN are sent, and incoming bytes are thrown away. The FIN comes after the last of the words, so no client takes a part for all of them.',
      tags: ['holdsSocket', 'served'],
      entry: [...letGo, 'noteBytesWritten', 'writeWords', 'endSocket'],
      on: {
        ...sendingLast,
        'socket.finished': { target: 'lingering', actions: 'noteFlushed' },
        'socket.closed': { target: 'refused' },
        'client.abort': { description: 'The cause stays why it was refused.', target: 'aborting' },
      },
      after: { closeTimeout: { description: 'The client does not read them.', target: 'aborting' } },
    },

    alerting: {
      description:
        'Turned away because its TLS handshake has failed: the socket is closed after the alert that says why.',
      entry: [...letGo, 'endHandshake'],
      ...untilClosed('refused'),
    },

    dropping: {
      description: 'Lost after it was established; the socket’s close is the end.',
      entry: ['noteBytesLost', 'unlinkSocket', 'dropOwner', 'releaseOwner', 'destroySocket'],
      ...untilClosed('dropped'),
    },

    closing: {
      description: 'Every byte and a FIN are sent; incoming bytes are thrown away until the client ends.',
      tags: ['holdsSocket', 'served'],
      entry: [...letGo, 'endSocket'],
      on: {
        ...sendingLast,
        'socket.finished': { actions: 'noteFlushed' },
        'socket.closed': { target: 'closed' },
        ...aborts(
          'client',
          { target: 'lingering.probed', actions: 'noteClosed' } as const,
          {
            target: 'aborting',
            actions: note('closing'),
          } as const,
        ),
      },
      after: { closeTimeout: { description: 'Too slow: reset, unless all was sent.', actions: 'abortClose' } },
    },

    lingering: {
      description:
        'Its time is up, but our last byte and FIN are with the system, which delivers them unless bytes arrive at a closed socket: so the socket is read until the client is silent.',
      tags: ['holdsSocket', 'served'],
      on: {
        ...tooLate,
        ...closeChangesNothing('client'),
        ...ignored(['socket.ended'], 'The socket closes by itself.'),
        ...finishedOnce,
        ...failedLate,
        'socket.idled': { target: 'parting' },
        'socket.closed': { target: 'gone' },
        'client.abort': [
          { guard: 'isDeadline', description: 'It lingers already.' },
          { guard: 'willBeRefused', description: 'The cause stays why it was refused.', target: 'aborting' },
          { target: 'aborting', actions: note('closing') },
        ],
      },
      after: {
        lingerMax: [
          {
            guard: 'willBeRefused',
            description: 'The client sends on: reset. The cause stays why it was refused.',
            target: 'aborting',
          },
          { description: 'The client sends on: reset.', target: 'aborting', actions: note('closing', 'lingerMax') },
        ],
      },
      initial: 'reading',
      states: { probed, reading },
    },

    parting: {
      description: 'The client is silent: the socket is closed, and the system delivers what is still on its way.',
      entry: 'destroySocket',
      ...untilClosed('gone'),
    },

    gone: {
      description: 'The socket has closed; how the client ends was decided before.',
      always: [
        { guard: 'willBeClosed', target: 'closed' },
        { guard: 'willBeRefused', target: 'refused' },
        { target: 'aborted' },
      ],
    },

    aborting: {
      description: 'Reset; the socket’s close is the end.',
      tags: 'holdsSocket',
      entry: ['noteBytesLost', 'resetSocket', 'destroySocket'],
      on: {
        ...tooLate,
        ...dying,
        ...ignored(['client.close', 'client.abort'], 'It is being aborted already.'),
        'socket.closed': [{ guard: 'willBeRefused', target: 'refused' }, { target: 'aborted' }],
      },
      after: {
        abortTimeout: [
          { guard: 'willBeRefused', target: 'refused', actions: 'abandonSocket' },
          { target: 'aborted', actions: 'abandonSocket' },
        ],
      },
    },

    ...finalStates,
    handedOver: final('handedOver', 'Given to other code, and closed by that or by its peer.'),
    refused: final('refused', 'Turned away, or gone before it was established.'),
  },
});
