// @ts-check
/**
 * The process that is watched: a real proxy, or a hundred thousand connections that are only told of, through the same
 * channel and the same shape of registry. It answers over IPC, one answer to a question.
 */
import { channel } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createProxy, TRANSITION_CHANNEL } from 'sockchart';

/** @typedef {import('sockchart').Transition} Transition */

const transitions = channel(TRANSITION_CHANNEL);
const delay = monitorEventLoopDelay({ resolution: 1 });

/** @type {import('sockchart/inspect').InspectorServer | undefined} */
let inspector;

/** @param {any} registry */
async function inspect(registry) {
  const { createInspectorServer } = await import('sockchart/inspect');
  // Once the page has left, what is measured next is a process that nobody watches.
  inspector = await createInspectorServer({ proxies: [registry], watchFor: 1, port: 0 });
  return inspector.url;
}

/** A life on the way from its first state to its last, as a real one takes it. */
const BEGIN = [
  ['client', '', 'xstate.init', 'live.accepted.open'],
  ['client', 'live.accepted.open', 'owner.admitted', 'live.established.open'],
  ['backend', '', 'xstate.init', 'idle'],
  ['session', '', 'xstate.init', 'connecting.open'],
  ['backend', 'idle', 'backend.connect', 'active.choosing'],
  ['backend', 'active.choosing', 'server.chosen', 'active.connecting'],
  ['backend', 'active.connecting', 'socket.connected', 'active.preparing'],
  ['backend', 'active.preparing', 'owner.prepared', 'active.established.open'],
  ['session', 'connecting.open', 'backend.established', 'relaying.both'],
];
const END = [
  ['client', 'live.established.open', 'socket.ended', 'live.established.peerEnded'],
  ['session', 'relaying.both', 'client.ended', 'relaying.clientEnded'],
  ['backend', 'active.established.open', 'socket.finished', 'active.established.localEnded'],
  ['backend', 'active.established.localEnded', 'socket.ended', 'active.established.bothEnded'],
  ['session', 'relaying.clientEnded', 'backend.ended', 'finishing.both'],
  ['client', 'live.established.peerEnded', 'socket.finished', 'live.established.bothEnded'],
  ['client', 'live.established.bothEnded', 'socket.closed', 'ended'],
  ['backend', 'active.established.bothEnded', 'socket.closed', 'ending'],
  ['backend', 'ending', 'socket.closed', 'ended'],
  ['session', 'finishing.both', 'client.closed', 'finishing.backendLeft'],
  ['session', 'finishing.backendLeft', 'backend.closed', 'ended'],
];

const CAUSES = [
  undefined,
  Object.freeze({ initiator: 'peer', manner: 'end', phase: 'established' }),
  Object.freeze({ initiator: 'peer', manner: 'reset', phase: 'established', code: 'ECONNRESET' }),
];

/** @type {ReadonlyMap<string | undefined, import('sockchart').Transition['means']>} */
const MEANS = new Map([
  ['server.chosen', 'connect'],
  ['owner.admitted', 'establish'],
  ['owner.prepared', 'establish'],
  ['backend.established', 'establish'],
]);

/** A connection that is only told of. */
class Told {
  /** @param {number} number */
  constructor(number) {
    this.number = number;
    this.server = `10.0.0.${number % 50}:5432`;
    const handle = { timers: () => [], accepts: () => [] };
    this.client = {
      id: `client#${number}`,
      state: 'live.established.open',
      since: performance.now(),
      clock: performance,
      peer: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:40000`,
      ...handle,
    };
    this.backend = {
      parent: this,
      id: `backend#${number}`,
      state: 'active.established.open',
      server: this.server,
      incarnation: 1,
      ...handle,
    };
    this.id = `session#${number}`;
    this.state = 'relaying.both';
  }

  get bytes() {
    return { fromClient: this.number, fromBackend: 2 * this.number };
  }

  timers() {
    return [];
  }

  accepts() {
    return ['client.ended'];
  }

  /** @param {readonly string[]} step */
  tell([machine, from, event, to]) {
    const { number } = this;
    const server = machine === 'backend' ? this.server : undefined;
    const handle = machine === 'backend' ? this.backend : machine === 'client' ? this.client : this;
    // Names are made anew for each transition, as those of real lives are.
    transitions.publish({
      who: `${machine}#${number}`,
      parent: machine === 'backend' ? `session#${number}` : 'listener#1',
      machine,
      incarnation: machine === 'backend' ? 1 : undefined,
      handle,
      about: { server, peer: this.client.peer },
      from,
      event,
      cause: from === '' ? undefined : CAUSES[number % 3],
      means: MEANS.get(event),
      to,
      isFinal: to === 'ended',
      at: performance.now(),
    });
  }
}

class ToldRegistry {
  id = 'proxy#1';
  state = 'running';
  /** @type {Set<Told>} */
  all = new Set();
  /** @type {never[]} */
  backends = [];
  listeners = [
    {
      id: 'listener#1',
      state: 'serving.listening.accepting',
      address: { host: '127.0.0.1', port: 80 },
      clients: [],
      timers: () => [],
      accepts: () => [],
    },
  ];
  servers = {
    clock: performance,
    list: Array.from({ length: 50 }, (_, index) => ({
      name: `10.0.0.${index}:5432`,
      connections: 2_000,
      failures: 0,
      downUntil: 0,
      hasAnswered: true,
      excluded: undefined,
    })),
  };

  get sessions() {
    return [...this.all];
  }

  timers() {
    return [];
  }

  accepts() {
    return [];
  }
}

/** @type {NodeJS.Timeout | undefined} */
let telling;
let rate = 0;

/** Connections end and others begin, so that there are as many as before: so many transitions a second. @param {ToldRegistry} registry */
function tellOn(registry) {
  let made = registry.all.size;
  const script = [...END, ...BEGIN];
  /** @type {Told | undefined} */
  let leaving;
  /** @type {Told} */
  let coming = new Told(0);
  let at = 0;
  let owed = 0;
  let before = performance.now();
  telling = setInterval(() => {
    const now = performance.now();
    owed = Math.min(owed + ((now - before) * rate) / 1_000, rate);
    before = now;
    for (; owed >= 1; owed--) {
      if (at === 0) {
        [leaving] = registry.all;
        coming = new Told(++made);
      }
      const who = at < END.length ? leaving : coming;
      who?.tell(/** @type {string[]} */ (script[at]));
      at++;
      if (at === END.length && leaving !== undefined) registry.all.delete(leaving);
      if (at === END.length + 3) registry.all.add(coming);
      if (at === script.length) at = 0;
    }
  }, 10);
}

/** @type {Record<string, (task: any) => unknown>} */
const commands = {
  /** A real proxy; `inspected` says whether the module is loaded and the page served. */
  async proxy({ port, inspected }) {
    const proxy = createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers: [{ port }] });
    await proxy.start();
    const [address] = proxy.addresses;
    return {
      port: address !== undefined && 'port' in address ? address.port : 0,
      url: inspected ? await inspect(proxy) : '',
    };
  },
  async told({ count }) {
    const registry = new ToldRegistry();
    for (let number = 1; number <= count; number++) registry.all.add(new Told(number));
    const url = await inspect(registry);
    tellOn(registry);
    return { url };
  },
  rate({ perSecond }) {
    rate = perSecond;
  },
  /** CPU time so far in microseconds, memory, and how long the loop was held up since the last question. */
  usage() {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    const heldUp = { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
    delay.reset();
    delay.enable();
    return { cpu: user + system, rss, heapUsed, heldUp, at: performance.now() };
  },
  newUrl() {
    return inspector?.newUrl();
  },
  async end() {
    clearInterval(telling);
    await inspector?.close();
    setImmediate(() => process.exit());
  },
};

process.on('message', async (/** @type {any} */ { command, ...task }) => {
  process.send?.({ answer: await commands[command]?.(task) });
});
