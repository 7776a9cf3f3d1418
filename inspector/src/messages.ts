/** The message of a step, with its sender and its receiver: an arrow of the sequence diagram. */
import type { StepInfo } from '../../src/inspect/protocol.js';
import { eventText } from '../../src/inspect/words.js';

export const LANES = ['client', 'proxy', 'backend'] as const;
export type Lane = (typeof LANES)[number];

export interface Message {
  readonly from: Lane;
  readonly to: Lane;
  readonly label: string;
}

/** A message that went over the wire, or a decision of the proxy. */
export function messageOf({ machine, event, cause, means, server }: StepInfo): Message {
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
    case 'socket.idled':
      // A connection that is dropped because it was idle is reset.
      return means === 'reset' || means === 'drop' ? sent('RST') : decided(eventText(event));
    default:
      return means === 'reset' ? sent('RST') : decided(eventText(event));
  }
}
