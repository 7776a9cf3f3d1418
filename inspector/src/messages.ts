/** Who said what to whom in a step: the arrows of a sequence diagram. */
import type { StepInfo } from '../../src/inspect/protocol.js';
import { eventText } from '../../src/inspect/words.js';
import { covers } from './edges.js';

export const LANES = ['client', 'proxy', 'backend'] as const;
export type Lane = (typeof LANES)[number];

export interface Message {
  readonly from: Lane;
  readonly to: Lane;
  readonly label: string;
}

/** What went over the wire, or what the proxy decided by itself. */
export function messageOf({ machine, event, to, cause, server }: StepInfo): Message {
  const decided = (label: string): Message => ({ from: 'proxy', to: 'proxy', label });
  if (machine !== 'client' && machine !== 'backend') {
    return decided(event === 'xstate.init' ? `${machine} begins` : eventText(event));
  }
  const received = (label: string): Message => ({ from: machine, to: 'proxy', label });
  const sent = (label: string): Message => ({ from: 'proxy', to: machine, label });
  switch (event) {
    case 'xstate.init':
      return machine === 'client' ? received('connects') : decided('backend begins');
    case 'server.chosen':
      return sent(server === undefined ? 'connect' : `connect ${server}`);
    case 'socket.connected':
      return received('accepts');
    case 'socket.ended':
      return received('FIN');
    case 'socket.finished':
      return sent('FIN');
    case 'socket.failed':
      return received(cause?.manner === 'reset' ? 'RST' : (cause?.code ?? 'fails'));
    case 'socket.closed':
      return received('closed');
    default:
      return covers('aborting', to) || covers('refusing', to) ? sent('RST') : decided(eventText(event));
  }
}
