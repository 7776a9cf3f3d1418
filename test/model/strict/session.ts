/** A connection whose session must also answer every report and request of its legs and its owner. */
import {
  type ConnectionBounds,
  type ConnectionModel,
  type ConnectionPart,
  connectionRules,
  forgetConnection,
} from '../connection.js';
import { must, type SystemRules } from '../explore.js';

interface StrictConnection extends ConnectionModel {
  /** What the owner has just asked of the session. */
  readonly wanted: '' | 'session.close' | 'session.abort' | 'session.refuse';
}

export function strictConnection(bounds: ConnectionBounds): SystemRules<StrictConnection, ConnectionPart> {
  const { halfClose = true } = bounds;
  const base = connectionRules(bounds) as unknown as SystemRules<StrictConnection, ConnectionPart>;
  return {
    ...base,
    initial: { ...base.initial, wanted: '' },

    turns: (model, at) =>
      base.turns(model, at).flatMap((turn) => {
        const { what } = turn;
        // A handshake that has ended does not come about.
        if (what === "backend's socket: connected" && model.backend.socket.peerEnded) return [];
        if (what !== 'session.close' && what !== 'session.abort' && what !== 'session.refuse') return [turn];
        return {
          ...turn,
          happen(stage) {
            stage.change({ wanted: what });
            turn.happen(stage);
          },
        };
      }),

    check(model, at) {
      base.check(model, at);
      const { session, backend } = at;
      if (session === undefined || session.ending !== undefined) return;
      const [where = '', half] = session.state.split('.');
      const { client, relayed, wanted } = model;
      // Once bytes are relayed a client is not turned away.
      const mayEnd = wanted === 'session.refuse' ? /^(routing|connecting)$/ : /^(routing|connecting|relaying)$/;
      must(wanted === '' || !mayEnd.test(where), 'It goes on, and its end was asked for (1)');
      must(wanted !== 'session.abort' || where === 'finishing', 'It drains, and was aborted');
      const areCut = (['client', 'backend'] as const).every((leg) => model[leg].over || model.left[leg] !== undefined);
      must(wanted !== 'session.abort' || areCut, 'It was aborted, and its legs go on');
      must(where !== 'draining' || model.asked > 0, 'It drains, and nobody asked for it');
      must(
        model.routing === (where === 'routing'),
        'It waits for a route that it does not want, or goes on without it',
      );
      if (where === 'connecting') {
        must(backend?.state !== 'idle', 'It waits for a backend that nobody connects');
        must(!/^active.established/.test(backend?.state ?? ''), 'Its backend is there, and nothing comes of it');
      }
      if (where === 'routing' || where === 'connecting') {
        const knows = (half === 'clientEnded') === client.socket.peerEnded;
        must(knows || !client.socket.linked, 'Its client has ended, and it does not know');
      }
      if (where === 'relaying' || where === 'draining') {
        must(relayed, 'It relays, and has not begun to');
        const ended = { client: client.socket.peerEnded, backend: model.backend.socket.peerEnded };
        const expected = ended.client
          ? ended.backend
            ? 'neither'
            : 'clientEnded'
          : ended.backend
            ? 'backendEnded'
            : 'both';
        // What is unlinked says no more; its close follows.
        const areLinked = client.socket.linked && model.backend.socket.linked;
        must(half === expected || !areLinked, `It relays ${half}, and it should be ${expected} (10)`);
        const told = half === 'clientEnded' ? model.backend : half === 'backendEnded' ? client : undefined;
        const isOut = told?.socket.local === 'finished' && told.socket.linked;
        must(halfClose || !isOut, 'The end of one side is out, and it goes on (10)');
      }
    },

    forget: (model, at) => ({ ...forgetConnection(model, at), wanted: '' }),
  };
}
