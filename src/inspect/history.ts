/** A connection and its lives, with what has happened to them: packed, for there may be a hundred thousand. */
import type { Cause } from '../machines/vocabulary.js';
import type { Edge, State } from './edges.js';
import type { Place } from './plain.js';
import type { StepInfo } from './protocol.js';
import type { LiveBackend, LiveClient, LiveSession } from './registry.js';
import { causeText } from './words.js';

export interface ObservedLife {
  readonly id: string;
  readonly kind: { readonly machine: string };
  connection: Connection;
  state: State;
  /** It has ended, and its end was counted. */
  isOver: boolean;
  /** Since when it is in this state: milliseconds since the epoch. */
  since: number;
  cause: Cause | undefined;
  place: Place | undefined;
  /** The server that was dialled last. */
  dialled: string | undefined;
}

/** Four of these are a step: tenths of milliseconds since the connection began, the edge, the cause, the place. */
type Packed = number | Edge | Cause | Place | undefined;
export const STEP = 4;

/** A client with its session and its backend; or a life that belongs to no connection. */
export class Connection {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  client: ObservedLife | undefined = undefined;
  session: ObservedLife | undefined = undefined;
  backend: ObservedLife | undefined = undefined;
  /** A life of another machine. */
  other: ObservedLife | undefined = undefined;
  /** What can be asked, once it was found in a registry. */
  live: LiveSession | LiveClient | LiveBackend | undefined = undefined;
  peer = '';
  bytesFromClient = 0;
  bytesFromBackend = 0;
  /** Lives that have not ended. */
  living = 0;
  endedAt: number | undefined = undefined;
  /** It has lost a connection that was established. */
  wasDropped = false;
  forgotten = 0;
  /** @internal */
  readonly packed: Packed[] = [];

  constructor(number: number, since: number) {
    this.number = number;
    this.since = since;
  }

  /** The life that stands for it. */
  get main(): ObservedLife {
    return (this.session ?? this.client ?? this.backend ?? this.other) as ObservedLife;
  }

  get id(): string {
    return this.main.id;
  }

  get lives(): ObservedLife[] {
    return [this.session, this.client, this.backend, this.other].filter((life) => life !== undefined);
  }

  get server(): string {
    return this.backend?.place?.server ?? '';
  }

  get lastCause(): string {
    // A session that has not noted one yet may have a leg that has.
    const cause = this.main.cause ?? this.backend?.cause ?? this.client?.cause;
    return cause === undefined ? '' : textOf(cause);
  }

  /** What happened to it since, oldest first. */
  steps(from = 0): StepInfo[] {
    const steps: StepInfo[] = [];
    const { packed, peer } = this;
    for (let at = 0; at < packed.length; at += STEP) {
      if (this.since + (packed[at] as number) / 10 < from) continue;
      const edge = packed[at + 1] as Edge;
      const cause = packed[at + 2] as Cause | undefined;
      const place = packed[at + 3] as Place | undefined;
      const { machine } = edge.kind;
      steps.push({
        at: this.since + (packed[at] as number) / 10,
        who: this.#lifeOf(machine)?.id ?? machine,
        machine,
        from: edge.from,
        event: edge.event,
        to: edge.to.path,
        ...(cause !== undefined && { cause }),
        ...(place?.server !== undefined && { server: place.server }),
        ...(place?.incarnation !== undefined && { incarnation: place.incarnation }),
        ...(peer !== '' && { peer }),
      });
    }
    return steps;
  }

  #lifeOf(machine: string): ObservedLife | undefined {
    if (machine === 'session') return this.session;
    if (machine === 'client') return this.client;
    return machine === 'backend' ? this.backend : this.other;
  }
}

/** Causes are shared by many lives: each is put into words once. */
const texts = new WeakMap<Cause, string>();

function textOf(cause: Cause): string {
  let text = texts.get(cause);
  if (text === undefined) {
    text = causeText(cause);
    texts.set(cause, text);
  }
  return text;
}
