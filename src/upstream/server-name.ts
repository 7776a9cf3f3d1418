import { isIP, type LookupFunction } from 'node:net';
import { builtin } from '../builtin.js';
import { nameInstance } from '../generated/name.js';
import { callListeners, Handle, type HandleKind, kindOf } from '../handle.js';
import type { LookupFailure, NameCommand, NameContext, NameEvent } from '../machines/name.js';
import type { Cause, NameAnswer, Outcome, Report } from '../machines/vocabulary.js';
import { askDns } from '../names/dns.js';
import {
  EMPTY,
  type Failed,
  type Found,
  failedBy,
  foundOf,
  keyOf,
  type LookupContext,
  type Place,
} from '../names/found.js';
import type { Description } from '../runtime/instance.js';
import { guarded } from './lookup.js';
import { type CheckedAddresses, checkedAddresses } from './name-options.js';
import { type Known, planOf } from './name-plan.js';
import { type RemoveOptions, removalOf } from './removal.js';
import { Server } from './server.js';
import { familyOf, type ServerOptions } from './server-options.js';
import type { Servers } from './servers.js';
import type { ServerConfig } from './servers-options.js';

/** What an answer has changed. */
export interface ServerNameChange {
  /** The addresses that the name has, with their ports, in an order that does not depend on the answer. */
  readonly addresses: readonly string[];
  /** Servers that were added. */
  readonly added: readonly Server[];
  /** Servers whose address the name has no more: they leave. */
  readonly gone: readonly Server[];
}

/** A look-up that is over. */
export interface ServerNameLookup {
  /** Whose look-up it was. */
  readonly name: ServerName;
  /** It was answered, or why it has failed. */
  readonly result: 'answered' | LookupFailure;
  /** The cause of a failure. */
  readonly cause: Cause | undefined;
}

/** Events of a name. */
export type ServerNameEvents = {
  /** Its addresses have changed. */
  changed: [ServerNameChange];
  /** A look-up has failed. What was known counts until its hold time is over. */
  failed: [Cause];
  /** It is looked up no more. */
  closed: [Outcome];
};

const START = { type: 'name.start' } as const;
const REFRESH = { type: 'name.refresh' } as const;

/** A server of the name, and what an answer has said of it. */
class Entry implements Known {
  place: Place;
  seenAt: number;
  /** What its machine was told last. */
  told: 'found' | 'lost' | 'gone' = 'found';

  constructor(
    readonly server: Server,
    place: Place,
    now: number,
  ) {
    this.place = place;
    this.seenAt = now;
  }

  get isEnding(): boolean {
    return this.server.hasTag('ending');
  }
}

/**
 * A name that is as many servers as it has addresses: a statechart that looks it up, again and again. Made by a {@link Servers} for
 * each server with the option `addresses`; it keeps no process alive.
 *
 * @example
 * ```ts
 * const servers = new Servers([{ host: 'db.internal', port: 5432, addresses: { interval: 10_000 } }]);
 * const [name] = servers.names;
 * name.on('changed', ({ addresses }) => console.log(`${name} is at ${addresses}`));
 * name.on('failed', (cause) => console.warn(`${name} was not answered`, cause));
 * ```
 */
export class ServerName extends Handle<NameEvent, ServerNameEvents> {
  /** @internal */
  static readonly kind: HandleKind<ServerName, NameCommand, ServerNameEvents> = {
    ...kindOf('name', nameInstance),
    events: { changed: true, failed: true, closed: true },
    commands: {
      'lookup.run': (name, { number }) => name.#run(number),
      'lookup.cancel': (name) => name.#cancel(),
      'wait.choose': (name) => name.#chooseWait(),
      'servers.update': (name) => name.#update(),
      'servers.lose': (name, { cause }) => name.#lose(cause),
      'owner.failed': (name, { cause }) => name.#tellFailed(cause),
    },
  };

  /** The name that is looked up. */
  readonly host: string;
  /** The port of its servers; nothing where the look-up says it. */
  readonly port: number | undefined;
  /** What it is called: the `name` of its options, or the host. */
  readonly name: string;
  /** @internal The set that it belongs to. */
  readonly set: Servers;
  /** @internal What it was made of. */
  options: ServerOptions;
  /** @internal A server of its options that is not used: what each of its servers is like. */
  like: Server;

  readonly #checked: CheckedAddresses;
  readonly #config: ServerConfig;
  readonly #family: 4 | 6 | undefined;
  readonly #entries = new Map<string, Entry>();
  #addresses: readonly string[] = [];
  #answer: Found | undefined = undefined;
  /** When the last good answer came. */
  #goodAt: number;
  #controller: AbortController | undefined = undefined;
  /** What Node was asked. That cannot be cancelled, and takes a thread of its pool, so the next look-up waits for the same answer. */
  #system: Promise<unknown> | undefined = undefined;
  /** The answer that comes is the first one. */
  #isAwaited = false;
  #removal: RemoveOptions = {};

  /** @internal @param name what it is called in errors */
  constructor(options: ServerOptions, name: string, set: Servers, config: ServerConfig) {
    const checked = checkedAddresses(name, options);
    super(ServerName.kind, { settings: checked.settings }, config.environment, undefined);
    this.set = set;
    this.options = options;
    this.host = options.host as string;
    this.port = options.port;
    this.name = options.name ?? this.host;
    this.#checked = checked;
    this.#config = config;
    this.#goodAt = this.clock.now();
    this.#family = familyOf(name, options, 0);
    // What is wrong with the options is said before a name is looked up.
    const sayPort = checked.isService || typeof checked.by === 'function' || options.connect !== undefined;
    const address = this.#family === 6 ? '2001:db8::1' : '192.0.2.1';
    const sample = {
      key: '',
      address,
      port: options.port ?? (sayPort ? 1 : undefined),
      weight: undefined,
      backup: undefined,
    };
    this.like = new Server(this.#optionsOf(sample), name, set, config);
    this.unref();
  }

  /** Its servers, those that leave included. */
  get servers(): readonly Server[] {
    return [...this.#entries.values()].map(({ server }) => server);
  }

  /** The addresses of the last good answer, with their ports. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Why the last look-up failed; nothing if it was answered. */
  get cause(): Cause | undefined {
    const { failure, cause } = this.#known;
    return failure === undefined || cause === undefined ? undefined : this.#causeOf(cause);
  }

  /** @internal It was neither answered, nor has a look-up failed: connections wait for that. */
  get isUnanswered(): boolean {
    return this.outcome === undefined && this.#known.isUnanswered;
  }

  get #known(): NameContext {
    return this.instance.context as NameContext;
  }

  /** @internal */
  override begin(): void {
    super.begin();
    this.instance.send(START);
  }

  /** Looks it up now, and not at the end of the wait. */
  refresh(): void {
    this.instance.send(REFRESH);
  }

  /**
   * Looks it up no more, and removes its servers: see {@link Server.remove}.
   *
   * @returns how it ended, once its servers are removed
   * @throws OptionError
   */
  override async close(options: RemoveOptions = {}): Promise<Outcome> {
    removalOf(options);
    this.#removal = options;
    const { servers } = this;
    const outcome = await super.close();
    await Promise.all(servers.map((server) => server.closed));
    return outcome;
  }

  /** @internal Its options are others that change while it runs. */
  adapt(other: ServerName): void {
    this.options = other.options;
    this.like = other.like;
    for (const { server, place } of this.#entries.values()) {
      server.adapt(this.like, this.#optionsOf(place));
      server.rank(place.weight ?? this.like.weight, place.backup ?? this.like.backup);
    }
  }

  /** @internal One of its servers has ended. */
  forget(server: Server): void {
    for (const [key, entry] of this.#entries) if (entry.server === server) this.#entries.delete(key);
  }

  #optionsOf({ address, port, weight, backup }: Place): ServerOptions {
    const { addresses: _, name: __, tls, ...options } = this.options;
    return {
      ...options,
      host: address,
      port,
      name: `${this.name}/${keyOf(address, port)}`,
      ...(weight !== undefined && { weight }),
      ...(backup !== undefined && { backup }),
      // The certificate is for the name.
      ...(tls !== undefined && {
        tls: tls === true ? { servername: this.host } : tls && { servername: this.host, ...tls },
      }),
    };
  }

  #run(number: number): void {
    const controller = new AbortController();
    this.#controller = controller;
    const { timeout } = this.#checked.settings;
    const context = { signal: controller.signal, timeoutMs: timeout, family: this.#family };
    this.#ask(context).then(
      (found) => this.#answered(number, controller, found),
      (error: unknown) => this.#failed(number, failedBy(error, typeof this.#checked.by === 'function')),
    );
  }

  async #ask(context: LookupContext): Promise<Found> {
    const { by, isService, nameservers, serversMax } = this.#checked;
    const { host, port } = this;
    if (by === 'dns') return askDns({ host, port, isService, nameservers, targetsMax: serversMax }, context);
    const rules = { port, needsPort: this.options.connect === undefined, family: context.family };
    return foundOf(await (by === 'system' ? this.#askSystem() : by(host, context)), rules);
  }

  #askSystem(): Promise<unknown> {
    const { lookup } = this.#config;
    // One of the user's that never answers must not be the last one.
    if (lookup !== undefined) return this.#askBy(guarded(lookup));
    this.#system ??= this.#askBy(builtin.dns.lookup as LookupFunction).finally(() => {
      this.#system = undefined;
    });
    return this.#system;
  }

  #askBy(lookup: LookupFunction): Promise<unknown> {
    const options = { all: true, family: this.#family ?? 0, hints: 0 } as Parameters<LookupFunction>[1];
    return new Promise((resolve, reject) => {
      lookup(this.host, options, (error, found) => {
        if (error !== null) reject(error);
        else resolve(typeof found === 'string' ? [found] : found.map(({ address }) => address));
      });
    });
  }

  #answered(number: number, controller: AbortController, found: Found): void {
    if (found.places.length === 0 && !this.#checked.mayBeEmpty) {
      this.#failed(number, EMPTY);
      return;
    }
    if (this.#controller === controller) this.#answer = found;
    const ttlMs = this.#checked.respectsTtl ? found.ttlMs : 0;
    this.#isAwaited = this.isUnanswered;
    this.instance.send({ type: 'lookup.answered', number, ttlMs, isEmpty: found.places.length === 0 });
  }

  #failed(number: number, { failure, cause }: Failed): void {
    this.instance.send({ type: 'lookup.failed', number, failure, cause });
  }

  #cancel(): void {
    this.abortSignal(this.#controller);
    this.#controller = undefined;
  }

  #chooseWait(): void {
    this.instance.send({ type: 'wait.chosen', random: this.#random(), ageMs: this.clock.now() - this.#goodAt });
  }

  #random(): number {
    const random = this.#config.random();
    return random >= 0 && random <= 1 ? random : 0.5;
  }

  /** Its servers are those of the answer: new ones are added, those that it has not leave, and come back if it has them again. */
  #update(): void {
    const answer = this.#answer as Found;
    this.#controller = undefined;
    this.#answer = undefined;
    const now = this.clock.now();
    this.#goodAt = now;
    const { obsoleteMs, serversMax, settings } = this.#checked;
    const { missing } = answer;
    const holdMsOf = ({ place }: Entry): number =>
      missing === undefined || (missing.family !== undefined && missing.family !== isIP(place.address))
        ? obsoleteMs
        : Math.max(obsoleteMs, settings.hold[missing.failure]);
    const plan = planOf(this.#entries, answer, now, holdMsOf, serversMax);
    this.#addresses = answer.places.map(({ key }) => key);
    for (const place of plan.found) this.#see(place, now);
    const gone = plan.gone.flatMap((key) => this.#leave(key));
    const cause: Cause = { ...this.#told('addressFound'), phase: 'resolving' };
    const added = this.set.addAll(
      plan.added.map((place) => {
        const server = new Server(this.#optionsOf(place), this.name, this.set, this.#config, { name: this, cause });
        this.#entries.set(place.key, new Entry(server, place, now));
        return server;
      }),
      this.#isAwaited,
    );
    if (added.length + gone.length > 0) this.notify('changed', { addresses: this.#addresses, added, gone });
    this.set.lookedUp({ name: this, result: 'answered', cause: undefined });
  }

  #see(place: Place, now: number): void {
    const entry = this.#entries.get(place.key) as Entry;
    const { place: before, server } = entry;
    entry.place = place;
    entry.seenAt = now;
    if (before.weight !== place.weight || before.backup !== place.backup) {
      server.rank(place.weight ?? this.like.weight, place.backup ?? this.like.backup);
    }
    if (entry.told !== 'found') this.#tell(entry, 'found', this.#told('addressFound'));
  }

  #leave(key: string): Server[] {
    const entry = this.#entries.get(key) as Entry;
    if (entry.told === 'gone') return [];
    this.#tell(entry, 'gone', this.#told('addressGone'));
    return [entry.server];
  }

  #tell(entry: Entry, what: Entry['told'], cause: Report): void {
    entry.told = what;
    entry.server.reports.addressed(`address.${what}`, cause);
  }

  /** No answer for too long. */
  #lose(cause: Cause): void {
    const why = this.#causeOf(cause);
    for (const entry of this.#entries.values()) if (entry.told === 'found') this.#tell(entry, 'lost', why);
  }

  #tellFailed(cause: Cause): void {
    this.#controller = undefined;
    // Connections that have waited for the first answer.
    this.set.waiters.serveAll();
    const why = this.#causeOf(cause);
    if (this.hasListeners('failed')) this.notify('failed', why);
    this.set.lookedUp({ name: this, result: this.#known.failure as LookupFailure, cause: why });
  }

  /** @internal Calls listeners of its set. */
  notifyBy(listeners: readonly unknown[], lookup: ServerNameLookup): void {
    this.inContext(callListeners, this.set, listeners, [lookup]);
  }

  #told(code: string): Report {
    return { initiator: 'system', manner: 'answer', phase: 'resolving', code, answer: this.#said(this.#addresses) };
  }

  #causeOf(cause: Cause): Cause {
    return { ...cause, answer: this.#said([]) };
  }

  #said(addresses: readonly string[]): NameAnswer {
    return { name: this.host, addresses };
  }

  /** @internal */
  override describe(): Description {
    return { server: this.name };
  }

  /** @internal */
  override commandFailed(command: string, error: unknown): void {
    if (command === 'lookup.run') this.#failed(this.#known.number, failedBy(error, false));
    else if (command === 'wait.choose')
      this.instance.send({ type: 'wait.chosen', random: 0.5, ageMs: this.clock.now() - this.#goodAt });
    else
      process.nextTick(() => {
        throw error;
      });
  }

  /** @internal */
  protected override finished({ ending }: Outcome): void {
    for (const server of this.servers) {
      if (ending === 'aborted') void server.abort();
      else void server.leave(this.#removal);
    }
    this.set.nameEnded(this);
  }

  /** Its name. */
  override toString(): string {
    return this.name;
  }

  override toJSON(): Record<string, unknown> {
    const { name, host, cause, addresses } = this;
    return { ...super.toJSON(), name, host, cause, addresses, servers: this.servers.map((server) => server.name) };
  }
}
