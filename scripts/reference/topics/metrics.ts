/**
 * The entry point `sockchart/metrics`: what proxies do, in numbers. docs/metrics.md lists the metrics.
 *
 * @module
 */
export {
  type Meter,
  type Metrics,
  type MetricsOptions,
  type OpenTelemetryOptions,
  openTelemetryMetrics,
  type PromClient,
  type PrometheusOptions,
  type PromRegistry,
  prometheusMetrics,
} from 'sockchart/metrics';
