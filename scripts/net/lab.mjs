// @ts-check
/**
 * A network of its own: clients, a proxy and two servers, each behind a link to a router, all in network namespaces.
 *
 * ```
 * client ── router ── one
 * proxy  ──┘    └──── two
 * ```
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Actor } from './actor.mjs';

/** @typedef {import('../real/stage.mjs').Stage} Stage */
/** @typedef {'client' | 'proxy' | 'one' | 'two'} Host */
/** @typedef {Host | 'router'} Place */
/** @typedef {(name: string) => string} Programs */

/** @type {readonly Host[]} */
const HOSTS = ['client', 'proxy', 'one', 'two'];

/** Addresses of the hosts; nobody else can see them. @type {Record<Host, string>} */
export const ADDRESS = { client: '10.66.1.2', proxy: '10.66.2.2', one: '10.66.3.2', two: '10.66.4.2' };

/** @param {Host} host */
const gateway = (host) => ADDRESS[host].replace(/2$/, '1');

const PLAYER = fileURLToPath(new URL('play.mjs', import.meta.url));

/** Where namespaces with names are, and the files that those inside see in place of others. */
const NAMESPACES = '/run/netns';
const FILES = '/etc/netns';

let made = 0;

/**
 * Takes away what a run has left that was killed before it could clean up.
 *
 * @param {Programs} programs
 */
export function removeLeftovers(programs) {
  if (!existsSync(NAMESPACES)) return;
  for (const name of readdirSync(NAMESPACES)) {
    const [, pid] = /^sockchart-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeNamespace(programs, name);
  }
}

/**
 * Synchronous, for it is also the last resort; the links of a namespace go with it.
 *
 * @param {Programs} programs
 * @param {string} name
 */
function removeNamespace(programs, name) {
  spawnSync(programs('ip'), ['netns', 'delete', name]);
  rmSync(`${FILES}/${name}`, { recursive: true, force: true });
}

export class Lab {
  #prefix = `sockchart-${process.pid}-${++made}`;
  /** @type {Set<Place>} */
  #places = new Set();

  /**
   * @param {Stage} stage
   * @param {Programs} programs
   */
  constructor(stage, programs) {
    this.stage = stage;
    this.programs = programs;
  }

  /** @param {Place} place */
  namespace(place) {
    return `${this.#prefix}-${place}`;
  }

  async build() {
    await this.#addPlace('router');
    await this.set('router', 'net/ipv4/ip_forward', 1);
    await this.#nft('add table inet lab\nadd chain inet lab forward { type filter hook forward priority 0 ; }');
    for (const host of HOSTS) await this.#addHost(host);
  }

  /** @param {Place} place */
  async #addPlace(place) {
    this.#places.add(place);
    await this.#must('ip', ['netns', 'add', this.namespace(place)]);
    await this.#must('ip', ['-n', this.namespace(place), 'link', 'set', 'lo', 'up']);
  }

  /** @param {Host} host */
  async #addHost(host) {
    await this.#addPlace(host);
    const router = this.namespace('router');
    const pair = ['link', 'add', 'name', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.namespace(host)];
    await this.#must('ip', ['-n', router, ...pair]);
    await this.#batch('router', [`address add ${gateway(host)}/24 dev ${host}`, `link set ${host} up`]);
    await this.#batch(host, [`address add ${ADDRESS[host]}/24 dev eth0`, 'link set eth0 up', this.#defaultRoute(host)]);
  }

  /** @param {Host} host */
  #defaultRoute(host) {
    return `route add default via ${gateway(host)}`;
  }

  /**
   * A kernel setting of one namespace.
   *
   * @param {Place} place
   * @param {string} path below /proc/sys
   * @param {number} value
   */
  async set(place, path, value) {
    await this.#inside(place, 'sh', ['-c', 'echo "$1" > "/proc/sys/$0"', path, String(value)]);
  }

  /**
   * From now on every packet from and to a host is lost without a word. On its own link nothing changes.
   *
   * @param {Host} host
   */
  async cut(host) {
    await this.filter(`ip saddr ${ADDRESS[host]} drop`, `ip daddr ${ADDRESS[host]} drop`);
  }

  /**
   * From now on the router says no to every packet for a host.
   *
   * @param {Host} host
   * @param {string} how such as `tcp reset` or `icmp host-unreachable`
   */
  async reject(host, how) {
    await this.filter(`ip daddr ${ADDRESS[host]} meta l4proto tcp reject with ${how.replace('icmp ', 'icmp type ')}`);
  }

  /**
   * Rules for what the router forwards.
   *
   * @param {readonly string[]} rules
   */
  async filter(...rules) {
    await this.#nft(rules.map((rule) => `add rule inet lab forward ${rule}`).join('\n'));
  }

  /** How many packets were met by rules that count. */
  async filtered() {
    const nft = this.programs('nft');
    const { nftables } = JSON.parse(
      await this.#inside('router', nft, ['-j', 'list', 'chain', 'inet', 'lab', 'forward']),
    );
    /** @type {{ counter?: { packets: number } }[]} */
    const parts = nftables.flatMap((/** @type {any} */ { rule }) => rule?.expr ?? []);
    return parts.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0);
  }

  /** Links carry packets of the usual size, and not many in one, as such links may. */
  async splitPackets() {
    for (const host of HOSTS) {
      await this.#batch('router', [`link set ${host} gso_max_segs 1`]);
      await this.#batch(host, ['link set eth0 gso_max_segs 1']);
    }
  }

  /** The router forwards everything again. */
  async heal() {
    await this.#nft('flush chain inet lab forward');
  }

  /**
   * Takes the router's end of a link down or up: at the other end the cable is out.
   *
   * @param {Host} host
   * @param {'up' | 'down'} state
   */
  async link(host, state) {
    await this.#must('ip', ['-n', this.namespace('router'), 'link', 'set', host, state]);
  }

  /**
   * Takes a host's own end of its link down or up, as one does with a card: its routes go, and come back.
   *
   * @param {Host} host
   * @param {'up' | 'down'} state
   */
  async card(host, state) {
    await this.#batch(host, [`link set eth0 ${state}`, ...(state === 'up' ? [this.#defaultRoute(host)] : [])]);
  }

  /**
   * Adds or deletes a further address of a host.
   *
   * @param {Host} host
   * @param {'add' | 'delete'} verb
   * @param {string} address
   */
  async address(host, verb, address) {
    await this.#batch(host, [`address ${verb} ${address}/24 dev eth0`]);
  }

  /**
   * Shapes what goes to each of these hosts, and what comes from them.
   *
   * @param {readonly Host[]} hosts
   * @param {string} discipline as `tc` takes it
   */
  async shape(hosts, discipline) {
    const words = ['root', ...discipline.split(' ')];
    for (const host of hosts) {
      await this.#must('tc', ['-n', this.namespace('router'), 'qdisc', 'add', 'dev', host, ...words]);
      await this.#must('tc', ['-n', this.namespace(host), 'qdisc', 'add', 'dev', 'eth0', ...words]);
    }
  }

  /**
   * A host that loses its power: nothing of it remains, and nobody is told. Then it is back, with the same address.
   *
   * @param {Host} host
   * @param {readonly Actor[]} actors those that run there
   */
  async reboot(host, ...actors) {
    await this.cut(host);
    for (const { running } of actors) running.kill('SIGKILL');
    await Promise.all(actors.map(({ running }) => running.exited));
    await this.#must('ip', ['-n', this.namespace('router'), 'link', 'delete', host]);
    await this.#must('ip', ['netns', 'delete', this.namespace(host)]);
    await this.#addHost(host);
    await this.heal();
  }

  /**
   * Names for a host's resolver, in a file that only its namespace sees.
   *
   * @param {Host} host
   * @param {string} name
   * @param {readonly string[]} addresses
   */
  names(host, name, addresses) {
    const folder = `${FILES}/${this.namespace(host)}`;
    mkdirSync(folder, { recursive: true });
    const hosts = addresses.map((address) => `${address} ${name}\n`).join('');
    for (const [file, text] of Object.entries({
      hosts,
      'host.conf': 'multi on\n',
      'nsswitch.conf': 'hosts: files\n',
    })) {
      // Each is laid over the one that there is.
      if (existsSync(`/etc/${file}`)) writeFileSync(`${folder}/${file}`, text);
    }
  }

  /**
   * Starts a program in a namespace.
   *
   * @param {Host} host
   * @param {string} title
   * @param {string} file
   * @param {readonly string[]} args
   * @param {import('../real/stage.mjs').SpawnOptions} [options]
   */
  spawn(host, title, file, args, options) {
    const inside = ['netns', 'exec', this.namespace(host), file, ...args];
    return this.stage.spawn(title, this.programs('ip'), inside, options);
  }

  /**
   * Starts a part that is played in a namespace.
   *
   * @param {Host} host
   * @param {'server' | 'client' | 'proxy' | 'backend'} part
   * @param {object} [options]
   */
  async actor(host, part, options = {}) {
    const title = `${part} on ${host}`;
    const running = this.spawn(host, title, process.execPath, [PLAYER, part, JSON.stringify(options)], { ipc: true });
    this.stage.servers.push(running);
    const actor = new Actor(title, running);
    await actor.event('ready');
    return actor;
  }

  /**
   * The TCP connections that the kernel of a host still has, as `ss` prints them.
   *
   * @param {Host} host
   */
  async connections(host) {
    const out = await this.#inside(host, this.programs('ss'), ['-Htn', 'state', 'connected']);
    return out.split('\n').filter((line) => line !== '');
  }

  /**
   * @param {Place} place
   * @param {string} file
   * @param {readonly string[]} args
   */
  async #inside(place, file, args) {
    return this.#must('ip', ['netns', 'exec', this.namespace(place), file, ...args]);
  }

  /**
   * @param {Place} place
   * @param {readonly string[]} lines
   */
  async #batch(place, lines) {
    await this.#must('ip', ['-n', this.namespace(place), '-batch', '-'], `${lines.join('\n')}\n`);
  }

  /** @param {string} script */
  async #nft(script) {
    const args = ['netns', 'exec', this.namespace('router'), this.programs('nft'), '-f', '-'];
    await this.#must('ip', args, `${script}\n`);
  }

  /**
   * @param {string} program
   * @param {readonly string[]} args
   * @param {string} [input]
   */
  async #must(program, args, input) {
    const { stdout } = await this.stage.must(this.programs(program), args, input === undefined ? {} : { input });
    return stdout.toString();
  }

  /** Takes everything away. */
  remove() {
    for (const place of this.#places) removeNamespace(this.programs, this.namespace(place));
    this.#places.clear();
  }
}
