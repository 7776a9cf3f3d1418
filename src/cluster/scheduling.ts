import nodeCluster from 'node:cluster';
import { NotSupportedError } from '../errors.js';
import type { Scheduling } from './options.js';

const POLICIES: Record<Scheduling, number> = { roundRobin: nodeCluster.SCHED_RR, system: nodeCluster.SCHED_NONE };

/**
 * Node reads the policy once, when the first worker of the process is prepared.
 *
 * @throws NotSupportedError where it has read another one
 */
export function setScheduling(scheduling: Scheduling | undefined): void {
  if (scheduling === undefined || nodeCluster.schedulingPolicy === POLICIES[scheduling]) return;
  if (Object.keys(nodeCluster.settings).length > 0) {
    throw new NotSupportedError(
      `This process has forked workers with another scheduling than "${scheduling}" already; node:cluster knows only one.`,
    );
  }
  nodeCluster.schedulingPolicy = POLICIES[scheduling];
}
