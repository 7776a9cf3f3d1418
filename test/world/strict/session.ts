/** A connection whose session must also answer every report and request of its legs and its owner. */
import {
  type ConnectionBounds,
  type ConnectionPart,
  type ConnectionWorld,
  connectionModel,
  forgetConnection,
} from '../connection.js';
import { must, type SystemModel } from '../explore.js';

interface StrictConnection extends ConnectionWorld {
  /** What the owner has just asked of the session. */
  readonly wanted: '' | 'session.close' | 'session.abort';
}

export function strictConnection(bounds: ConnectionBounds): SystemModel<StrictConnection, ConnectionPart> {
  const base = connectionModel(bounds) as unknown as SystemModel<StrictConnection, ConnectionPart>;
  return {
    ...base,
    initial: { ...base.initial, wanted: '' },

    turns: (world, at) =>
      base.turns(world, at).flatMap((turn) => {
        const { what } = turn;
        // A handshake that has ended does not come about.
        if (what === "backend's socket: connected" && world.backend.socket.peerEnded) return [];
        if (what !== 'session.close' && what !== 'session.abort') return [turn];
        return {
          ...turn,
          happen(stage) {
            stage.change({ wanted: what });
            turn.happen(stage);
          },
        };
      }),

    check(world, at) {
      base.check(world, at);
      const { session, backend } = at;
      if (session === undefined || session.ending !== undefined) return;
      const [where = '', half] = session.state.split('.');
      const { client, relayed, wanted } = world;
      must(wanted === '' || !/^(connecting|relaying)$/.test(where), 'It goes on, and its end was asked for (1)');
      must(wanted !== 'session.abort' || where === 'finishing', 'It drains, and was aborted');
      const areCut = (['client', 'backend'] as const).every((leg) => world[leg].over || world.left[leg] !== undefined);
      must(wanted !== 'session.abort' || areCut, 'It was aborted, and its legs go on');
      must(where !== 'draining' || world.asked > 0, 'It drains, and nobody asked for it');
      if (where === 'connecting') {
        must(backend?.state !== 'idle', 'It waits for a backend that nobody connects');
        must(!/^active.established/.test(backend?.state ?? ''), 'Its backend is there, and nothing comes of it');
        const knows = (half === 'clientEnded') === client.socket.peerEnded;
        must(knows || !client.socket.linked, 'Its client has ended, and it does not know');
      }
      if (where === 'relaying' || where === 'draining') {
        must(relayed, 'It relays, and has not begun to');
        const ended = { client: client.socket.peerEnded, backend: world.backend.socket.peerEnded };
        const expected = ended.client
          ? ended.backend
            ? 'neither'
            : 'clientEnded'
          : ended.backend
            ? 'backendEnded'
            : 'both';
        // What is unlinked says no more; its close follows.
        const areLinked = client.socket.linked && world.backend.socket.linked;
        must(half === expected || !areLinked, `It relays ${half}, and it should be ${expected} (10)`);
      }
    },

    forget: (world, at) => ({ ...forgetConnection(world, at), wanted: '' }),
  };
}
