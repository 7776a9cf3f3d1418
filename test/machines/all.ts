/** Every machine of the library. */
import type { AnyStateMachine } from 'xstate';
import { machines } from '../../src/machines/index.js';

export const all = machines as unknown as readonly AnyStateMachine[];
