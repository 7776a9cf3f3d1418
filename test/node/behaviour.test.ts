/**
 * Everything that Node's sockets, servers and processes were seen to do to a proxy: where that is checked of Node itself,
 * and where of what the library makes of it. A title that is no longer there fails.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Tests by their file and a part of their title. */
type Checks = readonly (readonly [file: string, title: string])[];

interface Row {
  readonly what: string;
  /** Of Node. */
  readonly node: Checks;
  /** Of an instance of the library; or why there is none. */
  readonly instance: Checks | string;
}

/** One table of situations checks both. */
const both = (file: string, ...titles: readonly string[]): Pick<Row, 'node' | 'instance'> => {
  const checks = titles.map((title) => [`node/${file}`, title] as const);
  return { node: checks, instance: checks };
};
const connection = (...titles: readonly string[]) => both('connection', ...titles);
const dial = (...titles: readonly string[]) => both('dial', ...titles);
const of = (file: string, ...titles: readonly string[]): Checks => titles.map((title) => [file, title] as const);
const bare = (...titles: readonly string[]): Checks => of('node/connection', ...titles);
const server = (...titles: readonly string[]): Checks => of('node/server', ...titles);
const tls = (...titles: readonly string[]): Checks => of('node/tls', ...titles);

/** What needs a packet to be lost is seen on a network of its own, and of Node by what the library tells of it. */
const SCENARIOS = 'scripts/test-net.mjs';
const net = (...titles: readonly string[]): Pick<Row, 'node' | 'instance'> => {
  const checks = of(SCENARIOS, ...titles);
  return { node: checks, instance: checks };
};

const rows: readonly Row[] = [
  { what: 'connect', ...dial('by address or path', 'by name') },
  { what: 'refused', ...dial('nobody listens') },
  { what: 'refused by two addresses', ...dial('nobody listens on either of two addresses') },
  { what: 'a name that is not found', ...dial('a name that nobody knows') },
  {
    what: 'nothing comes back, with a timeout',
    ...dial('nothing comes back, and there is a timeout, which destroys nothing'),
  },
  { what: 'nothing comes back until the system gives up', ...net('connect: the kernel gives up first') },
  {
    what: 'nothing comes back from the first of two addresses',
    ...dial('nothing comes back from the first of two addresses'),
    node: of(
      'node/dial',
      'nothing comes back from the first of two addresses',
      'how long Node waits for one address before it tries the next',
    ),
  },
  {
    what: 'destroyed while it connects',
    node: of(
      'node/dial',
      'destroyed in the same tick',
      'destroyed in the next tick',
      'destroyed once its SYN is out: the server sees a connection that ends',
    ),
    instance: of('backend/scenarios', 'close while connecting', 'a connect that succeeds after close'),
  },
  {
    what: 'destroyed for an error',
    node: [
      ...of('node/dial', 'destroyed in the same tick, for an error, and then for another'),
      ...bare('we destroy it for an error, and then for another'),
    ],
    instance: [
      ...of('node/dial', 'destroyed in the same tick, for an error, and then for another'),
      ...bare('we destroy it for an error, and then for another'),
    ],
  },
  {
    what: 'ended while it connects',
    node: of('node/dial', '() while nothing comes back does nothing', 'end() while it connects'),
    instance: of('node/dial', '() while nothing comes back does nothing', 'end() while it connects'),
  },
  {
    what: 'reset while it connects, or before',
    node: of(
      'node/dial',
      'resetAndDestroy() while it connects waits for that',
      'resetAndDestroy() of a socket that was never connected: error ERR_SOCKET_CLOSED, close',
    ),
    instance: [
      ...of('node/dial', 'resetAndDestroy() while it connects waits for that'),
      ...of('handles/contract', 'abort is quick, also during a close'),
    ],
  },
  {
    what: 'destroyed while it is told that it is connected',
    ...dial('destroyed by whoever hears first that it is connected'),
  },
  { what: 'we end, the peer ends', ...connection('we end, and the peer answers') },
  {
    what: 'the peer ends, not half open',
    node: bare(
      'the peer ends a socket that is not half open',
      'the same, and nobody reads',
      'the same, paused with a byte that is unread',
    ),
    instance: 'The sockets of the library are half open.',
  },
  {
    what: 'the peer ends, half open',
    ...connection('the peer ends, and later we do', 'the peer ends, and nobody answers'),
  },
  {
    what: 'we end, the peer never ends',
    ...connection('we end, and the peer never does', 'the same, with a timeout'),
  },
  {
    what: 'a reset while it is idle',
    ...connection(
      'the peer resets an idle connection',
      'the peer resets after our end',
      'the peer destroys, and leaves something unread',
    ),
  },
  {
    what: 'data and a reset in one poll',
    node: bare('data and a reset in one poll', 'the same, and its end is looked at: no address, no peer'),
    instance: bare('data and a reset in one poll'),
  },
  {
    what: 'a reset while nobody reads',
    ...connection(
      'the peer resets while nobody reads, and then somebody does',
      'the same, after a byte',
      'the peer resets while nobody reads, and then somebody writes',
      'TLS is read while it is paused, and so hears of the reset',
    ),
  },
  { what: 'a reset after the peer’s end', ...connection('the peer ends, and then resets: only a write shows it') },
  { what: 'a write to a peer that has closed', ...connection('we write to a peer that has ended and closed') },
  {
    what: 'a write in the handler of the end, not half open',
    node: bare('we write while we hear of the end, not half open, and once more when it has closed'),
    instance: 'The sockets of the library are half open.',
  },
  { what: 'a write after our end', ...connection('we write after our end') },
  { what: 'a write after a destroy', ...connection('we write after a destroy') },
  { what: 'destroyed with writes in flight', ...connection('we destroy with writes in flight') },
  { what: 'written to and ended, and then refused', ...dial('written to and ended before it is refused') },
  {
    what: 'a timeout, and another',
    node: bare('a timeout, once for each time it is idle'),
    instance: 'The library sets no timeout on a socket: its clock is its own.',
  },
  {
    what: 'accepted when it was reset already',
    node: server(
      'it looks open, and has no address',
      'one that is reset already, and whose error is listened for too late: uncaught',
    ),
    instance: [
      ...of('client/scenarios', 'a client that resets before it is adopted'),
      ...of('proxy/proxy', 'a client that was reset before it is accepted'),
    ],
  },
  {
    what: 'an error without a listener',
    node: of('node/dial', 'an error that nobody listens for is uncaught, and the close follows'),
    instance: of('backend/scenarios', 'an error with no listener'),
  },
  {
    what: 'a signal that is aborted already',
    ...dial('with a signal that is aborted already: it fails, closes, and connects'),
  },
  {
    what: 'a signal that aborts later',
    ...dial('with a signal that is aborted while it connects', 'with a signal that is aborted later'),
  },
  {
    what: 'a port that is none',
    node: of('node/dial', 'a port that is none', 'no port', 'from an address that is none'),
    instance: of('backend/scenarios', 'a bad port is permanent'),
  },
  { what: 'no way there; not from here', ...dial('no way there', 'from an address that is not ours') },
  { what: 'a host that is gone from its network', ...net('outage: too long', 'connect: the network says no') },
  {
    what: 'a peer that vanishes: while we write, with keep-alive',
    ...net(
      'vanish: a server that is written to',
      'vanish: a server that is written to, and a router says so',
      'vanish: a server, idle',
      'vanish: a client, idle',
    ),
  },
  {
    what: 'a socket that is connected again',
    node: of('node/dial', 'a socket that has closed can be connected again, with the listeners that it has'),
    instance: 'A socket of the library serves one connection.',
  },
  { what: 'connected to itself', ...dial('to its own port: it talks to itself') },
  {
    what: 'a path: none, stale, full',
    ...dial('there is no such path', 'nobody listens on a path that is there', 'more wait on a path than may'),
  },
  {
    what: 'destroyed while its end or its finish is due',
    ...connection(
      'we destroy it while we read the last byte: its end comes later',
      'we destroy it when its end is sent: its finish comes later',
    ),
  },

  {
    what: 'a server is closed with live connections',
    node: server('with a live connection: it does not listen any more'),
    instance: of('listener/listener', 'start during the drain'),
  },
  {
    what: 'a server is closed that does not listen, or twice',
    node: server('of a server that does not listen, and a second time'),
    instance: of('handles/contract', 'close before it is up', 'close: one promise, one outcome, nothing left'),
  },
  {
    what: 'a server is closed right after listen()',
    node: server('right after listen() with'),
    instance: of('proxy/stop', 'during the start, while it binds'),
  },
  {
    what: 'a server is closed whose clients wait to be accepted',
    node: server('with clients that were not accepted yet: they are reset'),
    instance: 'Nobody has an instance that was not accepted.',
  },
  {
    what: 'a port that is taken',
    node: [
      ...server('on a port that is taken', 'twice throws'),
      ...of('node/process', 'a worker of a cluster that cannot bind says bind, not listen'),
    ],
    instance: [
      ...of('listener/scenarios', 'EADDRINUSE then free', 'EADDRINUSE for good'),
      ...of('cluster/cluster', 'a port that is taken'),
    ],
  },
  {
    what: 'more than maxConnections',
    node: server('more than maxConnections: drop', 'with maxConnections 0'),
    instance: of('listener/listener', 'newcomers beyond clientsMax are reset and counted'),
  },
  {
    what: 'no descriptors left',
    node: of(
      'node/process',
      'for those who come: they are connected, and ended without a word to the server',
      'for one that we dial: error EMFILE connect',
    ),
    instance: of('listener/listener', 'a clientsMax that the limit on open files does not permit is warned of'),
  },
  {
    what: 'a path that is stale, too long, or a newer server’s',
    node: server(
      'on the path of a server that is gone: EADDRINUSE',
      'on a path that is too long',
      'a path that a newer server has taken is removed by the close of the older one',
    ),
    instance: [
      ...of(
        'listener/listener',
        'that is stale is taken over',
        "of a newer server is not removed by an older one's close",
      ),
      ...of('options/options', 'where to listen'),
    ],
  },
  {
    what: 'a handler that throws',
    node: server('a handler that throws: uncaught, and its socket stays'),
    instance: of('handles/contract', 'listeners that throw do not break the instance'),
  },
  {
    what: 'SIGTERM',
    node: of(
      'node/process',
      'that nobody handles: the clients get an end, and the process dies of the signal',
      'and server.close(): the clients hear nothing, and the process stays until they leave',
      'and server.close() and an end for everybody: a clean exit',
    ),
    instance: of('cli/cli', 'drains on SIGTERM: a live session finishes, nobody new is accepted'),
  },
  {
    what: 'pauseOnConnect',
    node: server('pauseOnConnect: a listener for data does not start it, and resume() loses nothing'),
    instance: of('listener/listener', 'its bytes are unread until then, and none is lost'),
  },

  {
    what: 'TLS: a handshake',
    node: [...tls('a handshake: connection, secureConnection'), ...of('node/dial', 'by address or path')],
    instance: of('tls/tls', 'shakes hands, and the client is a TLS socket that ends like any other'),
  },
  {
    what: 'TLS: a client that speaks none',
    node: tls('a client that speaks HTTP: it is ended, and tlsClientError says so'),
    instance: of('tls/tls', 'it speaks no TLS', 'one that does not speak TLS'),
  },
  {
    what: 'TLS: a server that is not trusted',
    node: tls('a client that does not trust the server, over %s'),
    instance: [...tls('it is not trusted'), ...of('tls/tls', 'it does not trust the certificate, over TLS 1.3')],
  },
  {
    what: 'TLS: a certificate of the client is missing',
    node: tls('a client without the certificate that it should have, over %s'),
    instance: [
      ...tls('a certificate is missing, over TLS 1.2', 'a certificate is missing, over TLS 1.3'),
      ...of('tls/tls', 'refuses over %s who has none that it trusts'),
    ],
  },
  {
    what: 'TLS: an end in the middle of the handshake',
    node: tls('the server ends: the client hears an end, and then an error', 'the client calls %s()'),
    instance: [...tls('the server ends in the middle of the handshake'), ...of('tls/tls', 'it ends in the middle')],
  },
  {
    what: 'TLS: a reset in the middle of the handshake',
    node: tls('the server resets', 'the client calls %s()'),
    instance: [...tls('the server resets in the middle of the handshake'), ...of('tls/tls', 'it resets in the middle')],
  },
  {
    what: 'TLS: silence in the handshake',
    node: tls(
      'the server says nothing: a timeout, if one is asked for, and nothing else',
      'the client says nothing: after handshakeTimeout an error, and its socket stays',
    ),
    instance: of(
      'tls/tls',
      'one that does not answer the handshake fails by connectTimeout',
      'it says nothing: after acceptTimeout, and counts until then',
    ),
  },
  {
    what: 'TLS: a reset with the last of the handshake',
    node: tls('a reset in one poll with the last of a handshake over TLS 1.3 is an end, on every Node'),
    instance: tls('a reset in one poll with the last of the handshake'),
  },
  {
    what: 'TLS: a bad record',
    node: tls(
      'a bad record from the client: an error, and the socket lives on',
      'a bad record from the server: the same',
    ),
    instance: [...tls('a bad record'), ...of('tls/tls', 'a bad record after the handshake is a drop')],
  },
  {
    what: 'TLS: no close_notify',
    node: tls('an end without a close_notify is an end like any other'),
    instance: tls('an end without a close_notify'),
  },
  {
    what: 'TLS: half close',
    ...connection('the peer ends, and later we do', 'we end, and the peer answers'),
  },
  {
    what: 'TLS: resetAndDestroy()',
    node: of('node/dial', 'resetAndDestroy() of a Unix socket, and of TLS: ERR_INVALID_HANDLE_TYPE'),
    instance: of('tls/tls', 'an abort is a reset', 'an abort over a Unix socket closes it'),
  },
];

const sources = new Map<string, string>();

function sourceOf(file: string): string {
  let source = sources.get(file);
  if (source === undefined) {
    const name =
      file === SCENARIOS ? file : file === 'handles/contract' ? 'test/handles/contract.ts' : `test/${file}.test.ts`;
    source = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
    sources.set(file, source);
  }
  return source;
}

test.each(rows)('$what: its tests are there', ({ node, instance }) => {
  for (const [file, title] of typeof instance === 'string' ? node : [...node, ...instance]) {
    // A scenario by its name; a test by the beginning of its title, or of a part of it.
    const sought = file === SCENARIOS ? `'${literal(title)}': \\w+,` : `['"\`}:] ?${literal(title)}`;
    expect(sourceOf(file), `${file}: ${title}`).toMatch(new RegExp(sought));
  }
});

function literal(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
