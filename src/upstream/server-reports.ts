/** What checks, traffic and the name of a server tell of it. Its machine is told, its history notes it, and the other processes that share it learn of it. */
import type { Verdict } from '../machines/functions/server.js';
import type { ServerContext, ServerEvent } from '../machines/server.js';
import type { Cause, Report } from '../machines/vocabulary.js';
import type { Instance } from '../runtime/instance.js';
import type { Requester } from './requester.js';
import type { Server } from './server.js';

const KNOWN_FAILED: Cause = { initiator: 'library', manner: 'error', phase: 'checking', code: 'checkedBefore' };
const PASSED = { type: 'check.passed' } as const;
const CONNECTED = { type: 'traffic.connected' } as const;
const LASTED = { type: 'traffic.lasted' } as const;
const GRANTED = { type: 'trial.granted' } as const;
const GIVEN_UP = { type: 'trial.givenUp' } as const;

export class ServerReports {
  readonly #server: Server;
  readonly #instance: Instance<ServerEvent>;
  readonly #random: () => number;

  constructor(server: Server, instance: Instance<ServerEvent>, random: () => number) {
    this.#server = server;
    this.#instance = instance;
    this.#random = random;
  }

  get #known(): ServerContext {
    return this.#instance.context as ServerContext;
  }

  /** What the checks have told before, in another process, is told again. */
  recall(passed: number, failed: number, isFailedFirst: boolean): void {
    const pass = (): void => {
      for (let step = 0; step < passed; step++) this.#instance.send(PASSED);
    };
    if (!isFailedFirst) pass();
    for (let step = 0; step < failed; step++) this.#instance.send({ type: 'check.failed', cause: KNOWN_FAILED });
    if (isFailedFirst) pass();
  }

  /** A check has passed, of this process or another. @param tookMs nothing where that is not known */
  checkPassed(tookMs?: number): void {
    this.#server.history.noteCheck('passed', tookMs);
    this.#instance.send(PASSED);
  }

  checkFailed(cause: Cause, tookMs?: number): void {
    this.#server.history.noteCheck('failed', tookMs, cause);
    this.#instance.send({ type: 'check.failed', cause });
  }

  checkUndecided(cause: Cause, tookMs?: number): void {
    this.#server.history.noteCheck('undecided', tookMs, cause);
  }

  /** Its name was answered, or was not for too long. */
  addressed(type: 'address.found' | 'address.lost' | 'address.gone', cause: Report): void {
    this.#instance.send({ type, cause });
  }

  /** One connection tries the server. */
  tryBy(requester: Requester): void {
    const server = this.#server;
    server.trial = requester;
    requester.trial = server;
    if (!server.mayBeTried) return;
    // Its machine may be in the middle of a transition, in which those that wait are served: the next one must not get it, too.
    server.mayBeTried = false;
    server.set.picker.stateChanged();
    this.#instance.send(GRANTED);
  }

  /** That connection is over, and has told nothing. */
  trialGivenUp(): void {
    this.#instance.send(GIVEN_UP);
  }

  /** What may be tried has changed. A trial that began before the server was taken out goes on: it is still the one that tries it. */
  review(): void {
    const server = this.#server;
    const isDue = server.hasTag('trial');
    server.mayBeTried = isDue && server.mayTry;
    if (isDue && server.trial !== undefined) this.#instance.send(GRANTED);
    this.#doubt();
  }

  /** An attempt has come up. */
  connected(): void {
    const { shared } = this.#server;
    const wasDoubtful = shared !== undefined && this.#server.hasTag('doubtful');
    this.#instance.send(CONNECTED);
    this.#doubt();
    if (wasDoubtful && !this.#server.hasTag('doubtful')) shared.proven();
  }

  /** An attempt has failed. `mends`: in how many milliseconds it may be mended, if no attempt is of use before. */
  failed(cause: Cause, mayEject: boolean, mends: number | undefined): void {
    this.#server.isDoubted = true;
    this.#server.history.noteFailure('attempt', cause);
    const failed = { type: 'traffic.failed', cause, mayEject, random: mayEject ? this.#random() : 0 } as const;
    this.#judge(mends === undefined ? failed : { ...failed, mends });
  }

  /** A connection that had come up was lost too soon. */
  lost(cause: Cause, mayEject: boolean): void {
    this.#server.history.noteFailure('connection', cause);
    this.#judge({ type: 'traffic.dropped', cause, mayEject, random: mayEject ? this.#random() : 0 });
  }

  /** A connection has lasted. */
  lasted(): void {
    if (this.#known.losses > 0) this.#instance.send(LASTED);
  }

  /** The traffic of another process has judged it. */
  judgedBy(cause: Cause, isLoss: boolean, verdict: Verdict): void {
    this.#server.isDoubted = true;
    const type = isLoss ? 'traffic.dropped' : 'traffic.failed';
    this.#instance.send({ type, cause, mayEject: true, random: 0, verdict });
    this.#doubt();
  }

  /** What comes of it is known to the other processes, too. */
  #judge(event: Extract<ServerEvent, { type: 'traffic.failed' | 'traffic.dropped' }>): void {
    const { shared } = this.#server;
    if (shared === undefined) {
      this.#instance.send(event);
      return;
    }
    const { ejections, failures, losses, settings } = this.#known;
    const isLoss = event.type === 'traffic.dropped';
    const isMark = settings.onError !== 'eject' && (isLoss ? losses : failures) + 1 >= settings.failures;
    this.#instance.send(event);
    const known = this.#known;
    if (isMark || known.ejections > ejections) {
      shared.judged(event.cause as Cause, isLoss, { restMs: known.restMs, ejections: known.ejections });
    }
  }

  #doubt(): void {
    this.#server.isDoubted = !this.#server.hasTag('choosable') || this.#known.failures > 0;
  }
}
