/// <reference types="node" preserve="true" />
/**
 * What proxies do, in numbers: for `prom-client` and for `@opentelemetry/api`, which the program installs.
 *
 * @module
 */
export { type Meter, type OpenTelemetryOptions, openTelemetryMetrics } from './opentelemetry.js';
export {
  type PromClient,
  type PrometheusOptions,
  type PromRegistry,
  prometheusMetrics,
} from './prometheus.js';
export type { Metrics, MetricsOptions } from './source.js';
