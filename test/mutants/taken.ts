/** Notes which transitions each test takes, so that a mutant is shown only to tests that can tell. */
import { subscribe } from 'node:diagnostics_channel';
import { afterEach } from 'vitest';
import { TRANSITION_CHANNEL } from '../../src/runtime/channel.js';
import type { Transition } from '../../src/runtime/life.js';

declare module 'vitest' {
  interface TaskMeta {
    /** `client live.accepted.open owner.admitted live.established.open` */
    taken?: string[];
  }
}

if (process.env.SOCKCHART_MUTANT === undefined) {
  const taken = new Set<string>();
  subscribe(TRANSITION_CHANNEL, (message) => {
    const { machine, from, event, to } = message as Transition;
    taken.add([machine, from || '-', event, to].join(' '));
  });
  afterEach(({ task }) => {
    task.meta.taken = [...taken];
    taken.clear();
  });
}
