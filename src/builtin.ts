/**
 * Node's modules that most programs never need, loaded when one does: `tls` alone takes longer than all of this library, and
 * several megabytes. An `import` of one of them also loads what only some of its exports need: that of `node:fs` loads
 * `readline`, and that of `node:util` a parser of arguments.
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
  get fs(): typeof import('node:fs') {
    return getBuiltinModule('node:fs');
  },
  get os(): typeof import('node:os') {
    return getBuiltinModule('node:os');
  },
  get tls(): typeof import('node:tls') {
    return getBuiltinModule('node:tls');
  },
  get url(): typeof import('node:url') {
    return getBuiltinModule('node:url');
  },
  get util(): typeof import('node:util') {
    return getBuiltinModule('node:util');
  },
  get workers(): typeof import('node:worker_threads') {
    return getBuiltinModule('node:worker_threads');
  },
};
