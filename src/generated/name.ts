// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "name" runs. Written by scripts/generate.mjs from src/machines/name.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as name from '../machines/functions/name.js';
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
export const nameInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const resolving = { phase: 'resolving' };
  const idle = { phase: 'idle' };
  const resolvingLookupTimeout = { phase: 'resolving', timeout: 'lookupTimeout' };

  const FACTS = factsOf(
    'name',
    ['name.start', 'name.close', 'name.abort', 'lookup.answered', 'lookup.failed', 'wait.chosen', 'name.refresh'],
    [
      /* 0 */ [['idle'], [], []],
      /* 1 */ [['asking'], [], [['lookupTimeout', 'xstate.after.lookupTimeout.name.asking']]],
      /* 2 */ [['deferring'], [], []],
      /* 3 */ [['waiting', 'fresh'], [], [['wait', 'xstate.after.wait.name.waiting']]],
      /* 4 */ [
        ['waiting', 'held'],
        [],
        [
          ['wait', 'xstate.after.wait.name.waiting'],
          ['hold', 'xstate.after.hold.name.waiting.held'],
        ],
      ],
      /* 5 */ [['waiting', 'empty'], [], [['wait', 'xstate.after.wait.name.waiting']]],
      /* 6 */ [['closed'], ['ending'], [], true],
      /* 7 */ [['aborted'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(name.startOf);
  const doServersUpdate = place({ type: 'servers.update' });
  const doWaitChoose = place({ type: 'wait.choose' });
  const doNameRun = place();
  const doNameTellFailed = place();
  const doNameLose = place();
  const doNameCancel = place();

  return class NameInstance extends MachineInstance {
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
        case 'lookup.answered':
          return this.onLookupAnswered(event);
        case 'lookup.failed':
          return this.onLookupFailed(event);
        case 'wait.chosen':
          return this.onWaitChosen(event);
        case 'name.refresh':
          return this.onNameRefresh(event);
        case 'name.start':
          return this.onNameStart(event);
        case 'name.close':
          return this.onNameClose(event);
        case 'name.abort':
          return this.onNameAbort(event);
        case 'xstate.after.lookupTimeout.name.asking':
          return this.onXstateAfterLookupTimeoutNameAsking(event);
        case 'xstate.after.wait.name.waiting':
          return this.onXstateAfterWaitNameWaiting(event);
        case 'xstate.after.hold.name.waiting.held':
          return this.onXstateAfterHoldNameWaitingHeld(event);
        default:
          return this.unknown(event);
      }
    }

    onLookupAnswered(event) {
      switch (this.leaf) {
        case 1: // asking
          {
            const given = { context: this.context, event };
            if (name.isPresent(given)) {
              this.clearTimer0();
              return this.toDeferring(event);
            }
          }
          break;
      }
    }

    onLookupFailed(event) {
      switch (this.leaf) {
        case 1: // asking
          {
            const given = { context: this.context, event };
            if (name.isTriedAgain(given)) {
              this.clearTimer0();
              return this.toAsking(event);
            }
            if (name.isPresent(given)) {
              this.clearTimer0();
              return this.toDeferring2(event);
            }
          }
          break;
      }
    }

    onWaitChosen(event) {
      switch (this.leaf) {
        case 2: // deferring
          {
            const given = { context: this.context, event };
            if (name.isFresh(given)) return this.toWaitingFresh(event);
            if (name.isHeld(given)) return this.toWaitingHeld(event);
            if (name.isKnown(given)) return this.toWaitingEmpty(event);
            return this.toWaitingEmpty2(event);
          }
      }
    }

    onNameRefresh(event) {
      switch (this.leaf) {
        case 3: // waiting.fresh

        case 5: // waiting.empty
          {
            this.clearTimer0();
            return this.toAsking2(event);
          }
        case 4: // waiting.held
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toAsking2(event);
          }
      }
    }

    onNameStart(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAsking2(event);
      }
    }

    onNameClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toClosed(event);
        case 1: // asking
          {
            this.clearTimer0();
            return this.toClosed2(event);
          }
        case 2: // deferring
          return this.toClosed3(event);
        case 3: // waiting.fresh

        case 5: // waiting.empty
          {
            this.clearTimer0();
            return this.toClosed3(event);
          }
        case 4: // waiting.held
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toClosed3(event);
          }
      }
    }

    onNameAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAborted(event);
        case 1: // asking
          {
            this.clearTimer0();
            return this.toAborted2(event);
          }
        case 2: // deferring
          return this.toAborted3(event);
        case 3: // waiting.fresh

        case 5: // waiting.empty
          {
            this.clearTimer0();
            return this.toAborted3(event);
          }
        case 4: // waiting.held
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toAborted3(event);
          }
      }
    }

    onXstateAfterLookupTimeoutNameAsking(event) {
      switch (this.leaf) {
        case 1: // asking
          {
            const given = { context: this.context, event };
            if (name.mayTryAgain(given)) {
              this.clearTimer0();
              return this.toAsking3(event);
            }
            this.clearTimer0();
            return this.toDeferring3(event);
          }
      }
    }

    onXstateAfterWaitNameWaiting(event) {
      switch (this.leaf) {
        case 3: // waiting.fresh

        case 5: // waiting.empty
          {
            this.clearTimer0();
            return this.toAsking2(event);
          }
        case 4: // waiting.held
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toAsking2(event);
          }
      }
    }

    onXstateAfterHoldNameWaitingHeld(event) {
      switch (this.leaf) {
        case 4: // waiting.held
          {
            this.clearTimer1();
            return this.toWaitingEmpty3(event);
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
      const { context } = this;
      const given = { context, event };
      const value0 = name.toldTtl(given);
      const value1 = name.toldAddresses(given);
      context['ttlMs'] = value0;
      context['hasAddresses'] = value1;
      context['isUnanswered'] = false;
      context['failure'] = undefined;
      context['tries'] = 0;
      this.leaf = 2; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, doServersUpdate.command, doWaitChoose.command);
      this.emit(doServersUpdate);
      this.emit(doWaitChoose);
    }

    toAsking(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, resolving);
      const value0 = name.nextNumber(given);
      const value1 = name.nextTry(given);
      context['number'] = value0;
      context['tries'] = value1;
      const command2 = name.run(given);
      this.timer0 = this.wait(name.lookupTimeout(given));
      if (transitions.hasSubscribers) this.tell(from, event, command2);
      this.emitAs(doNameRun, command2);
    }

    toDeferring2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['failure'] = name.toldFailure(given);
      context['isUnanswered'] = false;
      context['ttlMs'] = 0;
      context['cause'] = outcome.causeNoted(given, resolving);
      const command0 = name.tellFailed(given);
      context['tries'] = 0;
      this.leaf = 2; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWaitChoose.command);
      this.emitAs(doNameTellFailed, command0);
      this.emit(doWaitChoose);
    }

    toWaitingFresh(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['waitMs'] = name.chosenWait(given);
      this.timer0 = this.wait(name.waitMs(given));
      this.leaf = 3; /* waiting.fresh */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toWaitingHeld(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['waitMs'] = name.chosenWait(given);
      context['holdMs'] = name.leftToHold(given);
      this.timer0 = this.wait(name.waitMs(given));
      this.timer1 = this.wait(name.holdMs(given));
      this.leaf = 4; /* waiting.held */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toWaitingEmpty(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['waitMs'] = name.chosenWait(given);
      context['hasAddresses'] = false;
      const command0 = name.lose(given);
      this.timer0 = this.wait(name.waitMs(given));
      this.leaf = 5; /* waiting.empty */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doNameLose, command0);
    }

    toWaitingEmpty2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['waitMs'] = name.chosenWait(given);
      this.timer0 = this.wait(name.waitMs(given));
      this.leaf = 5; /* waiting.empty */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAsking2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = name.nextNumber(given);
      const value1 = name.nextTry(given);
      context['number'] = value0;
      context['tries'] = value1;
      const command2 = name.run(given);
      this.timer0 = this.wait(name.lookupTimeout(given));
      this.leaf = 1; /* asking */
      if (transitions.hasSubscribers) this.tell(from, event, command2);
      this.emitAs(doNameRun, command2);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.name.closed', output: 'closed' };
      this.done(name.outcomeOf({ context, event: end0 }));
      this.leaf = 6; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = name.cancel(given);
      context['cause'] = outcome.causeNoted(given, resolving);
      const end1 = { type: 'xstate.done.state.name.closed', output: 'closed' };
      this.done(name.outcomeOf({ context, event: end1 }));
      this.leaf = 6; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doNameCancel, command0);
    }

    toClosed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, resolving);
      const end0 = { type: 'xstate.done.state.name.closed', output: 'closed' };
      this.done(name.outcomeOf({ context, event: end0 }));
      this.leaf = 6; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.name.aborted', output: 'aborted' };
      this.done(name.outcomeOf({ context, event: end0 }));
      this.leaf = 7; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = name.cancel(given);
      context['cause'] = outcome.causeNoted(given, resolving);
      const end1 = { type: 'xstate.done.state.name.aborted', output: 'aborted' };
      this.done(name.outcomeOf({ context, event: end1 }));
      this.leaf = 7; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doNameCancel, command0);
    }

    toAborted3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, resolving);
      const end0 = { type: 'xstate.done.state.name.aborted', output: 'aborted' };
      this.done(name.outcomeOf({ context, event: end0 }));
      this.leaf = 7; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAsking3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = name.cancel(given);
      context['cause'] = outcome.causeNoted(given, resolvingLookupTimeout);
      const value1 = name.nextNumber(given);
      const value2 = name.nextTry(given);
      context['number'] = value1;
      context['tries'] = value2;
      const command3 = name.run(given);
      this.timer0 = this.wait(name.lookupTimeout(given));
      if (transitions.hasSubscribers) this.tell(from, event, command0, command3);
      this.emitAs(doNameCancel, command0);
      this.emitAs(doNameRun, command3);
    }

    toDeferring3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = name.cancel(given);
      context['isUnanswered'] = false;
      context['failure'] = 'timeout';
      context['ttlMs'] = 0;
      context['cause'] = outcome.causeNoted(given, resolvingLookupTimeout);
      const command1 = name.tellFailed(given);
      context['tries'] = 0;
      this.leaf = 2; /* deferring */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, doWaitChoose.command);
      this.emitAs(doNameCancel, command0);
      this.emitAs(doNameTellFailed, command1);
      this.emit(doWaitChoose);
    }

    toWaitingEmpty3(event) {
      const from = this.leaf;
      const { context } = this;
      context['hasAddresses'] = false;
      const given = { context, event };
      const command0 = name.lose(given);
      this.leaf = 5; /* waiting.empty */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doNameLose, command0);
    }
  };
}
