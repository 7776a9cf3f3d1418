/** Metrics for Prometheus, by the package `prom-client`. */
import { OptionError } from '../errors.js';
import { everyOption, onlyKnown } from '../options.js';
import {
  BUCKETS,
  COUNTERS,
  checkedProxies,
  follow,
  GAUGES,
  type GaugeName,
  HISTOGRAMS,
  type Labels,
  METRICS_OPTIONS,
  type Metrics,
  type MetricsOptions,
  mapOf,
  read,
} from './source.js';

interface Settings {
  name: string;
  help: string;
  labelNames: string[];
  // biome-ignore lint/suspicious/noExplicitAny: a registry of prom-client, of whichever version.
  registers: any[];
}

/** What is needed of `prom-client`: `import client from 'prom-client'`. */
export interface PromClient {
  /** Makes a counter. */
  readonly Counter: new (
    settings: Settings,
  ) => { inc(labels: Record<string, string>, value: number): void };
  /** Makes a gauge. */
  readonly Gauge: new (
    settings: Settings & { collect?: () => void },
  ) => { set(labels: Record<string, string>, value: number): void; reset(): void };
  /** Makes a histogram. */
  readonly Histogram: new (
    settings: Settings & { buckets: number[] },
  ) => { observe(labels: Record<string, string>, value: number): void };
  /** Its own registry. */
  readonly register: PromRegistry;
}

/** What is needed of a registry of `prom-client`. */
export interface PromRegistry {
  /** Takes a metric out. */
  removeSingleMetric(name: string): void;
}

/** Options of {@link prometheusMetrics}. */
export interface PrometheusOptions extends MetricsOptions {
  /** The module `prom-client`. */
  readonly client: PromClient;
  /** Where the metrics are registered. Default: the module's own `register`. */
  readonly registry?: PromRegistry | undefined;
}

const OPTIONS = [...METRICS_OPTIONS, ...everyOption<Omit<PrometheusOptions, 'proxies'>>()('client', 'registry')];

/** `session.duration` is `sockchart_session_duration`. */
const nameOf = (name: string, suffix: string): string => `sockchart_${name.replaceAll('.', '_')}${suffix}`;

const labelNames = (labels: readonly string[]): string[] => labels.map((label) => label.replaceAll('.', '_'));

const labelsOf = (labels: Labels): Record<string, string> =>
  'error.type' in labels ? { ...without(labels), error_type: labels['error.type'] as string } : labels;

function without({ 'error.type': _, ...labels }: Labels): Labels {
  return labels;
}

/**
 * Registers the metrics of proxies with `prom-client` (version 15), which the program installs. Until it is called nothing is
 * measured, and nothing costs; what had ended before is not counted. docs/metrics.md lists the metrics.
 *
 * @throws OptionError
 * @throws what prom-client throws where a metric of the same name is registered already
 * @example
 * ```ts
 * import http from 'node:http';
 * import client from 'prom-client';
 * import { prometheusMetrics } from 'sockchart/metrics';
 *
 * prometheusMetrics({ client, proxies: [proxy] });
 * http
 *   .createServer(async (_request, response) => response.end(await client.register.metrics()))
 *   .listen(9464, '127.0.0.1');
 * ```
 */
export function prometheusMetrics(options: PrometheusOptions): Metrics {
  onlyKnown('prometheusMetrics', options, OPTIONS);
  const proxies = checkedProxies(options.proxies);
  const { client } = options;
  if ([client?.Counter, client?.Gauge, client?.Histogram].some((made) => typeof made !== 'function')) {
    throw new OptionError('client', client, "the module prom-client, as in import client from 'prom-client'");
  }
  const registry = options.registry ?? client.register;
  if (typeof registry?.removeSingleMetric !== 'function') {
    throw new OptionError('registry', registry, 'a Registry of prom-client');
  }
  const names: string[] = [];
  const settings = (name: string, help: string, labels: readonly string[]): Settings => {
    names.push(name);
    return { name, help: `${help}.`, labelNames: labelNames(labels), registers: [registry] };
  };
  const remove = (): void => {
    for (const name of names) registry.removeSingleMetric(name);
  };
  try {
    const counters = mapOf(
      COUNTERS,
      (name, { help, labels }) => new client.Counter(settings(nameOf(name, '_total'), help, labels)),
    );
    const histograms = mapOf(
      HISTOGRAMS,
      (name, { help, labels }) =>
        new client.Histogram({ ...settings(nameOf(name, '_seconds'), help, labels), buckets: [...BUCKETS] }),
    );
    mapOf(GAUGES, (name, { help, labels }) => {
      const gauge = new client.Gauge({
        ...settings(nameOf(name, ''), help, labels),
        collect() {
          // Parts that are gone must not be shown with their last value.
          gauge.reset();
          read(proxies, (seen: GaugeName, value, at) => {
            if (seen === name) gauge.set(labelsOf(at), value);
          });
        },
      });
      return gauge;
    });
    const stop = follow(proxies, {
      add: (name, value, labels) => counters[name].inc(labelsOf(labels), value),
      record: (name, seconds, labels) => histograms[name].observe(labelsOf(labels), seconds),
    });
    return {
      stop() {
        stop();
        remove();
      },
    };
  } catch (error) {
    // The last one was not registered: another one has its name.
    names.pop();
    remove();
    throw error;
  }
}
