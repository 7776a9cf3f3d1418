/**
 * What a transition means to its observers, by the command that the machine emits in it. Nothing outside the machines
 * has to read the name of a state to count a drop, or to draw a reset.
 */
import type { BackendCommand } from './functions/backend.js';
import type { CheckCommand } from './functions/check.js';
import type { ClientCommand } from './functions/client.js';
import type { ClusterCommand } from './functions/cluster.js';
import type { ListenerCommand } from './functions/listener.js';
import type { NameCommand } from './functions/name.js';
import type { ProxyCommand } from './functions/proxy.js';
import type { ServerCommand } from './functions/server.js';
import type { SessionCommand } from './functions/session.js';
import type { WorkerCommand } from './functions/worker.js';

/** What a transition means, beyond its two states. */
export type Means =
  /** A client was accepted. */
  | 'accept'
  /** A client is turned away at the limit. A client that is not admitted is a `reset`. */
  | 'refuse'
  /** An attempt to connect begins. */
  | 'connect'
  /** The next attempt follows after a wait. */
  | 'retry'
  /** No attempt follows. */
  | 'exhaust'
  /** The connection is established; of a session, the client and the backend are joined. */
  | 'establish'
  /** The socket is reset. */
  | 'reset'
  /** An established connection is lost. */
  | 'drop';

type CommandType = (
  | BackendCommand
  | CheckCommand
  | ClientCommand
  | ClusterCommand
  | ListenerCommand
  | NameCommand
  | ProxyCommand
  | ServerCommand
  | SessionCommand
  | WorkerCommand
)['type'];

const BY_COMMAND: { readonly [C in CommandType]?: Means } = {
  'owner.accept': 'accept',
  'client.refuse': 'refuse',
  'socket.open': 'connect',
  'owner.retry': 'retry',
  'owner.exhaust': 'exhaust',
  'owner.establish': 'establish',
  'relay.start': 'establish',
  'socket.reset': 'reset',
  'owner.drop': 'drop',
};

const means: ReadonlyMap<string, Means> = new Map(Object.entries(BY_COMMAND));

/**
 * What a transition means whose commands are read one after the other: the last command that means something decides.
 * So a connection that is reset and dropped in one transition is dropped.
 *
 * @param before what the commands before it mean
 * @param command what the machine emits next; a user's machine may emit anything
 */
export function meaningWith(before: Means | undefined, command: unknown): Means | undefined {
  return means.get((command as { readonly type: string } | undefined)?.type as string) ?? before;
}
