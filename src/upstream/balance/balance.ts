import { OptionError } from '../../errors.js';
import { bound } from '../../runtime/context.js';
import { type Balancer, BuiltIn } from './balancer.js';
import { hash } from './hash.js';
import { inOrder } from './in-order.js';
import { leastConnections } from './least-connections.js';
import { peakEwma } from './peak-ewma.js';
import { random } from './random.js';
import { roundRobin } from './round-robin.js';

const BY_NAME = { roundRobin, leastConnections, random, peakEwma, hash, inOrder } satisfies Record<
  string,
  () => Balancer
>;

/** The names of the balancers of the library. */
export const BALANCE_NAMES = Object.keys(BY_NAME) as readonly (keyof typeof BY_NAME)[];

/** How the next server is chosen: by the name of a balancer of the library, by one with options, or by one of your own. */
export type Balance = 'roundRobin' | 'leastConnections' | 'random' | 'peakEwma' | 'hash' | 'inOrder' | Balancer;

export function balancerOf(balance: Balance | undefined): Balancer {
  if (balance === undefined) return roundRobin();
  if (typeof balance === 'string' && Object.hasOwn(BY_NAME, balance)) return BY_NAME[balance]();
  if (balance instanceof BuiltIn) return balance.fresh();
  if (typeof balance !== 'object' || typeof balance?.choose !== 'function') {
    throw new OptionError('balance', balance, `${named(BALANCE_NAMES)} or an object with choose()`);
  }
  for (const report of ['changed', 'connected'] as const) {
    if (balance[report] === undefined || typeof balance[report] === 'function') continue;
    throw new OptionError(`balance.${report}`, balance[report], 'a function');
  }
  const { changed, connected } = balance;
  return {
    choose: bound<Balancer['choose']>((servers, isUsable, wanted) => balance.choose(servers, isUsable, wanted)),
    ...(changed && { changed: bound<typeof changed>((servers) => balance.changed?.(servers)) }),
    ...(connected && { connected: bound<typeof connected>((server, tookMs) => balance.connected?.(server, tookMs)) }),
  };
}

const named = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
