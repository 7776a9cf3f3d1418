/**
 * Measures one kind of life in a process of its own, so that nobody's types are in anybody's inline caches:
 * `child.mjs NAME MACHINE WAITS MEASURE`, with MEASURE `time` or `memory`. Prints a line of JSON.
 */
import { byHand, javascriptStateMachine, robot3 } from './others.mjs';
import { compiled, xstate } from './sockchart.mjs';

/**
 * @typedef {object} Contender
 * @property {() => any} live leads a whole life
 * @property {() => any} rest leads one up to where it rests
 * @property {(life: any) => number} check throws unless it is where it should be; how many commands were performed
 */

const [name = '', machine = 'client', waits, measure, scale = '1'] = process.argv.slice(2);

/** @type {Record<string, () => Contender | undefined | Promise<Contender>>} */
const contenders = {
  'by hand': byHand,
  'sockchart, compiled': () => compiled(machine, waits === 'waits'),
  'sockchart on XState': () => xstate(machine, waits === 'waits'),
  robot3,
  'javascript-state-machine': javascriptStateMachine,
};

const contender = await contenders[name]?.();

/** @param {Contender} contender @param {number} count */
function lead({ live }, count) {
  let last;
  for (let i = 0; i < count; i++) last = live();
  return last;
}

/** CPU time, that of the collector's threads included: what the life's garbage costs is its cost. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** @param {Contender} contender */
function time(contender) {
  lead(contender, 2_000);
  // As many as take some milliseconds, once the code is compiled.
  let batch = 100;
  for (let took = 0; took < 10; batch *= 2) {
    const began = cpuMs();
    lead(contender, batch);
    took = cpuMs() - began;
  }
  const batches = [];
  const ends = cpuMs() + 1_000 * Number(scale);
  while (cpuMs() < ends) {
    const began = cpuMs();
    contender.check(lead(contender, batch));
    batches.push(((cpuMs() - began) / batch) * 1e6);
  }
  batches.sort((a, b) => a - b);
  return { ns: batches[batches.length >> 1], leastNs: batches[0] };
}

const heapUsed = () => process.memoryUsage().heapUsed;

function collect() {
  globalThis.gc?.();
  globalThis.gc?.();
  return heapUsed();
}

/** @param {Contender} contender */
function memory(contender) {
  lead(contender, 2_000);
  // In a young generation so large that nothing is collected meanwhile.
  const lives = 2_000;
  collect();
  const empty = heapUsed();
  lead(contender, lives);
  const allocated = (heapUsed() - empty) / lives;
  const kept = 20_000;
  const array = new Array(kept).fill(undefined);
  const before = collect();
  for (let i = 0; i < kept; i++) array[i] = contender.rest();
  const idle = (collect() - before) / kept;
  if (array.length !== kept) throw new Error('never');
  return { allocatedBytes: allocated, idleBytes: idle };
}

if (contender === undefined) console.log(JSON.stringify({ missing: true }));
else console.log(JSON.stringify(measure === 'time' ? time(contender) : memory(contender)));
process.exit();
