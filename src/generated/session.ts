// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "session" runs. Written by scripts/generate.mjs from src/machines/session.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as outcome from '../machines/functions/outcome.js';
import * as session from '../machines/functions/session.js';
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
export const sessionInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const establishedIdleTimeout = { phase: 'established', timeout: 'idleTimeout' };
  const establishedHalfCloseTimeout = { phase: 'established', timeout: 'halfCloseTimeout' };
  const closingIdleTimeout = { phase: 'closing', timeout: 'idleTimeout' };
  const closingHalfCloseTimeout = { phase: 'closing', timeout: 'halfCloseTimeout' };
  const established = { phase: 'established' };
  const closing = { phase: 'closing' };
  const routing = { phase: 'routing' };
  const connecting = { phase: 'connecting' };
  const routingRouteTimeout = { phase: 'routing', timeout: 'routeTimeout' };
  const connectingSessionConnectTimeout = { phase: 'connecting', timeout: 'sessionConnectTimeout' };
  const establishedDurationMax = { phase: 'established', timeout: 'durationMax' };

  const FACTS = factsOf(
    'session',
    [
      'client.closed',
      'backend.closed',
      'session.close',
      'session.refuse',
      'session.abort',
      'route.refused',
      'client.handedOver',
      'client.ended',
      'route.chosen',
      'backend.established',
      'relay.idled',
      'backend.ended',
      'backend.finished',
      'client.finished',
    ],
    [
      /* 0 */ [['arrived'], [], []],
      /* 1 */ [['routing', 'open'], ['routing'], [['routeTimeout', 'xstate.after.routeTimeout.session.routing']]],
      /* 2 */ [
        ['routing', 'clientEnded'],
        ['routing'],
        [['routeTimeout', 'xstate.after.routeTimeout.session.routing']],
      ],
      /* 3 */ [
        ['connecting', 'open'],
        [],
        [['sessionConnectTimeout', 'xstate.after.sessionConnectTimeout.session.connecting']],
      ],
      /* 4 */ [
        ['connecting', 'clientEnded'],
        [],
        [['sessionConnectTimeout', 'xstate.after.sessionConnectTimeout.session.connecting']],
      ],
      /* 5 */ [
        ['relaying', 'both'],
        ['joined'],
        [
          ['durationMax', 'xstate.after.durationMax.session.relaying'],
          ['idleProbe', 'xstate.after.idleProbe.session.relaying.both'],
        ],
      ],
      /* 6 */ [
        ['relaying', 'clientEnded'],
        ['joined'],
        [
          ['durationMax', 'xstate.after.durationMax.session.relaying'],
          ['halfCloseProbe', 'xstate.after.halfCloseProbe.session.relaying.clientEnded'],
        ],
      ],
      /* 7 */ [
        ['relaying', 'backendEnded'],
        ['joined'],
        [
          ['durationMax', 'xstate.after.durationMax.session.relaying'],
          ['halfCloseProbe', 'xstate.after.halfCloseProbe.session.relaying.backendEnded'],
        ],
      ],
      /* 8 */ [
        ['draining', 'both'],
        ['joined'],
        [
          ['closeTimeout', 'xstate.after.closeTimeout.session.draining'],
          ['idleProbe', 'xstate.after.idleProbe.session.draining.both'],
        ],
      ],
      /* 9 */ [
        ['draining', 'clientEnded'],
        ['joined'],
        [
          ['closeTimeout', 'xstate.after.closeTimeout.session.draining'],
          ['halfCloseProbe', 'xstate.after.halfCloseProbe.session.draining.clientEnded'],
        ],
      ],
      /* 10 */ [
        ['draining', 'backendEnded'],
        ['joined'],
        [
          ['closeTimeout', 'xstate.after.closeTimeout.session.draining'],
          ['halfCloseProbe', 'xstate.after.halfCloseProbe.session.draining.backendEnded'],
        ],
      ],
      /* 11 */ [['finishing', 'both'], [], [['finishProbe', 'xstate.after.finishProbe.session.finishing.both']]],
      /* 12 */ [
        ['finishing', 'clientOnly'],
        [],
        [['finishProbe', 'xstate.after.finishProbe.session.finishing.clientOnly']],
      ],
      /* 13 */ [
        ['finishing', 'backendOnly'],
        [],
        [['finishProbe', 'xstate.after.finishProbe.session.finishing.backendOnly']],
      ],
      /* 14 */ [['gone'], [], []],
      /* 15 */ [['ended'], ['ending'], [], true],
      /* 16 */ [['closed'], ['ending'], [], true],
      /* 17 */ [['aborted'], ['ending'], [], true],
      /* 18 */ [['dropped'], ['ending'], [], true],
      /* 19 */ [['refused'], ['ending'], [], true],
      /* 20 */ [['handedOver'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(session.startOf);
  const doSessionAbortClient = place();
  const doSessionAbortBackend = place();
  const doClientEnd = place({ type: 'client.end' });
  const doBackendEnd = place({ type: 'backend.end' });
  const doSessionCloseClient = place();
  const doSessionCloseBackend = place();
  const doRouteRevoke = place({ type: 'route.revoke' });
  const doSessionResetBackend = place();
  const doSessionTurnAwayClient = place();
  const doSessionResetClient = place();
  const doRelayStart = place({ type: 'relay.start' });
  const doBackendConnect = place({ type: 'backend.connect' });
  const doRelayProbe = place({ type: 'relay.probe' });
  const doClientRoute = place({ type: 'client.route' });

  return class SessionInstance extends MachineInstance {
    timer0 = undefined;
    timer1 = undefined;

    constructor(input, host) {
      super(FACTS, host, makeContext(input), 0, input);
      this.chooseStart();
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
        case 'relay.idled':
          return this.onRelayIdled(event);
        case 'backend.ended':
          return this.onBackendEnded(event);
        case 'client.finished':
          return this.onClientFinished(event);
        case 'backend.finished':
          return this.onBackendFinished(event);
        case 'client.closed':
          return this.onClientClosed(event);
        case 'backend.closed':
          return this.onBackendClosed(event);
        case 'session.close':
          return this.onSessionClose(event);
        case 'session.refuse':
          return this.onSessionRefuse(event);
        case 'session.abort':
          return this.onSessionAbort(event);
        case 'backend.established':
          return this.onBackendEstablished(event);
        case 'route.refused':
          return this.onRouteRefused(event);
        case 'client.handedOver':
          return this.onClientHandedOver(event);
        case 'xstate.after.routeTimeout.session.routing':
          return this.onXstateAfterRouteTimeoutSessionRouting(event);
        case 'client.ended':
          return this.onClientEnded(event);
        case 'route.chosen':
          return this.onRouteChosen(event);
        case 'xstate.after.sessionConnectTimeout.session.connecting':
          return this.onXstateAfterSessionConnectTimeoutSessionConnecting(event);
        case 'xstate.after.durationMax.session.relaying':
          return this.onXstateAfterDurationMaxSessionRelaying(event);
        case 'xstate.after.idleProbe.session.relaying.both':
          return this.onXstateAfterIdleProbeSessionRelayingBoth(event);
        case 'xstate.after.halfCloseProbe.session.relaying.clientEnded':
          return this.onXstateAfterHalfCloseProbeSessionRelayingClientEnded(event);
        case 'xstate.after.halfCloseProbe.session.relaying.backendEnded':
          return this.onXstateAfterHalfCloseProbeSessionRelayingBackendEnded(event);
        case 'xstate.after.closeTimeout.session.draining':
          return this.onXstateAfterCloseTimeoutSessionDraining(event);
        case 'xstate.after.idleProbe.session.draining.both':
          return this.onXstateAfterIdleProbeSessionDrainingBoth(event);
        case 'xstate.after.halfCloseProbe.session.draining.clientEnded':
          return this.onXstateAfterHalfCloseProbeSessionDrainingClientEnded(event);
        case 'xstate.after.halfCloseProbe.session.draining.backendEnded':
          return this.onXstateAfterHalfCloseProbeSessionDrainingBackendEnded(event);
        case 'xstate.after.finishProbe.session.finishing.both':
          return this.onXstateAfterFinishProbeSessionFinishingBoth(event);
        case 'xstate.after.finishProbe.session.finishing.clientOnly':
          return this.onXstateAfterFinishProbeSessionFinishingClientOnly(event);
        case 'xstate.after.finishProbe.session.finishing.backendOnly':
          return this.onXstateAfterFinishProbeSessionFinishingBackendOnly(event);
        default:
          return this.unknown(event);
      }
    }

    onRelayIdled(event) {
      switch (this.leaf) {
        case 5: // relaying.both
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth(event);
          }
        case 6: // relaying.clientEnded

        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth2(event);
          }
        case 8: // draining.both
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth3(event);
          }
        case 9: // draining.clientEnded

        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth4(event);
          }
        case 11: // finishing.both

        case 12: // finishing.clientOnly

        case 13: // finishing.backendOnly
          return this.toFinishingBoth5(event);
      }
    }

    onBackendEnded(event) {
      switch (this.leaf) {
        case 5: // relaying.both
          {
            this.clearTimer1();
            return this.toRelayingBackendEnded(event);
          }
        case 6: // relaying.clientEnded

        case 9: // draining.clientEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth6(event);
          }
        case 8: // draining.both
          {
            this.clearTimer1();
            return this.toDrainingBackendEnded(event);
          }
      }
    }

    onClientFinished(event) {
      switch (this.leaf) {
        case 7: // relaying.backendEnded

        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth7(event);
          }
      }
    }

    onBackendFinished(event) {
      switch (this.leaf) {
        case 6: // relaying.clientEnded

        case 9: // draining.clientEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth8(event);
          }
      }
    }

    onClientClosed(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBackendOnly(event);
          }
        case 3: // connecting.open

        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBackendOnly2(event);
          }
        case 5: // relaying.both

        case 6: // relaying.clientEnded

        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBackendOnly3(event);
          }
        case 8: // draining.both

        case 9: // draining.clientEnded

        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBackendOnly4(event);
          }
        case 11: // finishing.both
          {
            this.clearTimer0();
            return this.toFinishingBackendOnly5(event);
          }
        case 12: // finishing.clientOnly
          {
            this.clearTimer0();
            return this.toGone(event);
          }
      }
    }

    onBackendClosed(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingClientOnly(event);
          }
        case 3: // connecting.open

        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingClientOnly2(event);
          }
        case 5: // relaying.both

        case 6: // relaying.clientEnded

        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingClientOnly3(event);
          }
        case 8: // draining.both

        case 9: // draining.clientEnded

        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingClientOnly4(event);
          }
        case 11: // finishing.both
          {
            this.clearTimer0();
            return this.toFinishingClientOnly5(event);
          }
        case 13: // finishing.backendOnly
          {
            this.clearTimer0();
            return this.toGone(event);
          }
      }
    }

    onSessionClose(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth9(event);
          }
        case 3: // connecting.open

        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth10(event);
          }
        case 5: // relaying.both
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toDrainingBoth(event);
          }
        case 6: // relaying.clientEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toDrainingClientEnded(event);
          }
        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toDrainingBackendEnded2(event);
          }
      }
    }

    onSessionRefuse(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth11(event);
          }
        case 3: // connecting.open

        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth12(event);
          }
      }
    }

    onSessionAbort(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth13(event);
          }
        case 3: // connecting.open

        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth14(event);
          }
        case 5: // relaying.both

        case 6: // relaying.clientEnded

        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth15(event);
          }
        case 8: // draining.both

        case 9: // draining.clientEnded

        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth16(event);
          }
        case 11: // finishing.both

        case 12: // finishing.clientOnly

        case 13: // finishing.backendOnly
          return this.toFinishingBoth5(event);
      }
    }

    onBackendEstablished(event) {
      switch (this.leaf) {
        case 3: // connecting.open
          {
            this.clearTimer0();
            return this.toRelayingBoth(event);
          }
        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toRelayingClientEnded(event);
          }
      }
    }

    onRouteRefused(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth17(event);
          }
      }
    }

    onClientHandedOver(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBackendOnly6(event);
          }
      }
    }

    onXstateAfterRouteTimeoutSessionRouting(event) {
      switch (this.leaf) {
        case 1: // routing.open

        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth18(event);
          }
      }
    }

    onClientEnded(event) {
      switch (this.leaf) {
        case 1: // routing.open
          return this.toRoutingClientEnded(event);
        case 3: // connecting.open
          return this.toConnectingClientEnded(event);
        case 5: // relaying.both
          {
            this.clearTimer1();
            return this.toRelayingClientEnded2(event);
          }
        case 7: // relaying.backendEnded

        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth19(event);
          }
        case 8: // draining.both
          {
            this.clearTimer1();
            return this.toDrainingClientEnded2(event);
          }
      }
    }

    onRouteChosen(event) {
      switch (this.leaf) {
        case 1: // routing.open
          {
            this.clearTimer0();
            return this.toConnectingOpen(event);
          }
        case 2: // routing.clientEnded
          {
            this.clearTimer0();
            return this.toConnectingClientEnded2(event);
          }
      }
    }

    onXstateAfterSessionConnectTimeoutSessionConnecting(event) {
      switch (this.leaf) {
        case 3: // connecting.open

        case 4: // connecting.clientEnded
          {
            this.clearTimer0();
            return this.toFinishingBoth20(event);
          }
      }
    }

    onXstateAfterDurationMaxSessionRelaying(event) {
      switch (this.leaf) {
        case 5: // relaying.both

        case 6: // relaying.clientEnded

        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toFinishingBoth21(event);
          }
      }
    }

    onXstateAfterIdleProbeSessionRelayingBoth(event) {
      switch (this.leaf) {
        case 5: // relaying.both
          {
            this.clearTimer1();
            return this.toRelayingBoth2(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeSessionRelayingClientEnded(event) {
      switch (this.leaf) {
        case 6: // relaying.clientEnded
          {
            this.clearTimer1();
            return this.toRelayingClientEnded3(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeSessionRelayingBackendEnded(event) {
      switch (this.leaf) {
        case 7: // relaying.backendEnded
          {
            this.clearTimer1();
            return this.toRelayingClientEnded3(event);
          }
      }
    }

    onXstateAfterCloseTimeoutSessionDraining(event) {
      switch (this.leaf) {
        case 8: // draining.both
          return this.toDrainingBoth2(event);
        case 9: // draining.clientEnded
          return this.toDrainingClientEnded3(event);
        case 10: // draining.backendEnded
          return this.toDrainingBackendEnded3(event);
      }
    }

    onXstateAfterIdleProbeSessionDrainingBoth(event) {
      switch (this.leaf) {
        case 8: // draining.both
          {
            this.clearTimer1();
            return this.toRelayingBoth2(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeSessionDrainingClientEnded(event) {
      switch (this.leaf) {
        case 9: // draining.clientEnded
          {
            this.clearTimer1();
            return this.toRelayingClientEnded3(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeSessionDrainingBackendEnded(event) {
      switch (this.leaf) {
        case 10: // draining.backendEnded
          {
            this.clearTimer1();
            return this.toRelayingClientEnded3(event);
          }
      }
    }

    onXstateAfterFinishProbeSessionFinishingBoth(event) {
      switch (this.leaf) {
        case 11: // finishing.both
          {
            this.clearTimer0();
            return this.toFinishingBoth22(event);
          }
      }
    }

    onXstateAfterFinishProbeSessionFinishingClientOnly(event) {
      switch (this.leaf) {
        case 12: // finishing.clientOnly
          {
            this.clearTimer0();
            return this.toFinishingBoth22(event);
          }
      }
    }

    onXstateAfterFinishProbeSessionFinishingBackendOnly(event) {
      switch (this.leaf) {
        case 13: // finishing.backendOnly
          {
            this.clearTimer0();
            return this.toFinishingBoth22(event);
          }
      }
    }
    choose(event) {
      const given = { context: this.context, event };
      if (session.asksRoute(given)) return 1;
      return 3;
    }
    enter(event) {
      switch (this.leaf) {
        case 1:
          /* routing.open */ {
            const { context } = this;
            const given = { context, event };
            this.timer0 = this.wait(session.routeTimeout(given));
            if (transitions.hasSubscribers) this.tellStart(doClientRoute.command);
            this.emit(doClientRoute);
          }
          break;
        case 3:
          /* connecting.open */ {
            const { context } = this;
            const given = { context, event };
            this.timer0 = this.wait(session.sessionConnectTimeout(given));
            if (transitions.hasSubscribers) this.tellStart(doBackendConnect.command);
            this.emit(doBackendConnect);
          }
          break;
      }
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
    toFinishingBoth(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedIdleTimeout);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedHalfCloseTimeout);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth3(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingIdleTimeout);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth4(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingHalfCloseTimeout);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      Object.assign(context, session.cutShort(given));
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toRelayingBackendEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 7; /* relaying.backendEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doClientEnd.command);
      this.emit(doClientEnd);
    }

    toFinishingBoth6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doClientEnd.command);
      this.emit(doClientEnd);
    }

    toDrainingBackendEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 10; /* draining.backendEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doClientEnd.command);
      this.emit(doClientEnd);
    }

    toFinishingBoth7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = session.closeClient(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendEnd.command, command0);
      this.emit(doBackendEnd);
      this.emitAs(doSessionCloseClient, command0);
    }

    toFinishingBoth8(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      const command0 = session.closeBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doClientEnd.command, command0);
      this.emit(doClientEnd);
      this.emitAs(doSessionCloseBackend, command0);
    }

    toFinishingBackendOnly(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ending'] = session.endingOfLoss(given);
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 13; /* finishing.backendOnly */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionAbortBackend, command0);
    }

    toFinishingBackendOnly2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ending'] = session.endingOfLoss(given);
      context['cause'] = outcome.causeNoted(given, connecting);
      const command0 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 13; /* finishing.backendOnly */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doSessionAbortBackend, command0);
    }

    toFinishingBackendOnly3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ending'] = session.endingOfLoss(given);
      context['cause'] = outcome.causeNoted(given, established);
      const command0 = session.resetBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 13; /* finishing.backendOnly */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doSessionResetBackend, command0);
    }

    toFinishingBackendOnly4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ending'] = session.endingOfLoss(given);
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = session.resetBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 13; /* finishing.backendOnly */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doSessionResetBackend, command0);
    }

    toFinishingBackendOnly5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      Object.assign(context, session.undelivered(given));
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 13; /* finishing.backendOnly */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toGone(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      Object.assign(context, session.undelivered(given));
      this.leaf = 14; /* gone */
      if (transitions.hasSubscribers) this.note(from, event);
      if (session.willBeClosed(given)) {
        const end0 = { type: 'xstate.done.state.session.closed', output: 'closed' };
        this.done(session.outcomeOf({ context, event: end0 }));
        this.leaf = 16; /* closed */
        if (transitions.hasSubscribers) this.note(14, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      if (session.willBeHandedOver(given)) {
        const end1 = { type: 'xstate.done.state.session.handedOver', output: 'handedOver' };
        this.done(session.outcomeOf({ context, event: end1 }));
        this.leaf = 20; /* handedOver */
        if (transitions.hasSubscribers) this.note(14, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      if (session.willBeRefused(given)) {
        const end2 = { type: 'xstate.done.state.session.refused', output: 'refused' };
        this.done(session.outcomeOf({ context, event: end2 }));
        this.leaf = 19; /* refused */
        if (transitions.hasSubscribers) this.note(14, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      if (session.willBeDropped(given)) {
        const end3 = { type: 'xstate.done.state.session.dropped', output: 'dropped' };
        this.done(session.outcomeOf({ context, event: end3 }));
        this.leaf = 18; /* dropped */
        if (transitions.hasSubscribers) this.note(14, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      if (session.willBeAborted(given)) {
        const end4 = { type: 'xstate.done.state.session.aborted', output: 'aborted' };
        this.done(session.outcomeOf({ context, event: end4 }));
        this.leaf = 17; /* aborted */
        if (transitions.hasSubscribers) this.note(14, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      const end5 = { type: 'xstate.done.state.session.ended', output: 'ended' };
      this.done(session.outcomeOf({ context, event: end5 }));
      this.leaf = 15; /* ended */
      if (transitions.hasSubscribers) this.note(14, event);
      if (transitions.hasSubscribers) this.told();
    }

    toFinishingClientOnly(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.turnAwayClient(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 12; /* finishing.clientOnly */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionTurnAwayClient, command0);
    }

    toFinishingClientOnly2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      const command0 = session.turnAwayClient(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 12; /* finishing.clientOnly */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doSessionTurnAwayClient, command0);
    }

    toFinishingClientOnly3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ending'] = session.endingOfLoss(given);
      context['cause'] = outcome.causeNoted(given, established);
      const command0 = session.resetClient(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 12; /* finishing.clientOnly */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doSessionResetClient, command0);
    }

    toFinishingClientOnly4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['ending'] = session.endingOfLoss(given);
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = session.resetClient(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 12; /* finishing.clientOnly */
      if (transitions.hasSubscribers) this.tell(from, event, command0);
      this.emitAs(doSessionResetClient, command0);
    }

    toFinishingClientOnly5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      Object.assign(context, session.undelivered(given));
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 12; /* finishing.clientOnly */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toFinishingBoth9(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'closed';
      context['isClosedEarly'] = true;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0, command1);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth10(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'closed';
      context['isClosedEarly'] = true;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toDrainingBoth(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = session.askedCloseTimeout(given);
      context['ending'] = 'closed';
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(session.closeTimeout(given));
      this.timer1 = this.wait(session.idleProbe(given));
      this.leaf = 8; /* draining.both */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDrainingClientEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = session.askedCloseTimeout(given);
      context['ending'] = 'closed';
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(session.closeTimeout(given));
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 9; /* draining.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDrainingBackendEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = session.askedCloseTimeout(given);
      context['ending'] = 'closed';
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(session.closeTimeout(given));
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 10; /* draining.backendEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toFinishingBoth11(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.turnAwayClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0, command1);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionTurnAwayClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth12(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      const command0 = session.turnAwayClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionTurnAwayClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth13(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0, command1);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth14(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth15(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth16(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toRelayingBoth(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.durationMax(given));
      this.timer1 = this.wait(session.idleProbe(given));
      this.leaf = 5; /* relaying.both */
      if (transitions.hasSubscribers) this.tell(from, event, doRelayStart.command);
      this.emit(doRelayStart);
    }

    toRelayingClientEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.durationMax(given));
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 6; /* relaying.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doRelayStart.command, doBackendEnd.command);
      this.emit(doRelayStart);
      this.emit(doBackendEnd);
    }

    toFinishingBoth17(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.turnAwayClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionTurnAwayClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBackendOnly6(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'handedOver';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      const command0 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 13; /* finishing.backendOnly */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionAbortBackend, command0);
    }

    toFinishingBoth18(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routingRouteTimeout);
      const command0 = session.turnAwayClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doRouteRevoke.command, command0, command1);
      this.emit(doRouteRevoke);
      this.emitAs(doSessionTurnAwayClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toRoutingClientEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, routing);
      this.leaf = 2; /* routing.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toConnectingClientEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connecting);
      this.leaf = 4; /* connecting.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toRelayingClientEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 6; /* relaying.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendEnd.command);
      this.emit(doBackendEnd);
    }

    toFinishingBoth19(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendEnd.command);
      this.emit(doBackendEnd);
    }

    toDrainingClientEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer1 = this.wait(session.halfCloseProbe(given));
      this.leaf = 9; /* draining.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendEnd.command);
      this.emit(doBackendEnd);
    }

    toConnectingOpen(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.sessionConnectTimeout(given));
      this.leaf = 3; /* connecting.open */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendConnect.command);
      this.emit(doBackendConnect);
    }

    toConnectingClientEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.sessionConnectTimeout(given));
      this.leaf = 4; /* connecting.clientEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doBackendConnect.command);
      this.emit(doBackendConnect);
    }

    toFinishingBoth20(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, connectingSessionConnectTimeout);
      const command0 = session.turnAwayClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionTurnAwayClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toFinishingBoth21(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'aborted';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedDurationMax);
      const command0 = session.abortClient(given);
      const command1 = session.abortBackend(given);
      this.timer0 = this.wait(session.finishProbe(given));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.tell(from, event, command0, command1);
      this.emitAs(doSessionAbortClient, command0);
      this.emitAs(doSessionAbortBackend, command1);
    }

    toRelayingBoth2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer1 = this.wait(session.idleProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doRelayProbe.command);
      this.emit(doRelayProbe);
    }

    toRelayingClientEnded3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer1 = this.wait(session.halfCloseProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doRelayProbe.command);
      this.emit(doRelayProbe);
    }

    toDrainingBoth2(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'session.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      this.clearTimer1();
      this.clearTimer0();
      context['ending'] = 'aborted';
      const given1 = { context, event: event0 };
      context['cause'] = outcome.causeNoted(given1, closing);
      const command2 = session.abortClient(given1);
      const command3 = session.abortBackend(given1);
      this.timer0 = this.wait(session.finishProbe(given1));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.note(8, event0, command2, command3);
      if (transitions.hasSubscribers) this.told();
      this.emitAs(doSessionAbortClient, command2);
      this.emitAs(doSessionAbortBackend, command3);
    }

    toDrainingClientEnded3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'session.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      this.clearTimer1();
      this.clearTimer0();
      context['ending'] = 'aborted';
      const given1 = { context, event: event0 };
      context['cause'] = outcome.causeNoted(given1, closing);
      const command2 = session.abortClient(given1);
      const command3 = session.abortBackend(given1);
      this.timer0 = this.wait(session.finishProbe(given1));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.note(9, event0, command2, command3);
      if (transitions.hasSubscribers) this.told();
      this.emitAs(doSessionAbortClient, command2);
      this.emitAs(doSessionAbortBackend, command3);
    }

    toDrainingBackendEnded3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'session.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      this.clearTimer1();
      this.clearTimer0();
      context['ending'] = 'aborted';
      const given1 = { context, event: event0 };
      context['cause'] = outcome.causeNoted(given1, closing);
      const command2 = session.abortClient(given1);
      const command3 = session.abortBackend(given1);
      this.timer0 = this.wait(session.finishProbe(given1));
      this.leaf = 11; /* finishing.both */
      if (transitions.hasSubscribers) this.note(10, event0, command2, command3);
      if (transitions.hasSubscribers) this.told();
      this.emitAs(doSessionAbortClient, command2);
      this.emitAs(doSessionAbortBackend, command3);
    }

    toFinishingBoth22(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(session.finishProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doRelayProbe.command);
      this.emit(doRelayProbe);
    }
  };
}
