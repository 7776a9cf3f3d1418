/** Streams that change what a session relays, one for each direction. */
import type { Duplex } from 'node:stream';
import { OptionError } from '../errors.js';
import { everyOption, hook, onlyKnown } from '../options.js';
import { checkedStream, isStream } from '../sockets/given.js';
import type { Session } from './session.js';

/**
 * Makes the stream that changes the bytes of one direction of a session, such as a `Transform`; nothing to leave them as
 * they are. What is written to it comes from one side, and what it gives goes to the other; its end is passed on as the end
 * of that side. A stream that fails, or ends by itself, cuts the session.
 */
export type TransformHook<Data = unknown> = (session: Session<Data>) => Duplex | undefined;

/** For each direction, what changes its bytes. */
export interface TransformHooks<Data = unknown> {
  /** What the client sends. */
  readonly fromClient?: TransformHook<Data> | undefined;
  /** What the server sends. */
  readonly fromBackend?: TransformHook<Data> | undefined;
}

const NAMES = everyOption<TransformHooks>()('fromClient', 'fromBackend');

/** @internal @throws OptionError */
export function checkedTransforms(hooks: TransformHooks | undefined): TransformHooks | undefined {
  if (hooks === undefined) return undefined;
  onlyKnown('transform', hooks, NAMES, 'transform.');
  const fromClient = hook('transform.fromClient', hooks.fromClient);
  const fromBackend = hook('transform.fromBackend', hooks.fromBackend);
  return fromClient === undefined && fromBackend === undefined ? undefined : { fromClient, fromBackend };
}

/** @internal @throws OptionError for what is no stream of bytes (nor may be promised), or changes the other direction */
export function checkedTransform(name: string, stream: Duplex | undefined, other?: Duplex): Duplex | undefined {
  if (stream === undefined) return undefined;
  if (!isStream(stream))
    throw new OptionError(name, stream, 'a function that returns a stream of bytes, not a promise');
  if (stream === other) throw new OptionError(name, stream, 'a function that makes a stream of its own');
  return checkedStream(name, stream);
}
