/// <reference types="node" preserve="true" />
/**
 * Watch connections move through their statecharts.
 *
 * @module
 */
export { type Exported, type ExportOptions, exportRecording } from './export.js';
export type { InspectorOptions, PageAction } from './inspector-options.js';
export type { Redact, Redacted } from './own-machines.js';
export { type Recorder, type RecordOptions, record } from './record.js';
export type {
  LiveBackend,
  LiveClient,
  LiveHandle,
  LiveListener,
  LiveServer,
  LiveServers,
  LiveSession,
  Registry,
} from './registry.js';
export { createInspectorServer, type InspectorServer } from './server.js';
export { type Inspection, type InspectOptions, inspectWith, type StatelyInspector } from './stately.js';
