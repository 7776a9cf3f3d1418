// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "proxy" runs. Written by scripts/generate.mjs from src/machines/proxy.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as outcome from '../machines/functions/outcome.js';
import * as proxy from '../machines/functions/proxy.js';
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
export const proxyInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const starting = { phase: 'starting' };
  const closingDrainTimeout = { phase: 'closing', timeout: 'drainTimeout' };
  const idle = { phase: 'idle' };
  const serving = { phase: 'serving' };
  const closing = { phase: 'closing' };

  const FACTS = factsOf(
    'proxy',
    [
      'listeners.failed',
      'proxy.start',
      'proxy.close',
      'proxy.abort',
      'backends.established',
      'backends.failed',
      'listeners.bound',
      'sessions.emptied',
      'sessions.served',
      'listeners.closed',
      'backends.closed',
    ],
    [
      /* 0 */ [['idle'], [], []],
      /* 1 */ [['starting', 'connecting'], ['serving'], []],
      /* 2 */ [['starting', 'binding'], ['serving'], []],
      /* 3 */ [['running'], ['serving'], []],
      /* 4 */ [['draining'], ['serving', 'ending'], [['drainTimeout', 'xstate.after.drainTimeout.proxy.draining']]],
      /* 5 */ [
        ['stopping', 'refusing'],
        ['ending'],
        [['abortTimeout', 'xstate.after.abortTimeout.proxy.stopping.refusing']],
      ],
      /* 6 */ [['stopping', 'cutting'], ['ending'], [['cutTimeout', 'xstate.after.cutTimeout.proxy.stopping.cutting']]],
      /* 7 */ [
        ['stopping', 'listeners'],
        ['ending'],
        [['abortTimeout', 'xstate.after.abortTimeout.proxy.stopping.listeners']],
      ],
      /* 8 */ [['stopping', 'backends'], ['ending'], []],
      /* 9 */ [['closed'], ['ending'], [], true],
      /* 10 */ [['aborted'], ['ending'], [], true],
      /* 11 */ [['failed'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(proxy.startOf);
  const doListenersStart = place({ type: 'listeners.start' });
  const doProxyAbortListeners = place();
  const doProxyAbortSessions = place();
  const doSessionsAwait = place({ type: 'sessions.await' });
  const doBackendsClose = place({ type: 'backends.close' });
  const doProxyAbortBackends = place();
  const doListenersAwait = place({ type: 'listeners.await' });
  const doOwnerRunning = place({ type: 'owner.running' });
  const doBackendsConnect = place({ type: 'backends.connect' });
  const doListenersClose = place({ type: 'listeners.close' });
  const doAdmissionsRefuse = place({
    type: 'admissions.refuse',
    cause: { initiator: 'library', manner: 'timeout', code: 'drainTimeout' },
  });

  return class ProxyInstance extends MachineInstance {
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
        case 'backends.established':
          return this.onBackendsEstablished(event);
        case 'backends.failed':
          return this.onBackendsFailed(event);
        case 'listeners.closed':
          return this.onListenersClosed(event);
        case 'sessions.served':
          return this.onSessionsServed(event);
        case 'sessions.emptied':
          return this.onSessionsEmptied(event);
        case 'backends.closed':
          return this.onBackendsClosed(event);
        case 'listeners.bound':
          return this.onListenersBound(event);
        case 'listeners.failed':
          return this.onListenersFailed(event);
        case 'proxy.start':
          return this.onProxyStart(event);
        case 'proxy.close':
          return this.onProxyClose(event);
        case 'proxy.abort':
          return this.onProxyAbort(event);
        case 'xstate.after.drainTimeout.proxy.draining':
          return this.onXstateAfterDrainTimeoutProxyDraining(event);
        case 'xstate.after.abortTimeout.proxy.stopping.refusing':
          return this.onXstateAfterAbortTimeoutProxyStoppingRefusing(event);
        case 'xstate.after.cutTimeout.proxy.stopping.cutting':
          return this.onXstateAfterCutTimeoutProxyStoppingCutting(event);
        case 'xstate.after.abortTimeout.proxy.stopping.listeners':
          return this.onXstateAfterAbortTimeoutProxyStoppingListeners(event);
        default:
          return this.unknown(event);
      }
    }

    onBackendsEstablished(event) {
      switch (this.leaf) {
        case 1: // starting.connecting
          return this.toStartingBinding(event);
      }
    }

    onBackendsFailed(event) {
      switch (this.leaf) {
        case 1: // starting.connecting
          return this.toStoppingCutting(event);
      }
    }

    onListenersClosed(event) {
      switch (this.leaf) {
        case 7: // stopping.listeners
          {
            this.clearTimer0();
            return this.toStoppingBackends(event);
          }
      }
    }

    onSessionsServed(event) {
      switch (this.leaf) {
        case 5: // stopping.refusing
          {
            this.clearTimer0();
            return this.toStoppingCutting2(event);
          }
      }
    }

    onSessionsEmptied(event) {
      switch (this.leaf) {
        case 4: // draining

        case 5: // stopping.refusing

        case 6: // stopping.cutting
          {
            this.clearTimer0();
            return this.toStoppingListeners(event);
          }
      }
    }

    onBackendsClosed(event) {
      switch (this.leaf) {
        case 8: // stopping.backends
          {
            const given = { context: this.context, event };
            if (proxy.willBeClosed(given)) return this.toClosed(event);
            if (proxy.willBeAborted(given)) return this.toAborted(event);
            return this.toFailed(event);
          }
      }
    }

    onListenersBound(event) {
      switch (this.leaf) {
        case 2: // starting.binding
          return this.toRunning(event);
      }
    }

    onListenersFailed(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toStoppingCutting3(event);
        case 1: // starting.connecting

        case 2: // starting.binding
          return this.toStoppingCutting(event);
        case 3: // running
          return this.toStoppingCutting4(event);
      }
    }

    onProxyStart(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toStartingConnecting(event);
      }
    }

    onProxyClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toDraining(event);
        case 1: // starting.connecting

        case 2: // starting.binding
          return this.toDraining2(event);
        case 3: // running
          return this.toDraining3(event);
      }
    }

    onProxyAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toStoppingCutting5(event);
        case 1: // starting.connecting

        case 2: // starting.binding
          return this.toStoppingCutting6(event);
        case 3: // running
          return this.toStoppingCutting7(event);
        case 4: // draining

        case 5: // stopping.refusing
          {
            this.clearTimer0();
            return this.toStoppingCutting8(event);
          }
        case 6: // stopping.cutting
          return this.toStoppingCutting9(event);
        case 7: // stopping.listeners
          return this.toStoppingListeners2(event);
        case 8: // stopping.backends
          return this.toStoppingBackends2(event);
      }
    }

    onXstateAfterDrainTimeoutProxyDraining(event) {
      switch (this.leaf) {
        case 4: // draining
          {
            this.clearTimer0();
            return this.toStoppingRefusing(event);
          }
      }
    }

    onXstateAfterAbortTimeoutProxyStoppingRefusing(event) {
      switch (this.leaf) {
        case 5: // stopping.refusing
          {
            this.clearTimer0();
            return this.toStoppingListeners(event);
          }
      }
    }

    onXstateAfterCutTimeoutProxyStoppingCutting(event) {
      switch (this.leaf) {
        case 6: // stopping.cutting
          {
            this.clearTimer0();
            return this.toStoppingListeners(event);
          }
      }
    }

    onXstateAfterAbortTimeoutProxyStoppingListeners(event) {
      switch (this.leaf) {
        case 7: // stopping.listeners
          {
            this.clearTimer0();
            return this.toStoppingBackends(event);
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
    toStartingBinding(event) {
      const from = this.leaf;
      this.leaf = 2; /* starting.binding */
      if (transitions.hasSubscribers) this.tell(from, event, doListenersStart.command);
      this.emit(doListenersStart);
    }

    toStoppingCutting(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'failed';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = proxy.abortListeners(given);
      const command1 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, doSessionsAwait.command);
      this.emitAs(doProxyAbortListeners, command0);
      this.emitAs(doProxyAbortSessions, command1);
      this.emit(doSessionsAwait);
    }

    toStoppingBackends(event) {
      const from = this.leaf;
      this.leaf = 8; /* stopping.backends */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendsClose.command);
      this.emit(doBackendsClose);
    }

    toStoppingCutting2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingDrainTimeout);
      const command0 = proxy.abortBackends(given);
      const command1 = proxy.abortListeners(given);
      const command2 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, command2, doSessionsAwait.command);
      this.emitAs(doProxyAbortBackends, command0);
      this.emitAs(doProxyAbortListeners, command1);
      this.emitAs(doProxyAbortSessions, command2);
      this.emit(doSessionsAwait);
    }

    toStoppingListeners(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(proxy.abortTimeout(given));
      this.leaf = 7; /* stopping.listeners */
      if (transitions.hasSubscribers) this.tell(from, event, doListenersAwait.command);
      this.emit(doListenersAwait);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.proxy.closed', output: 'closed' };
      this.done(proxy.outcomeOf({ context, event: end0 }));
      this.leaf = 9; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.proxy.aborted', output: 'aborted' };
      this.done(proxy.outcomeOf({ context, event: end0 }));
      this.leaf = 10; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toFailed(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.proxy.failed', output: 'failed' };
      this.done(proxy.outcomeOf({ context, event: end0 }));
      this.leaf = 11; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toRunning(event) {
      const from = this.leaf;
      this.leaf = 3; /* running */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerRunning.command);
      this.emit(doOwnerRunning);
    }

    toStoppingCutting3(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'failed';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const command0 = proxy.abortListeners(given);
      const command1 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, doSessionsAwait.command);
      this.emitAs(doProxyAbortListeners, command0);
      this.emitAs(doProxyAbortSessions, command1);
      this.emit(doSessionsAwait);
    }

    toStoppingCutting4(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'failed';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = proxy.abortListeners(given);
      const command1 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, doSessionsAwait.command);
      this.emitAs(doProxyAbortListeners, command0);
      this.emitAs(doProxyAbortSessions, command1);
      this.emit(doSessionsAwait);
    }

    toStartingConnecting(event) {
      const from = this.leaf;
      this.leaf = 1; /* starting.connecting */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendsConnect.command);
      this.emit(doBackendsConnect);
    }

    toDraining(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['drainTimeoutMs'] = proxy.askedDrainTimeout(given);
      context['cause'] = outcome.causeNoted(given, idle);
      this.timer0 = this.wait(proxy.drainTimeout(given));
      this.leaf = 4; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doListenersClose.command, doSessionsAwait.command);
      this.emit(doListenersClose);
      this.emit(doSessionsAwait);
    }

    toDraining2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['drainTimeoutMs'] = proxy.askedDrainTimeout(given);
      context['cause'] = outcome.causeNoted(given, starting);
      this.timer0 = this.wait(proxy.drainTimeout(given));
      this.leaf = 4; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doListenersClose.command, doSessionsAwait.command);
      this.emit(doListenersClose);
      this.emit(doSessionsAwait);
    }

    toDraining3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['drainTimeoutMs'] = proxy.askedDrainTimeout(given);
      context['cause'] = outcome.causeNoted(given, serving);
      this.timer0 = this.wait(proxy.drainTimeout(given));
      this.leaf = 4; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doListenersClose.command, doSessionsAwait.command);
      this.emit(doListenersClose);
      this.emit(doSessionsAwait);
    }

    toStoppingCutting5(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const command0 = proxy.abortBackends(given);
      const command1 = proxy.abortListeners(given);
      const command2 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, command2, doSessionsAwait.command);
      this.emitAs(doProxyAbortBackends, command0);
      this.emitAs(doProxyAbortListeners, command1);
      this.emitAs(doProxyAbortSessions, command2);
      this.emit(doSessionsAwait);
    }

    toStoppingCutting6(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = proxy.abortBackends(given);
      const command1 = proxy.abortListeners(given);
      const command2 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, command2, doSessionsAwait.command);
      this.emitAs(doProxyAbortBackends, command0);
      this.emitAs(doProxyAbortListeners, command1);
      this.emitAs(doProxyAbortSessions, command2);
      this.emit(doSessionsAwait);
    }

    toStoppingCutting7(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = proxy.abortBackends(given);
      const command1 = proxy.abortListeners(given);
      const command2 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, command2, doSessionsAwait.command);
      this.emitAs(doProxyAbortBackends, command0);
      this.emitAs(doProxyAbortListeners, command1);
      this.emitAs(doProxyAbortSessions, command2);
      this.emit(doSessionsAwait);
    }

    toStoppingCutting8(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = proxy.abortBackends(given);
      const command1 = proxy.abortListeners(given);
      const command2 = proxy.abortSessions(given);
      this.timer0 = this.wait(proxy.cutTimeout(given));
      this.leaf = 6; /* stopping.cutting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, command2, doSessionsAwait.command);
      this.emitAs(doProxyAbortBackends, command0);
      this.emitAs(doProxyAbortListeners, command1);
      this.emitAs(doProxyAbortSessions, command2);
      this.emit(doSessionsAwait);
    }

    toStoppingCutting9(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = proxy.abortListeners(given);
      const command1 = proxy.abortSessions(given);
      const command2 = proxy.abortBackends(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1, command2);
      this.emitAs(doProxyAbortListeners, command0);
      this.emitAs(doProxyAbortSessions, command1);
      this.emitAs(doProxyAbortBackends, command2);
    }

    toStoppingListeners2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = proxy.abortListeners(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doProxyAbortListeners, command0);
    }

    toStoppingBackends2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = proxy.abortBackends(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doProxyAbortBackends, command0);
    }

    toStoppingRefusing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(proxy.abortTimeout(given));
      this.leaf = 5; /* stopping.refusing */
      if (transitions.hasSubscribers) this.tell(from, event, doAdmissionsRefuse.command);
      this.emit(doAdmissionsRefuse);
    }
  };
}
