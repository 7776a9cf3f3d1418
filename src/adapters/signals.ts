/** Waits for `AbortSignal`s that many share: Node warns of a leak if more than ten listeners are on one. */

/** A handle or a promise that ends with a signal. */
export interface SignalFollower {
  signalAborted(signal: AbortSignal): void;
}

interface Following {
  readonly followers: Set<SignalFollower>;
  onAbort(): void;
}

const followings = new WeakMap<AbortSignal, Following>();

/** Calls `follower` when the signal aborts, in the order in which they came; not for one that is aborted already. */
export function follow(signal: AbortSignal, follower: SignalFollower): void {
  let following = followings.get(signal);
  if (following === undefined) {
    const followers = new Set<SignalFollower>();
    following = {
      followers,
      onAbort() {
        followings.delete(signal);
        for (const each of followers) each.signalAborted(signal);
      },
    };
    followings.set(signal, following);
    signal.addEventListener('abort', following.onAbort, { once: true });
  }
  following.followers.add(follower);
}

/** Undoes {@link follow}; with the last follower goes the listener. */
export function unfollow(signal: AbortSignal, follower: SignalFollower): void {
  const following = followings.get(signal);
  if (following === undefined || !following.followers.delete(follower) || following.followers.size > 0) return;
  followings.delete(signal);
  signal.removeEventListener('abort', following.onAbort);
}
