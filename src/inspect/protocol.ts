/**
 * What the live page is told, and asks for: JSON over HTTP, and a stream of server-sent events. The page and the server
 * share these types; a recording is lines of {@link RecordedLine}.
 *
 * Everything here may hold what a peer chose (a name, a code): it is text, and never markup.
 */
import type { Cause } from '../machines/vocabulary.js';

/** A transition, as short as it can be sent: fields of `sockchart:transition`. */
export interface StepInfo {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly who: string;
  readonly machine: string;
  readonly from: string;
  /** As in the diagrams; `xstate.after.<timer>.<state>` for a timer. */
  readonly event: string;
  readonly to: string;
  readonly cause?: Cause | undefined;
  readonly server?: string | undefined;
  readonly incarnation?: number | undefined;
}

/** How often an edge of a statechart was taken: `from`, `event`, `to`, as in the diagrams. */
export interface EdgeInfo {
  readonly from: string;
  readonly event: string;
  readonly to: string;
  readonly total: number;
  /** Per second, over the last seconds. */
  readonly rate: number;
}

export interface MachineInfo {
  readonly machine: string;
  /** How many lives are in each leaf state now; final states count those that have ended there. */
  readonly states: Readonly<Record<string, number>>;
  readonly edges: readonly EdgeInfo[];
}

export interface Totals {
  readonly accepted: number;
  readonly established: number;
  readonly retried: number;
  readonly failedOver: number;
  /** Lost after they were established, by cause: `backend ECONNRESET`. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Lives that have ended, by how: of sessions. */
  readonly endings: Readonly<Record<string, number>>;
  readonly bytesFromClients: number;
  readonly bytesFromBackends: number;
}

export interface ServerInfo {
  readonly name: string;
  readonly connections: number;
  readonly failures: number;
  readonly state: string;
}

/** One second of the time line. */
export interface Second {
  /** Milliseconds since the epoch, a whole second. */
  readonly at: number;
  readonly accepted: number;
  readonly established: number;
  readonly retried: number;
  readonly failedOver: number;
  readonly dropped: number;
  readonly closed: number;
  /** Sessions alive at its end. */
  readonly live: number;
}

/** `event: overview` of `GET /api/stream`, some times a second: always the whole, so that a slow page may miss some. */
export interface Overview {
  readonly at: number;
  /** Transitions that were seen, and per second now. */
  readonly transitions: number;
  readonly transitionRate: number;
  readonly machines: readonly MachineInfo[];
  readonly totals: Totals;
  readonly servers: readonly ServerInfo[];
  /** The last minutes, oldest first. */
  readonly seconds: readonly Second[];
  readonly live: number;
  readonly listeners: readonly { readonly id: string; readonly state: string; readonly address: string }[];
}

/** `GET /api/connections?sort=age&order=desc&filter=text&state=…&offset=0&limit=100` */
export interface ConnectionsPage {
  readonly total: number;
  /** Those that the filter lets through. */
  readonly matching: number;
  readonly offset: number;
  readonly rows: readonly ConnectionRow[];
}

export interface ConnectionRow {
  readonly id: string;
  readonly peer: string;
  readonly server: string;
  readonly state: string;
  readonly ageMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  readonly lastCause: string;
}

export const SORTS = ['id', 'peer', 'server', 'state', 'age', 'bytes', 'cause'] as const;
export type Sort = (typeof SORTS)[number];

/** `GET /api/connections/<id>` */
export interface ConnectionDetail {
  readonly row: ConnectionRow;
  /** The session (if there is one yet), its client and its backend. */
  readonly lives: readonly LifeDetail[];
  /** Steps of all of them, oldest first; the oldest may have been forgotten. */
  readonly steps: readonly StepInfo[];
  readonly stepsForgotten: number;
}

export interface LifeDetail {
  readonly id: string;
  readonly machine: string;
  readonly state: string;
  /** What this state is, from the machine. */
  readonly description: string;
  readonly inStateMs: number;
  /** Events that it would act on now, and what they do. */
  readonly accepts: readonly { readonly event: string; readonly leadsTo: string; readonly description: string }[];
  readonly timers: readonly { readonly name: string; readonly remainingMs: number; readonly leadsTo: string }[];
}

/** `POST /api/actions`, where they are allowed. */
export interface ActionRequest {
  readonly action: 'close' | 'abort' | 'drain' | 'suspend' | 'resume' | 'retry';
  /** A connection, or a proxy. */
  readonly id: string;
}

/** `GET /api/about` */
export interface About {
  readonly version: string;
  readonly actions: boolean;
  /** The machines whose diagrams there are: `GET /diagrams/<machine>.svg`. */
  readonly machines: readonly string[];
  readonly recording: boolean;
}

/** A recording: the first line says what it is, each other one is a step. */
export interface RecordedHead {
  readonly sockchart: string;
  readonly recording: 1;
  readonly startedAt: number;
}
export type RecordedLine = RecordedHead | StepInfo;
