// @ts-check
/**
 * What it costs to be watched by the live page, and whether the page stays quick: 8,000 real connections, and 100,000 that
 * are only told of, at 10,000 transitions a second. `npm run bench:inspect`, with `-- --quick` in a fifth of the time.
 *
 * The page is played by a client that reads the stream and asks for a page of the table each second, in this process; and,
 * where there is Chromium, by the page itself. What is compared was measured in turns, within the same minute.
 */
import { fork } from 'node:child_process';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { end, message } from '../children.mjs';
import { describeMachine } from '../machine.mjs';
import { median, short, spread, summarise, table } from '../stats.mjs';
import { measurePage } from './page.mjs';

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 3 : 5;
const WINDOW_MS = quick ? 3_000 : 8_000;
const REAL = quick ? 2_000 : 8_000;
const TOLD = 100_000;
const TALKS = quick ? 500 : 1_000;
/** Transitions of one short conversation through a proxy: those of its client, session and backend. */
const STEPS = 20;

/** @param {string} file */
function child(file) {
  const started = fork(fileURLToPath(new URL(file, import.meta.url)), { stdio: 'inherit' });
  process.once('exit', () => started.kill('SIGKILL'));
  return {
    process: started,
    /** @param {string} command @param {object} task @returns {Promise<any>} */
    async ask(command, task = {}) {
      const answered = message(started);
      started.send({ command, ...task });
      return (await answered).answer;
    },
    end: () => end(started),
  };
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A browser with a cookie. @param {string} url */
async function visit(url) {
  const { port, pathname, search } = new URL(url);
  let cookie = '';
  /** @param {string} path @returns {Promise<import('node:http').IncomingMessage>} */
  const get = (path) =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, headers: { cookie }, agent: false }, resolve).on('error', reject).end();
    });
  const opened = await get(pathname + search);
  cookie = opened.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? '';
  opened.resume();
  return get;
}

/** Plays the page until it is told to leave. @param {string} url */
async function watch(url) {
  const get = await visit(url);
  const stream = await get('/api/stream');
  let bytes = 0;
  let tail = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    bytes += chunk.length;
    tail = chunk.slice(-1) === '\n' ? '' : chunk;
  });
  stream.on('error', () => {});
  /** @type {number[]} */
  const pages = [];
  const table = async () => {
    const before = performance.now();
    const response = await get('/api/connections?sort=bytes&order=desc&limit=100');
    for await (const chunk of response) tail = String(chunk.length);
    pages.push(performance.now() - before);
  };
  const timer = setInterval(() => table().catch(() => {}), 1_000);
  const began = performance.now();
  return {
    leave() {
      clearInterval(timer);
      stream.destroy();
      return { bytesPerSecond: (bytes * 1_000) / (performance.now() - began), pages, tail };
    },
  };
}

/** CPU of a child within a time, as a percentage of one core. @param {ReturnType<typeof child>} watched @param {number} ms */
async function cpuOf(watched, ms) {
  const before = await watched.ask('usage');
  await pause(ms);
  const after = await watched.ask('usage');
  return { percent: (after.cpu - before.cpu) / 10 / (after.at - before.at), ...after };
}

/** @param {string} text */
const say = (text) => console.error(text);

/** Nobody watches: with the module loaded and its server listening, and without. */
async function unwatched() {
  const load = child('load.mjs');
  const plain = child('child.mjs');
  const served = child('child.mjs');
  try {
    const port = await load.ask('serve');
    const proxies = [
      { proxy: plain, ...(await plain.ask('proxy', { port })) },
      { proxy: served, ...(await served.ask('proxy', { port, inspected: true })) },
    ];
    /** @type {number[][]} */
    const costs = [[], []];
    for (let round = -1; round < 2 * ROUNDS; round++) {
      // Who is first is disturbed by other things than who is second.
      for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const { proxy, port: to } = /** @type {typeof proxies[0]} */ (proxies[index]);
        const before = await proxy.ask('usage');
        await load.ask('talk', { port: to, count: TALKS, atOnce: 16 });
        const after = await proxy.ask('usage');
        if (round >= 0) costs[index]?.push((after.cpu - before.cpu) / TALKS);
      }
      say(`nobody watches: ${round + 2} of ${2 * ROUNDS + 1}`);
    }
    const [without = [], withServer = []] = costs;
    const ratios = withServer.map((cost, round) => cost / (without[round] ?? Number.NaN));
    return { without, withServer, ratios };
  } finally {
    await Promise.all([load, plain, served].map((one) => one.end()));
  }
}

/** Real connections, of which some come and go: 1,000 transitions a second. */
async function real() {
  const load = child('load.mjs');
  const proxy = child('child.mjs');
  try {
    const server = await load.ask('serve');
    const { port, url } = await proxy.ask('proxy', { port: server, inspected: true });
    await load.ask('idle', { port, count: REAL });
    await load.ask('pace', { port, perSecond: 1_000 / STEPS });
    const get = await visit(url);
    await pause(2_000);
    const alone = [];
    const watched = [];
    const pages = [];
    let bytes = 0;
    let rate = 0;
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(await cpuOf(proxy, WINDOW_MS));
      const page = await watch(await proxy.ask('newUrl'));
      await pause(1_500);
      watched.push(await cpuOf(proxy, WINDOW_MS));
      rate = await rateOf(get);
      const left = page.leave();
      pages.push(...left.pages);
      bytes = left.bytesPerSecond;
      await pause(1_000);
      say(`real connections: round ${round + 1} of ${ROUNDS}`);
    }
    const chromium = await measurePage(await proxy.ask('newUrl'), WINDOW_MS);
    return { alone, watched, pages, bytes, rate, chromium };
  } finally {
    await Promise.all([load, proxy].map((one) => one.end()));
  }
}

/** @param {Awaited<ReturnType<typeof visit>>} get @returns {Promise<number>} */
async function rateOf(get) {
  let text = '';
  for await (const chunk of (await get('/api/overview')).setEncoding('utf8')) text += chunk;
  return JSON.parse(text).transitionRate;
}

/** Told connections, at this many transitions a second. */
async function told() {
  const proxy = child('child.mjs');
  try {
    const { url } = await proxy.ask('told', { count: TOLD });
    const get = await visit(url);
    const results = [];
    for (const perSecond of [1_000, 10_000]) {
      await proxy.ask('rate', { perSecond });
      const alone = [];
      const watched = [];
      const pages = [];
      let bytes = 0;
      let rate = 0;
      for (let round = 0; round < Math.ceil(ROUNDS / 2); round++) {
        await pause(2_000);
        alone.push(await cpuOf(proxy, WINDOW_MS));
        const page = await watch(await proxy.ask('newUrl'));
        await pause(3_000);
        watched.push(await cpuOf(proxy, WINDOW_MS));
        rate = await rateOf(get);
        const left = page.leave();
        pages.push(...left.pages);
        bytes = left.bytesPerSecond;
        say(`told connections, ${perSecond} transitions a second: round ${round + 1} of ${Math.ceil(ROUNDS / 2)}`);
      }
      results.push({ perSecond, alone, watched, pages, bytes, rate });
    }
    const chromium = await measurePage(await proxy.ask('newUrl'), WINDOW_MS);
    return { results, chromium };
  } finally {
    await proxy.end();
  }
}

/** @param {{ percent: number, rss: number, heldUp: { p99: number, max: number } }[]} windows */
const percents = (windows) => windows.map(({ percent }) => percent);

/**
 * @param {string} name
 * @param {{ alone: any[], watched: any[], pages: number[], bytes: number, rate: number }} measured
 */
function row(name, { alone, watched, pages, bytes, rate }) {
  const extra = watched.map(({ percent }, round) => percent - alone[round].percent);
  return [
    name,
    short(rate),
    spread(summarise(percents(alone))),
    spread(summarise(percents(watched))),
    spread(summarise(extra)),
    `${short(median(pages))} / ${short(Math.max(...pages))}`,
    short(median(watched.map(({ heldUp }) => heldUp.p99))),
    short(bytes / 1_024),
    `${short(median(alone.map(({ rss }) => rss)) / 1_048_576)} / ${short(median(watched.map(({ rss }) => rss)) / 1_048_576)}`,
  ];
}

const { cpu, cores, node, loadAverage, at } = describeMachine();
console.log(`${cpu}, ${cores} cores, Node ${node}, load average ${loadAverage.join(' ')}, ${at}`);
const nobody = await unwatched();
console.log(`\nNobody watches: CPU time of a short connection, µs, ${nobody.ratios.length} rounds in turns`);
console.log(
  table(
    ['', 'µs'],
    [
      ['without the module', spread(summarise(nobody.without))],
      ['the page is served, and nobody has opened it', spread(summarise(nobody.withServer))],
      ['ratio', spread(summarise(nobody.ratios))],
    ],
  ),
);
const connections = await real();
const many = await told();
console.log('\nA page is open: CPU time of the process in % of one core, in turns with nobody watching');
console.log(
  table(
    [
      '',
      'transitions/s',
      'alone',
      'watched',
      'extra',
      'table, ms (median / max)',
      'loop held up, ms (99 %)',
      'KB/s to the page',
      'MB (alone / watched)',
    ],
    [
      row(`${REAL} real connections`, connections),
      ...many.results.map((result) => row(`${TOLD} told connections`, result)),
    ],
  ),
);
const pages = [
  ...connections.chromium.map((seen) => ({ name: `${REAL} real connections`, ...seen })),
  ...many.chromium.map((seen) => ({ name: `${TOLD} told connections`, ...seen })),
];
if (pages.length === 0) console.log('\nNo Chromium: the page itself was not measured.');
else {
  console.log('\nThe page in Chromium: its process, and the rest of the browser');
  console.log(
    table(
      ['', 'view', '% of a core', 'MB', 'the rest, %'],
      pages.map(({ name, view, percent, bytes, others }) => [
        name,
        view,
        short(percent),
        short(bytes / 1_048_576),
        short(others),
      ]),
    ),
  );
}
