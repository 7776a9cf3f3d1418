// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "server" runs. Written by scripts/generate.mjs from src/machines/server.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as outcome from '../machines/functions/outcome.js';
import * as server from '../machines/functions/server.js';
import * as serverGuards from '../machines/functions/server-guards.js';
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
export const serverInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const serving = { phase: 'serving' };
  const closing = { phase: 'closing' };
  const connecting = { phase: 'connecting' };
  const established = { phase: 'established' };
  const checking = { phase: 'checking' };
  const servingSlowStart = { phase: 'serving', timeout: 'slowStart' };
  const servingEjection = { phase: 'serving', timeout: 'ejection' };
  const servingExclusion = { phase: 'serving', timeout: 'exclusion' };
  const closingRemoveTimeout = { phase: 'closing', timeout: 'removeTimeout' };

  const FACTS = factsOf(
    'server',
    [
      'server.close',
      'server.abort',
      'server.drain',
      'server.maintain',
      'address.gone',
      'traffic.lasted',
      'traffic.failed',
      'traffic.dropped',
      'traffic.connected',
      'check.passed',
      'check.failed',
      'address.lost',
      'address.found',
      'server.restore',
      'trial.granted',
      'trial.givenUp',
      'server.up',
      'sessions.emptied',
    ],
    [
      /* 0 */ [['added'], [], []],
      /* 1 */ [['pending', 'checking'], ['usable'], []],
      /* 2 */ [['pending', 'addressing'], [], []],
      /* 3 */ [
        ['serving', 'up'],
        ['choosable', 'usable'],
        [['forgiveness', 'xstate.after.forgiveness.server.serving.up']],
      ],
      /* 4 */ [['serving', 'suspect'], ['choosable', 'usable'], []],
      /* 5 */ [
        ['serving', 'recovering'],
        ['choosable', 'usable', 'growing'],
        [['slowStartStep', 'xstate.after.slowStartStep.server.serving.recovering']],
      ],
      /* 6 */ [['serving', 'down'], ['usable'], []],
      /* 7 */ [
        ['serving', 'ejected'],
        ['doubtful', 'usable'],
        [['ejection', 'xstate.after.ejection.server.serving.ejected']],
      ],
      /* 8 */ [['serving', 'trying', 'free'], ['trial', 'doubtful', 'usable'], []],
      /* 9 */ [['serving', 'trying', 'underway'], ['doubtful', 'usable'], []],
      /* 10 */ [['serving', 'excluded'], [], [['exclusion', 'xstate.after.exclusion.server.serving.excluded']]],
      /* 11 */ [['draining'], ['out'], []],
      /* 12 */ [['maintenance'], ['out'], []],
      /* 13 */ [['leaving', 'wanted'], ['out'], [['removeTimeout', 'xstate.after.removeTimeout.server.leaving']]],
      /* 14 */ [['leaving', 'drained'], ['out'], [['removeTimeout', 'xstate.after.removeTimeout.server.leaving']]],
      /* 15 */ [['leaving', 'maintained'], ['out'], [['removeTimeout', 'xstate.after.removeTimeout.server.leaving']]],
      /* 16 */ [['removing'], ['out', 'ending'], [['removeTimeout', 'xstate.after.removeTimeout.server.removing']]],
      /* 17 */ [['cutting'], ['out', 'ending'], [['cutTimeout', 'xstate.after.cutTimeout.server.cutting']]],
      /* 18 */ [['closed'], ['out', 'ending'], [], true],
      /* 19 */ [['aborted'], ['out', 'ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(server.startOf);
  const doChecksStop = place({ type: 'checks.stop' });
  const doSetChanged = place({ type: 'set.changed' });
  const doServerChanged = place();
  const doWaitersServe = place({ type: 'waiters.serve' });
  const doServerPace = place();
  const doServerRelease = place();
  const doChecksResume = place({ type: 'checks.resume' });
  const doSessionsAwait = place({ type: 'sessions.await' });
  const doServerCut = place();
  const doServerAbort = place();
  const doChecksPause = place({ type: 'checks.pause' });
  const doPaceSet = place({ type: 'pace.set', pace: 'fast' });
  const doChecksStart = place({ type: 'checks.start' });

  return class ServerInstance extends MachineInstance {
    timer0 = undefined;

    constructor(input, host) {
      super(FACTS, host, makeContext(input), 0, input);
      this.prepare();
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
        case 'sessions.emptied':
          return this.onSessionsEmptied(event);
        case 'trial.granted':
          return this.onTrialGranted(event);
        case 'trial.givenUp':
          return this.onTrialGivenUp(event);
        case 'server.up':
          return this.onServerUp(event);
        case 'server.restore':
          return this.onServerRestore(event);
        case 'server.close':
          return this.onServerClose(event);
        case 'server.abort':
          return this.onServerAbort(event);
        case 'server.drain':
          return this.onServerDrain(event);
        case 'server.maintain':
          return this.onServerMaintain(event);
        case 'address.gone':
          return this.onAddressGone(event);
        case 'traffic.lasted':
          return this.onTrafficLasted(event);
        case 'traffic.failed':
          return this.onTrafficFailed(event);
        case 'traffic.dropped':
          return this.onTrafficDropped(event);
        case 'address.found':
          return this.onAddressFound(event);
        case 'traffic.connected':
          return this.onTrafficConnected(event);
        case 'check.passed':
          return this.onCheckPassed(event);
        case 'check.failed':
          return this.onCheckFailed(event);
        case 'address.lost':
          return this.onAddressLost(event);
        case 'xstate.after.forgiveness.server.serving.up':
          return this.onXstateAfterForgivenessServerServingUp(event);
        case 'xstate.after.slowStartStep.server.serving.recovering':
          return this.onXstateAfterSlowStartStepServerServingRecovering(event);
        case 'xstate.after.ejection.server.serving.ejected':
          return this.onXstateAfterEjectionServerServingEjected(event);
        case 'xstate.after.exclusion.server.serving.excluded':
          return this.onXstateAfterExclusionServerServingExcluded(event);
        case 'xstate.after.removeTimeout.server.leaving':
          return this.onXstateAfterRemoveTimeoutServerLeaving(event);
        case 'xstate.after.removeTimeout.server.removing':
          return this.onXstateAfterRemoveTimeoutServerRemoving(event);
        case 'xstate.after.cutTimeout.server.cutting':
          return this.onXstateAfterCutTimeoutServerCutting(event);
        default:
          return this.unknown(event);
      }
    }

    onSessionsEmptied(event) {
      switch (this.leaf) {
        case 13: // leaving.wanted

        case 14: // leaving.drained

        case 15: // leaving.maintained
          {
            this.clearTimer0();
            return this.toClosed(event);
          }
        case 16: // removing
          {
            this.clearTimer0();
            return this.toClosed2(event);
          }
        case 17: // cutting
          {
            this.clearTimer0();
            return this.toAborted(event);
          }
      }
    }

    onTrialGranted(event) {
      switch (this.leaf) {
        case 8: // serving.trying.free
          return this.toServingTryingUnderway(event);
      }
    }

    onTrialGivenUp(event) {
      switch (this.leaf) {
        case 9: // serving.trying.underway
          return this.toServingTryingFree(event);
      }
    }

    onServerUp(event) {
      switch (this.leaf) {
        case 11: // draining
          {
            const given = { context: this.context, event };
            if (serverGuards.hasNoAddress(given)) return this.toPendingAddressing(event);
            if (serverGuards.isExcludedForGood(given)) return this.toServingExcluded(event);
            if (serverGuards.isDoubted(given)) return this.toServingTryingFree2(event);
            if (serverGuards.isAtFullCredit(given)) return this.toServingUp(event);
            if (serverGuards.isHealthy(given)) return this.toServingSuspect(event);
            return this.toServingDown(event);
          }
        case 12: // maintenance
          {
            const given = { context: this.context, event };
            if (serverGuards.hasNoAddress(given)) return this.toPendingAddressing2(event);
            if (serverGuards.isFullAtRise(given)) return this.toServingUp2(event);
            return this.toServingSuspect2(event);
          }
        case 14: // leaving.drained
          return this.toLeavingWanted(event);
        case 15: // leaving.maintained
          return this.toLeavingWanted2(event);
      }
    }

    onServerRestore(event) {
      switch (this.leaf) {
        case 7: // serving.ejected
          {
            const given = { context: this.context, event };
            if (serverGuards.isAtFullCredit(given)) {
              this.clearTimer0();
              return this.toServingUp3(event);
            }
            this.clearTimer0();
            return this.toServingSuspect3(event);
          }
        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          {
            const given = { context: this.context, event };
            if (serverGuards.isAtFullCredit(given)) return this.toServingUp3(event);
            return this.toServingSuspect3(event);
          }
        case 10: // serving.excluded
          {
            const given = { context: this.context, event };
            if (serverGuards.isAtFullCredit(given)) {
              this.clearTimer0();
              return this.toServingUp3(event);
            }
            if (serverGuards.isHealthy(given)) {
              this.clearTimer0();
              return this.toServingSuspect3(event);
            }
            this.clearTimer0();
            return this.toServingDown2(event);
          }
        case 11: // draining

        case 13: // leaving.wanted

        case 14: // leaving.drained
          return this.toDraining(event);
      }
    }

    onServerClose(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 2: // pending.addressing

        case 4: // serving.suspect

        case 6: // serving.down

        case 8: // serving.trying.free

        case 9: // serving.trying.underway

        case 11: // draining

        case 12: // maintenance
          return this.toRemoving(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded

        case 13: // leaving.wanted

        case 14: // leaving.drained

        case 15: // leaving.maintained
          {
            this.clearTimer0();
            return this.toRemoving(event);
          }
      }
    }

    onServerAbort(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 2: // pending.addressing

        case 4: // serving.suspect

        case 6: // serving.down

        case 8: // serving.trying.free

        case 9: // serving.trying.underway

        case 11: // draining

        case 12: // maintenance
          return this.toCutting(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded

        case 13: // leaving.wanted

        case 14: // leaving.drained

        case 15: // leaving.maintained
          {
            this.clearTimer0();
            return this.toCutting(event);
          }
        case 16: // removing
          {
            this.clearTimer0();
            return this.toCutting2(event);
          }
        case 17: // cutting
          {
            const given = { context: this.context, event };
            if (serverGuards.isDeadline(given)) return;
            return this.toCutting3(event);
          }
      }
    }

    onServerDrain(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 2: // pending.addressing

        case 4: // serving.suspect

        case 6: // serving.down

        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          return this.toDraining2(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded
          {
            this.clearTimer0();
            return this.toDraining2(event);
          }
        case 12: // maintenance
          {
            const given = { context: this.context, event };
            if (serverGuards.hasNoAddress(given)) return this.toDraining3(event);
            return this.toDraining4(event);
          }
        case 13: // leaving.wanted
          return this.toLeavingDrained(event);
        case 15: // leaving.maintained
          return this.toLeavingDrained2(event);
      }
    }

    onServerMaintain(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 2: // pending.addressing

        case 4: // serving.suspect

        case 6: // serving.down

        case 8: // serving.trying.free

        case 9: // serving.trying.underway

        case 11: // draining
          return this.toMaintenance(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded
          {
            this.clearTimer0();
            return this.toMaintenance(event);
          }
        case 13: // leaving.wanted

        case 14: // leaving.drained
          return this.toLeavingMaintained(event);
      }
    }

    onAddressGone(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 4: // serving.suspect

        case 6: // serving.down

        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          return this.toLeavingWanted3(event);
        case 2: // pending.addressing
          return this.toLeavingWanted4(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded
          {
            this.clearTimer0();
            return this.toLeavingWanted3(event);
          }
        case 11: // draining
          {
            const given = { context: this.context, event };
            if (serverGuards.hasNoAddress(given)) return this.toLeavingDrained3(event);
            return this.toLeavingDrained4(event);
          }
        case 12: // maintenance
          return this.toLeavingMaintained2(event);
      }
    }

    onTrafficLasted(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 3: // serving.up

        case 4: // serving.suspect

        case 5: // serving.recovering

        case 6: // serving.down

        case 7: // serving.ejected

        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          return this.toPendingChecking(event);
      }
    }

    onTrafficFailed(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 6: // serving.down
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) return this.toServingExcluded2(event);
            return this.toPendingChecking2(event);
          }
        case 3: // serving.up
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) {
              this.clearTimer0();
              return this.toServingExcluded2(event);
            }
            if (serverGuards.ejects(given)) {
              this.clearTimer0();
              return this.toServingEjected(event);
            }
            if (serverGuards.isMarkedDown(given)) {
              this.clearTimer0();
              return this.toServingDown3(event);
            }
            if (serverGuards.isMarkedSuspect(given)) {
              this.clearTimer0();
              return this.toServingSuspect4(event);
            }
            if (serverGuards.isMarked(given)) return this.toServingUp4(event);
            return this.toPendingChecking2(event);
          }
        case 4: // serving.suspect
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) return this.toServingExcluded2(event);
            if (serverGuards.ejects(given)) return this.toServingEjected(event);
            if (serverGuards.isMarkedDown(given)) return this.toServingDown3(event);
            if (serverGuards.isMarked(given)) return this.toServingUp4(event);
            return this.toPendingChecking2(event);
          }
        case 5: // serving.recovering
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) {
              this.clearTimer0();
              return this.toServingExcluded2(event);
            }
            if (serverGuards.ejects(given)) {
              this.clearTimer0();
              return this.toServingEjected(event);
            }
            if (serverGuards.isMarkedDown(given)) {
              this.clearTimer0();
              return this.toServingDown3(event);
            }
            if (serverGuards.isMarked(given)) return this.toServingUp4(event);
            return this.toPendingChecking2(event);
          }
        case 7: // serving.ejected
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) {
              this.clearTimer0();
              return this.toServingExcluded2(event);
            }
            return this.toPendingChecking2(event);
          }
        case 8: // serving.trying.free
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) return this.toServingExcluded2(event);
            if (serverGuards.maySpare(given)) return this.toServingEjected(event);
            return this.toServingTryingFree3(event);
          }
        case 9: // serving.trying.underway
          {
            const given = { context: this.context, event };
            if (serverGuards.isUnmendable(given)) return this.toServingExcluded2(event);
            if (serverGuards.maySpare(given)) return this.toServingEjected(event);
            return this.toServingTryingFree4(event);
          }
        case 10: // serving.excluded
          return this.toPendingChecking2(event);
      }
    }

    onTrafficDropped(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 6: // serving.down

        case 7: // serving.ejected
          return this.toPendingChecking2(event);
        case 3: // serving.up
          {
            const given = { context: this.context, event };
            if (serverGuards.ejects(given)) {
              this.clearTimer0();
              return this.toServingEjected2(event);
            }
            if (serverGuards.isMarkedDown(given)) {
              this.clearTimer0();
              return this.toServingDown4(event);
            }
            if (serverGuards.isMarkedSuspect(given)) {
              this.clearTimer0();
              return this.toServingSuspect5(event);
            }
            if (serverGuards.isMarked(given)) return this.toServingUp4(event);
            return this.toPendingChecking2(event);
          }
        case 4: // serving.suspect
          {
            const given = { context: this.context, event };
            if (serverGuards.ejects(given)) return this.toServingEjected2(event);
            if (serverGuards.isMarkedDown(given)) return this.toServingDown4(event);
            if (serverGuards.isMarked(given)) return this.toServingUp4(event);
            return this.toPendingChecking2(event);
          }
        case 5: // serving.recovering
          {
            const given = { context: this.context, event };
            if (serverGuards.ejects(given)) {
              this.clearTimer0();
              return this.toServingEjected2(event);
            }
            if (serverGuards.isMarkedDown(given)) {
              this.clearTimer0();
              return this.toServingDown4(event);
            }
            if (serverGuards.isMarked(given)) return this.toServingUp4(event);
            return this.toPendingChecking2(event);
          }
        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          {
            const given = { context: this.context, event };
            if (serverGuards.maySpare(given)) return this.toServingEjected2(event);
            return this.toPendingChecking2(event);
          }
      }
    }

    onAddressFound(event) {
      switch (this.leaf) {
        case 2: // pending.addressing
          {
            const given = { context: this.context, event };
            if (serverGuards.isFullAtRise(given)) return this.toServingUp5(event);
            return this.toServingSuspect6(event);
          }
        case 11: // draining
          {
            const given = { context: this.context, event };
            if (serverGuards.hasNoAddress(given)) return this.toDraining5(event);
          }
          break;
        case 12: // maintenance
          return this.toMaintenance2(event);
        case 13: // leaving.wanted
          {
            const given = { context: this.context, event };
            if (serverGuards.isExcludedForGood(given)) {
              this.clearTimer0();
              return this.toServingExcluded(event);
            }
            if (serverGuards.isDoubted(given)) {
              this.clearTimer0();
              return this.toServingTryingFree2(event);
            }
            if (serverGuards.isAtFullCredit(given)) {
              this.clearTimer0();
              return this.toServingUp(event);
            }
            if (serverGuards.isHealthy(given)) {
              this.clearTimer0();
              return this.toServingSuspect(event);
            }
            this.clearTimer0();
            return this.toServingDown(event);
          }
        case 14: // leaving.drained
          {
            this.clearTimer0();
            return this.toDraining2(event);
          }
        case 15: // leaving.maintained
          {
            this.clearTimer0();
            return this.toMaintenance3(event);
          }
      }
    }

    onTrafficConnected(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 3: // serving.up

        case 4: // serving.suspect

        case 5: // serving.recovering

        case 6: // serving.down

        case 10: // serving.excluded
          return this.toPendingChecking3(event);
        case 7: // serving.ejected
          {
            const given = { context: this.context, event };
            if (serverGuards.provesSlowly(given)) {
              this.clearTimer0();
              return this.toServingRecovering(event);
            }
            if (serverGuards.provesAtFullCredit(given)) {
              this.clearTimer0();
              return this.toServingUp6(event);
            }
            if (serverGuards.proves(given)) {
              this.clearTimer0();
              return this.toServingSuspect7(event);
            }
            return this.toPendingChecking3(event);
          }
        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          {
            const given = { context: this.context, event };
            if (serverGuards.provesSlowly(given)) return this.toServingRecovering(event);
            if (serverGuards.provesAtFullCredit(given)) return this.toServingUp6(event);
            if (serverGuards.proves(given)) return this.toServingSuspect7(event);
            return this.toPendingChecking3(event);
          }
      }
    }

    onCheckPassed(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 4: // serving.suspect
          return this.toServingUp7(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded

        case 11: // draining

        case 13: // leaving.wanted

        case 14: // leaving.drained
          return this.toServingUp8(event);
        case 6: // serving.down
          {
            const given = { context: this.context, event };
            if (serverGuards.risesSlowly(given)) return this.toServingRecovering2(event);
            if (serverGuards.isRisen(given)) return this.toServingUp7(event);
            return this.toServingUp8(event);
          }
        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          {
            const given = { context: this.context, event };
            if (serverGuards.passesSlowly(given)) return this.toServingRecovering2(event);
            if (serverGuards.passes(given)) return this.toServingUp7(event);
            return this.toServingUp8(event);
          }
      }
    }

    onCheckFailed(event) {
      switch (this.leaf) {
        case 1: // pending.checking
          return this.toServingDown5(event);
        case 3: // serving.up
          {
            const given = { context: this.context, event };
            if (serverGuards.isLastCredit(given)) {
              this.clearTimer0();
              return this.toServingDown5(event);
            }
            this.clearTimer0();
            return this.toServingSuspect8(event);
          }
        case 4: // serving.suspect

        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          {
            const given = { context: this.context, event };
            if (serverGuards.isLastCredit(given)) return this.toServingDown5(event);
            return this.toServingSuspect9(event);
          }
        case 5: // serving.recovering

        case 7: // serving.ejected
          {
            const given = { context: this.context, event };
            if (serverGuards.isLastCredit(given)) {
              this.clearTimer0();
              return this.toServingDown5(event);
            }
            return this.toServingSuspect9(event);
          }
        case 6: // serving.down

        case 10: // serving.excluded

        case 11: // draining

        case 13: // leaving.wanted

        case 14: // leaving.drained
          return this.toServingSuspect9(event);
      }
    }

    onAddressLost(event) {
      switch (this.leaf) {
        case 1: // pending.checking

        case 4: // serving.suspect

        case 6: // serving.down

        case 8: // serving.trying.free

        case 9: // serving.trying.underway
          return this.toPendingAddressing3(event);
        case 3: // serving.up

        case 5: // serving.recovering

        case 7: // serving.ejected

        case 10: // serving.excluded
          {
            this.clearTimer0();
            return this.toPendingAddressing3(event);
          }
        case 11: // draining
          return this.toDraining6(event);
        case 12: // maintenance
          return this.toMaintenance4(event);
      }
    }

    onXstateAfterForgivenessServerServingUp(event) {
      switch (this.leaf) {
        case 3: // serving.up
          {
            this.clearTimer0();
            return this.toServingUp9(event);
          }
      }
    }

    onXstateAfterSlowStartStepServerServingRecovering(event) {
      switch (this.leaf) {
        case 5: // serving.recovering
          {
            const given = { context: this.context, event };
            if (serverGuards.isLastStepAtFullCredit(given)) {
              this.clearTimer0();
              return this.toServingUp10(event);
            }
            if (serverGuards.isLastStep(given)) {
              this.clearTimer0();
              return this.toServingSuspect10(event);
            }
            this.clearTimer0();
            return this.toServingRecovering3(event);
          }
      }
    }

    onXstateAfterEjectionServerServingEjected(event) {
      switch (this.leaf) {
        case 7: // serving.ejected
          {
            this.clearTimer0();
            return this.toServingTryingFree5(event);
          }
      }
    }

    onXstateAfterExclusionServerServingExcluded(event) {
      switch (this.leaf) {
        case 10: // serving.excluded
          {
            const given = { context: this.context, event };
            if (serverGuards.isHealthy(given)) {
              this.clearTimer0();
              return this.toServingTryingFree6(event);
            }
            this.clearTimer0();
            return this.toServingDown6(event);
          }
      }
    }

    onXstateAfterRemoveTimeoutServerLeaving(event) {
      switch (this.leaf) {
        case 13: // leaving.wanted

        case 14: // leaving.drained

        case 15: // leaving.maintained
          {
            this.clearTimer0();
            return this.toCutting4(event);
          }
      }
    }

    onXstateAfterRemoveTimeoutServerRemoving(event) {
      switch (this.leaf) {
        case 16: // removing
          {
            this.clearTimer0();
            return this.toCutting5(event);
          }
      }
    }

    onXstateAfterCutTimeoutServerCutting(event) {
      switch (this.leaf) {
        case 17: // cutting
          {
            this.clearTimer0();
            return this.toAborted2(event);
          }
      }
    }
    enter(event) {
      this.follow(event);
    }
    always(event) {
      switch (this.leaf) {
        case 0: // added
          {
            const given = { context: this.context, event };
            if (serverGuards.isAtFullCredit(given)) {
              this.toServingUp11(event);
              return true;
            }
            if (serverGuards.isHealthy(given)) {
              this.toServingSuspect11(event);
              return true;
            }
            if (serverGuards.awaitsCheck(given)) {
              this.toPendingChecking4(event);
              return true;
            }
            this.toServingDown7(event);
            return true;
          }
          break;
      }
      return undefined;
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
    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      const end1 = { type: 'xstate.done.state.server.closed', output: 'closed' };
      this.done(server.outcomeOf({ context, event: end1 }));
      this.leaf = 18; /* closed */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksStop.command, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doChecksStop);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toClosed2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      const end1 = { type: 'xstate.done.state.server.closed', output: 'closed' };
      this.done(server.outcomeOf({ context, event: end1 }));
      this.leaf = 18; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      const end1 = { type: 'xstate.done.state.server.aborted', output: 'aborted' };
      this.done(server.outcomeOf({ context, event: end1 }));
      this.leaf = 19; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingTryingUnderway(event) {
      const from = this.leaf;
      this.leaf = 9; /* serving.trying.underway */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command);
      this.emit(doSetChanged);
    }

    toServingTryingFree(event) {
      const from = this.leaf;
      this.leaf = 8; /* serving.trying.free */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emit(doWaitersServe);
    }

    toPendingAddressing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      this.leaf = 2; /* pending.addressing */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingExcluded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      this.timer0 = this.wait(server.ejection(given));
      this.leaf = 10; /* serving.excluded */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingTryingFree2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      this.leaf = 8; /* serving.trying.free */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingUp(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingDown(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1, command2);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }

    toPendingAddressing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      this.leaf = 2; /* pending.addressing */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingUp2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksResume.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
        );
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksResume.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
        );
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toLeavingWanted(event) {
      const from = this.leaf;
      this.leaf = 13; /* leaving.wanted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLeavingWanted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      this.leaf = 13; /* leaving.wanted */
      if (transitions.hasSubscribers) this.tell(from, event, doChecksResume.command);
      this.emit(doChecksResume);
    }

    toServingUp3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingDown2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1, command2);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }

    toDraining(event) {
      const from = this.leaf;
      const { context } = this;
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toRemoving(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const value0 = server.askedRemoveTimeout(given);
      const value1 = server.askedSpread(given);
      context['removeTimeoutMs'] = value0;
      context['spreadMs'] = value1;
      const command2 = server.changed(given);
      this.timer0 = this.wait(server.removeTimeout(given));
      this.leaf = 16; /* removing */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSetChanged.command,
          command2,
          doWaitersServe.command,
          doChecksStop.command,
          doSessionsAwait.command,
        );
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command2);
      this.emit(doWaitersServe);
      this.emit(doChecksStop);
      this.emit(doSessionsAwait);
    }

    toCutting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['delivers'] = server.isToDeliver(given);
      context['spreadMs'] = 0;
      const command0 = server.changed(given);
      context['flushed'] = false;
      const command1 = server.cut(given);
      this.timer0 = this.wait(server.cutTimeout(given));
      this.leaf = 17; /* cutting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksStop.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
          doSessionsAwait.command,
        );
      this.emit(doChecksStop);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerCut, command1);
      this.emit(doSessionsAwait);
    }

    toCutting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['delivers'] = server.isToDeliver(given);
      context['spreadMs'] = 0;
      const command0 = server.changed(given);
      context['flushed'] = false;
      const command1 = server.cut(given);
      this.timer0 = this.wait(server.cutTimeout(given));
      this.leaf = 17; /* cutting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
          doSessionsAwait.command,
        );
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerCut, command1);
      this.emit(doSessionsAwait);
    }

    toCutting3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = server.abort(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doServerAbort, command0);
    }

    toDraining2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      this.leaf = 11; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toDraining3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      this.leaf = 11; /* draining */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toDraining4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      this.leaf = 11; /* draining */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksResume.command, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toLeavingDrained(event) {
      const from = this.leaf;
      this.leaf = 14; /* leaving.drained */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLeavingDrained2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      this.leaf = 14; /* leaving.drained */
      if (transitions.hasSubscribers) this.tell(from, event, doChecksResume.command);
      this.emit(doChecksResume);
    }

    toMaintenance(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      const command1 = server.release(given);
      this.leaf = 12; /* maintenance */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksPause.command, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doChecksPause);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerRelease, command1);
    }

    toLeavingMaintained(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.release(given);
      this.leaf = 15; /* leaving.maintained */
      if (transitions.hasSubscribers) this.tell(from, event, doChecksPause.command, command0);
      this.emit(doChecksPause);
      this.emitAs(doServerRelease, command0);
    }

    toLeavingWanted3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      this.timer0 = this.wait(server.removeTimeout(given));
      this.leaf = 13; /* leaving.wanted */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, doSessionsAwait.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emit(doSessionsAwait);
    }

    toLeavingWanted4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['hasAddress'] = true;
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      this.timer0 = this.wait(server.removeTimeout(given));
      this.leaf = 13; /* leaving.wanted */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksResume.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          doSessionsAwait.command,
        );
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emit(doSessionsAwait);
    }

    toLeavingDrained3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['hasAddress'] = true;
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      this.timer0 = this.wait(server.removeTimeout(given));
      this.leaf = 14; /* leaving.drained */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksResume.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          doSessionsAwait.command,
        );
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emit(doSessionsAwait);
    }

    toLeavingDrained4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      this.timer0 = this.wait(server.removeTimeout(given));
      this.leaf = 14; /* leaving.drained */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, doSessionsAwait.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emit(doSessionsAwait);
    }

    toLeavingMaintained2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['hasAddress'] = true;
      const command0 = server.changed(given);
      this.timer0 = this.wait(server.removeTimeout(given));
      const command1 = server.release(given);
      this.leaf = 15; /* leaving.maintained */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          doSessionsAwait.command,
          command1,
        );
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emit(doSessionsAwait);
      this.emitAs(doServerRelease, command1);
    }

    toPendingChecking(event) {
      const from = this.leaf;
      const { context } = this;
      context['losses'] = 0;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingExcluded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      const value0 = server.exclusionMs(given);
      const value1 = server.oneFailureMore(given);
      context['restMs'] = value0;
      context['failures'] = value1;
      context['isDoubted'] = true;
      const command2 = server.changed(given);
      this.timer0 = this.wait(server.ejection(given));
      this.leaf = 10; /* serving.excluded */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command2, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command2);
      this.emit(doWaitersServe);
    }

    toPendingChecking2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = server.oneFailureMore(given);
      const value1 = server.oneLossMore(given);
      context['failures'] = value0;
      context['losses'] = value1;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingEjected(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      const value0 = server.ejectionMs(given);
      const value1 = server.oneEjectionMore(given);
      const value2 = server.oneFailureMore(given);
      const value3 = server.wasLoss(given);
      context['restMs'] = value0;
      context['ejections'] = value1;
      context['failures'] = value2;
      context['loses'] = value3;
      context['losses'] = 0;
      context['isDoubted'] = true;
      const command4 = server.changed(given);
      this.timer0 = this.wait(server.ejection(given));
      this.leaf = 7; /* serving.ejected */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command4, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command4);
      this.emit(doWaitersServe);
    }

    toServingDown3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      context['health'] = server.healthAfterTraffic(given);
      context['failures'] = 0;
      context['losses'] = 0;
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1, command2);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }

    toServingSuspect4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      context['health'] = server.healthAfterTraffic(given);
      context['failures'] = 0;
      context['losses'] = 0;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doPaceSet.command, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doPaceSet);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingUp4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['health'] = server.healthAfterTraffic(given);
      context['failures'] = 0;
      context['losses'] = 0;
      if (transitions.hasSubscribers) this.tell(from, event, doPaceSet.command);
      this.emit(doPaceSet);
    }

    toServingTryingFree3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = server.oneFailureMore(given);
      const value1 = server.oneLossMore(given);
      context['failures'] = value0;
      context['losses'] = value1;
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emit(doWaitersServe);
    }

    toServingTryingFree4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = server.oneFailureMore(given);
      const value1 = server.oneLossMore(given);
      context['failures'] = value0;
      context['losses'] = value1;
      this.leaf = 8; /* serving.trying.free */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emit(doWaitersServe);
    }

    toServingEjected2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      const value0 = server.ejectionMs(given);
      const value1 = server.oneEjectionMore(given);
      const value2 = server.oneFailureMore(given);
      const value3 = server.wasLoss(given);
      context['restMs'] = value0;
      context['ejections'] = value1;
      context['failures'] = value2;
      context['loses'] = value3;
      context['losses'] = 0;
      context['isDoubted'] = true;
      const command4 = server.changed(given);
      this.timer0 = this.wait(server.ejection(given));
      this.leaf = 7; /* serving.ejected */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command4, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command4);
      this.emit(doWaitersServe);
    }

    toServingDown4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['health'] = server.healthAfterTraffic(given);
      context['failures'] = 0;
      context['losses'] = 0;
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1, command2);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }

    toServingSuspect5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['health'] = server.healthAfterTraffic(given);
      context['failures'] = 0;
      context['losses'] = 0;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doPaceSet.command, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doPaceSet);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingUp5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['hasAddress'] = true;
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksResume.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
        );
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['hasAddress'] = true;
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksResume.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
        );
      this.emit(doChecksResume);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toDraining5(event) {
      const from = this.leaf;
      const { context } = this;
      context['hasAddress'] = true;
      const given = { context, event };
      context['health'] = server.creditAgain(given);
      context['failures'] = 0;
      context['losses'] = 0;
      context['ejections'] = 0;
      context['isDoubted'] = false;
      if (transitions.hasSubscribers) this.tell(from, event, doChecksResume.command);
      this.emit(doChecksResume);
    }

    toMaintenance2(event) {
      const from = this.leaf;
      const { context } = this;
      context['hasAddress'] = true;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toMaintenance3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      const command0 = server.changed(given);
      const command1 = server.release(given);
      this.leaf = 12; /* maintenance */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerRelease, command1);
    }

    toPendingChecking3(event) {
      const from = this.leaf;
      const { context } = this;
      context['failures'] = 0;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingRecovering(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      context['failures'] = 0;
      context['step'] = 0;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.slowStartStep(given));
      this.leaf = 5; /* serving.recovering */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingUp6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      context['failures'] = 0;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      context['failures'] = 0;
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingUp7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      const value0 = server.healthAfterPass(given);
      const value1 = server.failuresAfterPass(given);
      context['health'] = value0;
      context['failures'] = value1;
      const command2 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command3 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command2, doWaitersServe.command, command3);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command2);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command3);
    }

    toServingUp8(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const value0 = server.healthAfterPass(given);
      const value1 = server.failuresAfterPass(given);
      context['health'] = value0;
      context['failures'] = value1;
      const command2 = server.pace(given);
      if (transitions.hasSubscribers) this.tell(from, event, command2);
      this.emitAs(doServerPace, command2);
    }

    toServingRecovering2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      const value0 = server.healthAfterPass(given);
      const value1 = server.failuresAfterPass(given);
      context['health'] = value0;
      context['failures'] = value1;
      context['step'] = 0;
      const command2 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command3 = server.pace(given);
      this.timer0 = this.wait(server.slowStartStep(given));
      this.leaf = 5; /* serving.recovering */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command2, doWaitersServe.command, command3);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command2);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command3);
    }

    toServingDown5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      context['health'] = server.healthAfterFailure(given);
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1, command2);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }

    toServingSuspect8(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, checking);
      context['health'] = server.healthAfterFailure(given);
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect9(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['health'] = server.healthAfterFailure(given);
      const command0 = server.pace(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doServerPace, command0);
    }

    toPendingAddressing3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, serving);
      context['hasAddress'] = false;
      const command0 = server.changed(given);
      this.leaf = 2; /* pending.addressing */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksPause.command, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doChecksPause);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toDraining6(event) {
      const from = this.leaf;
      const { context } = this;
      context['hasAddress'] = false;
      if (transitions.hasSubscribers) this.tell(from, event, doChecksPause.command);
      this.emit(doChecksPause);
    }

    toMaintenance4(event) {
      const from = this.leaf;
      const { context } = this;
      context['hasAddress'] = false;
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toServingUp9(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ejections'] = server.oneEjectionLess(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command0 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doServerPace, command0);
    }

    toServingUp10(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, servingSlowStart);
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect10(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, servingSlowStart);
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
    }

    toServingRecovering3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['step'] = server.nextStep(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command0 = server.pace(given);
      this.timer0 = this.wait(server.slowStartStep(given));
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, doWaitersServe.command, command0);
      this.emit(doSetChanged);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command0);
    }

    toServingTryingFree5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, servingEjection);
      const command0 = server.changed(given);
      this.leaf = 8; /* serving.trying.free */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingTryingFree6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, servingExclusion);
      const command0 = server.changed(given);
      this.leaf = 8; /* serving.trying.free */
      if (transitions.hasSubscribers) this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
    }

    toServingDown6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, servingExclusion);
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSetChanged.command, command0, doWaitersServe.command, command1, command2);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }

    toCutting4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingRemoveTimeout);
      const command0 = server.changed(given);
      context['flushed'] = false;
      const command1 = server.cut(given);
      this.timer0 = this.wait(server.cutTimeout(given));
      this.leaf = 17; /* cutting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doChecksStop.command,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
          doSessionsAwait.command,
        );
      this.emit(doChecksStop);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerCut, command1);
      this.emit(doSessionsAwait);
    }

    toCutting5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingRemoveTimeout);
      const command0 = server.changed(given);
      context['flushed'] = false;
      const command1 = server.cut(given);
      this.timer0 = this.wait(server.cutTimeout(given));
      this.leaf = 17; /* cutting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSetChanged.command,
          command0,
          doWaitersServe.command,
          command1,
          doSessionsAwait.command,
        );
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emit(doWaitersServe);
      this.emitAs(doServerCut, command1);
      this.emit(doSessionsAwait);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.abort(given);
      const command1 = server.changed(given);
      const end2 = { type: 'xstate.done.state.server.aborted', output: 'aborted' };
      this.done(server.outcomeOf({ context, event: end2 }));
      this.leaf = 19; /* aborted */
      if (transitions.hasSubscribers)
        this.tell(from, event, command0, doSetChanged.command, command1, doWaitersServe.command);
      this.emitAs(doServerAbort, command0);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command1);
      this.emit(doWaitersServe);
    }

    toServingUp11(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.timer0 = this.wait(server.forgiveness(given));
      this.leaf = 3; /* serving.up */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksStart.command, doSetChanged.command, command0, command1);
      if (this.goesOn())
        return this.follow(
          event,
          doChecksStart,
          doChecksStart.command,
          doSetChanged,
          doSetChanged.command,
          doServerChanged,
          command0,
          doServerPace,
          command1,
        );
      this.emit(doChecksStart);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emitAs(doServerPace, command1);
    }

    toServingSuspect11(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      context['isDoubted'] = false;
      context['loses'] = false;
      context['hasServed'] = true;
      const command1 = server.pace(given);
      this.leaf = 4; /* serving.suspect */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksStart.command, doSetChanged.command, command0, command1);
      if (this.goesOn())
        return this.follow(
          event,
          doChecksStart,
          doChecksStart.command,
          doSetChanged,
          doSetChanged.command,
          doServerChanged,
          command0,
          doServerPace,
          command1,
        );
      this.emit(doChecksStart);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emitAs(doServerPace, command1);
    }

    toPendingChecking4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      this.leaf = 1; /* pending.checking */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksStart.command, doSetChanged.command, command0, command1);
      if (this.goesOn())
        return this.follow(
          event,
          doChecksStart,
          doChecksStart.command,
          doSetChanged,
          doSetChanged.command,
          doServerChanged,
          command0,
          doServerPace,
          command1,
        );
      this.emit(doChecksStart);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emitAs(doServerPace, command1);
    }

    toServingDown7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = server.changed(given);
      const command1 = server.pace(given);
      const command2 = server.release(given);
      this.leaf = 6; /* serving.down */
      if (transitions.hasSubscribers)
        this.tell(from, event, doChecksStart.command, doSetChanged.command, command0, command1, command2);
      if (this.goesOn())
        return this.follow(
          event,
          doChecksStart,
          doChecksStart.command,
          doSetChanged,
          doSetChanged.command,
          doServerChanged,
          command0,
          doServerPace,
          command1,
          doServerRelease,
          command2,
        );
      this.emit(doChecksStart);
      this.emit(doSetChanged);
      this.emitAs(doServerChanged, command0);
      this.emitAs(doServerPace, command1);
      this.emitAs(doServerRelease, command2);
    }
  };
}
