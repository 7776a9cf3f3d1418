// @ts-nocheck: types are those of the machine, and were checked there.
/**
 * How the machine "client" runs. Written by scripts/generate.mjs from src/machines/client.ts: change that, and build.
 *
 * `take` goes by the type of an event to a method that goes by the state to a transition. A transition works out what it
 * assigns, sets its timers and its state, tells the subscribers of the channel, and then performs its commands.
 */
import * as client from '../machines/functions/client.js';
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
export const clientInstance = (input, host) => new (Made ??= madeClass())(input, host);

function madeClass() {
  const establishedIdleTimeout = { phase: 'established', timeout: 'idleTimeout' };
  const establishedHalfCloseTimeout = { phase: 'established', timeout: 'halfCloseTimeout' };
  const established = { phase: 'established' };
  const accepted = { phase: 'accepted' };
  const closing = { phase: 'closing' };
  const acceptedAcceptTimeout = { phase: 'accepted', timeout: 'acceptTimeout' };
  const acceptedProxyHeaderTimeout = { phase: 'accepted', timeout: 'proxyHeaderTimeout' };
  const closingLingerMax = { phase: 'closing', timeout: 'lingerMax' };

  const FACTS = factsOf(
    'client',
    [
      'socket.finished',
      'owner.refused',
      'socket.failed',
      'socket.closed',
      'client.close',
      'client.refuse',
      'client.abort',
      'header.done',
      'header.failed',
      'socket.ended',
      'handshake.done',
      'handshake.failed',
      'client.handOver',
      'owner.admitted',
      'socket.idled',
    ],
    [
      /* 0 */ [
        ['live', 'accepted', 'arrived'],
        ['holdsSocket', 'linked'],
        [['acceptTimeout', 'xstate.after.acceptTimeout.client.live.accepted']],
      ],
      /* 1 */ [
        ['live', 'accepted', 'identifying'],
        ['holdsSocket', 'linked'],
        [
          ['acceptTimeout', 'xstate.after.acceptTimeout.client.live.accepted'],
          ['proxyHeaderTimeout', 'xstate.after.proxyHeaderTimeout.client.live.accepted.identifying'],
        ],
      ],
      /* 2 */ [
        ['live', 'accepted', 'handshaking'],
        ['handshaking', 'holdsSocket', 'linked'],
        [['acceptTimeout', 'xstate.after.acceptTimeout.client.live.accepted']],
      ],
      /* 3 */ [
        ['live', 'accepted', 'open'],
        ['givable', 'holdsSocket', 'linked'],
        [['acceptTimeout', 'xstate.after.acceptTimeout.client.live.accepted']],
      ],
      /* 4 */ [
        ['live', 'accepted', 'peerEnded'],
        ['givable', 'holdsSocket', 'linked'],
        [['acceptTimeout', 'xstate.after.acceptTimeout.client.live.accepted']],
      ],
      /* 5 */ [
        ['live', 'established', 'open'],
        ['served', 'givable', 'holdsSocket', 'linked'],
        [['idleProbe', 'xstate.after.idleProbe.client.live.established.open']],
      ],
      /* 6 */ [
        ['live', 'established', 'peerEnded'],
        ['served', 'givable', 'holdsSocket', 'linked'],
        [['halfCloseProbe', 'xstate.after.halfCloseProbe.client.live.established.peerEnded']],
      ],
      /* 7 */ [
        ['live', 'established', 'localEnded'],
        ['served', 'givable', 'holdsSocket', 'linked'],
        [['halfCloseProbe', 'xstate.after.halfCloseProbe.client.live.established.localEnded']],
      ],
      /* 8 */ [['live', 'established', 'bothEnded'], ['served', 'givable', 'holdsSocket', 'linked'], []],
      /* 9 */ [['lent', 'open'], ['holdsSocket', 'served', 'lent'], []],
      /* 10 */ [
        ['lent', 'closing'],
        ['holdsSocket', 'served', 'lent'],
        [['closeTimeout', 'xstate.after.closeTimeout.client.lent.closing']],
      ],
      /* 11 */ [['refusing'], ['holdsSocket'], [['abortTimeout', 'xstate.after.abortTimeout.client.refusing']]],
      /* 12 */ [
        ['explaining'],
        ['holdsSocket', 'served'],
        [['closeTimeout', 'xstate.after.closeTimeout.client.explaining']],
      ],
      /* 13 */ [['alerting'], ['holdsSocket'], [['abortTimeout', 'xstate.after.abortTimeout.client.alerting']]],
      /* 14 */ [['dropping'], ['holdsSocket'], [['abortTimeout', 'xstate.after.abortTimeout.client.dropping']]],
      /* 15 */ [['closing'], ['holdsSocket', 'served'], [['closeTimeout', 'xstate.after.closeTimeout.client.closing']]],
      /* 16 */ [
        ['lingering', 'probed'],
        ['holdsSocket', 'served'],
        [['lingerMax', 'xstate.after.lingerMax.client.lingering']],
      ],
      /* 17 */ [
        ['lingering', 'reading'],
        ['holdsSocket', 'served'],
        [
          ['lingerMax', 'xstate.after.lingerMax.client.lingering'],
          ['lingerTimeout', 'xstate.after.lingerTimeout.client.lingering.reading'],
        ],
      ],
      /* 18 */ [['parting'], ['holdsSocket'], [['abortTimeout', 'xstate.after.abortTimeout.client.parting']]],
      /* 19 */ [['gone'], [], []],
      /* 20 */ [['aborting'], ['holdsSocket'], [['abortTimeout', 'xstate.after.abortTimeout.client.aborting']]],
      /* 21 */ [['ended'], ['ending'], [], true],
      /* 22 */ [['closed'], ['ending'], [], true],
      /* 23 */ [['aborted'], ['ending'], [], true],
      /* 24 */ [['dropped'], ['ending'], [], true],
      /* 25 */ [['handedOver'], ['ending'], [], true],
      /* 26 */ [['refused'], ['ending'], [], true],
    ],
    10000,
  );
  const makeContext = contextOf(client.startOf);
  const doSocketUnlink = place({ type: 'socket.unlink' });
  const doOwnerRelease = place({ type: 'owner.release' });
  const doSocketReset = place({ type: 'socket.reset' });
  const doSocketDestroy = place({ type: 'socket.destroy' });
  const doSocketLinger = place({ type: 'socket.linger' });
  const doHeaderBegin = place({ type: 'header.begin' });
  const doHandshakeBegin = place({ type: 'handshake.begin' });
  const doOwnerAdmit = place({ type: 'owner.admit' });
  const doClientDrop = place();
  const doSocketProbe = place({ type: 'socket.probe', bytes: 'read', times: 1 });
  const doSocketEnd = place({ type: 'socket.end' });
  const doClientWriteWords = place();
  const doOwnerEstablish = place({ type: 'owner.establish' });
  const doSocketGive = place({ type: 'socket.give' });
  const doHandshakeEnd = place({ type: 'handshake.end' });
  const doSocketProbe2 = place({ type: 'socket.probe', bytes: 'all', times: 4 });
  const doSocketAbandon = place({ type: 'socket.abandon' });
  const doOwnerAccept = place({ type: 'owner.accept' });

  return class ClientInstance extends MachineInstance {
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
        case 'socket.idled':
          return this.onSocketIdled(event);
        case 'socket.finished':
          return this.onSocketFinished(event);
        case 'owner.refused':
          return this.onOwnerRefused(event);
        case 'socket.failed':
          return this.onSocketFailed(event);
        case 'socket.closed':
          return this.onSocketClosed(event);
        case 'client.close':
          return this.onClientClose(event);
        case 'client.refuse':
          return this.onClientRefuse(event);
        case 'client.abort':
          return this.onClientAbort(event);
        case 'xstate.after.acceptTimeout.client.live.accepted':
          return this.onXstateAfterAcceptTimeoutClientLiveAccepted(event);
        case 'owner.admitted':
          return this.onOwnerAdmitted(event);
        case 'client.handOver':
          return this.onClientHandOver(event);
        case 'handshake.done':
          return this.onHandshakeDone(event);
        case 'handshake.failed':
          return this.onHandshakeFailed(event);
        case 'header.done':
          return this.onHeaderDone(event);
        case 'header.failed':
          return this.onHeaderFailed(event);
        case 'socket.ended':
          return this.onSocketEnded(event);
        case 'xstate.after.proxyHeaderTimeout.client.live.accepted.identifying':
          return this.onXstateAfterProxyHeaderTimeoutClientLiveAcceptedIdentifying(event);
        case 'xstate.after.idleProbe.client.live.established.open':
          return this.onXstateAfterIdleProbeClientLiveEstablishedOpen(event);
        case 'xstate.after.halfCloseProbe.client.live.established.peerEnded':
          return this.onXstateAfterHalfCloseProbeClientLiveEstablishedPeerEnded(event);
        case 'xstate.after.halfCloseProbe.client.live.established.localEnded':
          return this.onXstateAfterHalfCloseProbeClientLiveEstablishedLocalEnded(event);
        case 'xstate.after.closeTimeout.client.lent.closing':
          return this.onXstateAfterCloseTimeoutClientLentClosing(event);
        case 'xstate.after.abortTimeout.client.refusing':
          return this.onXstateAfterAbortTimeoutClientRefusing(event);
        case 'xstate.after.closeTimeout.client.explaining':
          return this.onXstateAfterCloseTimeoutClientExplaining(event);
        case 'xstate.after.abortTimeout.client.alerting':
          return this.onXstateAfterAbortTimeoutClientAlerting(event);
        case 'xstate.after.abortTimeout.client.dropping':
          return this.onXstateAfterAbortTimeoutClientDropping(event);
        case 'xstate.after.closeTimeout.client.closing':
          return this.onXstateAfterCloseTimeoutClientClosing(event);
        case 'xstate.after.lingerMax.client.lingering':
          return this.onXstateAfterLingerMaxClientLingering(event);
        case 'xstate.after.lingerTimeout.client.lingering.reading':
          return this.onXstateAfterLingerTimeoutClientLingeringReading(event);
        case 'xstate.after.abortTimeout.client.parting':
          return this.onXstateAfterAbortTimeoutClientParting(event);
        case 'xstate.after.abortTimeout.client.aborting':
          return this.onXstateAfterAbortTimeoutClientAborting(event);
        default:
          return this.unknown(event);
      }
    }

    onSocketIdled(event) {
      switch (this.leaf) {
        case 5: // live.established.open
          {
            this.clearTimer0();
            return this.toAborting(event);
          }
        case 6: // live.established.peerEnded
          {
            this.clearTimer0();
            return this.toAborting2(event);
          }
        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toLingeringReading(event);
          }
        case 16: // lingering.probed
          {
            this.clearTimer0();
            return this.toParting(event);
          }
        case 17: // lingering.reading
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toParting(event);
          }
      }
    }

    onSocketFinished(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived
          return this.toLiveAcceptedArrived(event);
        case 1: // live.accepted.identifying

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded

        case 9: // lent.open

        case 10: // lent.closing

        case 15: // closing
          return this.toLiveAcceptedIdentifying(event);
        case 5: // live.established.open
          {
            this.clearTimer0();
            return this.toLiveEstablishedLocalEnded(event);
          }
        case 6: // live.established.peerEnded
          {
            this.clearTimer0();
            return this.toLiveEstablishedBothEnded(event);
          }
        case 12: // explaining
          {
            this.clearTimer0();
            return this.toLingeringReading2(event);
          }
      }
    }

    onOwnerRefused(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing(event);
          }
      }
    }

    onSocketFailed(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 1: // live.accepted.identifying
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 5: // live.established.open

        case 6: // live.established.peerEnded

        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toDropping(event);
          }
        case 9: // lent.open

        case 10: // lent.closing

        case 12: // explaining

        case 15: // closing

        case 17: // lingering.reading
          return this.toLentOpen(event);
        case 16: // lingering.probed
          return this.toLingeringProbed(event);
      }
    }

    onSocketClosed(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 1: // live.accepted.identifying
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 5: // live.established.open

        case 6: // live.established.peerEnded

        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toAborting3(event);
          }
        case 8: // live.established.bothEnded
          return this.toEnded(event);
        case 9: // lent.open
          return this.toHandedOver(event);
        case 10: // lent.closing

        case 15: // closing
          {
            this.clearTimer0();
            return this.toClosed(event);
          }
        case 11: // refusing

        case 12: // explaining

        case 13: // alerting
          {
            this.clearTimer0();
            return this.toRefused(event);
          }
        case 14: // dropping
          {
            this.clearTimer0();
            return this.toDropped(event);
          }
        case 16: // lingering.probed

        case 18: // parting
          {
            this.clearTimer0();
            return this.toGone(event);
          }
        case 17: // lingering.reading
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toGone(event);
          }
        case 20: // aborting
          {
            const given = { context: this.context, event };
            if (client.willBeRefused(given)) {
              this.clearTimer0();
              return this.toRefused(event);
            }
            this.clearTimer0();
            return this.toAborted(event);
          }
      }
    }

    onClientClose(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            this.clearTimer0();
            return this.toClosing(event);
          }
        case 1: // live.accepted.identifying
          {
            this.clearTimer1();
            this.clearTimer0();
            return this.toClosing(event);
          }
        case 5: // live.established.open

        case 6: // live.established.peerEnded

        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toClosing2(event);
          }
        case 8: // live.established.bothEnded
          return this.toClosing2(event);
        case 9: // lent.open
          return this.toLentClosing(event);
      }
    }

    onClientRefuse(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            if (client.hasWords(given)) {
              this.clearTimer0();
              return this.toExplaining(event);
            }
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 2: // live.accepted.handshaking
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 5: // live.established.open

        case 6: // live.established.peerEnded

        case 7: // live.established.localEnded
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer0();
              return this.toLingeringReading4(event);
            }
            if (client.hasWords(given)) {
              this.clearTimer0();
              return this.toExplaining2(event);
            }
            this.clearTimer0();
            return this.toRefusing2(event);
          }
        case 8: // live.established.bothEnded
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) return this.toLingeringReading4(event);
            if (client.hasWords(given)) return this.toExplaining2(event);
            return this.toRefusing2(event);
          }
      }
    }

    onClientAbort(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringReading5(event);
            }
            this.clearTimer0();
            return this.toAborting4(event);
          }
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading5(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toAborting4(event);
          }
        case 5: // live.established.open

        case 6: // live.established.peerEnded

        case 7: // live.established.localEnded
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringReading6(event);
            }
            this.clearTimer0();
            return this.toAborting3(event);
          }
        case 8: // live.established.bothEnded
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) return this.toLingeringReading6(event);
            return this.toAborting3(event);
          }
        case 9: // lent.open
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) return this.toLingeringReading7(event);
            return this.toAborting5(event);
          }
        case 10: // lent.closing
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringReading8(event);
            }
            this.clearTimer0();
            return this.toAborting6(event);
          }
        case 12: // explaining
          {
            this.clearTimer0();
            return this.toAborting7(event);
          }
        case 15: // closing
          {
            const given = { context: this.context, event };
            if (connection.isToBeDelivered(given)) {
              this.clearTimer0();
              return this.toLingeringProbed2(event);
            }
            this.clearTimer0();
            return this.toAborting6(event);
          }
        case 16: // lingering.probed
          {
            const given = { context: this.context, event };
            if (connection.isDeadline(given)) return;
            if (client.willBeRefused(given)) {
              this.clearTimer0();
              return this.toAborting7(event);
            }
            this.clearTimer0();
            return this.toAborting6(event);
          }
        case 17: // lingering.reading
          {
            const given = { context: this.context, event };
            if (connection.isDeadline(given)) return;
            if (client.willBeRefused(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toAborting7(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toAborting6(event);
          }
      }
    }

    onXstateAfterAcceptTimeoutClientLiveAccepted(event) {
      switch (this.leaf) {
        case 0: // live.accepted.arrived

        case 2: // live.accepted.handshaking

        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer0();
              return this.toLingeringReading9(event);
            }
            this.clearTimer0();
            return this.toRefusing3(event);
          }
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading9(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing3(event);
          }
      }
    }

    onOwnerAdmitted(event) {
      switch (this.leaf) {
        case 3: // live.accepted.open
          {
            this.clearTimer0();
            return this.toLiveEstablishedOpen(event);
          }
        case 4: // live.accepted.peerEnded
          {
            this.clearTimer0();
            return this.toLiveEstablishedPeerEnded(event);
          }
      }
    }

    onClientHandOver(event) {
      switch (this.leaf) {
        case 3: // live.accepted.open

        case 4: // live.accepted.peerEnded
          {
            this.clearTimer0();
            return this.toLentOpen2(event);
          }
        case 5: // live.established.open

        case 6: // live.established.peerEnded

        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toLentOpen3(event);
          }
        case 8: // live.established.bothEnded
          return this.toLentOpen3(event);
      }
    }

    onHandshakeDone(event) {
      switch (this.leaf) {
        case 2: // live.accepted.handshaking
          return this.toLiveAcceptedOpen(event);
      }
    }

    onHandshakeFailed(event) {
      switch (this.leaf) {
        case 2: // live.accepted.handshaking
          {
            this.clearTimer0();
            return this.toAlerting(event);
          }
      }
    }

    onHeaderDone(event) {
      switch (this.leaf) {
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (client.speaksTls(given)) {
              this.clearTimer1();
              return this.toLiveAcceptedHandshaking(event);
            }
            this.clearTimer1();
            return this.toLiveAcceptedOpen(event);
          }
      }
    }

    onHeaderFailed(event) {
      switch (this.leaf) {
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing(event);
          }
      }
    }

    onSocketEnded(event) {
      switch (this.leaf) {
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading3(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing(event);
          }
        case 3: // live.accepted.open
          return this.toLiveAcceptedPeerEnded(event);
        case 5: // live.established.open
          {
            this.clearTimer0();
            return this.toLiveEstablishedPeerEnded2(event);
          }
        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toLiveEstablishedBothEnded2(event);
          }
      }
    }

    onXstateAfterProxyHeaderTimeoutClientLiveAcceptedIdentifying(event) {
      switch (this.leaf) {
        case 1: // live.accepted.identifying
          {
            const given = { context: this.context, event };
            if (connection.isFlushed(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toLingeringReading10(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toRefusing4(event);
          }
      }
    }

    onXstateAfterIdleProbeClientLiveEstablishedOpen(event) {
      switch (this.leaf) {
        case 5: // live.established.open
          {
            this.clearTimer0();
            return this.toLiveEstablishedOpen2(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeClientLiveEstablishedPeerEnded(event) {
      switch (this.leaf) {
        case 6: // live.established.peerEnded
          {
            this.clearTimer0();
            return this.toLiveEstablishedPeerEnded3(event);
          }
      }
    }

    onXstateAfterHalfCloseProbeClientLiveEstablishedLocalEnded(event) {
      switch (this.leaf) {
        case 7: // live.established.localEnded
          {
            this.clearTimer0();
            return this.toLiveEstablishedPeerEnded3(event);
          }
      }
    }

    onXstateAfterCloseTimeoutClientLentClosing(event) {
      switch (this.leaf) {
        case 10: // lent.closing
          return this.toLentClosing2(event);
      }
    }

    onXstateAfterAbortTimeoutClientRefusing(event) {
      switch (this.leaf) {
        case 11: // refusing
          {
            this.clearTimer0();
            return this.toRefused2(event);
          }
      }
    }

    onXstateAfterCloseTimeoutClientExplaining(event) {
      switch (this.leaf) {
        case 12: // explaining
          {
            this.clearTimer0();
            return this.toAborting7(event);
          }
      }
    }

    onXstateAfterAbortTimeoutClientAlerting(event) {
      switch (this.leaf) {
        case 13: // alerting
          {
            this.clearTimer0();
            return this.toRefused2(event);
          }
      }
    }

    onXstateAfterAbortTimeoutClientDropping(event) {
      switch (this.leaf) {
        case 14: // dropping
          {
            this.clearTimer0();
            return this.toDropped2(event);
          }
      }
    }

    onXstateAfterCloseTimeoutClientClosing(event) {
      switch (this.leaf) {
        case 15: // closing
          return this.toClosing3(event);
      }
    }

    onXstateAfterLingerMaxClientLingering(event) {
      switch (this.leaf) {
        case 16: // lingering.probed
          {
            const given = { context: this.context, event };
            if (client.willBeRefused(given)) {
              this.clearTimer0();
              return this.toAborting7(event);
            }
            this.clearTimer0();
            return this.toAborting8(event);
          }
        case 17: // lingering.reading
          {
            const given = { context: this.context, event };
            if (client.willBeRefused(given)) {
              this.clearTimer1();
              this.clearTimer0();
              return this.toAborting7(event);
            }
            this.clearTimer1();
            this.clearTimer0();
            return this.toAborting8(event);
          }
      }
    }

    onXstateAfterLingerTimeoutClientLingeringReading(event) {
      switch (this.leaf) {
        case 17: // lingering.reading
          {
            this.clearTimer1();
            return this.toLingeringReading11(event);
          }
      }
    }

    onXstateAfterAbortTimeoutClientParting(event) {
      switch (this.leaf) {
        case 18: // parting
          {
            this.clearTimer0();
            return this.toGone2(event);
          }
      }
    }

    onXstateAfterAbortTimeoutClientAborting(event) {
      switch (this.leaf) {
        case 20: // aborting
          {
            const given = { context: this.context, event };
            if (client.willBeRefused(given)) {
              this.clearTimer0();
              return this.toRefused2(event);
            }
            this.clearTimer0();
            return this.toAborted2(event);
          }
      }
    }
    choose(event) {
      const given = { context: this.context, event };
      if (client.isProxied(given)) return 1;
      if (client.speaksTls(given)) return 2;
      return 3;
    }
    enter(event) {
      switch (this.leaf) {
        case 1:
          /* live.accepted.identifying */ {
            const { context } = this;
            const given = { context, event };
            this.timer0 = this.wait(client.acceptTimeout(given));
            this.timer1 = this.wait(client.proxyHeaderTimeout(given));
            if (transitions.hasSubscribers) this.tellStart(doOwnerAccept.command, doHeaderBegin.command);
            this.emit(doOwnerAccept);
            this.emit(doHeaderBegin);
          }
          break;
        case 2:
          /* live.accepted.handshaking */ {
            const { context } = this;
            const given = { context, event };
            this.timer0 = this.wait(client.acceptTimeout(given));
            if (transitions.hasSubscribers) this.tellStart(doOwnerAccept.command, doHandshakeBegin.command);
            this.emit(doOwnerAccept);
            this.emit(doHandshakeBegin);
          }
          break;
        case 3:
          /* live.accepted.open */ {
            const { context } = this;
            const given = { context, event };
            this.timer0 = this.wait(client.acceptTimeout(given));
            if (transitions.hasSubscribers) this.tellStart(doOwnerAccept.command, doOwnerAdmit.command);
            this.emit(doOwnerAccept);
            this.emit(doOwnerAdmit);
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
    toAborting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedIdleTimeout);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toAborting2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedHalfCloseTimeout);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, establishedHalfCloseTimeout);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toParting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 18; /* parting */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketDestroy.command);
      this.emit(doSocketDestroy);
    }

    toLiveAcceptedArrived(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      if (transitions.hasSubscribers) this.note(from, event);
      if (client.isProxied(given)) {
        this.timer1 = this.wait(client.proxyHeaderTimeout(given));
        this.leaf = 1; /* live.accepted.identifying */
        if (transitions.hasSubscribers) this.note(0, event, doHeaderBegin.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doHeaderBegin);
        return;
      }
      if (client.speaksTls(given)) {
        this.leaf = 2; /* live.accepted.handshaking */
        if (transitions.hasSubscribers) this.note(0, event, doHandshakeBegin.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doHandshakeBegin);
        return;
      }
      this.leaf = 3; /* live.accepted.open */
      if (transitions.hasSubscribers) this.note(0, event, doOwnerAdmit.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doOwnerAdmit);
    }

    toLiveAcceptedIdentifying(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLiveEstablishedLocalEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.halfCloseProbe(given));
      this.leaf = 7; /* live.established.localEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLiveEstablishedBothEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      this.leaf = 8; /* live.established.bothEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLingeringReading2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = connection.flushedOrLost(given);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketLinger.command);
      this.emit(doSocketLinger);
    }

    toLingeringReading3(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toRefusing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 11; /* refusing */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toDropping(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['sent'] = 'lost';
      const command0 = client.drop(given);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 14; /* dropping */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, command0, doOwnerRelease.command, doSocketDestroy.command);
      this.emit(doSocketUnlink);
      this.emitAs(doClientDrop, command0);
      this.emit(doOwnerRelease);
      this.emit(doSocketDestroy);
    }

    toLentOpen(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLingeringProbed(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      if (transitions.hasSubscribers) this.note(from, event);
      const given = { context, event };
      if (connection.wasReadForLong(given)) {
        this.timer1 = this.wait(connection.lingerTimeout(given));
        this.leaf = 17; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(16, event, doSocketProbe.command, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketProbe);
        this.emit(doSocketLinger);
        return;
      }
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers) this.note(16, event, doSocketLinger.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketLinger);
    }

    toAborting3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.ended', output: 'ended' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 21; /* ended */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
    }

    toHandedOver(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.handedOver', output: 'handedOver' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 25; /* handedOver */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosed(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.closed', output: 'closed' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 22; /* closed */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toRefused(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.refused', output: 'refused' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 26; /* refused */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toDropped(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.dropped', output: 'dropped' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 24; /* dropped */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toGone(event) {
      const from = this.leaf;
      const { context } = this;
      this.leaf = 19; /* gone */
      if (transitions.hasSubscribers) this.note(from, event);
      const given = { context, event };
      if (connection.willBeClosed(given)) {
        const end0 = { type: 'xstate.done.state.client.closed', output: 'closed' };
        this.done(connection.outcomeOf({ context, event: end0 }));
        this.leaf = 22; /* closed */
        if (transitions.hasSubscribers) this.note(19, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      if (client.willBeRefused(given)) {
        const end1 = { type: 'xstate.done.state.client.refused', output: 'refused' };
        this.done(connection.outcomeOf({ context, event: end1 }));
        this.leaf = 26; /* refused */
        if (transitions.hasSubscribers) this.note(19, event);
        if (transitions.hasSubscribers) this.told();
        return;
      }
      const end2 = { type: 'xstate.done.state.client.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end2 }));
      this.leaf = 23; /* aborted */
      if (transitions.hasSubscribers) this.note(19, event);
      if (transitions.hasSubscribers) this.told();
    }

    toAborted(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 23; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toClosing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = client.someOrAll(given);
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, accepted);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 15; /* closing */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketEnd.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketEnd);
    }

    toClosing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 15; /* closing */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketEnd.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketEnd);
    }

    toLentClosing(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['closeTimeoutMs'] = connection.askedCloseTimeout(given);
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 10; /* lent.closing */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toExplaining(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      context['sent'] = client.someOrAll(given);
      const command0 = client.writeWords(given);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 12; /* explaining */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, command0, doSocketEnd.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emitAs(doClientWriteWords, command0);
      this.emit(doSocketEnd);
    }

    toLingeringReading4(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toExplaining2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['sent'] = client.someOrAll(given);
      const command0 = client.writeWords(given);
      this.timer0 = this.wait(connection.closeTimeout(given));
      this.leaf = 12; /* explaining */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, command0, doSocketEnd.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emitAs(doClientWriteWords, command0);
      this.emit(doSocketEnd);
    }

    toRefusing2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 11; /* refusing */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toAborting4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toLingeringReading7(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketLinger.command);
      this.emit(doSocketLinger);
    }

    toAborting5(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doSocketDestroy.command);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading8(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketLinger.command);
      this.emit(doSocketLinger);
    }

    toAborting6(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closing);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doSocketDestroy.command);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toAborting7(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'lost';
      const given = { context, event };
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doSocketDestroy.command);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringProbed2(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'closed';
      const given = { context, event };
      this.timer0 = this.wait(connection.lingerMax(given));
      this.leaf = 16; /* lingering.probed */
      if (transitions.hasSubscribers) this.note(from, event);
      if (connection.wasReadForLong(given)) {
        this.timer1 = this.wait(connection.lingerTimeout(given));
        this.leaf = 17; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(16, event, doSocketProbe.command, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketProbe);
        this.emit(doSocketLinger);
        return;
      }
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers) this.note(16, event, doSocketLinger.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketLinger);
    }

    toLingeringReading9(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, acceptedAcceptTimeout);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toRefusing3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, acceptedAcceptTimeout);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 11; /* refusing */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLiveEstablishedOpen(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'some';
      const given = { context, event };
      this.timer0 = this.wait(connection.idleProbe(given));
      this.leaf = 5; /* live.established.open */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerEstablish.command);
      this.emit(doOwnerEstablish);
    }

    toLiveEstablishedPeerEnded(event) {
      const from = this.leaf;
      const { context } = this;
      context['sent'] = 'some';
      const given = { context, event };
      this.timer0 = this.wait(connection.halfCloseProbe(given));
      this.leaf = 6; /* live.established.peerEnded */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerEstablish.command);
      this.emit(doOwnerEstablish);
    }

    toLentOpen2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['sent'] = client.someOrAll(given);
      context['cause'] = outcome.causeNoted(given, accepted);
      this.leaf = 9; /* lent.open */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketGive.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketGive);
    }

    toLentOpen3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.leaf = 9; /* lent.open */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketGive.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketGive);
    }

    toLiveAcceptedOpen(event) {
      const from = this.leaf;
      this.leaf = 3; /* live.accepted.open */
      if (transitions.hasSubscribers) this.tell(from, event, doOwnerAdmit.command);
      this.emit(doOwnerAdmit);
    }

    toAlerting(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 13; /* alerting */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doHandshakeEnd.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doHandshakeEnd);
    }

    toLiveAcceptedHandshaking(event) {
      const from = this.leaf;
      this.leaf = 2; /* live.accepted.handshaking */
      if (transitions.hasSubscribers) this.tell(from, event, doHandshakeBegin.command);
      this.emit(doHandshakeBegin);
    }

    toLiveAcceptedPeerEnded(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, accepted);
      this.leaf = 4; /* live.accepted.peerEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLiveEstablishedPeerEnded2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, established);
      this.timer0 = this.wait(connection.halfCloseProbe(given));
      this.leaf = 6; /* live.established.peerEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLiveEstablishedBothEnded2(event) {
      const from = this.leaf;
      this.leaf = 8; /* live.established.bothEnded */
      if (transitions.hasSubscribers) this.tell(from, event);
    }

    toLingeringReading10(event) {
      const from = this.leaf;
      const { context } = this;
      context['ending'] = 'refused';
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, acceptedProxyHeaderTimeout);
      this.timer0 = this.wait(connection.lingerMax(given));
      this.timer1 = this.wait(connection.lingerTimeout(given));
      this.leaf = 17; /* lingering.reading */
      if (transitions.hasSubscribers)
        this.tell(from, event, doSocketUnlink.command, doOwnerRelease.command, doSocketLinger.command);
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketLinger);
    }

    toRefusing4(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, acceptedProxyHeaderTimeout);
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 11; /* refusing */
      if (transitions.hasSubscribers)
        this.tell(
          from,
          event,
          doSocketUnlink.command,
          doOwnerRelease.command,
          doSocketReset.command,
          doSocketDestroy.command,
        );
      this.emit(doSocketUnlink);
      this.emit(doOwnerRelease);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLiveEstablishedOpen2(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(connection.idleProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doSocketProbe2.command);
      this.emit(doSocketProbe2);
    }

    toLiveEstablishedPeerEnded3(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      this.timer0 = this.wait(connection.halfCloseProbe(given));
      if (transitions.hasSubscribers) this.tell(from, event, doSocketProbe2.command);
      this.emit(doSocketProbe2);
    }

    toLentClosing2(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'client.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      const given1 = { context, event: event0 };
      if (connection.isToBeDelivered(given1)) {
        this.clearTimer0();
        context['cause'] = outcome.causeNoted(given1, closing);
        this.timer0 = this.wait(connection.lingerMax(given1));
        this.timer1 = this.wait(connection.lingerTimeout(given1));
        this.leaf = 17; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(10, event0, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketLinger);
        return;
      }
      this.clearTimer0();
      context['cause'] = outcome.causeNoted(given1, closing);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given1));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers) this.note(10, event0, doSocketReset.command, doSocketDestroy.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toRefused2(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.refused', output: 'refused' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 26; /* refused */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command);
      this.emit(doSocketAbandon);
    }

    toDropped2(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.dropped', output: 'dropped' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 24; /* dropped */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command);
      this.emit(doSocketAbandon);
    }

    toClosing3(event) {
      const from = this.leaf;
      const { context } = this;
      if (transitions.hasSubscribers) this.note(from, event);
      const event0 = {
        type: 'client.abort',
        deliver: true,
        cause: { initiator: 'library', manner: 'timeout', phase: 'closing', code: 'closeTimeout' },
      };
      const given1 = { context, event: event0 };
      if (connection.isToBeDelivered(given1)) {
        this.clearTimer0();
        context['ending'] = 'closed';
        this.timer0 = this.wait(connection.lingerMax(given1));
        this.leaf = 16; /* lingering.probed */
        if (transitions.hasSubscribers) this.note(15, event0);
        if (connection.wasReadForLong(given1)) {
          this.timer1 = this.wait(connection.lingerTimeout(given1));
          this.leaf = 17; /* lingering.reading */
          if (transitions.hasSubscribers) this.note(16, event0, doSocketProbe.command, doSocketLinger.command);
          if (transitions.hasSubscribers) this.told();
          this.emit(doSocketProbe);
          this.emit(doSocketLinger);
          return;
        }
        this.timer1 = this.wait(connection.lingerTimeout(given1));
        this.leaf = 17; /* lingering.reading */
        if (transitions.hasSubscribers) this.note(16, event0, doSocketLinger.command);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketLinger);
        return;
      }
      this.clearTimer0();
      context['cause'] = outcome.causeNoted(given1, closing);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given1));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers) this.note(15, event0, doSocketReset.command, doSocketDestroy.command);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toAborting8(event) {
      const from = this.leaf;
      const { context } = this;
      const given = { context, event };
      context['cause'] = outcome.causeNoted(given, closingLingerMax);
      context['sent'] = 'lost';
      this.timer0 = this.wait(connection.abortTimeout(given));
      this.leaf = 20; /* aborting */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketReset.command, doSocketDestroy.command);
      this.emit(doSocketReset);
      this.emit(doSocketDestroy);
    }

    toLingeringReading11(event) {
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
      this.leaf = 19; /* gone */
      if (transitions.hasSubscribers) this.note(from, event, doSocketAbandon.command);
      const given = { context, event };
      if (connection.willBeClosed(given)) {
        const end0 = { type: 'xstate.done.state.client.closed', output: 'closed' };
        this.done(connection.outcomeOf({ context, event: end0 }));
        this.leaf = 22; /* closed */
        if (transitions.hasSubscribers) this.note(19, event);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketAbandon);
        return;
      }
      if (client.willBeRefused(given)) {
        const end1 = { type: 'xstate.done.state.client.refused', output: 'refused' };
        this.done(connection.outcomeOf({ context, event: end1 }));
        this.leaf = 26; /* refused */
        if (transitions.hasSubscribers) this.note(19, event);
        if (transitions.hasSubscribers) this.told();
        this.emit(doSocketAbandon);
        return;
      }
      const end2 = { type: 'xstate.done.state.client.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end2 }));
      this.leaf = 23; /* aborted */
      if (transitions.hasSubscribers) this.note(19, event);
      if (transitions.hasSubscribers) this.told();
      this.emit(doSocketAbandon);
    }

    toAborted2(event) {
      const from = this.leaf;
      const { context } = this;
      const end0 = { type: 'xstate.done.state.client.aborted', output: 'aborted' };
      this.done(connection.outcomeOf({ context, event: end0 }));
      this.leaf = 23; /* aborted */
      if (transitions.hasSubscribers) this.tell(from, event, doSocketAbandon.command);
      this.emit(doSocketAbandon);
    }
  };
}
