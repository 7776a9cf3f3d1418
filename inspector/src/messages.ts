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

/** Who comes there from elsewhere resets the socket. A test holds this against the machines. */
function resets(from: string, event: string, to: string): boolean {
  if (to === 'active.failover') return event === 'socket.idled';
  if (to === 'aborting.destroying') return from === 'closing.flushing' || from === 'lingering.reading';
  return ['aborting', 'refusing'].some((state) => covers(state, to) && !covers(state, from));
}

/** What went over the wire, or what the proxy decided by itself. */
export function messageOf({ machine, event, from, to, cause, server }: StepInfo): Message {
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
      if (cause?.initiator === 'peer' && cause.manner === 'reset') return received('RST');
      if (cause?.initiator === 'peer' && cause.manner === 'refusal') return received('refuses');
      return decided(cause?.code ?? 'fails');
    case 'socket.closed':
      // Our own socket has closed: nothing of that is sent.
      return decided('closed');
    default:
      return resets(from, event, to) ? sent('RST') : decided(eventText(event));
  }
}
