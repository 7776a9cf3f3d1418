import type { Outcome } from '../machines/vocabulary.js';

/** From best to worst. One that could not start, or was given up, had nothing left to lose. */
const SEVERITY: readonly string[] = ['failed', 'closed', 'aborted', 'dropped'];

/** How a cluster has ended whose workers ended so: as the worst of them. */
export function outcomeOf(ended: readonly Outcome[]): Outcome {
  const outcomes = ended.filter(({ ending }) => ending !== 'failed');
  const worst = outcomes.reduce<Outcome | undefined>(
    (a, b) => (a !== undefined && SEVERITY.indexOf(a.ending) >= SEVERITY.indexOf(b.ending) ? a : b),
    undefined,
  );
  return {
    ending: worst?.ending ?? 'closed',
    cause: worst?.cause ?? { initiator: 'owner', manner: 'close', phase: 'idle' },
    flushed: outcomes.every(({ flushed }) => flushed),
    ...(outcomes.some(({ truncated }) => truncated === true) && { truncated: true }),
  };
}
