// @ts-check
/**
 * Soak and abuse: `npm run soak`, or `npm run soak -- loris TLS` for the parts with these words in their names.
 *
 *   --seed N         repeats the random choices of a run; not how the two processes meet
 *   --short N        short connections of the soak, by which the abuse is scaled, too; a million by default
 *   --long N         long ones beside them; 5000 by default
 *   --tls SHARE      how many of all are over TLS; 0.02 by default
 *   --seconds N      how long TLS is under stress; 120 by default
 *   --reloads N      how often a cluster is reloaded, in each of three ways; 60 by default
 *
 * The library runs in a process of its own, and its peers in this one. Linux only: it uses all addresses of loopback and
 * /proc. Exit codes: 0 all passed, 1 some failed, 2 the arguments are wrong.
 */
import { argumentsOf } from './arguments.mjs';
import { ABUSE } from './soak/abuse.mjs';
import { reloads } from './soak/reloads.mjs';
import { soak } from './soak/soak.mjs';
import { tls } from './soak/tls.mjs';

const { values, positionals } = argumentsOf(
  {
    options: {
      seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 1_000_000)) },
      short: { type: 'string', default: '1000000' },
      long: { type: 'string', default: '5000' },
      tls: { type: 'string', default: '0.02' },
      seconds: { type: 'string', default: '120' },
      reloads: { type: 'string', default: '60' },
    },
  },
  'npm run soak [-- words of the names of parts] [--seed N] [--short N] [--long N] [--tls SHARE] [--seconds N] [--reloads N]',
);

/** @param {keyof typeof values} name */
function number(name) {
  const value = Number(values[name]);
  if (values[name].trim() !== '' && value >= 0) return value;
  console.error(`--${name} must be a number, not "${values[name]}".`);
  process.exit(2);
}

const options = {
  seed: number('seed'),
  short: number('short'),
  long: number('long'),
  tls: number('tls'),
  seconds: number('seconds'),
  reloads: number('reloads'),
};

/** @type {Record<string, (given: typeof options) => Promise<string>>} */
const PARTS = {
  ...ABUSE,
  'stress of TLS': tls,
  'reloads, an idle primary': reloads({ scheduling: 'roundRobin', busyMs: 0, everyMs: 10 }),
  'reloads, a primary that is 40 % busy': reloads({ scheduling: 'roundRobin', busyMs: 4, everyMs: 10 }),
  'reloads, workers that accept by themselves': reloads({ scheduling: 'system', busyMs: 0, everyMs: 10 }),
  soak,
};

const chosen = Object.entries(PARTS).filter(
  ([name]) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
if (chosen.length === 0) {
  console.error(`No part has any of these words in its name: ${Object.keys(PARTS).join(', ')}.`);
  process.exit(2);
}
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.once(signal, () => process.exit(130));

console.log(`Node ${process.version}, --seed ${options.seed}`);
let failed = 0;
for (const [name, part] of chosen) {
  const begin = performance.now();
  const took = () => `${((performance.now() - begin) / 1_000).toFixed(1)} s`;
  try {
    const result = await part(options);
    console.log(`ok      ${name} (${took()}): ${result}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name} (${took()}): ${error instanceof Error ? error.message : error}`);
  }
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
