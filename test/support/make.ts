/** Handles with short waits, so that a test sees them end; no jitter, so that it can compare them. */
import {
  type Backend,
  type BackendOptions,
  createBackend,
  createListener,
  createProxy,
  type Listener,
  type ListenerOptions,
  type ProxyOptions,
  type TcpProxy,
} from '../../src/index.js';
import type { Bench } from './bench.js';
import { recordBackend, recordProxy } from './record.js';
import { within } from './wait.js';

/** The waits that a proxy knows as well as a backend. */
export const PROXY_WAITS = {
  queueTimeout: 400,
  connectTimeout: 2_000,
  disposeTimeout: 300,
  closeTimeout: 250,
  abortTimeout: 250,
  lingerTimeout: 100,
  lingerMax: 500,
} as const;

/** The waits of a backend. */
export const WAITS = { ...PROXY_WAITS, prepareTimeout: 300, holdTimeout: 150 } as const;

export const BACKOFF = { initialMs: 10, maxMs: 40, jitter: 0 } as const;

export const LOOPBACK = { host: '127.0.0.1', port: 0 } as const;

export interface MadeProxy {
  readonly proxy: TcpProxy;
  readonly seen: string[];
  readonly at: { readonly host: string; readonly port: number };
}

export function makers(bench: Bench) {
  return {
    makeBackend(options: BackendOptions): { backend: Backend; seen: string[] } {
      const policy = Array.isArray(options.servers) ? { backoff: BACKOFF } : {};
      const backend = bench.keep(createBackend({ clock: bench.clock, ...WAITS, ...policy, ...options }));
      return { backend, seen: recordBackend(backend) };
    },

    makeListener(options: ListenerOptions = {}): Listener {
      const where = options.path ?? options.fd ?? options.server ?? options.port;
      return bench.keep(
        createListener({
          clock: bench.clock,
          abortTimeout: 250,
          closeTimeout: 250,
          lingerTimeout: 100,
          lingerMax: 500,
          ...(where === undefined && LOOPBACK),
          ...options,
        }),
      );
    },

    async makeProxy(options: Omit<ProxyOptions, 'listen'> & { listen?: ProxyOptions['listen'] }): Promise<MadeProxy> {
      const proxy = bench.keep(
        createProxy({
          listen: LOOPBACK,
          clock: bench.clock,
          ...PROXY_WAITS,
          backoff: BACKOFF,
          sessionConnectTimeout: 3_000,
          ...options,
        }),
      );
      const seen = recordProxy(proxy);
      await within(5_000, 'the start', proxy.start());
      return { proxy, seen, at: proxy.addresses[0] as MadeProxy['at'] };
    },
  };
}
