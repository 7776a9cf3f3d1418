/** A socket that a machine has forgotten between two attempts: it is not over, and another attempt follows. */
import type { AnyStateMachine, AnyStateNode, EventObject } from 'xstate';
import type { Attached, SocketUse } from '../adapters/attach.js';
import type { Run } from '../runtime/instance.js';
import { shortName } from './graph.js';
import { InertMachine } from './inert.js';

const TAG = 'holdsSocket';

/** Why the socket that is open now is a mistake, though the machine goes on; undefined where it may be right. */
export function leakOf(machine: AnyStateMachine, attached: Attached<AnyStateMachine> & SocketUse): string | undefined {
  if (!attached.isHeld || attached.isOver) return undefined;
  const instance = attached.instance as Run<EventObject>;
  const rests = `${attached.id} rests in "${attached.state}" with its socket open`;
  if (usesTag(machine.root) && !instance.hasTag(TAG)) return `${rests}, and no tag ${TAG}`;
  const { value, context } = instance.snapshot();
  const snapshot = machine.resolveState({ value, context });
  const inert = new InertMachine(machine);
  const timers = (snapshot._nodes as AnyStateNode[])
    .flatMap((node) => node.ownEvents as string[])
    .filter((type) => type.startsWith('xstate.after.'));
  const opening = timers.find((type) => {
    try {
      inert.next(snapshot, { type });
    } catch {
      // The step itself will tell.
      return false;
    }
    const entries = inert.actions
      .filter((action) => action.type === 'xstate.emit')
      .map(({ params }) => attached.entryOf((params as { event: EventObject }).event.type));
    // A function may do anything, also end it.
    return entries.find((entry) => entry !== 'pause' && entry !== 'resume') === 'open';
  });
  return opening === undefined ? undefined : `${rests}, and ${shortName(opening)} opens another`;
}

const usesTag = ({ tags, states }: AnyStateNode): boolean =>
  tags.includes(TAG) || (Object.values(states) as AnyStateNode[]).some(usesTag);
