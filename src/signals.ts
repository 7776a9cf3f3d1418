/** Waits for `AbortSignal`s that many share: Node warns of a leak if more than ten listeners are on one. */
import { type Member, MemberList } from './members.js';

/** A handle or a promise that ends with a signal. */
export interface SignalFollower {
  signalAborted(signal: AbortSignal): void;
}

/** One follower of a signal. */
export interface Following extends Member<Following> {
  readonly follower: SignalFollower;
  readonly watch: Watch;
}

/** The one listener on a signal. */
interface Watch {
  readonly signal: AbortSignal;
  readonly followings: MemberList<Following>;
  onAbort(): void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Calls `follower` when the signal aborts; the first follower comes first. Nobody is called for a signal that has aborted already.
 *
 * @returns what {@link unfollow} takes
 */
export function follow(signal: AbortSignal, follower: SignalFollower): Following {
  let watch = watches.get(signal);
  if (watch === undefined) {
    const followings = new MemberList<Following>();
    watch = {
      signal,
      followings,
      onAbort() {
        watches.delete(signal);
        for (const following of followings) following.follower.signalAborted(signal);
      },
    };
    watches.set(signal, watch);
    signal.addEventListener('abort', watch.onAbort, { once: true });
  }
  const following: Following = { follower, watch, previous: undefined, next: undefined };
  watch.followings.add(following);
  return following;
}

/** Undoes {@link follow}; with the last follower goes the listener. */
export function unfollow(following: Following): void {
  const { signal, followings, onAbort } = following.watch;
  if (!followings.delete(following) || followings.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener('abort', onAbort);
}
