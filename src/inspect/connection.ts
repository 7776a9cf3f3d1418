/** A connection and its instances, with their steps: packed, because there may be a hundred thousand connections. */
import type { Cause } from '../machines/vocabulary.js';
import type { OwnRun } from '../runtime/roster.js';
import type { Counted } from './counts.js';
import type { Edge } from './edges.js';
import type { Place } from './plain.js';
import type { StepInfo, Told } from './protocol.js';
import type { LiveBackend, LiveClient, LiveSession } from './registry.js';
import { causeText, eventText } from './words.js';

/** A running machine, as it is observed. */
export interface ObservedInstance extends Counted {
  readonly id: string;
  readonly machine: string;
  readonly connection: ObservedConnection;
  /** Since when it is in this state: milliseconds since the epoch. */
  since: number;
  cause: Cause | undefined;
  place: Place | undefined;
  /** Its machine is one that the user lists. */
  readonly isOwn: boolean;
  /** The instance itself, if its machine is listed and it lives. */
  run: OwnRun | undefined;
  /** What it remembered at its end, as far as that may be shown. */
  lastContext: Told | undefined;
}

/** A step takes five of these: tenths of milliseconds since the connection began, the edge, the cause, the place, the commands. */
type Packed = number | Edge | Cause | Place | readonly string[] | undefined;
export const STEP = 5;

/** A client with its session and its backend; or an instance that belongs to no connection. */
export class ObservedConnection {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  client: ObservedInstance | undefined = undefined;
  session: ObservedInstance | undefined = undefined;
  backend: ObservedInstance | undefined = undefined;
  /** An instance of another machine. */
  other: ObservedInstance | undefined = undefined;
  /** The handle to ask, while the connection lives. */
  live: LiveSession | LiveClient | LiveBackend | undefined = undefined;
  peer = '';
  bytesFromClient = 0;
  bytesFromBackend = 0;
  /** Instances that have not ended. */
  living = 0;
  endedAt: number | undefined = undefined;
  /** It has lost an established connection. */
  wasDropped = false;
  /** Why it has ended, where no transition tells: it was stopped, or has failed. */
  ending = '';
  /** Steps that are no longer remembered. */
  forgotten = 0;
  /** @internal The list of live connections links its members by these two fields. */
  previous: ObservedConnection | undefined = undefined;
  /** @internal */
  next: ObservedConnection | undefined = undefined;
  /** @internal */
  readonly packed: Packed[] = [];

  constructor(number: number, since: number) {
    this.number = number;
    this.since = since;
  }

  /** The instance that stands for it. */
  get main(): ObservedInstance {
    return (this.session ?? this.client ?? this.backend ?? this.other) as ObservedInstance;
  }

  get id(): string {
    return this.main.id;
  }

  get instances(): ObservedInstance[] {
    return [this.session, this.client, this.backend, this.other].filter((instance) => instance !== undefined);
  }

  /** True while it has no part of this kind. An instance of a user's machine is a connection by itself. */
  isWithout(machine: string): boolean {
    if (this.other !== undefined) return false;
    return (machine === 'session' || machine === 'client' || machine === 'backend') && this[machine] === undefined;
  }

  /** Another part of it is met. @param handle what can be asked about the part, if it is known */
  add(instance: ObservedInstance, handle: LiveSession | LiveClient | LiveBackend | undefined): void {
    const { machine } = instance;
    if (machine !== 'session' && machine !== 'client' && machine !== 'backend') {
      this.other = instance;
      return;
    }
    this[machine] = instance;
    // A session knows its client and its backend.
    if (machine === 'session') this.live = handle ?? this.live;
    else this.live ??= handle;
  }

  /** Bytes read from either side. */
  get bytes(): LiveSession['bytes'] {
    try {
      if (this.live !== undefined && 'bytes' in this.live) return this.live.bytes;
    } catch {
      // A getter of a user's object may throw.
    }
    return { fromClient: this.bytesFromClient, fromBackend: this.bytesFromBackend };
  }

  /** Keeps the bytes of a session that ends: its handle is not kept. */
  noteBytes(): void {
    const { fromClient, fromBackend } = this.bytes;
    this.bytesFromClient = fromClient;
    this.bytesFromBackend = fromBackend;
  }

  /** Its last part has ended. */
  end(at: number): void {
    this.noteBytes();
    this.endedAt = at;
    this.live = undefined;
  }

  get server(): string {
    return this.backend?.place?.server ?? '';
  }

  /** Its last cause in words; of an instance of a listed machine its last event, where there is none. */
  get lastCause(): string {
    if (this.ending !== '') return this.ending;
    // A leg may know a cause before its session does.
    const cause = this.main.cause ?? this.backend?.cause ?? this.client?.cause;
    if (cause !== undefined) return textOf(cause);
    const { isOwn = false } = this.other ?? {};
    const last = this.packed[this.packed.length - STEP + 1] as Edge | undefined;
    return isOwn && last !== undefined ? eventText(last.event) : '';
  }

  /** Its steps since then, oldest first. */
  steps(from = 0): StepInfo[] {
    const steps: StepInfo[] = [];
    const { packed, peer } = this;
    for (let at = 0; at < packed.length; at += STEP) {
      if (this.since + (packed[at] as number) / 10 < from) continue;
      const edge = packed[at + 1] as Edge;
      const cause = packed[at + 2] as Cause | undefined;
      const place = packed[at + 3] as Place | undefined;
      const commands = packed[at + 4] as readonly string[] | undefined;
      const { machine } = edge.chart;
      steps.push({
        at: this.since + (packed[at] as number) / 10,
        who: this.#instanceOf(machine)?.id ?? machine,
        machine,
        from: edge.from,
        event: edge.event,
        to: edge.to.path,
        ...(edge.means !== undefined && { means: edge.means }),
        ...(cause !== undefined && { cause }),
        ...(place?.server !== undefined && { server: place.server }),
        ...(place?.incarnation !== undefined && { incarnation: place.incarnation }),
        ...(peer !== '' && { peer }),
        ...(commands !== undefined && { commands }),
      });
    }
    return steps;
  }

  #instanceOf(machine: string): ObservedInstance | undefined {
    if (machine === 'session') return this.session;
    if (machine === 'client') return this.client;
    return machine === 'backend' ? this.backend : this.other;
  }
}

/** Many instances share a cause: each is put into words once. */
const texts = new WeakMap<Cause, string>();

function textOf(cause: Cause): string {
  let text = texts.get(cause);
  if (text === undefined) {
    text = causeText(cause);
    texts.set(cause, text);
  }
  return text;
}
