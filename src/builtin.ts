/**
 * Node's modules that most programs never need, loaded when one does: `tls` alone takes longer than all of this library, and
 * several megabytes.
 */
import type { Cluster } from 'node:cluster';

const { getBuiltinModule } = process;

export const builtin = {
  get cluster(): Cluster {
    // Its declarations are those of the ES module, which has one thing more.
    return getBuiltinModule('node:cluster') as unknown as Cluster;
  },
  get crypto(): typeof import('node:crypto') {
    return getBuiltinModule('node:crypto');
  },
  get dns(): typeof import('node:dns') {
    return getBuiltinModule('node:dns');
  },
  get os(): typeof import('node:os') {
    return getBuiltinModule('node:os');
  },
  get tls(): typeof import('node:tls') {
    return getBuiltinModule('node:tls');
  },
  get workers(): typeof import('node:worker_threads') {
    return getBuiltinModule('node:worker_threads');
  },
};
