// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "worker" runs. Written by scripts/generate.mjs from src/machines/worker.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as outcome from '../machines/functions/outcome.js';
import * as worker from '../machines/functions/worker.js';
import {
  BOUND,
  BUSY,
  contextOf,
  factsOf,
  MachineInstance,
  OVER,
  place,
  STARTED,
  transitions,
  UNRESTED,
} from '../runtime/machine-instance.js';

let Made;

/** Its class is made for the first one: a program pays for the machines that it runs. */
export const workerInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const starting = { phase: 'starting' };
  const serving = { phase: 'serving' };
  const closing = { phase: 'closing' };
  const idle = { phase: 'idle' };
  const disposing = { phase: 'disposing' };
  const waiting = { phase: 'waiting' };
  const startingStartTimeout = { phase: 'starting', timeout: 'startTimeout' };
  const closingDrainTimeout = { phase: 'closing', timeout: 'drainTimeout' };

  const FACTS = factsOf(
    'worker',
    [
      'worker.start',
      'worker.close',
      'worker.abort',
      'process.ready',
      'process.failed',
      'process.exited',
      'process.closed',
      'restart.deferred',
    ],
    [
      /* 0 */ [['idle'], [], []],
      /* 1 */ [['starting'], ['holdsProcess'], [['startTimeout', 'xstate.after.startTimeout.worker.starting']]],
      /* 2 */ [
        ['serving', 'running'],
        ['holdsProcess', 'running', 'answers'],
        [['stableAfter', 'xstate.after.stableAfter.worker.serving.running']],
      ],
      /* 3 */ [
        ['serving', 'exiting'],
        ['holdsProcess'],
        [['abortTimeout', 'xstate.after.abortTimeout.worker.serving.exiting']],
      ],
      /* 4 */ [['serving', 'disposing'], ['holdsProcess'], []],
      /* 5 */ [['serving', 'deferring'], [], []],
      /* 6 */ [['serving', 'waiting'], [], [['backoff', 'xstate.after.backoff.worker.serving.waiting']]],
      /* 7 */ [
        ['serving', 'restarting'],
        ['holdsProcess'],
        [['startTimeout', 'xstate.after.startTimeout.worker.serving.restarting']],
      ],
      /* 8 */ [
        ['draining'],
        ['holdsProcess', 'answers'],
        [['drainTimeout', 'xstate.after.drainTimeout.worker.draining']],
      ],
      /* 9 */ [['aborting'], ['holdsProcess'], [['abortTimeout', 'xstate.after.abortTimeout.worker.aborting']]],
      /* 10 */ [['exiting'], ['holdsProcess'], [['abortTimeout', 'xstate.after.abortTimeout.worker.exiting']]],
      /* 11 */ [['killing'], ['holdsProcess'], [['abortTimeout', 'xstate.after.abortTimeout.worker.killing']]],
      /* 12 */ [['closed'], ['ending'], [], true],
      /* 13 */ [['aborted'], ['ending'], [], true],
      /* 14 */ [['dropped'], ['ending'], [], true],
      /* 15 */ [['failed'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(worker.startOf);
  const doWorkerRunning = place();
  const doProcessRelease = place({ type: 'process.release' });
  const doWorkerExited = place();
  const doWorkerChooseRestart = place();
  const doWorkerRetry = place();
  const doWorkerFork = place();
  const doWorkerDrain = place();
  const doProcessKill = place({ type: 'process.kill' });
  const doWorkerAbort = place();

  return class WorkerInstance extends MachineInstance {
    timer0 = undefined;

    constructor(input, host) {
      super(FACTS, host, makeContext(input), 0, input);
    }

    get facts() {
      return FACTS;
    }

    send(event) {
      const { flags } = this;
      if ((flags & (STARTED | BUSY | OVER)) !== STARTED) return this.keep(event);
      this.flags = flags | BUSY;
      try {
        this.take(event);
      } catch (error) {
        this.fail(error);
      }
      if ((this.flags & UNRESTED) === 0) this.flags &= ~BUSY;
      else this.rest();
    }

    emit(at) {
      if ((this.flags & BOUND) === 0 || at.perform === undefined) return this.emitAs(at, at.command);
      try {
        at.perform(this.host, at.command);
      } catch (error) {
        this.commandFailed(at.command.type, error);
      }
    }

    emitAs(at, command) {
      if ((this.flags & BOUND) === 0 || at.perform === undefined || at.type !== command.type)
        return super.emitAs(at, command);
      try {
        at.perform(this.host, command);
      } catch (error) {
        this.commandFailed(command.type, error);
      }
    }

    hasTag(tag) {
      return FACTS.leaves[this.leaf].tags.has(tag);
    }

    take(event) {
      switch (event.type) {
        case 'process.ready':
          return this.onProcessReady(event);
        case 'process.failed':
          return this.onProcessFailed(event);
        case 'process.closed':
          return this.onProcessClosed(event);
        case 'process.exited':
          return this.onProcessExited(event);
        case 'restart.deferred':
          return this.onRestartDeferred(event);
        case 'worker.start':
          return this.onWorkerStart(event);
        case 'worker.close':
          return this.onWorkerClose(event);
        case 'worker.abort':
          return this.onWorkerAbort(event);
        case 'xstate.after.startTimeout.worker.starting':
          return this.onXstateAfterStartTimeoutWorkerStarting(event);
        case 'xstate.after.stableAfter.worker.serving.running':
          return this.onXstateAfterStableAfterWorkerServingRunning(event);
        case 'xstate.after.abortTimeout.worker.serving.exiting':
          return this.onXstateAfterAbortTimeoutWorkerServingExiting(event);
        case 'xstate.after.backoff.worker.serving.waiting':
          return this.onXstateAfterBackoffWorkerServingWaiting(event);
        case 'xstate.after.startTimeout.worker.serving.restarting':
          return this.onXstateAfterStartTimeoutWorkerServingRestarting(event);
        case 'xstate.after.drainTimeout.worker.draining':
          return this.onXstateAfterDrainTimeoutWorkerDraining(event);
        case 'xstate.after.abortTimeout.worker.aborting':
          return this.onXstateAfterAbortTimeoutWorkerAborting(event);
        case 'xstate.after.abortTimeout.worker.exiting':
          return this.onXstateAfterAbortTimeoutWorkerExiting(event);
        case 'xstate.after.abortTimeout.worker.killing':
          return this.onXstateAfterAbortTimeoutWorkerKilling(event);
        default:
          return this.unknown(event);
      }
    }

    onProcessReady(event) {
      switch (this.leaf) {
        case 1: // starting

        case 7: // serving.restarting
          {
            this.clearTimer0();
            return this.toServingRunning(event);
          }
      }
    }

    onProcessFailed(event) {
      switch (this.leaf) {
        case 1: // starting
          {
            this.clearTimer0();
            return this.toExiting(event);
          }
        case 7: // serving.restarting
          {
            this.clearTimer0();
            return this.toServingExiting(event);
          }
        case 8: // draining
          {
            this.clearTimer0();
            return this.toExiting2(event);
          }
        case 9: // aborting
          {
            this.clearTimer0();
            return this.toExiting3(event);
          }
      }
    }

    onProcessClosed(event) {
      switch (this.leaf) {
        case 2: // serving.running
          {
            this.clearTimer0();
            return this.toServingExiting2(event);
          }
        case 8: // draining
          {
            this.clearTimer0();
            return this.toExiting4(event);
          }
        case 9: // aborting
          {
            this.clearTimer0();
            return this.toExiting5(event);
          }
      }
    }

    onProcessExited(event) {
      switch (this.leaf) {
        case 1: // starting
          {
            this.clearTimer0();
            return this.toFailed(event);
          }
        case 2: // serving.running
          {
            const given = { context: this.context, event };
            if (worker.hasAttemptsLeft(given)) {
              this.clearTimer0();
              return this.toServingDeferring(event);
            }
            this.clearTimer0();
            return this.toFailed2(event);
          }
        case 3: // serving.exiting
          {
            const given = { context: this.context, event };
            if (worker.hasAttemptsLeft(given)) {
              this.clearTimer0();
              return this.toServingDeferring2(event);
            }
            this.clearTimer0();
            return this.toFailed3(event);
          }
        case 4: // serving.disposing
          {
            const given = { context: this.context, event };
            if (worker.hasAttemptsLeft(given)) return this.toServingDeferring2(event);
            return this.toFailed3(event);
          }
        case 7: // serving.restarting
          {
            const given = { context: this.context, event };
            if (worker.hasAttemptsLeft(given)) {
              this.clearTimer0();
              return this.toServingDeferring3(event);
            }
            this.clearTimer0();
            return this.toFailed4(event);
          }
        case 8: // draining
          {
            this.clearTimer0();
            return this.toDropped(event);
          }
        case 9: // aborting
          {
            this.clearTimer0();
            return this.toAborted(event);
          }
        case 10: // exiting

        case 11: // killing
          {
            const given = { context: this.context, event };
            if (worker.willBeClosed(given)) {
              this.clearTimer0();
              return this.toClosed(event);
            }
            if (worker.willBeAborted(given)) {
              this.clearTimer0();
              return this.toAborted(event);
            }
            this.clearTimer0();
            return this.toFailed5(event);
          }
      }
    }

    onRestartDeferred(event) {
      switch (this.leaf) {
        case 5: // serving.deferring
          return this.toServingWaiting(event);
      }
    }

    onWorkerStart(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toStarting(event);
      }
    }

    onWorkerClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toClosed2(event);
        case 1: // starting

        case 7: // serving.restarting
          {
            this.clearTimer0();
            return this.toDraining(event);
          }
        case 2: // serving.running
          {
            this.clearTimer0();
            return this.toDraining2(event);
          }
        case 3: // serving.exiting
          {
            this.clearTimer0();
            return this.toExiting6(event);
          }
        case 4: // serving.disposing
          return this.toKilling(event);
        case 5: // serving.deferring
          return this.toClosed3(event);
        case 6: // serving.waiting
          {
            this.clearTimer0();
            return this.toClosed3(event);
          }
      }
    }

    onWorkerAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAborted2(event);
        case 1: // starting

        case 7: // serving.restarting
          {
            this.clearTimer0();
            return this.toAborting(event);
          }
        case 2: // serving.running
          {
            this.clearTimer0();
            return this.toAborting2(event);
          }
        case 3: // serving.exiting
          {
            this.clearTimer0();
            return this.toKilling2(event);
          }
        case 4: // serving.disposing
          return this.toKilling2(event);
        case 5: // serving.deferring
          return this.toAborted3(event);
        case 6: // serving.waiting
          {
            this.clearTimer0();
            return this.toAborted3(event);
          }
        case 8: // draining
          {
            this.clearTimer0();
            return this.toAborting3(event);
          }
        case 10: // exiting
          {
            this.clearTimer0();
            return this.toKilling3(event);
          }
      }
    }

    onXstateAfterStartTimeoutWorkerStarting(event) {
      switch (this.leaf) {
        case 1: // starting
          {
            this.clearTimer0();
            return this.toKilling4(event);
          }
      }
    }

    onXstateAfterStableAfterWorkerServingRunning(event) {
      switch (this.leaf) {
        case 2: // serving.running
          return this.toServingRunning2(event);
      }
    }

    onXstateAfterAbortTimeoutWorkerServingExiting(event) {
      switch (this.leaf) {
        case 3: // serving.exiting
          {
            this.clearTimer0();
            return this.toServingDisposing(event);
          }
      }
    }

    onXstateAfterBackoffWorkerServingWaiting(event) {
      switch (this.leaf) {
        case 6: // serving.waiting
          {
            this.clearTimer0();
            return this.toServingRestarting(event);
          }
      }
    }

    onXstateAfterStartTimeoutWorkerServingRestarting(event) {
      switch (this.leaf) {
        case 7: // serving.restarting
          {
            this.clearTimer0();
            return this.toServingDisposing2(event);
          }
      }
    }

    onXstateAfterDrainTimeoutWorkerDraining(event) {
      switch (this.leaf) {
        case 8: // draining
          {
            this.clearTimer0();
            return this.toAborting4(event);
          }
      }
    }

    onXstateAfterAbortTimeoutWorkerAborting(event) {
      switch (this.leaf) {
        case 9: // aborting
          {
            this.clearTimer0();
            return this.toKilling3(event);
          }
      }
    }

    onXstateAfterAbortTimeoutWorkerExiting(event) {
      switch (this.leaf) {
        case 10: // exiting
          {
            this.clearTimer0();
            return this.toKilling3(event);
          }
      }
    }

    onXstateAfterAbortTimeoutWorkerKilling(event) {
      switch (this.leaf) {
        case 11: // killing
          {
            const given = { context: this.context, event };
            if (worker.willBeClosed(given)) {
              this.clearTimer0();
              return this.toClosed(event);
            }
            if (worker.willBeAborted(given)) {
              this.clearTimer0();
              return this.toAborted(event);
            }
            this.clearTimer0();
            return this.toFailed5(event);
          }
      }
    }
    enter(event) {
      if (transitions.hasSubscribers) this.tellStart();
    }

    timerAt(slot) {
      return this.timer0;
    }
    setTimerAt(slot, timer) {
      this.timer0 = timer;
    }
    clearTimer0() {
      if (this.timer0 !== undefined) this.timer0 = this.unset(this.timer0);
    }
    toServingRunning(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = worker.running(given);
      this.timer0 = this.wait(worker.stableAfter(given));
      this.leaf = 2; /* serving.running */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerRunning, command0);
    }

    toExiting(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'failed';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 10; /* exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toServingExiting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 3; /* serving.exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toExiting2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'closed';
      context['flushed'] = true;
      const given = { context, event };
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 10; /* exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toExiting3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 10; /* exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toServingExiting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = worker.toldCause(given);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 3; /* serving.exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toExiting4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = worker.toldEnding(given);
      const value1 = worker.toldFlushed(given);
      const value2 = worker.toldTruncated(given);
      const value3 = worker.toldCause(given);
      context['ending'] = value0;
      context['flushed'] = value1;
      context['truncated'] = value2;
      context['cause'] = value3;
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 10; /* exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toExiting5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['truncated'] = worker.toldTruncated(given);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 10; /* exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toFailed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const end0 = { type: 'xstate.done.state.worker.failed', output: 'failed' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 15; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingDeferring(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = worker.exited(given);
      const command1 = worker.chooseRestart(given);
      this.leaf = 5; /* serving.deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doWorkerExited, command0);
      this.emitAs(doWorkerChooseRestart, command1);
    }

    toFailed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = worker.exited(given);
      const end1 = { type: 'xstate.done.state.worker.failed', output: 'failed' };
      this.done(worker.outcomeOf({ context, event: end1 }));
      this.leaf = 15; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerExited, command0);
    }

    toServingDeferring2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = worker.exited(given);
      const command1 = worker.chooseRestart(given);
      this.leaf = 5; /* serving.deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doWorkerExited, command0);
      this.emitAs(doWorkerChooseRestart, command1);
    }

    toFailed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = worker.exited(given);
      const end1 = { type: 'xstate.done.state.worker.failed', output: 'failed' };
      this.done(worker.outcomeOf({ context, event: end1 }));
      this.leaf = 15; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerExited, command0);
    }

    toServingDeferring3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = worker.exited(given);
      const command1 = worker.chooseRestart(given);
      this.leaf = 5; /* serving.deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doWorkerExited, command0);
      this.emitAs(doWorkerChooseRestart, command1);
    }

    toFailed4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = worker.exited(given);
      const end1 = { type: 'xstate.done.state.worker.failed', output: 'failed' };
      this.done(worker.outcomeOf({ context, event: end1 }));
      this.leaf = 15; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerExited, command0);
    }

    toDropped(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const end0 = { type: 'xstate.done.state.worker.dropped', output: 'dropped' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 14; /* dropped */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.worker.aborted', output: 'aborted' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 13; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.worker.closed', output: 'closed' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toFailed5(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.worker.failed', output: 'failed' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 15; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingWaiting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['backoffMs'] = worker.deferredMs(given);
      const command0 = worker.retry(given);
      this.timer0 = this.wait(worker.backoff(given));
      this.leaf = 6; /* serving.waiting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerRetry, command0);
    }

    toStarting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = worker.nextIncarnation(given);
      const value1 = worker.nextAttempt(given);
      context['incarnation'] = value0;
      context['attempts'] = value1;
      const command2 = worker.fork(given);
      this.timer0 = this.wait(worker.startTimeout(given));
      this.leaf = 1; /* starting */
      if (transitions.hasSubscribers) this.tell(from, event, command2);
      this.emitAs(doWorkerFork, command2);
    }

    toClosed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.worker.closed', output: 'closed' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDraining(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['drainTimeoutMs'] = worker.askedDrainTimeout(given);
      context['cause'] = outcome.causeNoted(given, starting);
      context['ending'] = 'dropped';
      context['flushed'] = false;
      const command0 = worker.drain(given);
      this.timer0 = this.wait(worker.drainTimeout(given));
      this.leaf = 8; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerDrain, command0);
    }

    toDraining2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['drainTimeoutMs'] = worker.askedDrainTimeout(given);
      context['cause'] = outcome.causeNoted(given, serving);
      context['ending'] = 'dropped';
      context['flushed'] = false;
      const command0 = worker.drain(given);
      this.timer0 = this.wait(worker.drainTimeout(given));
      this.leaf = 8; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerDrain, command0);
    }

    toExiting6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 10; /* exiting */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessRelease.command);
      this.emit(doProcessRelease);
    }

    toKilling(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 11; /* killing */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessKill.command);
      this.emit(doProcessKill);
    }

    toClosed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, waiting);
      const end0 = { type: 'xstate.done.state.worker.closed', output: 'closed' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.worker.aborted', output: 'aborted' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 13; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const command0 = worker.abort(given);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerAbort, command0);
    }

    toAborting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const command0 = worker.abort(given);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerAbort, command0);
    }

    toKilling2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 11; /* killing */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessKill.command);
      this.emit(doProcessKill);
    }

    toAborted3(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, waiting);
      const end0 = { type: 'xstate.done.state.worker.aborted', output: 'aborted' };
      this.done(worker.outcomeOf({ context, event: end0 }));
      this.leaf = 13; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborting3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const command0 = worker.abort(given);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerAbort, command0);
    }

    toKilling3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 11; /* killing */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessKill.command);
      this.emit(doProcessKill);
    }

    toKilling4(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'failed';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, startingStartTimeout);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 11; /* killing */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessKill.command);
      this.emit(doProcessKill);
    }

    toServingRunning2(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingDisposing(event) {
      const from = this.leaf;
      this.leaf = 4; /* serving.disposing */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessKill.command);
      this.emit(doProcessKill);
    }

    toServingRestarting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = worker.nextIncarnation(given);
      const value1 = worker.nextAttempt(given);
      context['incarnation'] = value0;
      context['attempts'] = value1;
      const command2 = worker.fork(given);
      this.timer0 = this.wait(worker.startTimeout(given));
      this.leaf = 7; /* serving.restarting */
      if (transitions.hasSubscribers) this.tell(from, event, command2);
      this.emitAs(doWorkerFork, command2);
    }

    toServingDisposing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, startingStartTimeout);
      this.leaf = 4; /* serving.disposing */
      if (transitions.hasSubscribers) this.tell(from, event, doProcessKill.command);
      this.emit(doProcessKill);
    }

    toAborting4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingDrainTimeout);
      context['ending'] = 'aborted';
      context['flushed'] = false;
      const command0 = worker.abort(given);
      this.timer0 = this.wait(worker.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doWorkerAbort, command0);
    }
  };
}
