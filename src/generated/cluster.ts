// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "cluster" runs. Written by scripts/generate.mjs from src/machines/cluster.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as cluster from '../machines/functions/cluster.js';
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
export const clusterInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const starting = { phase: 'starting' };
  const serving = { phase: 'serving' };
  const idle = { phase: 'idle' };
  const closing = { phase: 'closing' };
  const closed = {
    ending: 'closed',
    timeoutMs: undefined,
    reloadTimeoutMs: undefined,
    again: undefined,
    flushed: true,
    truncated: false,
    cause: undefined,
  };

  const FACTS = factsOf(
    'cluster',
    [
      'cluster.start',
      'cluster.close',
      'cluster.abort',
      'workers.running',
      'workers.failed',
      'cluster.reload',
      'newWorkers.running',
      'newWorkers.failed',
      'oldWorkers.closed',
      'newWorkers.closed',
      'workers.closed',
    ],
    [
      /* 0 */ [['idle'], [], []],
      /* 1 */ [['starting'], ['starting'], []],
      /* 2 */ [['running', 'steady'], ['running'], []],
      /* 3 */ [['running', 'reloading', 'starting'], ['startsNew', 'running'], []],
      /* 4 */ [['running', 'reloading', 'draining'], ['running'], []],
      /* 5 */ [['running', 'reloading', 'withdrawing'], ['withdrawsNew', 'running'], []],
      /* 6 */ [['draining'], ['ending'], []],
      /* 7 */ [['aborting'], ['ending'], []],
      /* 8 */ [['closed'], ['ending'], [], true],
      /* 9 */ [['aborted'], ['ending'], [], true],
      /* 10 */ [['dropped'], ['ending'], [], true],
      /* 11 */ [['failed'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(closed);
  const doOwnerRunning = place({ type: 'owner.running' });
  const doClusterCloseOldWorkers = place();
  const doClusterCloseNewWorkers = place();
  const doClusterReloadFailed = place();
  const doNewWorkersStart = place({ type: 'newWorkers.start' });
  const doOwnerReloaded = place({ type: 'owner.reloaded' });
  const doClusterAbortWorkers = place();
  const doWorkersAwait = place({ type: 'workers.await' });
  const doWorkersStart = place({ type: 'workers.start' });
  const doClusterCloseWorkers = place();

  return class ClusterInstance extends MachineInstance {
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
        case 'workers.running':
          return this.onWorkersRunning(event);
        case 'newWorkers.running':
          return this.onNewWorkersRunning(event);
        case 'newWorkers.failed':
          return this.onNewWorkersFailed(event);
        case 'newWorkers.closed':
          return this.onNewWorkersClosed(event);
        case 'oldWorkers.closed':
          return this.onOldWorkersClosed(event);
        case 'workers.closed':
          return this.onWorkersClosed(event);
        case 'cluster.reload':
          return this.onClusterReload(event);
        case 'workers.failed':
          return this.onWorkersFailed(event);
        case 'cluster.start':
          return this.onClusterStart(event);
        case 'cluster.close':
          return this.onClusterClose(event);
        case 'cluster.abort':
          return this.onClusterAbort(event);
        default:
          return this.unknown(event);
      }
    }

    onWorkersRunning(event) {
      switch (this.leaf) {
        case 1: // starting
          return this.toRunningSteady(event);
      }
    }

    onNewWorkersRunning(event) {
      switch (this.leaf) {
        case 3: // running.reloading.starting
          return this.toRunningReloadingDraining(event);
      }
    }

    onNewWorkersFailed(event) {
      switch (this.leaf) {
        case 3: // running.reloading.starting
          return this.toRunningReloadingWithdrawing(event);
      }
    }

    onNewWorkersClosed(event) {
      switch (this.leaf) {
        case 5: // running.reloading.withdrawing
          {
            const given = { context: this.context, event };
            if (cluster.isAskedAgain(given)) return this.toRunningReloadingStarting(event);
            return this.toRunningSteady2(event);
          }
      }
    }

    onOldWorkersClosed(event) {
      switch (this.leaf) {
        case 4: // running.reloading.draining
          {
            const given = { context: this.context, event };
            if (cluster.isAskedAgain(given)) return this.toRunningReloadingStarting2(event);
            return this.toRunningSteady3(event);
          }
      }
    }

    onWorkersClosed(event) {
      switch (this.leaf) {
        case 6: // draining
          {
            const given = { context: this.context, event };
            if (cluster.wereClosed(given)) return this.toClosed(event);
            if (cluster.wereAborted(given)) return this.toAborted(event);
            return this.toDropped(event);
          }
        case 7: // aborting
          {
            const given = { context: this.context, event };
            if (cluster.willBeAborted(given)) return this.toAborted2(event);
            return this.toFailed(event);
          }
      }
    }

    onClusterReload(event) {
      switch (this.leaf) {
        case 2: // running.steady
          return this.toRunningReloadingStarting3(event);
        case 3: // running.reloading.starting

        case 4: // running.reloading.draining

        case 5: // running.reloading.withdrawing
          return this.toRunningReloadingStarting4(event);
      }
    }

    onWorkersFailed(event) {
      switch (this.leaf) {
        case 1: // starting
          return this.toAborting(event);
        case 2: // running.steady

        case 3: // running.reloading.starting

        case 4: // running.reloading.draining

        case 5: // running.reloading.withdrawing
          return this.toAborting2(event);
      }
    }

    onClusterStart(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toStarting(event);
      }
    }

    onClusterClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toDraining(event);
        case 1: // starting
          return this.toDraining2(event);
        case 2: // running.steady

        case 3: // running.reloading.starting

        case 4: // running.reloading.draining

        case 5: // running.reloading.withdrawing
          return this.toDraining3(event);
      }
    }

    onClusterAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAborting3(event);
        case 1: // starting
          return this.toAborting4(event);
        case 2: // running.steady

        case 3: // running.reloading.starting

        case 4: // running.reloading.draining

        case 5: // running.reloading.withdrawing
          return this.toAborting5(event);
        case 6: // draining
          return this.toAborting6(event);
        case 7: // aborting
          return this.toAborting7(event);
      }
    }
    enter(event) {
      if (transitions.hasSubscribers) this.tellStart();
    }

    toRunningSteady(event) {
      const from = this.leaf;
      this.leaf = 2; /* running.steady */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerRunning.command);
      this.emit(doOwnerRunning);
    }

    toRunningReloadingDraining(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = cluster.closeOldWorkers(given);
      this.leaf = 4; /* running.reloading.draining */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doClusterCloseOldWorkers, command0);
    }

    toRunningReloadingWithdrawing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = cluster.closeNewWorkers(given);
      this.leaf = 5; /* running.reloading.withdrawing */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doClusterCloseNewWorkers, command0);
    }

    toRunningReloadingStarting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = cluster.reloadFailed(given);
      context['reloadTimeoutMs'] = cluster.timeoutOfAgain(given);
      context['again'] = undefined;
      this.leaf = 3; /* running.reloading.starting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doNewWorkersStart.command);
      this.emitAs(doClusterReloadFailed, command0);
      this.emit(doNewWorkersStart);
    }

    toRunningSteady2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = cluster.reloadFailed(given);
      this.leaf = 2; /* running.steady */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doClusterReloadFailed, command0);
    }

    toRunningReloadingStarting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['reloadTimeoutMs'] = cluster.timeoutOfAgain(given);
      context['again'] = undefined;
      this.leaf = 3; /* running.reloading.starting */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerReloaded.command, doNewWorkersStart.command);
      this.emit(doOwnerReloaded);
      this.emit(doNewWorkersStart);
    }

    toRunningSteady3(event) {
      const from = this.leaf;
      this.leaf = 2; /* running.steady */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerReloaded.command);
      this.emit(doOwnerReloaded);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = cluster.toldFlushed(given);
      const value1 = cluster.toldTruncated(given);
      context['flushed'] = value0;
      context['truncated'] = value1;
      const end2 = { type: 'xstate.done.state.cluster.closed', output: 'closed' };
      this.done(cluster.outcomeOf({ context, event: end2 }));
      this.leaf = 8; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = cluster.toldFlushed(given);
      const value1 = cluster.toldTruncated(given);
      context['flushed'] = value0;
      context['truncated'] = value1;
      context['cause'] = cluster.toldCause(given);
      const end2 = { type: 'xstate.done.state.cluster.aborted', output: 'aborted' };
      this.done(cluster.outcomeOf({ context, event: end2 }));
      this.leaf = 9; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDropped(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = cluster.toldFlushed(given);
      const value1 = cluster.toldTruncated(given);
      context['flushed'] = value0;
      context['truncated'] = value1;
      context['cause'] = cluster.toldCause(given);
      const end2 = { type: 'xstate.done.state.cluster.dropped', output: 'dropped' };
      this.done(cluster.outcomeOf({ context, event: end2 }));
      this.leaf = 10; /* dropped */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = cluster.toldFlushed(given);
      const value1 = cluster.toldTruncated(given);
      context['flushed'] = value0;
      context['truncated'] = value1;
      const end2 = { type: 'xstate.done.state.cluster.aborted', output: 'aborted' };
      this.done(cluster.outcomeOf({ context, event: end2 }));
      this.leaf = 9; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toFailed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = cluster.toldFlushed(given);
      const value1 = cluster.toldTruncated(given);
      context['flushed'] = value0;
      context['truncated'] = value1;
      const end2 = { type: 'xstate.done.state.cluster.failed', output: 'failed' };
      this.done(cluster.outcomeOf({ context, event: end2 }));
      this.leaf = 11; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toRunningReloadingStarting3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['reloadTimeoutMs'] = cluster.askedTimeout(given);
      this.leaf = 3; /* running.reloading.starting */
      if (transitions.hasSubscribers) this.tell(from, event, doNewWorkersStart.command);
      this.emit(doNewWorkersStart);
    }

    toRunningReloadingStarting4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['again'] = cluster.askedAgain(given);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = cluster.abortWorkers(given);
      this.leaf = 7; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterAbortWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toAborting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = cluster.abortWorkers(given);
      this.leaf = 7; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterAbortWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toStarting(event) {
      const from = this.leaf;
      this.leaf = 1; /* starting */
      if (transitions.hasSubscribers) this.tell(from, event, doWorkersStart.command);
      this.emit(doWorkersStart);
    }

    toDraining(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['timeoutMs'] = cluster.askedTimeout(given);
      context['cause'] = outcome.causeNoted(given, idle);
      const command0 = cluster.closeWorkers(given);
      this.leaf = 6; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterCloseWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toDraining2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['timeoutMs'] = cluster.askedTimeout(given);
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = cluster.closeWorkers(given);
      this.leaf = 6; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterCloseWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toDraining3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['timeoutMs'] = cluster.askedTimeout(given);
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = cluster.closeWorkers(given);
      this.leaf = 6; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterCloseWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toAborting3(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const command0 = cluster.abortWorkers(given);
      this.leaf = 7; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterAbortWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toAborting4(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, starting);
      const command0 = cluster.abortWorkers(given);
      this.leaf = 7; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterAbortWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toAborting5(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = cluster.abortWorkers(given);
      this.leaf = 7; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterAbortWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toAborting6(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = cluster.abortWorkers(given);
      this.leaf = 7; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doWorkersAwait.command);
      this.emitAs(doClusterAbortWorkers, command0);
      this.emit(doWorkersAwait);
    }

    toAborting7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = cluster.abortWorkers(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doClusterAbortWorkers, command0);
    }
  };
}
