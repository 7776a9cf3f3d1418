/** What traffic says of the servers of a set: whether a failure counts against a server, and whether it may eject it. */
import { type Cause, NEVER_MS } from '../machines/vocabulary.js';
import type { Backoff } from './backoff.js';
import type { Picker } from './picker.js';
import type { Server } from './server.js';
import { BAD_CERTIFICATE, type Judgement } from './servers-options.js';

const UNJUDGEABLE = { initiator: 'owner', manner: 'error', code: 'isPermanent' } as const;

/** The set. */
interface JudgeOwner {
  readonly picker: Picker;
  readonly random: () => number;
}

export class Judge {
  /** At most this share of the servers is ejected. */
  readonly ejectedShare: number;
  readonly #owner: JudgeOwner;
  readonly #lostWithin: number;
  readonly #backoff: Backoff;
  readonly #isPermanent: (cause: Cause) => boolean;

  constructor(
    owner: JudgeOwner,
    { ejectedShare, lostWithin }: Judgement,
    backoff: Backoff,
    isPermanent: (cause: Cause) => boolean,
  ) {
    this.#owner = owner;
    this.ejectedShare = ejectedShare;
    this.#lostWithin = lostWithin;
    this.#backoff = backoff;
    this.#isPermanent = isPermanent;
  }

  /**
   * An attempt has failed. A server with a bad certificate is not chosen for the slowest pace, and a server whose failure no
   * attempt can mend until it is restored.
   */
  failed(server: Server, cause: Cause): void {
    let reason = cause;
    let mends: number | undefined;
    try {
      if (this.#isPermanent(cause)) mends = NEVER_MS;
      else if (BAD_CERTIFICATE.test(cause.code ?? '')) {
        mends = this.#backoff.longestMs(this.#owner.random()) || undefined;
      }
    } catch (error) {
      // A hook that cannot tell must neither hang the connection nor hide its own mistake.
      reason = { ...UNJUDGEABLE, phase: cause.phase, error };
      mends = NEVER_MS;
    }
    server.reports.failed(reason, this.#maySpare(server), mends);
  }

  /** True where it counts how long connections last. */
  get judgesLosses(): boolean {
    return this.#lostWithin > 0;
  }

  /** An established connection was lost, after this time. */
  lost(server: Server, cause: Cause, livedMs: number): void {
    if (livedMs < this.#lostWithin) server.reports.lost(cause, this.#maySpare(server));
  }

  /** A connection is over, after this time. */
  lasted(server: Server, livedMs: number): void {
    if (livedMs >= this.#lostWithin) server.reports.lasted();
  }

  /** Whether traffic may eject this server: another one works, and not too many are ejected. */
  #maySpare(server: Server): boolean {
    const { up, judged, count } = this.#owner.picker.choosable;
    const others = up - (server.hasTag('choosable') ? 1 : 0);
    const ejected = judged + (server.hasTag('doubtful') ? 0 : 1);
    return others > 0 && ejected <= this.ejectedShare * count;
  }
}
