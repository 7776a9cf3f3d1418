/// <reference types="node" preserve="true" />
/**
 * One program on many processes: a module that makes a proxy, run in several workers by `node:cluster`. A worker that
 * dies is replaced, a close drains them all, a reload replaces all of them at once.
 *
 * @module
 */

export {
  Cluster,
  type ClusterEvents,
  createCluster,
  type ReloadOptions,
} from './cluster.js';
export { WorkerError } from './error.js';
export type { PartAddress } from './messages.js';
export type { ClusterModule, ClusterPart, ModuleContext } from './module.js';
export type { ClusterOptions, Scheduling } from './options.js';
export type { WorkerReport } from './reports.js';
export { ClusterServer, ClusterServers } from './servers.js';
export { sharedServer } from './shared.js';
export type { WorkerInfo } from './worker.js';
