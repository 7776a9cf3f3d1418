/** How the text of a class names what is outside of it, and how names and values are written. */
import type { Callable } from './plan.js';

/** How the text names what is outside of it. */
export interface Surroundings {
  /** A function of the machine. */
  nameOf(run: Callable): string;
  /** A value that the machine names: a command, an event, params. */
  valueOf(value: unknown): string;
  /** The delays of the machine are known to be numbers. */
  readonly delaysAreNumbers?: boolean;
  /** Whether the text is to be read. */
  readonly isCommented?: boolean;
  /** It is a machine of a user's: an instance can be subscribed, and may call functions and have actors. */
  readonly isOwn?: boolean;
}

export const json = (value: unknown): string => JSON.stringify(value);

/** `socket.closed` is `SocketClosed`: letters and digits, and nothing else. */
export const capitals = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

export const range = (count: number, textOf: (index: number) => string): string =>
  Array.from({ length: Math.max(0, count) }, (_, index) => textOf(index)).join('\n');
