/** A server of the simulated run, as its plan has it: up or down, full or not, and what it does with each connection. */
import { connect } from 'node:net';
import type { Server, ServerOptions } from '../../src/index.js';
import type { Random } from '../runtime/random.js';
import type { Address, Listener } from './network.js';
import type { Peer, Script } from './peer.js';
import type { ServerPlan } from './plan.js';
import type { Run } from './run.js';

const SERVER_PORT = 5_000;
/** A host that never answers: where a tunnel goes that does not come up. */
export const NOWHERE = '10.0.9.9';

export class SimulatedServer {
  readonly host: string;
  readonly address: Address;
  #listener: Listener | undefined;
  #accepted = 0;
  readonly #live = new Set<Peer>();

  constructor(
    readonly run: Run,
    readonly plan: ServerPlan,
    readonly name: string,
    index: number,
  ) {
    this.host = `10.0.2.${index + 1}`;
    this.address = { host: this.host, port: SERVER_PORT };
    this.#up();
    for (const { fromMs, toMs, how, live } of plan.outages) {
      run.at(fromMs, () => this.#down(how, live));
      run.at(toMs, () => this.#up());
    }
  }

  /** What the proxy is told of it. */
  options(random: Random): ServerOptions {
    const { hasName, connectionsMax, dials } = this.plan;
    let dialled = 0;
    return {
      host: hasName ? `${this.name}.test` : this.host,
      port: SERVER_PORT,
      ...(connectionsMax !== undefined && { connectionsMax }),
      ...(dials.length > 0 && {
        connect: ({ host, port }: Server) => {
          const dial = dials[dialled++ % dials.length];
          if (dial === 'throw') throw Object.assign(new Error('No way there.'), { code: 'ENOTUNNEL' });
          if (dial === 'silent') return connect({ host: NOWHERE, port: 1 + random.below(9), allowHalfOpen: true });
          return connect({ host, port: port as number, allowHalfOpen: true });
        },
      }),
    };
  }

  heal(): void {
    this.#up();
  }

  #up(): void {
    const { run } = this;
    run.network.silent.delete(this.host);
    if (this.#listener !== undefined) return;
    const listener = run.network.listen(this.address, this.plan.backlog);
    if (typeof listener === 'string') throw new Error(`${this.name}: ${listener}`);
    run.tell(this.name, 'is up');
    this.#listener = listener;
    listener.wake = () => run.time.after(run.random.below(300), () => this.#accept());
  }

  #down(how: 'refuse' | 'silent', live: 'stay' | 'reset' | 'vanish'): void {
    const { run } = this;
    run.tell(this.name, `is down: ${how}; its connections: ${live}`);
    if (how === 'silent') {
      run.network.silent.add(this.host);
    } else {
      this.#listener?.close();
      this.#listener = undefined;
    }
    for (const peer of this.#live) {
      if (live === 'reset') peer.endpoint.reset();
      if (live !== 'vanish') continue;
      peer.hasVanished = true;
      peer.endpoint.cut();
    }
  }

  #accept(): void {
    const { run, plan } = this;
    for (let endpoint = this.#listener?.accept(); endpoint !== undefined; endpoint = this.#listener?.accept()) {
      for (const peer of this.#live) if (peer.endpoint.isClosed) this.#live.delete(peer);
      if (this.#live.size >= plan.capacity) {
        run.tell(this.name, 'is full: resets a connection');
        endpoint.reset();
        continue;
      }
      const script = plan.scripts[this.#accepted++ % plan.scripts.length] as Script;
      this.#live.add(run.accepted(endpoint, this.name, script));
    }
  }
}
