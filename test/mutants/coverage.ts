/** Notes which transitions each test takes, so that a mutant is shown only to tests that can tell. */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll } from 'vitest';
import { TRANSITION_CHANNEL } from '../../src/runtime/channel.js';
import type { Transition } from '../../src/runtime/instance.js';

declare module 'vitest' {
  interface TaskMeta {
    /** `client live.accepted.open owner.admitted live.established.open` */
    taken?: string[];
    /** The mutants of plain code that the test, or the import of its file, has reached. */
    reached?: string[];
  }
}

if (process.env.SOCKCHART_MUTANT === undefined) {
  const taken = new Set<string>();
  // Tests of who subscribes to transitions must not find this subscriber.
  if (process.env.SOCKCHART_TAKEN !== undefined) {
    subscribe(TRANSITION_CHANNEL, (message) => {
      const { machine, from, event, to } = message as Transition;
      taken.add([machine, from || '-', event, to].join(' '));
    });
  }
  const { SOCKCHART_REACHED: file } = process.env;
  /** What was reached since the last call, in this process and in those that it has started. */
  const reached = (): string[] => {
    const here = (globalThis as { __reached?: Set<string> }).__reached;
    const elsewhere = file === undefined ? [] : readFileSync(file, 'utf8').split('\n').filter(Boolean);
    const all = [...new Set([...(here ?? []), ...elsewhere])];
    here?.clear();
    if (file !== undefined) writeFileSync(file, '');
    return all;
  };
  let imported: string[] = [];
  beforeAll(() => {
    imported = reached();
  });
  afterEach(({ task }) => {
    task.meta.reached = [...new Set([...imported, ...reached()])];
    task.meta.taken = [...taken];
    taken.clear();
  });
}
