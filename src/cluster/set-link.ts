/** A shared set in a worker: its servers, its governor, and the changes of its list. */

import { identityOf } from '../upstream/difference.js';
import type { Governor } from '../upstream/governor.js';
import type { Server } from '../upstream/server.js';
import type { Servers } from '../upstream/servers.js';
import type { SetOrder, SharedServer, SharedSet } from '../upstream/sharing.js';
import { Holding } from './holding.js';
import { mustBeSendable } from './sendable.js';
import { ServerLink } from './server-link.js';
import type { ShareToPrimary, ShareToWorker } from './share-messages.js';
import type { WorkerSharing } from './sharing.js';

/** Tells the primary. */
export type Say = (message: ShareToPrimary) => void;

/** A set that this worker shares. */
export class SetLink implements SharedSet {
  readonly owner: WorkerSharing;
  readonly name: string;
  readonly say: Say;
  readonly #set: Servers;
  readonly #links = new Map<string, ServerLink>();
  readonly #governor: Governor | undefined;
  readonly #dials: Holding | undefined;
  /** The primary was told of the set, and so of the servers that it had; of further ones each time. */
  #isTold = false;
  /** The primary has answered. What it is told changes the set as if its owner told it, and is not told again. */
  #isJoined = false;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(set: Servers, name: string, governor: Governor | undefined, owner: WorkerSharing, say: Say) {
    this.#set = set;
    this.name = name;
    this.owner = owner;
    this.say = say;
    // One governor of several sets is shared by the first of them.
    this.#governor = governor?.shared === undefined && !owner.isAlone ? governor : undefined;
    this.#dials = this.#governor && this.#governs(this.#governor);
    queueMicrotask(() => this.#join());
  }

  get isAlone(): boolean {
    return this.owner.isAlone;
  }

  /** The primary has never answered: it knows nothing of this sharing. */
  get isApart(): boolean {
    return this.owner.isAlone && !this.#isJoined;
  }

  get isJoined(): boolean {
    return this.#isJoined;
  }

  #governs(governor: Governor): Holding {
    const { clock } = this.#set;
    const lent = { set: this.name, key: '', kind: 'dials' } as const;
    // All dials are lent by the primary.
    governor.take(governor.share, clock.now());
    const holding = new Holding(
      {
        idle: () => (this.#set.waiting > 0 ? 0 : holding.held),
        // The limit may let some connections that wait dial now.
        needs: () => (this.#set.waiting > 0 ? Math.max(0, this.#set.waiting - governor.open(clock.now())) : 0),
        changed: () => this.#set.waiters.serve(),
        take: (units) => governor.take(units, clock.now()),
        put: (units, recent) => governor.put(units, recent, clock.now()),
      },
      {
        want: (total, isUrgent) =>
          this.say({ do: 'want', ...lent, total: Math.min(total, governor.perSecond), isUrgent }),
        give: (units, recent) => this.say({ do: 'give', ...lent, units, recent }),
      },
    );
    governor.shared = {
      began: () => holding.released(),
      failed: (now) => {
        // A crowd that fails is told once in a while.
        if (now - this.#failedAt < 100) return;
        this.#failedAt = now;
        this.say({ do: 'failed', set: this.name });
      },
    };
    return holding;
  }

  #join(): void {
    this.#isTold = true;
    const servers = [...this.#links.values()].map(({ facts }) => facts);
    const perSecond = this.#governor?.perSecond ?? 0;
    this.say({ do: 'join', set: this.name, servers, perSecond, ejectedShare: this.#set.judge.ejectedShare });
  }

  added(server: Server): SharedServer {
    const identity = identityOf(server.options);
    let key = identity;
    for (let count = 2; this.#links.has(key); count++) key = `${identity} #${count}`;
    const link = new ServerLink(key, server, this);
    this.#links.set(key, link);
    if (this.#isTold) this.say({ do: 'add', set: this.name, server: link.facts });
    return link;
  }

  forget(link: ServerLink): void {
    if (!this.#links.delete(link.key)) return;
    this.owner.checksChanged(link, false);
    this.say({ do: 'gone', set: this.name, key: link.key });
  }

  waits(): void {
    this.#dials?.ask();
    for (const link of this.#links.values()) link.waits();
  }

  ordered(order: SetOrder, server?: Server): void {
    let key = '';
    if (order.type === 'remove') key = (server?.shared as ServerLink | undefined)?.key ?? '';
    else {
      const list = order.type === 'add' ? [order.options] : order.list;
      for (const options of list) mustBeSendable(options);
      if (order.type === 'add') key = identityOf(order.options);
    }
    this.say({ do: 'list', set: this.name, key, order });
  }

  ended(): void {
    for (const link of this.#links.values()) {
      link.stop();
      this.owner.checksChanged(link, false);
    }
    this.#links.clear();
    this.owner.forget(this);
    this.say({ do: 'leave', set: this.name });
  }

  /** The primary is gone, or is of another version. */
  alone(): void {
    for (const link of this.#links.values()) link.alone();
    if (this.isApart) this.#governor?.put(this.#governor.perSecond, [], this.#set.clock.now());
    this.#set.waiters.serve();
  }

  hears(message: Exclude<ShareToWorker, { do: 'beat' }>): void {
    if (message.do === 'joined') {
      this.#hearsJoined(message);
      return;
    }
    if (message.do === 'failed') {
      this.#governor?.failedElsewhere(this.#set.clock.now());
      return;
    }
    if (message.do === 'list') {
      this.#hearsList(message.key, message.order);
      return;
    }
    if ('kind' in message && message.kind === 'dials') {
      if (message.do === 'granted') this.#dials?.granted(message.units, message.recent, message.isMet);
      else if (message.do === 'recalled') this.#dials?.recalled(message.units, message.fair, message.isUrgent);
      return;
    }
    const link = this.#links.get(message.key);
    if (link === undefined) return;
    if (message.do === 'checked') link.hears(message.cause, message.tookMs);
    else if (message.do === 'judged') link.hearsJudged(message.judged);
    else if (message.do === 'proven') link.hearsProven();
    else if (message.do === 'order') link.hearsOrder(message.order, message.isOwn);
    else if (message.do === 'granted') link.granted(message.kind, message.units, message.recent, message.isMet);
    else if (message.do === 'recalled') link.recalled(message.kind, message.units, message.fair, message.isUrgent);
    else link.revoked(message.kind);
  }

  #hearsJoined({ known, list }: Extract<ShareToWorker, { do: 'joined' }>): void {
    const isFirst = !this.#isJoined;
    this.#isJoined = true;
    for (const one of known) {
      const link = this.#links.get(one.key);
      link?.learns(one);
      link?.joined();
    }
    if (!isFirst) return;
    for (const { key, order } of list) this.#hearsList(key, order);
    this.owner.joined();
  }

  #hearsList(key: string, order: SetOrder): void {
    try {
      if (order.type === 'remove') this.#links.get(key)?.leaves(order);
      else this.#set.obey(order);
    } catch (error) {
      // It was checked where it was given; here the module may have been given other options.
      process.emitWarning(`What another worker has changed in the servers of ${this.name} does not fit here: ${error}`);
    }
  }
}
