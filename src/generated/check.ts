// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "check" runs. Written by scripts/generate.mjs from src/machines/check.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as check from '../machines/functions/check.js';
import * as outcome from '../machines/functions/outcome.js';
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
export const checkInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const checking = { phase: 'checking' };
  const idle = { phase: 'idle' };
  const checkingCheckTimeout = { phase: 'checking', timeout: 'checkTimeout' };

  const FACTS = factsOf(
    'check',
    [
      'pace.changed',
      'check.start',
      'check.close',
      'check.abort',
      'check.pause',
      'check.passed',
      'check.failed',
      'check.undecided',
      'wait.chosen',
      'check.resume',
    ],
    [
      /* 0 */ [['idle'], [], []],
      /* 1 */ [['starting'], [], [['offset', 'xstate.after.offset.check.starting']]],
      /* 2 */ [['checking'], ['holdsSocket'], [['checkTimeout', 'xstate.after.checkTimeout.check.checking']]],
      /* 3 */ [['deferring'], [], []],
      /* 4 */ [['waiting', 'steady'], [], [['wait', 'xstate.after.wait.check.waiting']]],
      /* 5 */ [
        ['waiting', 'hastened'],
        [],
        [
          ['wait', 'xstate.after.wait.check.waiting'],
          ['shorterWait', 'xstate.after.shorterWait.check.waiting.hastened'],
        ],
      ],
      /* 6 */ [['paused'], [], []],
      /* 7 */ [['closed'], ['ending'], [], true],
      /* 8 */ [['aborted'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(check.startOf);
  const doOwnerPassed = place({ type: 'owner.passed' });
  const doWaitChoose = place({ type: 'wait.choose' });
  const doCheckTellFailed = place();
  const doCheckCancel = place();
  const doCheckRun = place();

  return class CheckInstance extends MachineInstance {
    timer0 = undefined;
    timer1 = undefined;

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
        case 'check.passed':
          return this.onCheckPassed(event);
        case 'check.failed':
          return this.onCheckFailed(event);
        case 'check.undecided':
          return this.onCheckUndecided(event);
        case 'wait.chosen':
          return this.onWaitChosen(event);
        case 'pace.changed':
          return this.onPaceChanged(event);
        case 'check.pause':
          return this.onCheckPause(event);
        case 'check.resume':
          return this.onCheckResume(event);
        case 'check.start':
          return this.onCheckStart(event);
        case 'check.close':
          return this.onCheckClose(event);
        case 'check.abort':
          return this.onCheckAbort(event);
        case 'xstate.after.offset.check.starting':
          return this.onXstateAfterOffsetCheckStarting(event);
        case 'xstate.after.checkTimeout.check.checking':
          return this.onXstateAfterCheckTimeoutCheckChecking(event);
        case 'xstate.after.wait.check.waiting':
          return this.onXstateAfterWaitCheckWaiting(event);
        case 'xstate.after.shorterWait.check.waiting.hastened':
          return this.onXstateAfterShorterWaitCheckWaitingHastened(event);
        default:
          return this.unknown(event);
      }
    }

    onCheckPassed(event) {
      switch (this.leaf) {
        case 2: // checking
          {
            const given = { context: this.context, event };
            if (check.isPresent(given)) {
              this.clearTimer0();
              return this.toDeferring(event);
            }
          }
          break;
      }
    }

    onCheckFailed(event) {
      switch (this.leaf) {
        case 2: // checking
          {
            const given = { context: this.context, event };
            if (check.isPresent(given)) {
              this.clearTimer0();
              return this.toDeferring2(event);
            }
          }
          break;
      }
    }

    onCheckUndecided(event) {
      switch (this.leaf) {
        case 2: // checking
          {
            const given = { context: this.context, event };
            if (check.isPresent(given)) {
              this.clearTimer0();
              return this.toDeferring3(event);
            }
          }
          break;
      }
    }

    onWaitChosen(event) {
      switch (this.leaf) {
        case 3: // deferring
          return this.toWaitingSteady(event);
      }
    }

    onPaceChanged(event) {
      switch (this.leaf) {
        case 0: // idle

        case 1: // starting

        case 2: // checking

        case 3: // deferring

        case 6: // paused
          return this.toIdle(event);
        case 4: // waiting.steady
          {
            const given = { context: this.context, event };
            if (check.isSooner(given)) return this.toWaitingHastened(event);
            return this.toIdle(event);
          }
        case 5: // waiting.hastened
          {
            const given = { context: this.context, event };
            if (check.isSooner(given)) {
              this.clearTimer1();
              return this.toWaitingHastened2(event);
            }
            return this.toIdle(event);
          }
      }
    }

    onCheckPause(event) {
      switch (this.leaf) {
        case 1: // starting

        case 4: // waiting.steady
          {
            this.clearTimer0();
            return this.toPaused(event);
          }
        case 2: // checking
          {
            this.clearTimer0();
            return this.toPaused2(event);
          }
        case 3: // deferring
          return this.toPaused(event);
        case 5: // waiting.hastened
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toPaused(event);
          }
      }
    }

    onCheckResume(event) {
      switch (this.leaf) {
        case 6: // paused
          return this.toChecking(event);
      }
    }

    onCheckStart(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toStarting(event);
      }
    }

    onCheckClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toClosed(event);
        case 1: // starting

        case 4: // waiting.steady
          {
            this.clearTimer0();
            return this.toClosed2(event);
          }
        case 2: // checking
          {
            this.clearTimer0();
            return this.toClosed3(event);
          }
        case 3: // deferring

        case 6: // paused
          return this.toClosed2(event);
        case 5: // waiting.hastened
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toClosed2(event);
          }
      }
    }

    onCheckAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAborted(event);
        case 1: // starting

        case 4: // waiting.steady
          {
            this.clearTimer0();
            return this.toAborted2(event);
          }
        case 2: // checking
          {
            this.clearTimer0();
            return this.toAborted3(event);
          }
        case 3: // deferring

        case 6: // paused
          return this.toAborted2(event);
        case 5: // waiting.hastened
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toAborted2(event);
          }
      }
    }

    onXstateAfterOffsetCheckStarting(event) {
      switch (this.leaf) {
        case 1: // starting
          {
            this.clearTimer0();
            return this.toChecking(event);
          }
      }
    }

    onXstateAfterCheckTimeoutCheckChecking(event) {
      switch (this.leaf) {
        case 2: // checking
          {
            this.clearTimer0();
            return this.toDeferring4(event);
          }
      }
    }

    onXstateAfterWaitCheckWaiting(event) {
      switch (this.leaf) {
        case 4: // waiting.steady
          {
            this.clearTimer0();
            return this.toChecking(event);
          }
        case 5: // waiting.hastened
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toChecking(event);
          }
      }
    }

    onXstateAfterShorterWaitCheckWaitingHastened(event) {
      switch (this.leaf) {
        case 5: // waiting.hastened
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toChecking(event);
          }
      }
    }
    enter(event) {
      if (transitions.hasSubscribers) this.tellStart();
    }

    timerAt(slot) {
      if (slot === 0) return this.timer0;
      return this.timer1;
    }
    setTimerAt(slot, timer) {
      if (slot === 0) this.timer0 = timer;
      else this.timer1 = timer;
    }
    clearTimer0() {
      if (this.timer0 !== undefined) this.timer0 = this.unset(this.timer0);
    }
    clearTimer1() {
      if (this.timer1 !== undefined) this.timer1 = this.unset(this.timer1);
    }
    toDeferring(event) {
      const from = this.leaf;
      this.leaf = 3; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerPassed.command, doWaitChoose.command);
      this.emit(doOwnerPassed);
      this.emit(doWaitChoose);
    }

    toDeferring2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      const command0 = check.tellFailed(given);
      this.leaf = 3; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWaitChoose.command);
      this.emitAs(doCheckTellFailed, command0);
      this.emit(doWaitChoose);
    }

    toDeferring3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      this.leaf = 3; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, doWaitChoose.command);
      this.emit(doWaitChoose);
    }

    toWaitingSteady(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['random'] = check.chosenRandom(given);
      context['waitMs'] = check.paceMs(given);
      this.timer0 = this.wait(check.waitMs(given));
      this.leaf = 4; /* waiting.steady */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toIdle(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['pace'] = check.askedPace(given);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toWaitingHastened(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['pace'] = check.askedPace(given);
      context['waitMs'] = check.paceMs(given);
      this.timer1 = this.wait(check.waitMs(given));
      this.leaf = 5; /* waiting.hastened */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toWaitingHastened2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['pace'] = check.askedPace(given);
      context['waitMs'] = check.paceMs(given);
      this.timer1 = this.wait(check.waitMs(given));
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toPaused(event) {
      const from = this.leaf;
      this.leaf = 6; /* paused */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toPaused2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = check.cancel(given);
      this.leaf = 6; /* paused */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doCheckCancel, command0);
    }

    toChecking(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['number'] = check.nextNumber(given);
      const command0 = check.run(given);
      this.timer0 = this.wait(check.checkTimeout(given));
      this.leaf = 2; /* checking */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doCheckRun, command0);
    }

    toStarting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['waitMs'] = check.offsetMs(given);
      this.timer0 = this.wait(check.waitMs(given));
      this.leaf = 1; /* starting */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.check.closed', output: 'closed' };
      this.done(check.outcomeOf({ context, event: end0 }));
      this.leaf = 7; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      const end0 = { type: 'xstate.done.state.check.closed', output: 'closed' };
      this.done(check.outcomeOf({ context, event: end0 }));
      this.leaf = 7; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = check.cancel(given);
      context['cause'] = outcome.causeNoted(given, checking);
      const end1 = { type: 'xstate.done.state.check.closed', output: 'closed' };
      this.done(check.outcomeOf({ context, event: end1 }));
      this.leaf = 7; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doCheckCancel, command0);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.check.aborted', output: 'aborted' };
      this.done(check.outcomeOf({ context, event: end0 }));
      this.leaf = 8; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      const end0 = { type: 'xstate.done.state.check.aborted', output: 'aborted' };
      this.done(check.outcomeOf({ context, event: end0 }));
      this.leaf = 8; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = check.cancel(given);
      context['cause'] = outcome.causeNoted(given, checking);
      const end1 = { type: 'xstate.done.state.check.aborted', output: 'aborted' };
      this.done(check.outcomeOf({ context, event: end1 }));
      this.leaf = 8; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doCheckCancel, command0);
    }

    toDeferring4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checkingCheckTimeout);
      const command0 = check.cancel(given);
      const command1 = check.tellFailed(given);
      this.leaf = 3; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, doWaitChoose.command);
      this.emitAs(doCheckCancel, command0);
      this.emitAs(doCheckTellFailed, command1);
      this.emit(doWaitChoose);
    }
  };
}
