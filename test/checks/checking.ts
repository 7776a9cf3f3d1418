/** The checks of one server, as a set of servers would run them, and what they tell. */
import { Checks } from '../../src/checks/checks.js';
import type { Cause, ChecksOptions, Clock, Runtime, ServerOptions } from '../../src/index.js';
import { contextOfNow } from '../../src/runtime/context.js';
import { ManualClock } from '../../src/testing/clock.js';
import type { Server } from '../../src/upstream/server.js';
import { Servers } from '../../src/upstream/servers.js';
import { until } from '../support/wait.js';

export type Verdict = 'passed' | Cause;

export class Checking {
  readonly checks: Checks;
  readonly server: Server;
  readonly verdicts: Verdict[] = [];
  /** Why checks were no verdict. */
  readonly undecided: Cause[] = [];
  /** Called after each verdict. */
  judged: ((verdict: Verdict) => void) | undefined;

  constructor(
    options: ServerOptions,
    checks: ChecksOptions | true,
    { clock, runtime, random = () => 0.5 }: { clock: Clock; runtime?: Runtime | undefined; random?: () => number },
  ) {
    const set = new Servers([{ ...options, checks }], { clock });
    this.server = set.list[0] as Server;
    // Its own checks are not those that are looked at.
    set.end();
    const judge = (verdict: Verdict): void => {
      this.verdicts.push(verdict);
      this.judged?.(verdict);
    };
    const host = {
      checkPassed: () => judge('passed'),
      checkFailed: (cause: Cause) => judge(cause),
      checkUndecided: (cause: Cause) => this.undecided.push(cause),
    };
    if (this.server.checks === undefined) throw new Error('It has no checks.');
    const environment = { clock, runtime, inContext: contextOfNow(), random };
    this.checks = new Checks(this.server, this.server.checks, host, environment);
  }

  /** The verdict with this number, from 0. */
  async verdict(index = 0): Promise<Verdict> {
    await until(`verdict ${index}`, () => this.verdicts.length > index);
    return this.verdicts[index] as Verdict;
  }

  /** The reason of a failure. */
  async cause(index = 0): Promise<Cause> {
    const verdict = await this.verdict(index);
    if (verdict === 'passed') throw new Error('The check has passed.');
    return verdict;
  }
}

/** One check that runs at once, with a clock that stands still; everything is closed at the end of the block. */
export async function once(
  options: ServerOptions,
  checks: ChecksOptions | true,
  look: (checking: Checking, clock: ManualClock) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const checking = new Checking(options, checks, { clock });
  checking.checks.start(0);
  clock.advance(0);
  try {
    await look(checking, clock);
  } finally {
    checking.checks.close();
  }
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left.`);
}
