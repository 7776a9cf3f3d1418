/** Metrics for OpenTelemetry, by the package `@opentelemetry/api`. */
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
  METRICS_OPTIONS,
  type Metrics,
  type MetricsOptions,
  mapOf,
  read,
} from './source.js';

type Attributes = Record<string, string>;

/** What an instrument is made with. */
interface About {
  description: string;
  unit: string;
  advice?: { explicitBucketBoundaries: number[] };
}

/** What is observed of several instruments at once. */
interface Result {
  // biome-ignore lint/suspicious/noExplicitAny: an instrument of whichever version of the API.
  observe(instrument: any, value: number, attributes: Attributes): void;
}

/** What is needed of a meter: `metrics.getMeter('my-proxy')` of `@opentelemetry/api`. */
export interface Meter {
  /** Makes a counter. */
  createCounter(name: string, about: About): { add(value: number, attributes: Attributes): void };
  /** Makes a histogram. */
  createHistogram(name: string, about: About): { record(value: number, attributes: Attributes): void };
  /** Makes a gauge that is read when metrics are exported. */
  createObservableGauge(name: string, about: About): object;
  /** Has a function read several gauges at once. */
  // biome-ignore lint/suspicious/noExplicitAny: callbacks and instruments of whichever version of the API.
  addBatchObservableCallback(callback: (result: any) => void, instruments: any[]): void;
  /** Undoes {@link addBatchObservableCallback}. */
  // biome-ignore lint/suspicious/noExplicitAny: callbacks and instruments of whichever version of the API.
  removeBatchObservableCallback(callback: (result: any) => void, instruments: any[]): void;
}

/** Options of {@link openTelemetryMetrics}. */
export interface OpenTelemetryOptions extends MetricsOptions {
  /** What makes the instruments. */
  readonly meter: Meter;
}

const OPTIONS = [...METRICS_OPTIONS, ...everyOption<Omit<OpenTelemetryOptions, 'proxies'>>()('meter')];

const METHODS = [
  'createCounter',
  'createHistogram',
  'createObservableGauge',
  'addBatchObservableCallback',
  'removeBatchObservableCallback',
] as const;

/**
 * Makes the instruments of proxies by `@opentelemetry/api` (from version 1.9), which the program installs together with an SDK. Until
 * it is called nothing is measured, and nothing costs; what had ended before is not counted. docs/metrics.md lists the
 * instruments.
 *
 * @throws OptionError
 * @example
 * ```ts
 * import { metrics } from '@opentelemetry/api';
 * import { openTelemetryMetrics } from 'sockchart/metrics';
 *
 * openTelemetryMetrics({ meter: metrics.getMeter('my-proxy'), proxies: [proxy] });
 * ```
 */
export function openTelemetryMetrics(options: OpenTelemetryOptions): Metrics {
  onlyKnown('openTelemetryMetrics', options, OPTIONS);
  const proxies = checkedProxies(options.proxies);
  const { meter } = options;
  if (METHODS.some((method) => typeof meter?.[method] !== 'function')) {
    throw new OptionError('meter', meter, "a Meter, as metrics.getMeter('my-proxy') of @opentelemetry/api gives it");
  }
  const counters = mapOf(COUNTERS, (name, { help, unit }) =>
    meter.createCounter(`sockchart.${name}`, { description: help, unit }),
  );
  const histograms = mapOf(HISTOGRAMS, (name, { help }) =>
    meter.createHistogram(`sockchart.${name}`, {
      description: help,
      unit: 's',
      advice: { explicitBucketBoundaries: [...BUCKETS] },
    }),
  );
  const gauges = mapOf(GAUGES, (name, { help, unit }) =>
    meter.createObservableGauge(`sockchart.${name}`, { description: help, unit }),
  );
  const observe = (result: Result): void =>
    read(proxies, (name: GaugeName, value, labels) => result.observe(gauges[name], value, labels));
  const instruments = Object.values(gauges);
  meter.addBatchObservableCallback(observe, instruments);
  const stop = follow(proxies, {
    add: (name, value, labels) => counters[name].add(value, labels),
    record: (name, seconds, labels) => histograms[name].record(seconds, labels),
  });
  return {
    stop() {
      stop();
      meter.removeBatchObservableCallback(observe, instruments);
    },
  };
}
