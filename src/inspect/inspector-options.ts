/** The options of the live page. */
import type { AnyStateMachine } from 'xstate';
import { OptionError } from '../errors.js';
import { port as checkPort, count, flag, hook, integer, onlyKnown, type Timeout, text, timeout } from '../options.js';
import type { ObserverOptions } from './observer.js';
import { checkMachines, OwnMachines, type Redact } from './own-machines.js';
import type { Recorder } from './record.js';
import type { Registry } from './registry.js';

/** Options of {@link createInspectorServer}. */
export interface InspectorOptions {
  /** TCP port. Default 0: one that is free. */
  readonly port?: number | undefined;
  /** Where to listen. Default `127.0.0.1`: only this machine can connect. The connection is not encrypted. */
  readonly host?: string | undefined;
  /** Other names that a browser may call this host by, as in its address bar: `box.example:9000`. */
  readonly names?: readonly string[] | undefined;
  /** Proxies, or objects of their shape: servers, listeners and earlier connections are read from them. */
  readonly proxies?: readonly Registry[] | undefined;
  /**
   * Machines of your own: the page shows each like the library's, with its picture, its instances, and what they remember. To
   * draw the pictures needs the package `elkjs`; without it the page shows tables. Default: none.
   */
  readonly machines?: readonly AnyStateMachine[] | undefined;
  /** Decides what of the contexts of these machines the page shows. Default: everything. */
  readonly redact?: Redact | undefined;
  /**
   * Whether the page may close, abort, drain, suspend, resume and retry, and drain, maintain, take back, restore and weigh
   * servers. Default false: it only reads.
   */
  readonly actions?: boolean | undefined;
  /** Called after each action of a page, so that it can be logged. What it throws is an uncaught exception. */
  readonly onAction?: ((action: PageAction) => void) | undefined;
  /** A recording under way, which the page then offers. */
  readonly recorder?: Recorder | undefined;
  /** How long it goes on counting after the last page has left, in milliseconds. Default 60 000. */
  readonly watchFor?: Timeout | undefined;
  /** Steps that are remembered of one connection. Default 64. */
  readonly stepsPerConnectionMax?: number | undefined;
  /** Steps that are remembered of all connections together. Default 1 000 000: about 40 MB. */
  readonly stepsMax?: number | undefined;
  /** Connections that have ended and are remembered. Default 1 000. */
  readonly endedMax?: number | undefined;
}

/** What a page has done, for {@link InspectorOptions.onAction}. */
export interface PageAction {
  /** `close`, `abort`, `drain`, `suspend`, `resume`, `retry`, `stop`; of a server `drain`, `maintain`, `up`, `restore`, `weight`. */
  readonly action: string;
  /** The connection, listener, proxy, server or instance: `server#7`. */
  readonly id: string;
  /** The name of the server, of an action on a server. */
  readonly server?: string | undefined;
  /** The new weight, of `weight`. */
  readonly weight?: number | undefined;
  /** The address that the browser has connected from. */
  readonly from: string;
}

const INSPECTOR_OPTIONS = [
  'port',
  'host',
  'names',
  'proxies',
  'machines',
  'redact',
  'actions',
  'onAction',
  'recorder',
  'watchFor',
  'stepsPerConnectionMax',
  'stepsMax',
  'endedMax',
] as const;

/** The options, checked. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly observer: ObserverOptions;
  readonly proxies: readonly Registry[];
  readonly own: OwnMachines;
  readonly names: readonly string[];
  readonly actions: boolean;
  readonly onAction: ((action: PageAction) => void) | undefined;
  readonly recorder: Recorder | undefined;
  readonly watchFor: number;
}

/** @throws OptionError */
export function settingsOf(options: InspectorOptions): Settings {
  onlyKnown('createInspectorServer', options, INSPECTOR_OPTIONS);
  const host = options.host === undefined ? '127.0.0.1' : text('host', options.host);
  const port = options.port === undefined ? 0 : checkPort('port', options.port);
  const { names = [], proxies = [], recorder } = options;
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && name !== '')) {
    throw new OptionError('names', names, 'a list of names such as box.example:9000');
  }
  if (!Array.isArray(proxies) || !proxies.every(isRegistry)) {
    throw new OptionError('proxies', proxies, 'a list of what createProxy() returns');
  }
  if (recorder !== undefined && typeof recorder?.file !== 'string') {
    throw new OptionError('recorder', recorder, 'what record() returns');
  }
  const own = new OwnMachines(checkMachines(options.machines), hook('redact', options.redact));
  return {
    host,
    port,
    names,
    proxies,
    own,
    recorder,
    observer: {
      registries: proxies,
      own,
      stepsPerConnectionMax: integer('stepsPerConnectionMax', options.stepsPerConnectionMax, 64, 2, 65_536),
      stepsMax: count('stepsMax', options.stepsMax, 1_000_000),
      endedMax: integer('endedMax', options.endedMax, 1_000, 1, 1_000_000),
    },
    actions: flag('actions', options.actions, false),
    onAction: told(hook('onAction', options.onAction)),
    watchFor: timeout('watchFor', options.watchFor, 60_000),
  };
}

/** An answer to a page does not wait for the user's function, and does not fail with it. */
function told(onAction: InspectorOptions['onAction']): Settings['onAction'] {
  return onAction && ((action) => process.nextTick(onAction, action));
}

function isRegistry(proxy: unknown): proxy is Registry {
  const { id, sessions, listeners, backends, servers } = (proxy ?? {}) as Partial<Registry>;
  const isListed = [sessions, listeners, backends, servers?.list].every(Array.isArray);
  return typeof id === 'string' && isListed && typeof servers?.clock?.now === 'function';
}
