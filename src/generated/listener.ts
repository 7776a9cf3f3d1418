// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "listener" runs. Written by scripts/generate.mjs from src/machines/listener.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as listener from '../machines/functions/listener.js';
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
export const listenerInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const closingDrainTimeout = { phase: 'closing', timeout: 'drainTimeout' };
  const binding = { phase: 'binding' };
  const listening = { phase: 'listening' };
  const idle = { phase: 'idle' };
  const serving = { phase: 'serving' };
  const closing = { phase: 'closing' };

  const FACTS = factsOf(
    'listener',
    [
      'client.arrived',
      'listener.start',
      'listener.close',
      'listener.abort',
      'client.closed',
      'listener.suspend',
      'server.listening',
      'server.failed',
      'server.closed',
      'listener.resume',
      'clients.served',
    ],
    [
      /* 0 */ [['idle'], ['idle'], []],
      /* 1 */ [['serving', 'binding'], [], []],
      /* 2 */ [['serving', 'waiting'], [], [['bindBackoff', 'xstate.after.bindBackoff.listener.serving.waiting']]],
      /* 3 */ [['serving', 'listening', 'accepting'], ['listening'], []],
      /* 4 */ [['serving', 'listening', 'saturated'], ['listening'], []],
      /* 5 */ [['serving', 'suspended'], [], []],
      /* 6 */ [
        ['draining'],
        ['ending'],
        [
          ['admissionTimeout', 'xstate.after.admissionTimeout.listener.draining'],
          ['drainTimeout', 'xstate.after.drainTimeout.listener.draining'],
        ],
      ],
      /* 7 */ [['refusing'], ['ending'], [['abortTimeout', 'xstate.after.abortTimeout.listener.refusing']]],
      /* 8 */ [['cutting'], ['ending'], [['cutTimeout', 'xstate.after.cutTimeout.listener.cutting']]],
      /* 9 */ [['aborting'], ['ending'], [['abortTimeout', 'xstate.after.abortTimeout.listener.aborting']]],
      /* 10 */ [['failing'], ['ending'], [['drainTimeout', 'xstate.after.drainTimeout.listener.failing']]],
      /* 11 */ [['closed'], ['ending'], [], true],
      /* 12 */ [['aborted'], ['ending'], [], true],
      /* 13 */ [['failed'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(listener.startOf);
  const doListenerRefuse = place();
  const doListenerAdopt = place();
  const doListenerCut = place();
  const doOwnerListening = place({ type: 'owner.listening' });
  const doListenerRetry = place();
  const doListenerWarn = place();
  const doServerClose = place({ type: 'server.close' });
  const doPathUnlink = place({ type: 'path.unlink' });
  const doServerListen = place({ type: 'server.listen' });
  const doListenerAbort = place();
  const doAdmissionsRefuse = place({
    type: 'admissions.refuse',
    cause: { initiator: 'library', manner: 'timeout', code: 'admissionTimeout' },
  });
  const doAdmissionsRefuse2 = place({
    type: 'admissions.refuse',
    cause: { initiator: 'library', manner: 'timeout', code: 'drainTimeout' },
  });

  return class ListenerInstance extends MachineInstance {
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
        case 'client.arrived':
          return this.onClientArrived(event);
        case 'client.closed':
          return this.onClientClosed(event);
        case 'clients.served':
          return this.onClientsServed(event);
        case 'server.listening':
          return this.onServerListening(event);
        case 'server.failed':
          return this.onServerFailed(event);
        case 'server.closed':
          return this.onServerClosed(event);
        case 'listener.suspend':
          return this.onListenerSuspend(event);
        case 'listener.resume':
          return this.onListenerResume(event);
        case 'listener.start':
          return this.onListenerStart(event);
        case 'listener.close':
          return this.onListenerClose(event);
        case 'listener.abort':
          return this.onListenerAbort(event);
        case 'xstate.after.bindBackoff.listener.serving.waiting':
          return this.onXstateAfterBindBackoffListenerServingWaiting(event);
        case 'xstate.after.admissionTimeout.listener.draining':
          return this.onXstateAfterAdmissionTimeoutListenerDraining(event);
        case 'xstate.after.drainTimeout.listener.draining':
          return this.onXstateAfterDrainTimeoutListenerDraining(event);
        case 'xstate.after.abortTimeout.listener.refusing':
          return this.onXstateAfterAbortTimeoutListenerRefusing(event);
        case 'xstate.after.cutTimeout.listener.cutting':
          return this.onXstateAfterCutTimeoutListenerCutting(event);
        case 'xstate.after.abortTimeout.listener.aborting':
          return this.onXstateAfterAbortTimeoutListenerAborting(event);
        case 'xstate.after.drainTimeout.listener.failing':
          return this.onXstateAfterDrainTimeoutListenerFailing(event);
        default:
          return this.unknown(event);
      }
    }

    onClientArrived(event) {
      switch (this.leaf) {
        case 0: // idle

        case 1: // serving.binding

        case 2: // serving.waiting

        case 4: // serving.listening.saturated

        case 5: // serving.suspended

        case 6: // draining

        case 7: // refusing

        case 8: // cutting

        case 9: // aborting

        case 10: // failing
          return this.toIdle(event);
        case 3: // serving.listening.accepting
          {
            const given = { context: this.context, event };
            if (listener.isLastPlace(given)) return this.toServingListeningSaturated(event);
            return this.toServingListeningAccepting(event);
          }
      }
    }

    onClientClosed(event) {
      switch (this.leaf) {
        case 1: // serving.binding

        case 2: // serving.waiting

        case 3: // serving.listening.accepting

        case 5: // serving.suspended
          return this.toServingBinding(event);
        case 4: // serving.listening.saturated
          return this.toServingListeningAccepting2(event);
        case 6: // draining
          {
            const given = { context: this.context, event };
            if (listener.isLastClient(given)) {
              this.clearTimer0();
              this.clearTimer1();
              return this.toClosed(event);
            }
            return this.toServingBinding(event);
          }
        case 7: // refusing
          {
            const given = { context: this.context, event };
            if (listener.isLastClient(given)) {
              this.clearTimer0();
              return this.toClosed(event);
            }
            return this.toServingBinding(event);
          }
        case 8: // cutting

        case 9: // aborting
          {
            const given = { context: this.context, event };
            if (listener.isLastClient(given)) {
              this.clearTimer0();
              return this.toAborted(event);
            }
            return this.toServingBinding(event);
          }
        case 10: // failing
          {
            const given = { context: this.context, event };
            if (listener.isLastClient(given)) {
              this.clearTimer0();
              return this.toFailed(event);
            }
            return this.toServingBinding(event);
          }
      }
    }

    onClientsServed(event) {
      switch (this.leaf) {
        case 7: // refusing
          {
            this.clearTimer0();
            return this.toCutting(event);
          }
      }
    }

    onServerListening(event) {
      switch (this.leaf) {
        case 1: // serving.binding
          {
            const given = { context: this.context, event };
            if (listener.isFull(given)) return this.toServingListeningSaturated2(event);
            return this.toServingListeningAccepting3(event);
          }
      }
    }

    onServerFailed(event) {
      switch (this.leaf) {
        case 1: // serving.binding
          {
            const given = { context: this.context, event };
            if (listener.hasBindAttemptsLeft(given)) return this.toServingWaiting(event);
            if (listener.hasClients(given)) return this.toFailing(event);
            return this.toFailed2(event);
          }
        case 3: // serving.listening.accepting

        case 4: // serving.listening.saturated
          return this.toServingListeningAccepting4(event);
      }
    }

    onServerClosed(event) {
      switch (this.leaf) {
        case 3: // serving.listening.accepting

        case 4: // serving.listening.saturated
          {
            const given = { context: this.context, event };
            if (listener.hasClients(given)) return this.toDraining(event);
            return this.toClosed2(event);
          }
      }
    }

    onListenerSuspend(event) {
      switch (this.leaf) {
        case 1: // serving.binding

        case 3: // serving.listening.accepting

        case 4: // serving.listening.saturated
          return this.toServingSuspended(event);
        case 2: // serving.waiting
          {
            this.clearTimer0();
            return this.toServingSuspended2(event);
          }
      }
    }

    onListenerResume(event) {
      switch (this.leaf) {
        case 5: // serving.suspended
          return this.toServingBinding2(event);
      }
    }

    onListenerStart(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toServingBinding3(event);
      }
    }

    onListenerClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toClosed3(event);
        case 1: // serving.binding

        case 3: // serving.listening.accepting

        case 4: // serving.listening.saturated

        case 5: // serving.suspended
          {
            const given = { context: this.context, event };
            if (listener.hasClients(given)) return this.toDraining2(event);
            return this.toClosed4(event);
          }
        case 2: // serving.waiting
          {
            const given = { context: this.context, event };
            if (listener.hasClients(given)) {
              this.clearTimer0();
              return this.toDraining2(event);
            }
            this.clearTimer0();
            return this.toClosed4(event);
          }
      }
    }

    onListenerAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAborted2(event);
        case 1: // serving.binding

        case 3: // serving.listening.accepting

        case 4: // serving.listening.saturated

        case 5: // serving.suspended
          {
            const given = { context: this.context, event };
            if (listener.hasClientsAtDeadline(given)) return this.toCutting2(event);
            if (listener.hasClients(given)) return this.toAborting(event);
            return this.toAborted3(event);
          }
        case 2: // serving.waiting
          {
            const given = { context: this.context, event };
            if (listener.hasClientsAtDeadline(given)) {
              this.clearTimer0();
              return this.toCutting2(event);
            }
            if (listener.hasClients(given)) {
              this.clearTimer0();
              return this.toAborting(event);
            }
            this.clearTimer0();
            return this.toAborted3(event);
          }
        case 6: // draining
          {
            const given = { context: this.context, event };
            if (listener.isDeadline(given)) {
              this.clearTimer0();
              this.clearTimer1();
              return this.toCutting3(event);
            }
            this.clearTimer0();
            this.clearTimer1();
            return this.toAborting2(event);
          }
        case 7: // refusing
          {
            const given = { context: this.context, event };
            if (listener.isDeadline(given)) {
              this.clearTimer0();
              return this.toCutting3(event);
            }
            this.clearTimer0();
            return this.toAborting2(event);
          }
        case 8: // cutting
          {
            const given = { context: this.context, event };
            if (listener.isDeadline(given)) return;
            this.clearTimer0();
            return this.toAborting2(event);
          }
        case 10: // failing
          {
            const given = { context: this.context, event };
            if (listener.isDeadline(given)) {
              this.clearTimer0();
              return this.toCutting4(event);
            }
            this.clearTimer0();
            return this.toAborting3(event);
          }
      }
    }

    onXstateAfterBindBackoffListenerServingWaiting(event) {
      switch (this.leaf) {
        case 2: // serving.waiting
          {
            this.clearTimer0();
            return this.toServingBinding3(event);
          }
      }
    }

    onXstateAfterAdmissionTimeoutListenerDraining(event) {
      switch (this.leaf) {
        case 6: // draining
          return this.toDraining3(event);
      }
    }

    onXstateAfterDrainTimeoutListenerDraining(event) {
      switch (this.leaf) {
        case 6: // draining
          {
            this.clearTimer0();
            this.clearTimer1();
            return this.toRefusing(event);
          }
      }
    }

    onXstateAfterAbortTimeoutListenerRefusing(event) {
      switch (this.leaf) {
        case 7: // refusing
          {
            this.clearTimer0();
            return this.toClosed5(event);
          }
      }
    }

    onXstateAfterCutTimeoutListenerCutting(event) {
      switch (this.leaf) {
        case 8: // cutting
          {
            this.clearTimer0();
            return this.toAborted4(event);
          }
      }
    }

    onXstateAfterAbortTimeoutListenerAborting(event) {
      switch (this.leaf) {
        case 9: // aborting
          {
            this.clearTimer0();
            return this.toAborted4(event);
          }
      }
    }

    onXstateAfterDrainTimeoutListenerFailing(event) {
      switch (this.leaf) {
        case 10: // failing
          {
            this.clearTimer0();
            return this.toCutting4(event);
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
    toIdle(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = listener.refuse(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerRefuse, command0);
    }

    toServingListeningSaturated(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneMore(given);
      const command0 = listener.adopt(given);
      this.leaf = 4; /* serving.listening.saturated */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerAdopt, command0);
    }

    toServingListeningAccepting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneMore(given);
      const command0 = listener.adopt(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerAdopt, command0);
    }

    toServingBinding(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneLess(given);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingListeningAccepting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneLess(given);
      this.leaf = 3; /* serving.listening.accepting */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneLess(given);
      const end0 = { type: 'xstate.done.state.listener.closed', output: 'closed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 11; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneLess(given);
      const end0 = { type: 'xstate.done.state.listener.aborted', output: 'aborted' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toFailed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['clients'] = listener.oneLess(given);
      const end0 = { type: 'xstate.done.state.listener.failed', output: 'failed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 13; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toCutting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingDrainTimeout);
      context['flushed'] = false;
      const command0 = listener.cut(given);
      this.timer0 = this.wait(listener.cutTimeout(given));
      this.leaf = 8; /* cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerCut, command0);
    }

    toServingListeningSaturated2(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      this.leaf = 4; /* serving.listening.saturated */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerListening.command);
      this.emit(doOwnerListening);
    }

    toServingListeningAccepting3(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      this.leaf = 3; /* serving.listening.accepting */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerListening.command);
      this.emit(doOwnerListening);
    }

    toServingWaiting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, binding);
      const command0 = listener.retry(given);
      this.timer0 = this.wait(listener.bindBackoff(given));
      this.leaf = 2; /* serving.waiting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerRetry, command0);
    }

    toFailing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, binding);
      const command0 = listener.warn(given);
      this.timer0 = this.wait(listener.drainTimeout(given));
      this.leaf = 10; /* failing */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerWarn, command0);
    }

    toFailed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, binding);
      const end0 = { type: 'xstate.done.state.listener.failed', output: 'failed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 13; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingListeningAccepting4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, listening);
      const command0 = listener.warn(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerWarn, command0);
    }

    toDraining(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, listening);
      this.timer0 = this.wait(listener.admissionTimeout(given));
      this.timer1 = this.wait(listener.drainTimeout(given));
      this.leaf = 6; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toClosed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, listening);
      const end0 = { type: 'xstate.done.state.listener.closed', output: 'closed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 11; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, doPathUnlink.command);
      this.emit(doPathUnlink);
    }

    toServingSuspended(event) {
      const from = this.leaf;
      this.leaf = 5; /* serving.suspended */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toServingSuspended2(event) {
      const from = this.leaf;
      this.leaf = 5; /* serving.suspended */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingBinding2(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      const given = { context, event };
      context['attempts'] = listener.nextAttempt(given);
      this.leaf = 1; /* serving.binding */
      if (transitions.hasSubscribers) this.tell(from, event, doServerListen.command);
      this.emit(doServerListen);
    }

    toServingBinding3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['attempts'] = listener.nextAttempt(given);
      this.leaf = 1; /* serving.binding */
      if (transitions.hasSubscribers) this.tell(from, event, doServerListen.command);
      this.emit(doServerListen);
    }

    toClosed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.listener.closed', output: 'closed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 11; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toDraining2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['drainTimeoutMs'] = listener.askedDrainTimeout(given);
      context['cause'] = outcome.causeNoted(given, serving);
      this.timer0 = this.wait(listener.admissionTimeout(given));
      this.timer1 = this.wait(listener.drainTimeout(given));
      this.leaf = 6; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toClosed4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const end0 = { type: 'xstate.done.state.listener.closed', output: 'closed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 11; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.listener.aborted', output: 'aborted' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toCutting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['flushed'] = false;
      const command0 = listener.cut(given);
      this.timer0 = this.wait(listener.cutTimeout(given));
      this.leaf = 8; /* cutting */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command, command0);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
      this.emitAs(doListenerCut, command0);
    }

    toAborting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['flushed'] = false;
      const command0 = listener.abort(given);
      this.timer0 = this.wait(listener.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command, command0);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
      this.emitAs(doListenerAbort, command0);
    }

    toAborted3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const end0 = { type: 'xstate.done.state.listener.aborted', output: 'aborted' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, doServerClose.command, doPathUnlink.command);
      this.emit(doServerClose);
      this.emit(doPathUnlink);
    }

    toCutting3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['flushed'] = false;
      const command0 = listener.cut(given);
      this.timer0 = this.wait(listener.cutTimeout(given));
      this.leaf = 8; /* cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerCut, command0);
    }

    toAborting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['flushed'] = false;
      const command0 = listener.abort(given);
      this.timer0 = this.wait(listener.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerAbort, command0);
    }

    toCutting4(event) {
      const from = this.leaf;
      const { context } = this;
      context['flushed'] = false;
      const given = { context, event };
      const command0 = listener.cut(given);
      this.timer0 = this.wait(listener.cutTimeout(given));
      this.leaf = 8; /* cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerCut, command0);
    }

    toAborting3(event) {
      const from = this.leaf;
      const { context } = this;
      context['flushed'] = false;
      const given = { context, event };
      const command0 = listener.abort(given);
      this.timer0 = this.wait(listener.abortTimeout(given));
      this.leaf = 9; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doListenerAbort, command0);
    }

    toDraining3(event) {
      const from = this.leaf;
      if (transitions.hasSubscribers) this.tell(from, event, doAdmissionsRefuse.command);
      this.emit(doAdmissionsRefuse);
    }

    toRefusing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(listener.abortTimeout(given));
      this.leaf = 7; /* refusing */
      if (transitions.hasSubscribers) this.tell(from, event, doAdmissionsRefuse2.command);
      this.emit(doAdmissionsRefuse2);
    }

    toClosed5(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.listener.closed', output: 'closed' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 11; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted4(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.listener.aborted', output: 'aborted' };
      this.done(listener.outcomeOf({ context, event: end0 }));
      this.leaf = 12; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }
  };
}
