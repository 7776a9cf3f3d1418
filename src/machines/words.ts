/**
 * The states of the machines in words, for the page and the program. Pure data: it also runs in browsers. Tests hold it
 * against the machines, so that a state which gets another name does not lose its words.
 */

/** By machine: the start of a state's path, and what it means to enter that state. The first entry that fits is used. */
export const ARRIVALS: Readonly<Record<string, readonly (readonly [state: string, words: string])[]>> = {
  client: [
    ['live.accepted.identifying', 'a proxy has connected; its header is being read'],
    ['live.accepted.handshaking', 'a client came; its TLS handshake is under way'],
    ['live.accepted', 'a client came; it is being admitted'],
    ['live.established.open', 'the client is admitted'],
    ['live.established.peerEnded', 'the client has sent its last byte'],
    ['live.established.localEnded', 'our last byte to the client is sent'],
    ['live.established.bothEnded', 'both sides have sent their last byte'],
    ['lent', 'the client is given to other code, which has its socket now'],
    ['refusing', 'the client is turned away'],
    ['explaining', 'the client is turned away: it is told why'],
    ['alerting', 'the client is turned away: its TLS handshake has failed'],
    ['dropping', 'the client is lost'],
    ['closing', 'the client’s connection is being closed'],
    ['lingering', 'all is sent to the client; what it still sends is thrown away'],
    ['parting', 'the client is silent: its socket is closed'],
    ['aborting', 'the client’s connection is being reset'],
  ],
  backend: [
    ['active.choosing', 'a server is being chosen'],
    ['active.connecting', 'a connect to the server is under way'],
    ['active.preparing', 'the server has answered; the connection is being made ready'],
    ['active.established.open', 'the connection to the server is established'],
    ['active.established.peerEnded', 'the server has sent its last byte'],
    ['active.established.localEnded', 'our last byte to the server is sent'],
    ['active.established.bothEnded', 'both sides have sent their last byte'],
    ['idle', 'it rests until a connection is asked for'],
    ['active.renewing', 'the connection to the server is being replaced'],
    ['active.disposing', 'the failed attempt is being cleared away'],
    ['active.failover', 'the connection is lost: failing over'],
    ['active.waiting', 'it waits before the next attempt'],
    ['active.exhausted', 'every attempt has failed'],
    ['releasing', 'the connection to the server has ended; its holders let go'],
    ['dropping', 'the connection to the server is lost'],
    ['closing', 'the connection to the server is being closed'],
    ['lingering', 'all is sent to the server; what it still sends is thrown away'],
    ['parting', 'the server is silent: its socket is closed'],
    ['aborting', 'the connection to the server is being reset'],
  ],
  session: [
    ['routing.open', 'a hook says where the client goes'],
    ['routing.clientEnded', 'a hook says where the client goes, which has sent its last byte'],
    ['connecting.open', 'the client waits for a server'],
    ['connecting.clientEnded', 'the client has sent its last byte before there was a server'],
    ['relaying.both', 'client and server are joined: bytes flow both ways'],
    ['relaying.clientEnded', 'the client has ended; the answer goes on'],
    ['relaying.backendEnded', 'the server has ended; what the client sends goes on'],
    ['draining', 'it is asked to come to an end'],
    ['finishing.clientOnly', 'the server’s side is gone; the client’s has yet to end'],
    ['finishing.backendOnly', 'the client’s side is gone; the server’s has yet to end'],
    ['finishing', 'nothing more is read; both sides send what they have'],
  ],
  listener: [
    ['serving.binding', 'it is told to listen'],
    ['serving.waiting', 'it could not listen, and waits before the next attempt'],
    ['serving.listening.accepting', 'it listens: new clients are accepted'],
    ['serving.listening.saturated', 'it is full: new clients are turned away'],
    ['serving.suspended', 'it is suspended: it does not listen, and its clients live on'],
    ['draining', 'it listens no more, and waits for its clients'],
    ['refusing', 'the deadline is here: clients that are not admitted yet are turned away'],
    ['cutting', 'its clients are cut'],
    ['aborting', 'its clients are reset'],
    ['failing', 'it cannot listen any more, and waits for its clients'],
  ],
  proxy: [
    ['starting.connecting', 'the backends that stay up connect'],
    ['starting.binding', 'the listeners bind'],
    ['running', 'it serves clients'],
    ['draining', 'it takes no new clients; the sessions come to their ends'],
    ['stopping.refusing', 'the deadline is here: clients without a session are turned away'],
    ['stopping.cutting', 'every session is cut'],
    ['stopping.listeners', 'the sessions are over; the listeners end'],
    ['stopping.backends', 'the listeners are over; the backends are closed'],
  ],
  check: [
    ['starting', 'the first check of the server is still to come'],
    ['checking', 'the server is being checked'],
    ['deferring', 'the check is over'],
    ['waiting.steady', 'it waits for the next check of the server'],
    ['waiting.hastened', 'it waits for the next check of the server, which comes sooner'],
    ['paused', 'the server is in maintenance, and is not checked'],
  ],
  name: [
    ['asking', 'the name is being looked up'],
    ['deferring', 'the look-up is over'],
    ['waiting.fresh', 'the name has addresses; it waits for the next look-up'],
    ['waiting.held', 'the look-up has failed; the last good answer still counts'],
    ['waiting.empty', 'the name has no address, as far as is known'],
  ],
  server: [
    ['pending.checking', 'its first check decides'],
    ['pending.addressing', 'its name was not answered for too long'],
    ['serving.up', 'it is up'],
    ['serving.suspect', 'it is up, and its checks have yet to say so'],
    ['serving.recovering', 'it works again: its share grows'],
    ['serving.down', 'its checks say that it is down'],
    ['serving.ejected', 'its connects have failed: it rests'],
    ['serving.trying.free', 'it has rested: the next connection tries it'],
    ['serving.trying.underway', 'one connection tries it'],
    ['serving.excluded', 'no attempt is of use there'],
    ['draining', 'it gets nothing new; its sessions go on'],
    ['maintenance', 'it is in maintenance'],
    ['leaving', 'its name has other addresses now: its sessions come to their ends'],
    ['removing', 'it is being removed: its sessions come to their ends'],
    ['cutting', 'it is being removed: its sessions are cut'],
  ],
  cluster: [
    ['starting', 'every worker starts'],
    ['running.steady', 'every worker runs'],
    ['running.reloading.starting', 'new workers start beside the old workers'],
    ['running.reloading.draining', 'the new workers serve; the old workers drain'],
    ['running.reloading.withdrawing', 'a new worker could not start: the new workers go, and the old workers stay'],
    ['draining', 'every worker drains'],
    ['aborting', 'every worker is cut'],
  ],
  worker: [
    ['starting', 'its process starts'],
    ['serving.running', 'its process serves clients'],
    ['serving.exiting', 'its process exits by itself'],
    ['serving.disposing', 'its process is killed, because it is of no use'],
    ['serving.deferring', 'its process has died'],
    ['serving.waiting', 'it waits before the next process'],
    ['serving.restarting', 'another process starts'],
    ['draining', 'its process drains'],
    ['aborting', 'its process cuts its connections'],
    ['exiting', 'its process has ended its work, and exits'],
    ['killing', 'its process had its time, and is killed'],
  ],
};

/** How an instance ended. */
export const ENDINGS: Readonly<Record<string, string>> = {
  ended: 'it has ended: both sides had said all',
  closed: 'it is closed',
  aborted: 'it was cut',
  dropped: 'it was dropped',
  refused: 'it was refused',
  handedOver: 'its socket was given to other code',
  failed: 'it has failed',
};

/** How a state is, for its colour: good, over, or a reason to look. The first entry that fits is used. */
export const TONES: readonly (readonly [start: RegExp, tone: Tone])[] = [
  [/^(?:dropp|fail(?:ed|ing)|exhausted|down|excluded|empty)/, 'bad'],
  [
    /^(?:failover|waiting|disposing|refus|abort|saturated|suspended|suspect|ejected|trying|pending|maintenance)/,
    'warning',
  ],
  [/^(?:established|relaying|listening|running|up|recovering)/, 'good'],
  [/^(?:clos|end|releas|finish|drain|stopping|remov|leaving|cutting)/, 'over'],
];
export type Tone = 'bad' | 'warning' | 'good' | 'over';

/** States that only say "while it is wanted": their inner states say how it is. */
const WRAPPERS = /^(?:active|live|serving)\./;

/** A state without what goes without saying: `active.established.open` is `established.open`. */
export const shortState = (state: string): string => state.replace(WRAPPERS, '');
