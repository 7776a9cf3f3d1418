import { number, onlyKnown } from '../../options.js';
import type { Server } from '../server.js';
import type { Balancer, BuiltIn } from './balancer.js';
import { Random } from './random.js';

/** Options of {@link peakEwma}. */
export interface PeakEwmaOptions {
  /** After this time, in milliseconds, a connect time counts for 1/e (37 %) of what it was. Default 10 000. */
  readonly decayMs?: number | undefined;
}

/** What a server costs that has a first connection and has not answered yet: it is not given a second one. */
const UNKNOWN_MS = 1_000_000;

/** The slowest connect of a server, and when that was. */
class ConnectTime {
  constructor(
    public ms: number,
    public at: number,
  ) {}
}

class PeakEwma extends Random {
  readonly #decayMs: number;
  readonly #times = new Map<Server, ConnectTime>();

  constructor(decayMs: number) {
    super(2);
    this.#decayMs = decayMs;
  }

  override fresh(): BuiltIn {
    return new PeakEwma(this.#decayMs);
  }

  override changed(servers: readonly Server[]): void {
    super.changed(servers);
    const members = new Set(servers);
    for (const server of this.#times.keys()) if (!members.has(server)) this.#times.delete(server);
  }

  connected(server: Server, tookMs: number): void {
    const now = nowOf(server);
    const time = this.#times.get(server);
    if (time === undefined) {
      this.#times.set(server, new ConnectTime(tookMs, now));
      return;
    }
    // As Finagle, whose average decays also when it is read: what is left of the peak, or this one if that is more.
    time.ms = Math.max(tookMs, this.#leftOf(time, now));
    time.at = now;
  }

  protected override loadOf(server: Server): number {
    const count = super.loadOf(server);
    const time = this.#times.get(server);
    if (time === undefined) return count === 0 ? 0 : UNKNOWN_MS * (count + 1);
    return this.#leftOf(time, nowOf(server)) * (count + 1);
  }

  #leftOf({ ms, at }: ConnectTime, now: number): number {
    return ms * Math.exp((at - now) / this.#decayMs);
  }
}

const nowOf = ({ set }: Server): number => set?.clock.now() ?? 0;

/**
 * Draws two servers at random by their weights, and takes the one whose connect time, times its connections, is less: for
 * servers that are not equally near, or of which one may become slow while it still answers. A slow connect counts at
 * once, and is forgotten with time, as by the balancer of this name in Finagle and Linkerd: a server that was 20 times as slow
 * as the others is as good as they are after three times `decayMs`. A server that has not answered yet gets one connection
 * until it does.
 *
 * It counts the time until a connection is established, with TLS and `prepare`. A failed attempt is no connect time: it
 * makes the server one that is down.
 *
 * @example
 * ```ts
 * new Servers([{ host: 'near', port: 5432 }, { host: 'far', port: 5432 }], { balance: peakEwma({ decayMs: 5_000 }) });
 * ```
 *
 * @throws OptionError
 */
export function peakEwma(options: PeakEwmaOptions = {}): Balancer {
  onlyKnown('peakEwma', options, ['decayMs'], 'peakEwma.');
  return new PeakEwma(number('peakEwma.decayMs', options.decayMs, 10_000, 1, 3_600_000));
}
