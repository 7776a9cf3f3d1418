/** The clients of a proxy that no listener of its own has accepted; to the proxy they are as those of one more listener. */
import type { Duplex } from 'node:stream';
import { type Client, type ClientOwner, checkAdoptable } from '../adapters/client.js';
import { OptionError } from '../errors.js';
import type { Cause, Outcome, Report } from '../machines/vocabulary.js';
import { MemberList } from '../members.js';
import { everyOption, onlyKnown } from '../options.js';
import { each } from '../sockets/socket.js';

/** What is known of a socket that was accepted elsewhere. */
export interface AdoptOptions<Data = unknown> {
  /** What was read of it already: the first bytes to relay. */
  readonly head?: Uint8Array | undefined;
  /** For `client.data`, which your hooks can read. */
  readonly data?: Data | undefined;
}

const ADOPT_OPTIONS = everyOption<AdoptOptions>()('head', 'data');

/** @internal @throws OptionError */
export function checkAdopt(socket: Duplex, options: AdoptOptions): void {
  checkAdoptable(socket);
  onlyKnown('adopt', options, ADOPT_OPTIONS);
  const { head } = options;
  if (head !== undefined && !(head instanceof Uint8Array)) {
    throw new OptionError('head', head, 'a Buffer, or another Uint8Array');
  }
}

/** @internal The proxy of adopted clients. */
interface AdoptedOwner<Data> {
  adoptedEstablished(client: Client<Data>): void;
  adoptedRefused(client: Client<Data>): void;
  clientClosed(client: Client<Data>, outcome: Outcome): void;
}

const DRAINING: Report = { initiator: 'library', manner: 'refusal', code: 'draining' };
const FULL: Report = { initiator: 'library', manner: 'limit', code: 'clientsMax' };

/** @internal */
export class Adopted<Data> implements ClientOwner {
  readonly clients = new MemberList<Client<Data>>();
  /** Clients that were turned away at once. */
  refused = 0;
  readonly #owner: AdoptedOwner<Data>;
  readonly #clientsMax: number;

  constructor(owner: AdoptedOwner<Data>, clientsMax: number) {
    this.#owner = owner;
    this.#clientsMax = clientsMax;
  }

  /** @param isLate whether the proxy serves no newcomers any more */
  add(client: Client<Data>, isLate: boolean): void {
    const reason = isLate ? DRAINING : this.clients.size >= this.#clientsMax ? FULL : undefined;
    this.clients.add(client);
    // What is reported before it begins comes first: it is never admitted.
    if (reason !== undefined) client.refuseAdmission(reason);
    client.begin();
    if (reason === undefined) return;
    this.refused++;
    this.#owner.adoptedRefused(client);
  }

  refuseAdmissions(cause: Report): void {
    each(this.clients, (client) => client.refuseAdmission(cause));
  }

  abort(cause: Cause): void {
    each(this.clients, (client) => void client.abort(cause));
  }

  cut(cause: Cause): void {
    each(this.clients, (client) => client.cut(cause));
  }

  clientEstablished(client: Client<Data>): void {
    this.#owner.adoptedEstablished(client);
  }

  clientClosed(client: Client<Data>, outcome: Outcome): void {
    this.clients.delete(client);
    client.session?.legClosed(client, outcome);
    this.#owner.clientClosed(client, outcome);
  }
}
