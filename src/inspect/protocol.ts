/**
 * What the live page is told, and asks for: JSON over HTTP, and a stream of server-sent events. The page and the server
 * share these types; a recording is lines of {@link RecordedLine}.
 *
 * Everything here may hold what a peer chose (a name, a code): it is text, and never markup.
 */
import type { Means } from '../machines/means.js';
import type { Cause } from '../machines/vocabulary.js';

/** What JSON can hold. */
export type Shown = null | boolean | number | string | readonly Shown[] | { readonly [name: string]: Shown };

/** A value of a user's machine that may be shown, or why there is none. */
export type Told = { readonly value: Shown } | { readonly problem: string };

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
  readonly means?: Means | undefined;
  readonly server?: string | undefined;
  readonly incarnation?: number | undefined;
  /** Of a client, its session and its backend: where the client comes from. */
  readonly peer?: string | undefined;
  /** Of a listed machine of the user's: the types of what it has emitted. */
  readonly commands?: readonly string[] | undefined;
  /** In a recording with machines of the user's: what the instance remembered after the step. */
  readonly context?: Told | undefined;
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
  /** How many instances are in each leaf state now; final states count those that have ended there. */
  readonly states: Readonly<Record<string, number>>;
  readonly edges: readonly EdgeInfo[];
  /** Of a listed machine of the user's: how many instances live. */
  readonly live?: number | undefined;
}

export interface Totals {
  /** Clients that came. */
  readonly accepted: number;
  readonly established: number;
  readonly retried: number;
  readonly failedOver: number;
  /** Clients that are gone, however that came. */
  readonly closed: number;
  /** Lost after they were established, by cause: `backend ECONNRESET`. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Instances that have ended, by how: of sessions. */
  readonly endings: Readonly<Record<string, number>>;
  readonly bytesFromClients: number;
  readonly bytesFromBackends: number;
}

/** A check of a server: when it ended (milliseconds since the epoch), how, in how many milliseconds, and why it did not pass. */
export type CheckInfo = readonly [
  at: number,
  result: 'passed' | 'failed' | 'undecided',
  tookMs: number | null,
  why?: string,
];

/** A server. What an object in place of a server does not tell is absent. Times are milliseconds since the epoch. */
export interface ServerRow {
  /** `server#7` on the transition channel; another text where it has no id, and then nothing can be asked of it. */
  readonly id: string;
  /** Its set: a place in {@link ServersNews.sets}. */
  readonly set: number;
  readonly name: string;
  /** Its state in a word: `up`, `ejected`, `draining` …; `untried` where it is up and nothing has shown that yet. */
  readonly state: string;
  readonly since?: number | undefined;
  /** When that state ends by itself. */
  readonly endsAt?: number | undefined;
  /** Why it is in its state, in words. */
  readonly why: string;
  readonly backup?: boolean | undefined;
  readonly weight?: number | undefined;
  /** Its part of the new connections by weight, from 0 to 1. */
  readonly share?: number | undefined;
  /** How much of its slow start is over, from 0 to 1. */
  readonly recovery?: number | undefined;
  readonly connections: number;
  readonly connectionsMax?: number | undefined;
  readonly waiting?: number | undefined;
  readonly chosen?: number | undefined;
  readonly failed?: number | undefined;
  /** In a row. */
  readonly failures: number;
  readonly ejections?: number | undefined;
  readonly failedAt?: number | undefined;
  /** What failed last, in words. */
  readonly failure?: string | undefined;
  /** The last ones, oldest first; absent where it is not checked. */
  readonly checks?: readonly CheckInfo[] | undefined;
  readonly nextCheckAt?: number | undefined;
}

/** A field that is gone is null. `checks` has only those that are new. */
export type ServerChanges = { readonly id: string } & {
  readonly [K in Exclude<keyof ServerRow, 'id'>]?: ServerRow[K] | null;
};

/**
 * `event: servers` of `GET /api/stream`, once a second if there is any news; `GET /api/servers` is the whole. The first one
 * of a stream is the whole (`isWhole`), and so is one that follows after some were skipped for a slow page. Any other has
 * only what has changed since the one before.
 */
export interface ServersNews {
  readonly at: number;
  readonly isWhole: boolean;
  /** Connections that wait in the queue of each set. */
  readonly sets: readonly { readonly waiting?: number | undefined }[];
  /** New servers, and what has changed of the others. A server that is new has all its fields. */
  readonly servers: readonly ServerChanges[];
  /** The ids of servers that are no longer there. */
  readonly gone: readonly string[];
}

/** `GET /api/servers/<id>` */
export interface ServerDetail {
  readonly server: ServerRow;
  readonly set: ServersNews['sets'][number];
  /** The server, and its checks if it has some. */
  readonly instances: readonly InstanceDetail[];
  /** Its last changes, oldest first. */
  readonly changes: readonly {
    readonly at: number;
    readonly from: string;
    readonly to: string;
    readonly why: string;
  }[];
  /** What can be asked of it now; otherwise why not. Empty where the page may ask for nothing. */
  readonly actions: readonly { readonly action: ServerAction; readonly problem?: string | undefined }[];
}

export interface ListenerInfo {
  readonly id: string;
  readonly state: string;
  readonly address: string;
  readonly canSuspend: boolean;
  readonly canResume: boolean;
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
  /** Connections alive at its end. */
  readonly live: number;
}

/** `event: overview` of `GET /api/stream`, some times a second: always the whole, so that a slow page may miss some. */
export interface Overview {
  readonly at: number;
  /** When the counting began: nothing is counted while no page is open. */
  readonly since: number;
  /** Transitions that were seen, and per second now. */
  readonly transitions: number;
  readonly transitionRate: number;
  readonly machines: readonly MachineInfo[];
  readonly totals: Totals;
  /** The last minutes, oldest first. */
  readonly seconds: readonly Second[];
  /** Connections that live: the rows of the table. */
  readonly live: number;
  /** Of a recording: why it has stopped by itself, if it has. */
  readonly recordingError?: string | undefined;
  readonly proxies: readonly { readonly id: string; readonly state: string }[];
  readonly listeners: readonly ListenerInfo[];
}

/**
 * `GET /api/connections?of=alive&machine=&sort=age&order=desc&filter=text&state=…&offset=0&limit=100`; `limit` at most 500. `machine`
 * is empty for connections, or the id of a listed machine of the user's, for its instances. `of` is
 * `alive` (which it is if left out), `ended`, or `dropped`: those that have lost an established connection, whether they have
 * ended since or not. Of those that have ended the last ones are remembered, and the last dropped ones apart. `filter` is
 * looked for in what a row shows; `state` is `session:relaying` or `backend:active.waiting`: a machine and a state, which
 * stands for those below it too.
 */
export interface ConnectionsPage {
  /** Those of the kind that was asked for. */
  readonly total: number;
  /** Those that the filter lets through. */
  readonly matching: number;
  readonly offset: number;
  readonly rows: readonly ConnectionRow[];
}

export interface ConnectionRow {
  /** Of its session; of its client while there is none; or of a backend that belongs to no client. */
  readonly id: string;
  readonly peer: string;
  readonly server: string;
  readonly state: string;
  readonly ageMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  readonly lastCause: string;
  /** Milliseconds since the epoch, once it has ended. */
  readonly endedAt?: number | undefined;
}

export const LISTED = ['alive', 'ended', 'dropped'] as const;
export type Listed = (typeof LISTED)[number];

export const SORTS = ['id', 'peer', 'server', 'state', 'age', 'bytes', 'cause'] as const;
export type Sort = (typeof SORTS)[number];

/** `GET /api/connections/<id>`, for the id of any of its instances (encoded: `session%237`); also for a listener or a proxy. */
export interface ConnectionDetail {
  readonly row: ConnectionRow;
  /** Milliseconds since the epoch when its last instance had ended. Those that ended last are remembered. */
  readonly endedAt?: number | undefined;
  /** The session (if there is one yet), its client and its backend. */
  readonly instances: readonly InstanceDetail[];
  /** Steps of all of them, oldest first; the oldest may have been forgotten. */
  readonly steps: readonly StepInfo[];
  readonly stepsForgotten: number;
}

export interface InstanceDetail {
  readonly id: string;
  readonly machine: string;
  readonly state: string;
  /** What this state is, from the machine. */
  readonly description: string;
  readonly inStateMs: number;
  /** Why it is in this state, in words. */
  readonly why: string;
  /** Events that it would act on now, and what they do. */
  readonly accepts: readonly { readonly event: string; readonly leadsTo: string; readonly description: string }[];
  readonly timers: readonly { readonly name: string; readonly remainingMs: number; readonly leadsTo: string }[];
  /** Of a listed machine of the user's: what the instance remembers. */
  readonly context?: Told | undefined;
}

/**
 * `POST /api/actions`, where they are allowed, with `content-type: application/json` and `x-sockchart: action`. Answered
 * by 204, or by `{ error }`. A connection is closed and aborted by any of its ids; `retry` is for one whose backend waits.
 * An instance of a listed machine is stopped, and nothing else.
 */
export interface ActionRequest {
  readonly action: 'close' | 'abort' | 'drain' | 'suspend' | 'resume' | 'retry' | 'stop' | ServerAction;
  /** A connection, a listener, a proxy, a server, or an instance of a listed machine. */
  readonly id: string;
  /** Of `weight`: a whole number from 0 to 256. */
  readonly weight?: number | undefined;
}

/** What can be asked of a server. */
export const SERVER_ACTIONS = ['drain', 'maintain', 'up', 'restore', 'weight'] as const;
export type ServerAction = (typeof SERVER_ACTIONS)[number];

/** `GET /api/about` */
export interface About {
  readonly version: string;
  readonly actions: boolean;
  /** The machines whose diagrams there are: `GET /diagrams/<machine>.svg`. */
  readonly machines: readonly string[];
  /** Those of the user's among them. */
  readonly own: readonly string[];
  /** Whether what happens is written to a file. */
  readonly recording: boolean;
}

/**
 * `GET /api/export` is one HTML file that needs no server: this page, with what is remembered (or was recorded) in
 * `<script type="application/json" id="recording">`, an array of {@link RecordedLine}, and the pictures in
 * `<script type="application/json" id="diagrams">`, by machine. `GET /api/export?empty` has no steps in it: a page that has
 * opened a recording puts its own there. `GET /api/recording` is the lines themselves.
 */

/** A recording: the first line of a file says what it is, each other one is a step, or says that some are missing. */
export interface RecordedHead {
  readonly sockchart: string;
  readonly recording: 1;
  readonly startedAt: number;
  /** What the files of one run have in common, and those of other runs have not. */
  readonly run?: string | undefined;
  /** Which of the files of its run this is, from 1. */
  readonly part?: number | undefined;
  /** Steps that were written into the parts before. */
  readonly before?: number | undefined;
}
/** The disk was slower than what happened: so many steps are missing here. */
export interface RecordedGap {
  readonly at: number;
  readonly missing: number;
}
/** The last line: all that was recorded until then is in the file. Without it the process has died, or still records. */
export interface RecordedEnd {
  readonly at: number;
  /** Steps that were written, in this file and those before. */
  readonly end: number;
  /** True where another file goes on. */
  readonly continues?: true | undefined;
}
export type RecordedLine = RecordedHead | StepInfo | RecordedGap | RecordedEnd;
