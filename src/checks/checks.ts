/** The checks of one server: runs the machine, and does what it commands. A user sees them by the server. */
import { checkInstance } from '../generated/check.js';
import type { CheckCommand, CheckEvent, CheckSettings, Pace } from '../machines/functions/check.js';
import type { Cause, Report } from '../machines/vocabulary.js';
import type { Clock } from '../runtime/clock.js';
import type { InContext } from '../runtime/context.js';
import type { Description, Host, Instance, RunningTimer, Runtime } from '../runtime/instance.js';
import { isShortage } from '../shortage.js';
import { commandCauseOf } from '../sockets/socket.js';
import { Check, type CheckedServer, type CheckManner } from './check.js';

/** @internal Gets the verdicts. */
export interface ChecksHost {
  /** What the server is a part of, if that is shown. */
  readonly id?: string | undefined;
  checkPassed(tookMs: number): void;
  /** The check has failed, for this reason; what this process lacks is no reason. */
  checkFailed(cause: Cause, tookMs: number): void;
  /** This process lacked what a check needs. */
  checkUndecided(cause: Cause, tookMs: number): void;
}

/** @internal What the checks of one server are told: `checksOf` makes it of the options. */
export interface CheckedChecks extends CheckManner {
  /** What the machine is told. */
  readonly settings: CheckSettings;
  /** Checks in a row that have to pass until a server that is down is up. */
  readonly rise: number;
  /** Checks in a row that have to fail until a server that is up is down. */
  readonly fall: number;
  /** What the server is taken for before its first check. */
  readonly init: 'up' | 'fullyUp' | 'down' | 'fullyDown';
}

/** @internal What the checks of a set run in. */
export interface ChecksEnvironment {
  readonly clock: Clock;
  /** Nothing where the generated class runs. */
  readonly runtime?: Runtime | undefined;
  /** Calls a function in the async context in which the user made the set. */
  readonly inContext: InContext;
  /** From 0 to 1. */
  random(): number;
}

const COMMANDS: {
  readonly [T in CheckCommand['type']]: (checks: Checks, command: CheckCommand & { type: T }) => void;
} = {
  'check.run': (checks, { number }) => checks.run(number),
  'check.cancel': (checks) => checks.cancel(),
  'wait.choose': (checks) => checks.chooseWait(),
  'owner.passed': (checks) => checks.host.checkPassed(checks.tookMs),
  'owner.failed': (checks, { cause }) => checks.tellFailed(cause),
};

let made = 0;

/**
 * @internal When the first check of a server comes, in milliseconds: those of a set are spread over the interval, as in HAProxy.
 *
 * @param place the server's place in the set, from 0
 * @param count the servers of the set
 */
export const firstCheckMs = (place: number, count: number, intervalMs: number): number =>
  Math.floor((intervalMs * place) / count);

/** @internal */
export class Checks implements Host<CheckCommand> {
  readonly id = `check#${++made}`;
  readonly clock: Clock;
  readonly inContext: InContext;
  readonly commands = COMMANDS;
  readonly host: ChecksHost;
  readonly #server: CheckedServer;
  readonly #checks: CheckedChecks;
  readonly #random: () => number;
  readonly #instance: Instance<CheckEvent>;
  /** The one that runs. */
  #check: Check | undefined = undefined;
  /** When the last one began. */
  #begunAt = 0;
  /** What had come of the answer to the last one that was cancelled. */
  #partly: unknown = undefined;

  constructor(
    server: CheckedServer,
    checks: CheckedChecks,
    host: ChecksHost,
    { clock, runtime, inContext, random }: ChecksEnvironment,
  ) {
    this.host = host;
    this.clock = clock;
    this.inContext = inContext;
    this.#server = server;
    this.#checks = checks;
    this.#random = random;
    const input = { settings: checks.settings };
    this.#instance = (runtime === undefined
      ? checkInstance(input, this as never)
      : runtime.run('check', input, this as never)) as unknown as Instance<CheckEvent>;
    this.#instance.setRef(false);
    this.#instance.start();
  }

  get parentId(): string | undefined {
    return this.host.id;
  }

  /** The checks begin: the first one follows after this time, in milliseconds. */
  start(offsetMs: number): void {
    this.#instance.send({ type: 'check.start', offsetMs });
  }

  /** How often the server is checked from now on. */
  setPace(pace: Pace): void {
    this.#instance.send({ type: 'pace.changed', pace });
  }

  /** No check runs until {@link resume}; one that is under way is cancelled. */
  pause(): void {
    this.#instance.send({ type: 'check.pause' });
  }

  /** The next check runs at once. */
  resume(): void {
    this.#instance.send({ type: 'check.resume' });
  }

  /** Ends them for good. */
  close(): void {
    this.#instance.send({ type: 'check.close' });
  }

  /** As {@link close}, for a server that is aborted. */
  abort(): void {
    this.#instance.send({ type: 'check.abort' });
  }

  get state(): string {
    return this.#instance.state;
  }

  timers(): RunningTimer[] {
    return this.#instance.timers();
  }

  accepts(): string[] {
    return this.#instance.accepts();
  }

  describe(): Description {
    return { server: this.#server.name };
  }

  run(number: number): void {
    this.#partly = undefined;
    this.#begunAt = this.clock.now();
    this.#check = new Check(number, this.#server, this.#checks, this);
    this.#check.begin();
  }

  cancel(): void {
    const check = this.#check;
    this.#check = undefined;
    this.#partly = check?.error;
    check?.end();
  }

  /** How long the last one took. */
  get tookMs(): number {
    return this.clock.now() - this.#begunAt;
  }

  /** What came of the answer says more than that it took too long. */
  tellFailed(cause: Cause): void {
    const error = this.#partly;
    this.#partly = undefined;
    this.host.checkFailed(error === undefined ? cause : { ...cause, error }, this.tookMs);
  }

  chooseWait(): void {
    const random = this.#random();
    this.#instance.send({ type: 'wait.chosen', random: random >= 0 && random <= 1 ? random : 0.5 });
  }

  checkAnswered(check: Check, report: Report | undefined): void {
    const { number } = check;
    const isPresent = this.#check === check;
    if (isPresent) this.#check = undefined;
    if (report === undefined) this.#instance.send({ type: 'check.passed', number });
    else if (isShortage(report, this.#server)) {
      if (isPresent) this.host.checkUndecided({ ...report, phase: 'checking' }, this.tookMs);
      this.#instance.send({ type: 'check.undecided', number, cause: report });
    } else this.#instance.send({ type: 'check.failed', number, cause: report });
  }

  perform(command: CheckCommand): void {
    try {
      COMMANDS[command.type](this, command as never);
    } catch (error) {
      this.commandFailed(command.type, error);
    }
  }

  commandFailed(command: string, error: unknown): void {
    if (command === 'check.run') {
      const check = this.#check as Check;
      check.end();
      this.checkAnswered(check, commandCauseOf(error));
    } else if (command === 'wait.choose') this.#instance.send({ type: 'wait.chosen', random: 0.5 });
    else process.nextTick(rethrow, error);
  }

  finish(): void {}
}

function rethrow(error: unknown): void {
  throw error;
}
