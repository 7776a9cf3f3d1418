// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "backend" runs. Written by scripts/generate.mjs from src/machines/backend.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as backend from '../machines/functions/backend.js';
import * as connection from '../machines/functions/connection.js';
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
export const backendInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const choosing = { phase: 'choosing' };
  const preparing = { phase: 'preparing' };
  const established = { phase: 'established' };
  const connecting = { phase: 'connecting' };
  const closing = { phase: 'closing' };
  const establishedIdleTimeout = { phase: 'established', timeout: 'idleTimeout' };
  const establishedHalfCloseTimeout = { phase: 'established', timeout: 'halfCloseTimeout' };
  const idle = { phase: 'idle' };
  const waiting = { phase: 'waiting' };
  const disposing = { phase: 'disposing' };
  const choosingQueueTimeout = { phase: 'choosing', timeout: 'queueTimeout' };
  const connectingConnectTimeout = { phase: 'connecting', timeout: 'connectTimeout' };
  const preparingPrepareTimeout = { phase: 'preparing', timeout: 'prepareTimeout' };
  const closingCloseTimeout = { phase: 'closing', timeout: 'closeTimeout' };

  const FACTS = factsOf(
    'backend',
    [
      'backend.connect',
      'backend.renew',
      'backend.close',
      'backend.abort',
      'server.chosen',
      'server.deferred',
      'server.exhausted',
      'backend.retry',
      'socket.connected',
      'socket.failed',
      'socket.closed',
      'socket.finished',
      'owner.prepared',
      'owner.failed',
      'socket.ended',
      'socket.idled',
      'holds.emptied',
      'backend.expired',
    ],
    [
      /* 0 */ [['idle'], [], []],
      /* 1 */ [['active', 'choosing'], [], [['queueTimeout', 'xstate.after.queueTimeout.backend.active.choosing']]],
      /* 2 */ [['active', 'waiting'], [], [['backoff', 'xstate.after.backoff.backend.active.waiting']]],
      /* 3 */ [
        ['active', 'connecting'],
        ['holdsSocket'],
        [['connectTimeout', 'xstate.after.connectTimeout.backend.active.connecting']],
      ],
      /* 4 */ [
        ['active', 'preparing'],
        ['holdsSocket', 'linked'],
        [['prepareTimeout', 'xstate.after.prepareTimeout.backend.active.preparing']],
      ],
      /* 5 */ [
        ['active', 'established', 'open'],
        ['holdsSocket', 'linked', 'offered'],
        [
          ['stableAfter', 'xstate.after.stableAfter.backend.active.established'],
          ['idleProbe', 'xstate.after.idleProbe.backend.active.established.open'],
        ],
      ],
      /* 6 */ [
        ['active', 'established', 'peerEnded'],
        ['holdsSocket', 'linked', 'offered'],
        [
          ['stableAfter', 'xstate.after.stableAfter.backend.active.established'],
          ['halfCloseProbe', 'xstate.after.halfCloseProbe.backend.active.established.peerEnded'],
        ],
      ],
      /* 7 */ [
        ['active', 'established', 'localEnded'],
        ['holdsSocket', 'linked', 'offered'],
        [
          ['stableAfter', 'xstate.after.stableAfter.backend.active.established'],
          ['halfCloseProbe', 'xstate.after.halfCloseProbe.backend.active.established.localEnded'],
        ],
      ],
      /* 8 */ [
        ['active', 'established', 'bothEnded'],
        ['holdsSocket', 'linked', 'offered'],
        [['stableAfter', 'xstate.after.stableAfter.backend.active.established']],
      ],
      /* 9 */ [
        ['active', 'renewing', 'holding'],
        ['linked', 'holdsSocket'],
        [['closeTimeout', 'xstate.after.closeTimeout.backend.active.renewing.holding']],
      ],
      /* 10 */ [
        ['active', 'renewing', 'flushing'],
        ['holdsSocket'],
        [['closeTimeout', 'xstate.after.closeTimeout.backend.active.renewing.flushing']],
      ],
      /* 11 */ [
        ['active', 'disposing', 'revoking'],
        ['holdsSocket'],
        [['holdTimeout', 'xstate.after.holdTimeout.backend.active.disposing.revoking']],
      ],
      /* 12 */ [
        ['active', 'disposing', 'destroying'],
        ['holdsSocket'],
        [['disposeTimeout', 'xstate.after.disposeTimeout.backend.active.disposing.destroying']],
      ],
      /* 13 */ [
        ['active', 'failover'],
        ['holdsSocket'],
        [['holdTimeout', 'xstate.after.holdTimeout.backend.active.failover']],
      ],
      /* 14 */ [
        ['active', 'exhausted'],
        ['exhausted'],
        [['cooldown', 'xstate.after.cooldown.backend.active.exhausted']],
      ],
      /* 15 */ [['releasing'], ['ending'], [['holdTimeout', 'xstate.after.holdTimeout.backend.releasing']]],
      /* 16 */ [
        ['dropping', 'revoking'],
        ['holdsSocket', 'ending'],
        [['holdTimeout', 'xstate.after.holdTimeout.backend.dropping.revoking']],
      ],
      /* 17 */ [
        ['dropping', 'destroying'],
        ['holdsSocket', 'ending'],
        [['disposeTimeout', 'xstate.after.disposeTimeout.backend.dropping.destroying']],
      ],
      /* 18 */ [
        ['closing', 'holding'],
        ['linked', 'holdsSocket', 'ending'],
        [['closeTimeout', 'xstate.after.closeTimeout.backend.closing']],
      ],
      /* 19 */ [
        ['closing', 'revoking'],
        ['holdsSocket', 'ending'],
        [['closeTimeout', 'xstate.after.closeTimeout.backend.closing']],
      ],
      /* 20 */ [
        ['closing', 'flushing'],
        ['holdsSocket', 'ending'],
        [['closeTimeout', 'xstate.after.closeTimeout.backend.closing']],
      ],
      /* 21 */ [
        ['closing', 'destroying'],
        ['holdsSocket', 'ending'],
        [['closeTimeout', 'xstate.after.closeTimeout.backend.closing']],
      ],
      /* 22 */ [
        ['lingering', 'revoking'],
        ['holdsSocket', 'ending'],
        [
          ['lingerMax', 'xstate.after.lingerMax.backend.lingering'],
          ['holdTimeout', 'xstate.after.holdTimeout.backend.lingering.revoking'],
        ],
      ],
      /* 23 */ [
        ['lingering', 'probed'],
        ['holdsSocket', 'ending'],
        [['lingerMax', 'xstate.after.lingerMax.backend.lingering']],
      ],
      /* 24 */ [
        ['lingering', 'reading'],
        ['holdsSocket', 'ending'],
        [
          ['lingerMax', 'xstate.after.lingerMax.backend.lingering'],
          ['lingerTimeout', 'xstate.after.lingerTimeout.backend.lingering.reading'],
        ],
      ],
      /* 25 */ [
        ['parting'],
        ['holdsSocket', 'ending'],
        [['abortTimeout', 'xstate.after.abortTimeout.backend.parting']],
      ],
      /* 26 */ [['gone'], [], []],
      /* 27 */ [
        ['aborting', 'revoking'],
        ['holdsSocket', 'ending'],
        [['abortTimeout', 'xstate.after.abortTimeout.backend.aborting']],
      ],
      /* 28 */ [
        ['aborting', 'destroying'],
        ['holdsSocket', 'ending'],
        [['abortTimeout', 'xstate.after.abortTimeout.backend.aborting']],
      ],
      /* 29 */ [['ended'], ['ending'], [], true],
      /* 30 */ [['closed'], ['ending'], [], true],
      /* 31 */ [['aborted'], ['ending'], [], true],
      /* 32 */ [['dropped'], ['ending'], [], true],
      /* 33 */ [['failed'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(backend.startOf);
  const doBackendOpen = place();
  const doBackendRetry = place();
  const doBackendExhaust = place();
  const doBackendPrepare = place();
  const doSocketUnlink = place({ type: 'socket.unlink' });
  const doSocketDestroy = place({ type: 'socket.destroy' });
  const doHoldsRevoke = place({ type: 'holds.revoke' });
  const doServerDrop = place({ type: 'server.drop' });
  const doBackendDrop = place();
  const doSocketProbe = place({ type: 'socket.probe', bytes: 'read', times: 1 });
  const doSocketLinger = place({ type: 'socket.linger' });
  const doSocketReset = place({ type: 'socket.reset' });
  const doBackendChoose = place();
  const doBackendRest = place();
  const doBackendEstablish = place();
  const doBackendRelease = place();
  const doSocketEnd = place({ type: 'socket.end' });
  const doSocketAbandon = place({ type: 'socket.abandon' });
  const doServerRestore = place({ type: 'server.restore' });
  const doServerRenew = place({ type: 'server.renew' });
  const doHoldsAwait = place({ type: 'holds.await' });
  const doServerForget = place({ type: 'server.forget' });
  const doSocketProbe2 = place({ type: 'socket.probe', bytes: 'all', times: 4 });

  return class BackendInstance extends MachineInstance {
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
        case 'server.chosen':
          return this.onServerChosen(event);
        case 'server.deferred':
          return this.onServerDeferred(event);
        case 'server.exhausted':
          return this.onServerExhausted(event);
        case 'socket.connected':
          return this.onSocketConnected(event);
        case 'socket.ended':
          return this.onSocketEnded(event);
        case 'socket.finished':
          return this.onSocketFinished(event);
        case 'socket.failed':
          return this.onSocketFailed(event);
        case 'socket.closed':
          return this.onSocketClosed(event);
        case 'socket.idled':
          return this.onSocketIdled(event);
        case 'owner.prepared':
          return this.onOwnerPrepared(event);
        case 'owner.failed':
          return this.onOwnerFailed(event);
        case 'holds.emptied':
          return this.onHoldsEmptied(event);
        case 'backend.expired':
          return this.onBackendExpired(event);
        case 'backend.retry':
          return this.onBackendRetry(event);
        case 'backend.connect':
          return this.onBackendConnect(event);
        case 'backend.renew':
          return this.onBackendRenew(event);
        case 'backend.close':
          return this.onBackendClose(event);
        case 'backend.abort':
          return this.onBackendAbort(event);
        case 'xstate.after.queueTimeout.backend.active.choosing':
          return this.onXstateAfterQueueTimeoutBackendActiveChoosing(event);
        case 'xstate.after.backoff.backend.active.waiting':
          return this.onXstateAfterBackoffBackendActiveWaiting(event);
        case 'xstate.after.connectTimeout.backend.active.connecting':
          return this.onXstateAfterConnectTimeoutBackendActiveConnecting(event);
        case 'xstate.after.prepareTimeout.backend.active.preparing':
          return this.onXstateAfterPrepareTimeoutBackendActivePreparing(event);
        case 'xstate.after.stableAfter.backend.active.established':
          return this.onXstateAfterStableAfterBackendActiveEstablished(event);
        case 'xstate.after.idleProbe.backend.active.established.open':
          return this.onXstateAfterIdleProbeBackendActiveEstablishedOpen(event);
        case 'xstate.after.halfCloseProbe.backend.active.established.peerEnded':
          return this.onXstateAfterHalfCloseProbeBackendActiveEstablishedPeerEnded(event);
        case 'xstate.after.halfCloseProbe.backend.active.established.localEnded':
          return this.onXstateAfterHalfCloseProbeBackendActiveEstablishedLocalEnded(event);
        case 'xstate.after.closeTimeout.backend.active.renewing.holding':
          return this.onXstateAfterCloseTimeoutBackendActiveRenewingHolding(event);
        case 'xstate.after.closeTimeout.backend.active.renewing.flushing':
          return this.onXstateAfterCloseTimeoutBackendActiveRenewingFlushing(event);
        case 'xstate.after.holdTimeout.backend.active.disposing.revoking':
          return this.onXstateAfterHoldTimeoutBackendActiveDisposingRevoking(event);
        case 'xstate.after.disposeTimeout.backend.active.disposing.destroying':
          return this.onXstateAfterDisposeTimeoutBackendActiveDisposingDestroying(event);
        case 'xstate.after.holdTimeout.backend.active.failover':
          return this.onXstateAfterHoldTimeoutBackendActiveFailover(event);
        case 'xstate.after.cooldown.backend.active.exhausted':
          return this.onXstateAfterCooldownBackendActiveExhausted(event);
        case 'xstate.after.holdTimeout.backend.releasing':
          return this.onXstateAfterHoldTimeoutBackendReleasing(event);
        case 'xstate.after.holdTimeout.backend.dropping.revoking':
          return this.onXstateAfterHoldTimeoutBackendDroppingRevoking(event);
        case 'xstate.after.disposeTimeout.backend.dropping.destroying':
          return this.onXstateAfterDisposeTimeoutBackendDroppingDestroying(event);
        case 'xstate.after.closeTimeout.backend.closing':
          return this.onXstateAfterCloseTimeoutBackendClosing(event);
        case 'xstate.after.lingerMax.backend.lingering':
          return this.onXstateAfterLingerMaxBackendLingering(event);
        case 'xstate.after.holdTimeout.backend.lingering.revoking':
          return this.onXstateAfterHoldTimeoutBackendLingeringRevoking(event);
        case 'xstate.after.lingerTimeout.backend.lingering.reading':
          return this.onXstateAfterLingerTimeoutBackendLingeringReading(event);
        case 'xstate.after.abortTimeout.backend.parting':
          return this.onXstateAfterAbortTimeoutBackendParting(event);
        case 'xstate.after.abortTimeout.backend.aborting':
          return this.onXstateAfterAbortTimeoutBackendAborting(event);
        default:
          return this.unknown(event);
      }
    }

    onServerChosen(event) {
      switch (this.leaf) {
        case 1: // active.choosing
          {
            this.clearTimer0();
            return this.toActiveConnecting(event);
          }
      }
    }

    onServerDeferred(event) {
      switch (this.leaf) {
        case 1: // active.choosing
          {
            this.clearTimer0();
            return this.toActiveWaiting(event);
          }
      }
    }

    onServerExhausted(event) {
      switch (this.leaf) {
        case 1: // active.choosing
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer0();
              return this.toActiveExhausted(event);
            }
            this.clearTimer0();
            return this.toFailed(event);
          }
      }
    }

    onSocketConnected(event) {
      switch (this.leaf) {
        case 3: // active.connecting
          {
            this.clearTimer0();
            return this.toActivePreparing(event);
          }
      }
    }

    onSocketEnded(event) {
      switch (this.leaf) {
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking(event);
          }
        case 5: // active.established.open
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toActiveFailover(event);
            }
            this.clearTimer1();
            return this.toActiveEstablishedPeerEnded(event);
          }
        case 7: // active.established.localEnded
          {
            this.clearTimer1();
            return this.toActiveEstablishedBothEnded(event);
          }
      }
    }

    onSocketFinished(event) {
      switch (this.leaf) {
        case 4: // active.preparing

        case 9: // active.renewing.holding

        case 10: // active.renewing.flushing

        case 18: // closing.holding

        case 19: // closing.revoking

        case 20: // closing.flushing
          return this.toActivePreparing2(event);
        case 5: // active.established.open
          {
            this.clearTimer1();
            return this.toActiveEstablishedLocalEnded(event);
          }
        case 6: // active.established.peerEnded
          {
            this.clearTimer1();
            return this.toActiveEstablishedBothEnded2(event);
          }
      }
    }

    onSocketFailed(event) {
      switch (this.leaf) {
        case 3: // active.connecting
          return this.toActiveConnecting2(event);
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking(event);
          }
        case 5: // active.established.open

        case 6: // active.established.peerEnded

        case 7: // active.established.localEnded
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toActiveFailover(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toDroppingRevoking(event);
          }
        case 9: // active.renewing.holding
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer0();
              return this.toActiveDisposingRevoking2(event);
            }
            this.clearTimer0();
            return this.toActiveFailover2(event);
          }
        case 10: // active.renewing.flushing

        case 19: // closing.revoking

        case 20: // closing.flushing

        case 22: // lingering.revoking

        case 24: // lingering.reading
          return this.toActiveRenewingFlushing(event);
        case 18: // closing.holding
          return this.toClosingRevoking(event);
        case 23: // lingering.probed
          return this.toLingeringProbed(event);
      }
    }

    onSocketClosed(event) {
      switch (this.leaf) {
        case 3: // active.connecting
          {
            this.clearTimer0();
            return this.toActiveDisposingDestroying(event);
          }
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking(event);
          }
        case 5: // active.established.open

        case 6: // active.established.peerEnded

        case 7: // active.established.localEnded
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toActiveDisposingRevoking3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toAbortingRevoking(event);
          }
        case 8: // active.established.bothEnded
          {
            this.clearTimer0();
            return this.toReleasing(event);
          }
        case 9: // active.renewing.holding
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking4(event);
          }
        case 10: // active.renewing.flushing
          {
            this.clearTimer0();
            return this.toActiveChoosing(event);
          }
        case 12: // active.disposing.destroying
          {
            const given = { context: this.context, event };
            if (backend.isUnwanted(given)) {
              this.clearTimer0();
              return this.toIdle(event);
            }
            if (backend.hasAttemptsLeft(given)) {
              this.clearTimer0();
              return this.toActiveChoosing2(event);
            }
            if (backend.isPersistent(given)) {
              this.clearTimer0();
              return this.toActiveExhausted2(event);
            }
            this.clearTimer0();
            return this.toFailed2(event);
          }
        case 17: // dropping.destroying
          {
            this.clearTimer0();
            return this.toDropped(event);
          }
        case 18: // closing.holding
          return this.toClosingRevoking2(event);
        case 20: // closing.flushing

        case 21: // closing.destroying
          {
            this.clearTimer0();
            return this.toClosed(event);
          }
        case 24: // lingering.reading
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toGone(event);
          }
        case 25: // parting
          {
            this.clearTimer0();
            return this.toGone(event);
          }
        case 28: // aborting.destroying
          {
            this.clearTimer0();
            return this.toAborted(event);
          }
      }
    }

    onSocketIdled(event) {
      switch (this.leaf) {
        case 5: // active.established.open
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toActiveFailover3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toAbortingRevoking2(event);
          }
        case 6: // active.established.peerEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toAbortingRevoking3(event);
          }
        case 7: // active.established.localEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toLingeringRevoking(event);
          }
        case 24: // lingering.reading
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toParting(event);
          }
      }
    }

    onOwnerPrepared(event) {
      switch (this.leaf) {
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toActiveEstablishedOpen(event);
          }
      }
    }

    onOwnerFailed(event) {
      switch (this.leaf) {
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking(event);
          }
      }
    }

    onHoldsEmptied(event) {
      switch (this.leaf) {
        case 9: // active.renewing.holding
          {
            this.clearTimer0();
            return this.toActiveRenewingFlushing2(event);
          }
        case 11: // active.disposing.revoking

        case 13: // active.failover
          {
            this.clearTimer0();
            return this.toActiveDisposingDestroying2(event);
          }
        case 15: // releasing
          {
            this.clearTimer0();
            return this.toEnded(event);
          }
        case 16: // dropping.revoking
          {
            this.clearTimer0();
            return this.toDroppingDestroying(event);
          }
        case 18: // closing.holding
          return this.toClosingFlushing(event);
        case 19: // closing.revoking
          return this.toClosingFlushing2(event);
        case 22: // lingering.revoking
          {
            this.clearTimer1();
            return this.toLingeringReading(event);
          }
        case 27: // aborting.revoking
          return this.toAbortingDestroying(event);
      }
    }

    onBackendExpired(event) {
      switch (this.leaf) {
        case 27: // aborting.revoking
          {
            this.clearTimer0();
            return this.toAborted2(event);
          }
        case 28: // aborting.destroying
          {
            this.clearTimer0();
            return this.toAborted3(event);
          }
      }
    }

    onBackendRetry(event) {
      switch (this.leaf) {
        case 2: // active.waiting

        case 14: // active.exhausted
          {
            this.clearTimer0();
            return this.toActiveChoosing2(event);
          }
      }
    }

    onBackendConnect(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toActiveChoosing3(event);
        case 11: // active.disposing.revoking

        case 12: // active.disposing.destroying

        case 13: // active.failover
          return this.toActiveDisposingRevoking5(event);
        case 14: // active.exhausted
          {
            this.clearTimer0();
            return this.toActiveChoosing4(event);
          }
      }
    }

    onBackendRenew(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toActiveChoosing3(event);
        case 5: // active.established.open

        case 6: // active.established.peerEnded

        case 7: // active.established.localEnded
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toActiveRenewingHolding(event);
            }
          }
          break;
        case 8: // active.established.bothEnded
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer0();
              return this.toActiveRenewingHolding(event);
            }
          }
          break;
        case 11: // active.disposing.revoking

        case 12: // active.disposing.destroying

        case 13: // active.failover
          return this.toActiveDisposingRevoking5(event);
        case 14: // active.exhausted
          {
            this.clearTimer0();
            return this.toActiveChoosing4(event);
          }
      }
    }

    onBackendClose(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toClosed2(event);
        case 1: // active.choosing
          {
            this.clearTimer0();
            return this.toClosed3(event);
          }
        case 2: // active.waiting

        case 14: // active.exhausted
          {
            this.clearTimer0();
            return this.toClosed4(event);
          }
        case 3: // active.connecting
          {
            this.clearTimer0();
            return this.toClosingDestroying(event);
          }
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toClosingRevoking3(event);
          }
        case 5: // active.established.open

        case 6: // active.established.peerEnded

        case 7: // active.established.localEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toClosingHolding(event);
          }
        case 8: // active.established.bothEnded
          {
            this.clearTimer0();
            return this.toClosingHolding(event);
          }
        case 9: // active.renewing.holding
          {
            this.clearTimer0();
            return this.toClosingHolding2(event);
          }
        case 10: // active.renewing.flushing
          {
            this.clearTimer0();
            return this.toClosingFlushing3(event);
          }
        case 11: // active.disposing.revoking

        case 13: // active.failover
          {
            this.clearTimer0();
            return this.toClosingRevoking4(event);
          }
        case 12: // active.disposing.destroying
          {
            this.clearTimer0();
            return this.toClosingDestroying2(event);
          }
        case 15: // releasing
          {
            this.clearTimer0();
            return this.toEnded(event);
          }
        case 16: // dropping.revoking
          {
            this.clearTimer0();
            return this.toDroppingDestroying(event);
          }
      }
    }

    onBackendAbort(event) {
      switch (this.leaf) {
        case 0: // idle
          return this.toAborted4(event);
        case 1: // active.choosing
          {
            this.clearTimer0();
            return this.toAborted5(event);
          }
        case 2: // active.waiting

        case 14: // active.exhausted
          {
            this.clearTimer0();
            return this.toAborted6(event);
          }
        case 3: // active.connecting
          {
            this.clearTimer0();
            return this.toAbortingDestroying2(event);
          }
        case 4: // active.preparing
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringRevoking2(event);
            }
            this.clearTimer0();
            return this.toAbortingRevoking4(event);
          }
        case 5: // active.established.open

        case 6: // active.established.peerEnded

        case 7: // active.established.localEnded
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringRevoking3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toAbortingRevoking(event);
          }
        case 8: // active.established.bothEnded
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringRevoking3(event);
            }
            this.clearTimer0();
            return this.toAbortingRevoking(event);
          }
        case 9: // active.renewing.holding

        case 18: // closing.holding
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringRevoking4(event);
            }
            this.clearTimer0();
            return this.toAbortingRevoking5(event);
          }
        case 10: // active.renewing.flushing
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringReading2(event);
            }
            this.clearTimer0();
            return this.toAbortingDestroying3(event);
          }
        case 11: // active.disposing.revoking

        case 13: // active.failover
          {
            this.clearTimer0();
            return this.toAbortingRevoking6(event);
          }
        case 12: // active.disposing.destroying
          {
            this.clearTimer0();
            return this.toAbortingDestroying4(event);
          }
        case 15: // releasing
          {
            this.clearTimer0();
            return this.toEnded(event);
          }
        case 16: // dropping.revoking
          {
            this.clearTimer0();
            return this.toDroppingDestroying(event);
          }
        case 19: // closing.revoking
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringRevoking5(event);
            }
            this.clearTimer0();
            return this.toAbortingRevoking7(event);
          }
        case 20: // closing.flushing
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringProbed2(event);
            }
            this.clearTimer0();
            return this.toAbortingDestroying3(event);
          }
        case 21: // closing.destroying
          {
            this.clearTimer0();
            return this.toAbortingDestroying5(event);
          }
        case 22: // lingering.revoking
          {
            const given = { context: this.context, event };
            if (connection.isDeadline(given)) return;
            this.clearTimer1();
            this.clearTimer0();
            return this.toAbortingRevoking7(event);
          }
        case 24: // lingering.reading
          {
            const given = { context: this.context, event };
            if (connection.isDeadline(given)) return;
            this.clearTimer1();
            this.clearTimer0();
            return this.toAbortingDestroying3(event);
          }
      }
    }

    onXstateAfterQueueTimeoutBackendActiveChoosing(event) {
      switch (this.leaf) {
        case 1: // active.choosing
          {
            const given = { context: this.context, event };
            if (backend.isPersistent(given)) {
              this.clearTimer0();
              return this.toActiveExhausted3(event);
            }
            this.clearTimer0();
            return this.toFailed3(event);
          }
      }
    }

    onXstateAfterBackoffBackendActiveWaiting(event) {
      switch (this.leaf) {
        case 2: // active.waiting
          {
            this.clearTimer0();
            return this.toActiveChoosing2(event);
          }
      }
    }

    onXstateAfterConnectTimeoutBackendActiveConnecting(event) {
      switch (this.leaf) {
        case 3: // active.connecting
          {
            this.clearTimer0();
            return this.toActiveDisposingDestroying3(event);
          }
      }
    }

    onXstateAfterPrepareTimeoutBackendActivePreparing(event) {
      switch (this.leaf) {
        case 4: // active.preparing
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking6(event);
          }
      }
    }

    onXstateAfterStableAfterBackendActiveEstablished(event) {
      switch (this.leaf) {
        case 5: // active.established.open

        case 6: // active.established.peerEnded

        case 7: // active.established.localEnded

        case 8: // active.established.bothEnded
          return this.toActiveEstablishedOpen2(event);
      }
    }

    onXstateAfterIdleProbeBackendActiveEstablishedOpen(event) {
      switch (this.leaf) {
        case 5: // active.established.open
          {
            this.clearTimer1();
            return this.toActiveEstablishedOpen3(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeBackendActiveEstablishedPeerEnded(event) {
      switch (this.leaf) {
        case 6: // active.established.peerEnded
          {
            this.clearTimer1();
            return this.toActiveEstablishedPeerEnded2(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeBackendActiveEstablishedLocalEnded(event) {
      switch (this.leaf) {
        case 7: // active.established.localEnded
          {
            this.clearTimer1();
            return this.toActiveEstablishedPeerEnded2(event);
          }
      }
    }

    onXstateAfterCloseTimeoutBackendActiveRenewingHolding(event) {
      switch (this.leaf) {
        case 9: // active.renewing.holding
          {
            this.clearTimer0();
            return this.toActiveDisposingRevoking7(event);
          }
      }
    }

    onXstateAfterCloseTimeoutBackendActiveRenewingFlushing(event) {
      switch (this.leaf) {
        case 10: // active.renewing.flushing
          {
            this.clearTimer0();
            return this.toActiveDisposingDestroying4(event);
          }
      }
    }

    onXstateAfterHoldTimeoutBackendActiveDisposingRevoking(event) {
      switch (this.leaf) {
        case 11: // active.disposing.revoking
          {
            this.clearTimer0();
            return this.toActiveDisposingDestroying2(event);
          }
      }
    }

    onXstateAfterDisposeTimeoutBackendActiveDisposingDestroying(event) {
      switch (this.leaf) {
        case 12: // active.disposing.destroying
          {
            const given = { context: this.context, event };
            if (backend.isUnwanted(given)) {
              this.clearTimer0();
              return this.toIdle2(event);
            }
            if (backend.hasAttemptsLeft(given)) {
              this.clearTimer0();
              return this.toActiveChoosing5(event);
            }
            if (backend.isPersistent(given)) {
              this.clearTimer0();
              return this.toActiveExhausted4(event);
            }
            this.clearTimer0();
            return this.toFailed4(event);
          }
      }
    }

    onXstateAfterHoldTimeoutBackendActiveFailover(event) {
      switch (this.leaf) {
        case 13: // active.failover
          {
            this.clearTimer0();
            return this.toActiveDisposingDestroying2(event);
          }
      }
    }

    onXstateAfterCooldownBackendActiveExhausted(event) {
      switch (this.leaf) {
        case 14: // active.exhausted
          {
            this.clearTimer0();
            return this.toActiveChoosing2(event);
          }
      }
    }

    onXstateAfterHoldTimeoutBackendReleasing(event) {
      switch (this.leaf) {
        case 15: // releasing
          {
            this.clearTimer0();
            return this.toEnded(event);
          }
      }
    }

    onXstateAfterHoldTimeoutBackendDroppingRevoking(event) {
      switch (this.leaf) {
        case 16: // dropping.revoking
          {
            this.clearTimer0();
            return this.toDroppingDestroying(event);
          }
      }
    }

    onXstateAfterDisposeTimeoutBackendDroppingDestroying(event) {
      switch (this.leaf) {
        case 17: // dropping.destroying
          {
            this.clearTimer0();
            return this.toDropped2(event);
          }
      }
    }

    onXstateAfterCloseTimeoutBackendClosing(event) {
      switch (this.leaf) {
        case 18: // closing.holding
          return this.toClosingHolding3(event);
        case 19: // closing.revoking
          return this.toClosingRevoking5(event);
        case 20: // closing.flushing
          return this.toClosingFlushing4(event);
        case 21: // closing.destroying
          return this.toClosingDestroying3(event);
      }
    }

    onXstateAfterLingerMaxBackendLingering(event) {
      switch (this.leaf) {
        case 22: // lingering.revoking
          return this.toLingeringRevoking6(event);
        case 23: // lingering.probed
          return this.toLingeringProbed3(event);
        case 24: // lingering.reading
          return this.toLingeringReading3(event);
      }
    }

    onXstateAfterHoldTimeoutBackendLingeringRevoking(event) {
      switch (this.leaf) {
        case 22: // lingering.revoking
          {
            this.clearTimer1();
            return this.toLingeringReading(event);
          }
      }
    }

    onXstateAfterLingerTimeoutBackendLingeringReading(event) {
      switch (this.leaf) {
        case 24: // lingering.reading
          {
            this.clearTimer1();
            return this.toLingeringReading4(event);
          }
      }
    }

    onXstateAfterAbortTimeoutBackendParting(event) {
      switch (this.leaf) {
        case 25: // parting
          {
            this.clearTimer0();
            return this.toGone2(event);
          }
      }
    }

    onXstateAfterAbortTimeoutBackendAborting(event) {
      switch (this.leaf) {
        case 27: // aborting.revoking
          return this.toAbortingRevoking8(event);
        case 28: // aborting.destroying
          return this.toAbortingDestroying6(event);
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
    toActiveConnecting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = backend.nextIncarnation(given);
      const value1 = backend.nextAttempt(given);
      context['incarnation'] = value0;
      context['attempts'] = value1;
      context['cause'] = undefined;
      const command2 = backend.open(given);
      this.timer0 = this.wait(backend.connectTimeout(given));
      this.leaf = 3; /* active.connecting */
      if (transitions.hasSubscribers) this.tell(from, event, command2);
      this.emitAs(doBackendOpen, command2);
    }

    toActiveWaiting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['backoffMs'] = backend.deferredMs(given);
      const command0 = backend.retry(given);
      this.timer0 = this.wait(backend.backoff(given));
      this.leaf = 2; /* active.waiting */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendRetry, command0);
    }

    toActiveExhausted(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, choosing);
      const command0 = backend.exhaust(given);
      this.timer0 = this.wait(backend.cooldown(given));
      this.leaf = 14; /* active.exhausted */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendExhaust, command0);
    }

    toFailed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, choosing);
      const end0 = { type: 'xstate.done.state.backend.failed', output: 'failed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 33; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActivePreparing(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'some';
      const given = { context, event };
      const command0 = backend.prepare(given);
      this.timer0 = this.wait(backend.prepareTimeout(given));
      this.leaf = 4; /* active.preparing */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendPrepare, command0);
    }

    toActiveDisposingRevoking(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, preparing);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 11; /* active.disposing.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketDestroy.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveFailover(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['loss'] = backend.lossOf(given);
      context['sent'] = 'lost';
      const command0 = backend.drop(given);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 13; /* active.failover */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doServerDrop.command,
          command0,
          doSocketDestroy.command,
          doHoldsRevoke.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doServerDrop);
      this.emitAs(doBackendDrop, command0);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveEstablishedPeerEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer1 = this.wait(connection.halfCloseProbe(given));
      this.leaf = 6; /* active.established.peerEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveEstablishedBothEnded(event) {
      const from = this.leaf;
      this.leaf = 8; /* active.established.bothEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActivePreparing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveEstablishedLocalEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      context['cause'] = outcome.causeNoted(given, established);
      this.timer1 = this.wait(connection.halfCloseProbe(given));
      this.leaf = 7; /* active.established.localEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveEstablishedBothEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      this.leaf = 8; /* active.established.bothEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveConnecting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDroppingRevoking(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['sent'] = 'lost';
      const command0 = backend.drop(given);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 16; /* dropping.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, command0, doSocketDestroy.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emitAs(doBackendDrop, command0);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveDisposingRevoking2(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      const given = { context, event };
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 11; /* active.disposing.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketDestroy.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveFailover2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['loss'] = backend.lossOf(given);
      context['sent'] = 'lost';
      const command0 = backend.drop(given);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 13; /* active.failover */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doServerDrop.command,
          command0,
          doSocketDestroy.command,
          doHoldsRevoke.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doServerDrop);
      this.emitAs(doBackendDrop, command0);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveRenewingFlushing(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosingRevoking(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      this.leaf = 19; /* closing.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doHoldsRevoke);
    }

    toLingeringProbed(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      if (transitions.hasSubscribers) this.note(from, event);
      const given = { context, event };
      if (connection.wasReadForLong(given)) {
        this.timer1 = this.wait(connection.lingerTimeout(given));
        this.leaf = 24; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(23, event, doSocketProbe.command, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketProbe);
        this.emit(doSocketLinger);
        return;
      }
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 24; /* lingering.reading */
      if (transitions.hasSubscribers) this.note(23, event, doSocketLinger.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketLinger);
    }

    toActiveDisposingDestroying(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = backend.closedUnexplained(given);
      context['sent'] = 'nothing';
      this.timer0 = this.wait(backend.disposeTimeout(given));
      this.leaf = 12; /* active.disposing.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toActiveDisposingRevoking3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['loss'] = backend.lossOf(given);
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 11; /* active.disposing.revoking */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doServerDrop.command,
          doSocketUnlink.command,
          doSocketDestroy.command,
          doHoldsRevoke.command,
        );
      this.emit(doServerDrop);
      this.emit(doSocketUnlink);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toAbortingRevoking(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toReleasing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 15; /* releasing */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doHoldsRevoke);
    }

    toActiveDisposingRevoking4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 11; /* active.disposing.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketDestroy.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveChoosing(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'nothing';
      const given = { context, event };
      const command0 = backend.choose(given);
      this.timer0 = this.wait(backend.queueTimeout(given));
      this.leaf = 1; /* active.choosing */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendChoose, command0);
    }

    toIdle(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.rest(given);
      this.leaf = 0; /* idle */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendRest, command0);
    }

    toActiveChoosing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.choose(given);
      this.timer0 = this.wait(backend.queueTimeout(given));
      this.leaf = 1; /* active.choosing */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendChoose, command0);
    }

    toActiveExhausted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.exhaust(given);
      this.timer0 = this.wait(backend.cooldown(given));
      this.leaf = 14; /* active.exhausted */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendExhaust, command0);
    }

    toFailed2(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.failed', output: 'failed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 33; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDropped(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.dropped', output: 'dropped' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 32; /* dropped */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosingRevoking2(event) {
      const from = this.leaf;
      this.leaf = 19; /* closing.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doHoldsRevoke);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.closed', output: 'closed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 30; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toGone(event) {
      const from = this.leaf;
      const { context } = this;
      this.leaf = 26; /* gone */
      if (transitions.hasSubscribers) this.note(from, event);
      const given = { context, event };
      if (connection.willBeClosed(given)) {
        const end0 = { type: 'xstate.done.state.backend.closed', output: 'closed' };
        this.done(connection.outcomeOf({ context, event: end0 }));
        this.leaf = 30; /* closed */
        if (transitions.hasSubscribers) this.note(26, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      const end1 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end1 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.note(26, event);
      if (transitions.hasSubscribers) this.told();
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveFailover3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedIdleTimeout);
      context['loss'] = backend.lossOf(given);
      context['sent'] = 'lost';
      const command0 = backend.drop(given);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 13; /* active.failover */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketReset.command,
          doSocketUnlink.command,
          doServerDrop.command,
          command0,
          doSocketDestroy.command,
          doHoldsRevoke.command,
        );
      this.emit(doSocketReset);
      this.emit(doSocketUnlink);
      this.emit(doServerDrop);
      this.emitAs(doBackendDrop, command0);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toAbortingRevoking2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedIdleTimeout);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toAbortingRevoking3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedHalfCloseTimeout);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toLingeringRevoking(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedHalfCloseTimeout);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(backend.holdTimeout(given));
      this.leaf = 22; /* lingering.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketLinger.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketLinger);
      this.emit(doHoldsRevoke);
    }

    toParting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 25; /* parting */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toActiveEstablishedOpen(event) {
      const from = this.leaf;
      const { context } = this;
      context['loss'] = 'none';
      context['sent'] = 'some';
      context['cause'] = undefined;
      const given = { context, event };
      const command0 = backend.establish(given);
      this.timer0 = this.wait(backend.stableAfter(given));
      this.timer1 = this.wait(connection.idleProbe(given));
      this.leaf = 5; /* active.established.open */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendEstablish, command0);
    }

    toActiveRenewingFlushing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 10; /* active.renewing.flushing */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, command0, doSocketEnd.command);
      this.emit(doSocketUnlink);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketEnd);
    }

    toActiveDisposingDestroying2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      context['sent'] = 'nothing';
      this.timer0 = this.wait(backend.disposeTimeout(given));
      this.leaf = 12; /* active.disposing.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doSocketDestroy.command);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketDestroy);
    }

    toEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      const end1 = { type: 'xstate.done.state.backend.ended', output: 'ended' };
      this.done(connection.outcomeOf({ context, event: end1 }));
      this.leaf = 29; /* ended */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendRelease, command0);
    }

    toDroppingDestroying(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      this.timer0 = this.wait(backend.disposeTimeout(given));
      this.leaf = 17; /* dropping.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doSocketDestroy.command);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketDestroy);
    }

    toClosingFlushing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      this.leaf = 20; /* closing.flushing */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, command0, doSocketEnd.command);
      this.emit(doSocketUnlink);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketEnd);
    }

    toClosingFlushing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      this.leaf = 20; /* closing.flushing */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doSocketEnd.command);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketEnd);
    }

    toLingeringReading(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 24; /* lingering.reading */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doSocketLinger.command);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketLinger);
    }

    toAbortingDestroying(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doSocketDestroy.command);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketDestroy);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.release(given);
      const end1 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end1 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, command0, doSocketAbandon.command);
      this.emitAs(doBackendRelease, command0);
      this.emit(doSocketAbandon);
    }

    toAborted3(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command);
      this.emit(doSocketAbandon);
    }

    toActiveChoosing3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['loss'] = backend.lossOnceAsked(given);
      context['attempts'] = 0;
      const command0 = backend.choose(given);
      this.timer0 = this.wait(backend.queueTimeout(given));
      this.leaf = 1; /* active.choosing */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doBackendChoose, command0);
    }

    toActiveDisposingRevoking5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['loss'] = backend.lossOnceAsked(given);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveChoosing4(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      const given = { context, event };
      const command0 = backend.choose(given);
      this.timer0 = this.wait(backend.queueTimeout(given));
      this.leaf = 1; /* active.choosing */
      if (transitions.hasSubscribers) this.tell(from, event, doServerRestore.command, command0);
      this.emit(doServerRestore);
      this.emitAs(doBackendChoose, command0);
    }

    toActiveRenewingHolding(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 9; /* active.renewing.holding */
      if (transitions.hasSubscribers) this.tell(from, event, doServerRenew.command, doHoldsAwait.command);
      this.emit(doServerRenew);
      this.emit(doHoldsAwait);
    }

    toClosed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.backend.closed', output: 'closed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 30; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, choosing);
      const end0 = { type: 'xstate.done.state.backend.closed', output: 'closed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 30; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, doServerForget.command);
      this.emit(doServerForget);
    }

    toClosed4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, waiting);
      const end0 = { type: 'xstate.done.state.backend.closed', output: 'closed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 30; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosingDestroying(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, connecting);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 21; /* closing.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toClosingRevoking3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, preparing);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 19; /* closing.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doHoldsRevoke);
    }

    toClosingHolding(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 18; /* closing.holding */
      if (transitions.hasSubscribers) this.tell(from, event, doHoldsAwait.command);
      this.emit(doHoldsAwait);
    }

    toClosingHolding2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 18; /* closing.holding */
      if (transitions.hasSubscribers) this.tell(from, event, doHoldsAwait.command);
      this.emit(doHoldsAwait);
    }

    toClosingFlushing3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 20; /* closing.flushing */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketEnd.command);
      this.emit(doSocketEnd);
    }

    toClosingRevoking4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 19; /* closing.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doHoldsRevoke.command);
      this.emit(doHoldsRevoke);
    }

    toClosingDestroying2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 21; /* closing.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toAborted4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, idle);
      const end0 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAborted5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, choosing);
      const end0 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, doServerForget.command);
      this.emit(doServerForget);
    }

    toAborted6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, waiting);
      const end0 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toAbortingDestroying2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toLingeringRevoking2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, preparing);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(backend.holdTimeout(given));
      this.leaf = 22; /* lingering.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketLinger.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketLinger);
      this.emit(doHoldsRevoke);
    }

    toAbortingRevoking4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, preparing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toLingeringRevoking3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(backend.holdTimeout(given));
      this.leaf = 22; /* lingering.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketLinger.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketLinger);
      this.emit(doHoldsRevoke);
    }

    toLingeringRevoking4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(backend.holdTimeout(given));
      this.leaf = 22; /* lingering.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketLinger.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketLinger);
      this.emit(doHoldsRevoke);
    }

    toAbortingRevoking5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toLingeringReading2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 24; /* lingering.reading */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketLinger.command);
      this.emit(doSocketLinger);
    }

    toAbortingDestroying3(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doSocketDestroy.command);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toAbortingRevoking6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toAbortingDestroying4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, disposing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toLingeringRevoking5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(backend.holdTimeout(given));
      this.leaf = 22; /* lingering.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketLinger.command, doHoldsRevoke.command);
      this.emit(doSocketLinger);
      this.emit(doHoldsRevoke);
    }

    toAbortingRevoking7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doHoldsRevoke.command);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toLingeringProbed2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'closed';
      const given = { context, event };
      this.timer0 = this.wait(connection.lingerMax(given));
      this.leaf = 23; /* lingering.probed */
      if (transitions.hasSubscribers) this.note(from, event);
      if (connection.wasReadForLong(given)) {
        this.timer1 = this.wait(connection.lingerTimeout(given));
        this.leaf = 24; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(23, event, doSocketProbe.command, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketProbe);
        this.emit(doSocketLinger);
        return;
      }
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 24; /* lingering.reading */
      if (transitions.hasSubscribers) this.note(23, event, doSocketLinger.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketLinger);
    }

    toAbortingDestroying5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toActiveExhausted3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, choosingQueueTimeout);
      const command0 = backend.exhaust(given);
      this.timer0 = this.wait(backend.cooldown(given));
      this.leaf = 14; /* active.exhausted */
      if (transitions.hasSubscribers) this.tell(from, event, doServerForget.command, command0);
      this.emit(doServerForget);
      this.emitAs(doBackendExhaust, command0);
    }

    toFailed3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, choosingQueueTimeout);
      const end0 = { type: 'xstate.done.state.backend.failed', output: 'failed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 33; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event, doServerForget.command);
      this.emit(doServerForget);
    }

    toActiveDisposingDestroying3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connectingConnectTimeout);
      context['sent'] = 'nothing';
      this.timer0 = this.wait(backend.disposeTimeout(given));
      this.leaf = 12; /* active.disposing.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toActiveDisposingRevoking6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, preparingPrepareTimeout);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 11; /* active.disposing.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketDestroy.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveEstablishedOpen2(event) {
      const from = this.leaf;
      const { context } = this;
      context['attempts'] = 0;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toActiveEstablishedOpen3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer1 = this.wait(connection.idleProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doSocketProbe2.command);
      this.emit(doSocketProbe2);
    }

    toActiveEstablishedPeerEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer1 = this.wait(connection.halfCloseProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doSocketProbe2.command);
      this.emit(doSocketProbe2);
    }

    toActiveDisposingRevoking7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingCloseTimeout);
      this.timer0 = this.wait(backend.holdTimeout(given));
      this.leaf = 11; /* active.disposing.revoking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doSocketDestroy.command, doHoldsRevoke.command);
      this.emit(doSocketUnlink);
      this.emit(doSocketDestroy);
      this.emit(doHoldsRevoke);
    }

    toActiveDisposingDestroying4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingCloseTimeout);
      context['sent'] = 'nothing';
      this.timer0 = this.wait(backend.disposeTimeout(given));
      this.leaf = 12; /* active.disposing.destroying */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toIdle2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.rest(given);
      this.leaf = 0; /* idle */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command, command0);
      this.emit(doSocketAbandon);
      this.emitAs(doBackendRest, command0);
    }

    toActiveChoosing5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.choose(given);
      this.timer0 = this.wait(backend.queueTimeout(given));
      this.leaf = 1; /* active.choosing */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command, command0);
      this.emit(doSocketAbandon);
      this.emitAs(doBackendChoose, command0);
    }

    toActiveExhausted4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = backend.exhaust(given);
      this.timer0 = this.wait(backend.cooldown(given));
      this.leaf = 14; /* active.exhausted */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command, command0);
      this.emit(doSocketAbandon);
      this.emitAs(doBackendExhaust, command0);
    }

    toFailed4(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.failed', output: 'failed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 33; /* failed */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command);
      this.emit(doSocketAbandon);
    }

    toDropped2(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.backend.dropped', output: 'dropped' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 32; /* dropped */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command);
      this.emit(doSocketAbandon);
    }

    toClosingHolding3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'backend.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      const given1 = { context, event: event0 };
      if (connection.isToBeDelivered(given1)) {
        this.clearTimer0();
        context['cause'] = outcome.causeNoted(given1, closing);
        this.timer0 = this.wait(connection.lingerMax(given1));
        this.timer1 = this.wait(backend.holdTimeout(given1));
        this.leaf = 22; /* lingering.revoking */
        if (transitions.hasSubscribers)
          this.note(18, event0, doSocketUnlink.command, doSocketLinger.command, doHoldsRevoke.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketUnlink);
        this.emit(doSocketLinger);
        this.emit(doHoldsRevoke);
        return;
      }
      this.clearTimer0();
      context['cause'] = outcome.causeNoted(given1, closing);
      this.timer0 = this.wait(connection.abortTimeout(given1));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers)
        this.note(18, event0, doSocketUnlink.command, doSocketReset.command, doHoldsRevoke.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketUnlink);
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toClosingRevoking5(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'backend.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      const given1 = { context, event: event0 };
      if (connection.isToBeDelivered(given1)) {
        this.clearTimer0();
        context['cause'] = outcome.causeNoted(given1, closing);
        this.timer0 = this.wait(connection.lingerMax(given1));
        this.timer1 = this.wait(backend.holdTimeout(given1));
        this.leaf = 22; /* lingering.revoking */
        if (transitions.hasSubscribers) this.note(19, event0, doSocketLinger.command, doHoldsRevoke.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketLinger);
        this.emit(doHoldsRevoke);
        return;
      }
      this.clearTimer0();
      context['cause'] = outcome.causeNoted(given1, closing);
      this.timer0 = this.wait(connection.abortTimeout(given1));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers) this.note(19, event0, doSocketReset.command, doHoldsRevoke.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toClosingFlushing4(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'backend.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      const given1 = { context, event: event0 };
      if (connection.isToBeDelivered(given1)) {
        this.clearTimer0();
        context['ending'] = 'closed';
        this.timer0 = this.wait(connection.lingerMax(given1));
        this.leaf = 23; /* lingering.probed */
        if (transitions.hasSubscribers) this.note(20, event0);
        if (connection.wasReadForLong(given1)) {
          this.timer1 = this.wait(connection.lingerTimeout(given1));
          this.leaf = 24; /* lingering.reading */
          if (transitions.hasSubscribers) this.note(23, event0, doSocketProbe.command, doSocketLinger.command);
          if (transitions.hasSubscribers) this.told();
          this.emit(doSocketProbe);
          this.emit(doSocketLinger);
          return;
        }
        this.timer1 = this.wait(connection.lingerTimeout(given1));
        this.leaf = 24; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(23, event0, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketLinger);
        return;
      }
      this.clearTimer0();
      context['sent'] = 'lost';
      context['cause'] = outcome.causeNoted(given1, closing);
      this.timer0 = this.wait(connection.abortTimeout(given1));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.note(20, event0, doSocketReset.command, doSocketDestroy.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toClosingDestroying3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'backend.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      this.clearTimer0();
      const given1 = { context, event: event0 };
      context['cause'] = outcome.causeNoted(given1, closing);
      this.timer0 = this.wait(connection.abortTimeout(given1));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.note(21, event0, doSocketDestroy.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketDestroy);
    }

    toLingeringRevoking6(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'backend.abort',
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'lingerMax' },
      };
      const given1 = { context, event: event0 };
      if (connection.isDeadline(given1)) {
        if (transitions.hasSubscribers) this.told();
        return;
      }
      this.clearTimer1();
      this.clearTimer0();
      context['cause'] = outcome.causeNoted(given1, closing);
      this.timer0 = this.wait(connection.abortTimeout(given1));
      context['sent'] = 'lost';
      this.leaf = 27; /* aborting.revoking */
      if (transitions.hasSubscribers) this.note(22, event0, doSocketReset.command, doHoldsRevoke.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketReset);
      this.emit(doHoldsRevoke);
    }

    toLingeringProbed3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const given = { context, event };
      if (connection.wasReadForLong(given)) {
        this.timer1 = this.wait(connection.lingerTimeout(given));
        this.leaf = 24; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(23, event, doSocketProbe.command, doSocketLinger.command);
        const event0 = {
          type: 'backend.abort',
          cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'lingerMax' },
        };
        const given1 = { context, event: event0 };
        if (connection.isDeadline(given1)) {
          if (transitions.hasSubscribers) this.told();
          this.emit(doSocketProbe);
          this.emit(doSocketLinger);
          return;
        }
        this.clearTimer1();
        this.clearTimer0();
        context['sent'] = 'lost';
        context['cause'] = outcome.causeNoted(given1, closing);
        this.timer0 = this.wait(connection.abortTimeout(given1));
        this.leaf = 28; /* aborting.destroying */
        if (transitions.hasSubscribers) this.note(24, event0, doSocketReset.command, doSocketDestroy.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketProbe);
        this.emit(doSocketLinger);
        this.emit(doSocketReset);
        this.emit(doSocketDestroy);
        return;
      }
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 24; /* lingering.reading */
      if (transitions.hasSubscribers) this.note(23, event, doSocketLinger.command);
      const event2 = {
        type: 'backend.abort',
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'lingerMax' },
      };
      const given3 = { context, event: event2 };
      if (connection.isDeadline(given3)) {
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketLinger);
        return;
      }
      this.clearTimer1();
      this.clearTimer0();
      context['sent'] = 'lost';
      context['cause'] = outcome.causeNoted(given3, closing);
      this.timer0 = this.wait(connection.abortTimeout(given3));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.note(24, event2, doSocketReset.command, doSocketDestroy.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketLinger);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'backend.abort',
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'lingerMax' },
      };
      const given1 = { context, event: event0 };
      if (connection.isDeadline(given1)) {
        if (transitions.hasSubscribers) this.told();
        return;
      }
      this.clearTimer1();
      this.clearTimer0();
      context['sent'] = 'lost';
      context['cause'] = outcome.causeNoted(given1, closing);
      this.timer0 = this.wait(connection.abortTimeout(given1));
      this.leaf = 28; /* aborting.destroying */
      if (transitions.hasSubscribers) this.note(24, event0, doSocketReset.command, doSocketDestroy.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer1 = this.wait(connection.lingerTimeout(given));
      if (transitions.hasSubscribers) this.tell(from, event, doSocketProbe.command, doSocketLinger.command);
      this.emit(doSocketProbe);
      this.emit(doSocketLinger);
    }

    toGone2(event) {
      const from = this.leaf;
      const { context } = this;
      this.leaf = 26; /* gone */
      if (transitions.hasSubscribers) this.note(from, event, doSocketAbandon.command);
      const given = { context, event };
      if (connection.willBeClosed(given)) {
        const end0 = { type: 'xstate.done.state.backend.closed', output: 'closed' };
        this.done(connection.outcomeOf({ context, event: end0 }));
        this.leaf = 30; /* closed */
        if (transitions.hasSubscribers) this.note(26, event);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketAbandon);
        return;
      }
      const end1 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end1 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.note(26, event);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketAbandon);
    }

    toAbortingRevoking8(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = { type: 'backend.expired' };
      this.clearTimer0();
      const given2 = { context, event: event0 };
      const command1 = backend.release(given2);
      const end3 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end3 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.note(27, event0, command1, doSocketAbandon.command);
      if (transitions.hasSubscribers) this.told();
      this.emitAs(doBackendRelease, command1);
      this.emit(doSocketAbandon);
    }

    toAbortingDestroying6(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = { type: 'backend.expired' };
      this.clearTimer0();
      const end1 = { type: 'xstate.done.state.backend.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end1 }));
      this.leaf = 31; /* aborted */
      if (transitions.hasSubscribers) this.note(28, event0, doSocketAbandon.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketAbandon);
    }
  };
}
