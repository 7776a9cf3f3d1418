// @ts-check
/** What the scenarios need of the machine: root, three packages, and a kernel that can do it. */
import { spawnSync } from 'node:child_process';
import { findProgram } from '../real/programs.mjs';

/** @type {Record<string, string>} */
const PACKAGES = { ip: 'iproute2', tc: 'iproute2', ss: 'iproute2', nft: 'nftables', haproxy: 'haproxy' };

/** Disciplines of `tc` that a kernel may lack; a scenario that needs one is skipped there. */
export const DISCIPLINES = {
  netem: { try: 'netem delay 1ms', module: 'sch_netem' },
  tbf: { try: 'tbf rate 1mbit burst 16kb latency 50ms', module: 'sch_tbf' },
};

/** @typedef {keyof typeof DISCIPLINES} Discipline */

/**
 * Finds out what there is, in a namespace that is gone afterwards.
 *
 * @returns {{ programs: (name: string) => string, lacking: Set<Discipline> } | { problem: string }}
 */
export function findNeeds() {
  if (process.platform !== 'linux') return { problem: 'This needs Linux: it makes network namespaces.' };
  if (process.getuid?.() !== 0) {
    return {
      problem:
        'This needs root, for it makes network namespaces (and takes them away again): sudo npm run test:net.\n' +
        'It changes nothing outside of them.',
    };
  }
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const name of Object.keys(PACKAGES)) {
    const path = findProgram(name);
    if (path !== undefined) found.set(name, path);
  }
  const missing = Object.keys(PACKAGES).filter((name) => !found.has(name));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((name) => PACKAGES[name]))];
    return {
      problem: `Missing: ${missing.join(', ')}. On Debian and Ubuntu:\n\n  apt-get install ${packages.join(' ')}\n`,
    };
  }
  /** @param {string} name */
  const programs = (name) => /** @type {string} */ (found.get(name));
  return probe(programs);
}

/**
 * @param {(name: string) => string} programs
 * @returns {ReturnType<typeof findNeeds>}
 */
function probe(programs) {
  const namespace = `sockchart-${process.pid}-probe`;
  /**
   * @param {string} program
   * @param {string} args
   */
  const trial = (program, args) => {
    const { status, stderr } = spawnSync(programs(program), args.split(' '), { encoding: 'utf8' });
    return status === 0 ? undefined : stderr.trim();
  };
  /**
   * @param {string} what
   * @param {string} hint
   * @param {string} said
   */
  const refused = (what, hint, said) => ({ problem: `This machine does not permit ${what}: ${said}\n${hint}` });
  const inside = `netns exec ${namespace}`;
  try {
    const bare = trial('ip', `netns add ${namespace}`);
    if (bare !== undefined) {
      return refused(
        'network namespaces',
        'In a container it takes --privileged, or CAP_SYS_ADMIN and CAP_NET_ADMIN.',
        bare,
      );
    }
    const pair = trial('ip', `-n ${namespace} link add name a1 type veth peer name a2`);
    if (pair !== undefined) return refused('pairs of links', 'The kernel module is veth.', pair);
    const table = trial('ip', `${inside} ${programs('nft')} add table inet probe`);
    if (table !== undefined) return refused('nftables', 'The kernel module is nf_tables.', table);
    const lacking = new Set(
      Object.entries(DISCIPLINES)
        .filter(([, { try: words }]) => {
          const said = trial('tc', `-n ${namespace} qdisc replace dev a1 root ${words}`);
          return said !== undefined;
        })
        .map(([name]) => /** @type {Discipline} */ (name)),
    );
    return { programs, lacking };
  } finally {
    spawnSync(programs('ip'), ['netns', 'delete', namespace]);
  }
}
