// @ts-check
/**
 * Networks that lose, delay, refuse and vanish, between the proxy and its peers: `npm run test:net`, or
 * `npm run test:net -- vanish loss` for the scenarios with these words in their names.
 *
 * Needs root: each scenario has a network of its own, made of network namespaces, which is taken away whatever happens.
 * Exit codes: 0 all passed (what this kernel cannot do is said and counted), 1 some failed, 2 something is missing, or no
 * scenario has such a name.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { argumentsOf } from './arguments.mjs';
import { addresses, blackhole, closeWhileDialling, kernelTimeout, refusals } from './net/connect.mjs';
import { Lab, removeLeftovers } from './net/lab.mjs';
import { delay50, delay200, loss10, loss20, slow } from './net/lines.mjs';
import { DISCIPLINES, findNeeds } from './net/needs.mjs';
import { address, card, failover, long, said, short } from './net/outages.mjs';
import { side } from './net/side.mjs';
import {
  idleClient,
  idlePersistent,
  idleServer,
  noKeepAlive,
  rebooted,
  stop,
  stuck,
  written,
  writtenSaid,
} from './net/vanish.mjs';
import { Stage, told } from './real/stage.mjs';

/** @typedef {import('./net/scene.mjs').Scenario} Scenario */

/** The slow ones first: they wait, and the others run meanwhile. @type {Record<string, Scenario>} */
const SCENARIOS = {
  'side by side with HAProxy: black hole': side,
  'vanish: a server, idle': idleServer,
  'vanish: a client, idle': idleClient,
  'vanish: a persistent server, idle': idlePersistent,
  'outage: too long': long,
  'outage: too long, with another server': failover,
  'loss: 20 %': loss20,
  'loss: 10 %': loss10,
  'outage: short, of each link': short,
  'outage: said by the network': said,
  'outage: the card of a listener': card,
  'outage: the address of a listener': address,
  'delay: a slow line': slow,
  'delay: 50 ms, and loss': delay50,
  'delay: 200 ms, and loss': delay200,
  'vanish: a server that is written to': written,
  'vanish: a server that is written to, and a router says so': writtenSaid,
  'vanish: a client in the middle of an answer': stuck,
  'vanish: nobody probes': noKeepAlive,
  'vanish: a server that was rebooted': rebooted,
  'vanish: stopped meanwhile': stop,
  'connect: black hole': blackhole,
  'connect: black hole, closed meanwhile': closeWhileDialling,
  'connect: two addresses': addresses,
  'connect: the kernel gives up first': kernelTimeout,
  'connect: the network says no': refusals,
};

/** They mostly wait. */
const AT_ONCE = 4;
const { positionals } = argumentsOf({ options: {} }, 'npm run test:net [-- words of the names of scenarios]');
const needs = findNeeds();
if ('problem' in needs) {
  console.error(needs.problem);
  process.exit(2);
}
if (!existsSync(fileURLToPath(new URL('../dist/index.js', import.meta.url)))) {
  console.error('There is no dist/: run npm run build.');
  process.exit(2);
}
const { programs, lacking } = needs;
removeLeftovers(programs);

/** @type {Set<{ stage: Stage, lab: Lab }>} */
const playing = new Set();
let interrupted = false;
process.on('exit', () => {
  for (const { stage, lab } of playing) {
    stage.destroy();
    lab.remove();
  }
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, async () => {
    console.error(`${signal}: cleaning up`);
    interrupted = true;
    await Promise.all([...playing].map(({ stage }) => stage.close()));
    process.exit(130);
  });
}

/**
 * @param {string} name
 * @param {Scenario} scenario
 */
async function play(name, { play: scenario }) {
  const stage = new Stage();
  const lab = new Lab(stage, programs);
  const scene = { stage, lab };
  playing.add(scene);
  try {
    return await told(
      name,
      stage,
      () => interrupted,
      async () => {
        await lab.build();
        return scenario(lab);
      },
    );
  } finally {
    await stage.close();
    lab.remove();
    playing.delete(scene);
  }
}

const chosen = Object.entries(SCENARIOS).filter(
  ([name]) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
if (chosen.length === 0) {
  console.error(`No scenario has any of these words in its name: ${Object.keys(SCENARIOS).join(', ')}.`);
  process.exit(2);
}
/** @type {string[]} */
const skipped = [];
const waiting = chosen.filter(([name, { needs: discipline }]) => {
  if (discipline === undefined || !lacking.has(discipline)) return true;
  console.log(`SKIPPED ${name}: this kernel has no ${discipline} (${DISCIPLINES[discipline].module})`);
  skipped.push(name);
  return false;
});
const total = waiting.length;
let passed = 0;
async function work() {
  for (let next = waiting.shift(); next !== undefined && !interrupted; next = waiting.shift()) {
    if (await play(...next)) passed++;
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
const failed = total - passed;
console.log(
  `${passed} passed, ${failed} failed, ${skipped.length} skipped${skipped.length > 0 ? ' (NOT CHECKED HERE)' : ''}`,
);
if (!interrupted) process.exit(failed > 0 ? 1 : 0);
