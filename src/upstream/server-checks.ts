/** The checks of a server: run by this process, or, where its set is shared, by another one that tells what they say. */
import { type CheckedChecks, Checks, type ChecksEnvironment, firstCheckMs } from '../checks/checks.js';
import type { Pace } from '../machines/functions/check.js';
import type { Cause } from '../machines/vocabulary.js';
import type { Server } from './server.js';

export class ServerChecks {
  readonly #server: Server;
  readonly #checks: CheckedChecks;
  readonly #environment: ChecksEnvironment;
  /** While this process checks. */
  #checking: Checks | undefined = undefined;
  #isWanted = false;
  #isPaused = false;
  #pace: Pace = 'normal';

  constructor(server: Server, checks: CheckedChecks, environment: ChecksEnvironment) {
    this.#server = server;
    this.#checks = checks;
    this.#environment = environment;
  }

  get running(): Checks | undefined {
    return this.#checking;
  }

  /** What the checks are a part of. */
  get id(): string {
    return this.#server.id;
  }

  start(): void {
    this.#isWanted = true;
    this.mayChange();
  }

  pause(): void {
    this.#isPaused = true;
    this.#checking?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#checking?.resume();
  }

  setPace(pace: Pace): void {
    this.#pace = pace;
    this.#checking?.setPace(pace);
  }

  stop(): void {
    this.#isWanted = false;
    this.mayChange();
  }

  /** Whether this process is the one that checks may have changed. */
  mayChange(): void {
    const { shared, set } = this.#server;
    const checks = this.#isWanted && (shared === undefined || shared.mayCheck);
    if (checks === (this.#checking !== undefined)) return;
    if (!checks) {
      this.#checking?.close();
      this.#checking = undefined;
      return;
    }
    const place = Math.max(0, set.list.indexOf(this.#server));
    const checking = new Checks(this.#server, this.#checks, this, this.#environment);
    this.#checking = checking;
    checking.setPace(this.#pace);
    checking.start(firstCheckMs(place, Math.max(1, set.list.length), this.#checks.settings.interval));
    if (this.#isPaused) checking.pause();
  }

  checkPassed(tookMs?: number): void {
    if (this.#server.shared?.checked(undefined, tookMs) !== true) this.#server.reports.checkPassed(tookMs);
  }

  checkFailed(cause: Cause, tookMs?: number): void {
    if (this.#server.shared?.checked(cause, tookMs) !== true) this.#server.reports.checkFailed(cause, tookMs);
  }

  checkUndecided(cause: Cause, tookMs?: number): void {
    this.#server.reports.checkUndecided(cause, tookMs);
  }
}
