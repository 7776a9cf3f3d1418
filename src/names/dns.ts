/**
 * Looks a name up in the DNS: with `dns.Resolver`, and not with `dns.lookup`, since it tells a name that does not exist from a server that
 * does not answer, knows for how long an answer is good, can be cancelled, and takes no thread. It asks all name servers at the
 * same time, as HAProxy does; the first one that answers counts. It reads neither `/etc/hosts` nor search domains.
 */
import type { promises, SrvRecord } from 'node:dns';
import { builtin } from '../builtin.js';
import { WEIGHT_MAX } from '../upstream/balance/weight.js';
import {
  type Found,
  failedBy,
  failureOf,
  inOrder,
  keyOf,
  type LookupContext,
  type Missing,
  type Place,
  sortedBy,
} from './found.js';

type Resolver = InstanceType<typeof promises.Resolver>;

/** @internal What is asked for. */
export interface DnsQuestion {
  readonly host: string;
  readonly port: number | undefined;
  /** Look up the service, and then the addresses of its targets. */
  readonly isService: boolean;
  /** Where to ask; nothing for the system's name servers. */
  readonly nameservers: readonly string[] | undefined;
  /** Targets of a service that are looked up. */
  readonly targetsMax: number;
}

/** What was asked for and is not there within this part of the time counts as not answered. */
const PATIENCE = 0.8;

/** @internal */
export async function askDns(question: DnsQuestion, { signal, timeoutMs, family }: LookupContext): Promise<Found> {
  const { dns } = builtin;
  const nameservers = question.nameservers ?? dns.getServers();
  const resolvers = (nameservers.length === 0 ? ['127.0.0.1'] : nameservers).map((server) => {
    const resolver = new dns.promises.Resolver({ timeout: timeoutMs, tries: 1 });
    resolver.setServers([server]);
    return resolver;
  });
  const cancel = (): void => {
    for (const resolver of resolvers) resolver.cancel();
  };
  const timer = setTimeout(cancel, timeoutMs * PATIENCE).unref();
  // It is the signal of this look-up alone.
  signal.addEventListener('abort', cancel);
  try {
    return await Promise.any(resolvers.map((resolver) => ask(resolver, question, family)));
  } catch (error) {
    throw worthTelling((error as AggregateError).errors);
  } finally {
    clearTimeout(timer);
    cancel();
  }
}

/** What a name server has said counts more than that another one has said nothing. */
function worthTelling(errors: readonly unknown[]): unknown {
  const order = ['nx', 'other', 'refused', 'timeout'];
  const rank = (error: unknown): number => order.indexOf(failureOf(error));
  return [...errors].sort((a, b) => rank(a) - rank(b))[0];
}

/** What one kind of record has brought. */
interface Records {
  readonly addresses: readonly string[];
  readonly ttlMs: number;
  /** It was not answered; without any address also: the name has no such record, or does not exist. */
  readonly error: unknown;
  /** The kind that was asked for; of both kinds together, the one that was not answered; nothing where neither was. */
  readonly family: 4 | 6 | undefined;
}

const NONE = new Set(['ENODATA', 'ENOTFOUND']);

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown }).code);

async function records(
  family: 4 | 6,
  asked: Promise<readonly { readonly address: string; readonly ttl: number }[]>,
): Promise<Records> {
  try {
    const found = await asked;
    const ttlMs = Math.min(...found.map(({ ttl }) => ttl)) * 1_000;
    return { addresses: found.map(({ address }) => address), ttlMs, error: undefined, family };
  } catch (error) {
    return { addresses: [], ttlMs: Number.POSITIVE_INFINITY, error, family };
  }
}

/** The addresses of one name; a kind of record that is not answered does not hide the other one. */
async function addressesOf(resolver: Resolver, host: string, family: 4 | 6 | undefined): Promise<Records> {
  const asked: Promise<Records>[] = [];
  if (family !== 6) asked.push(records(4, resolver.resolve4(host, { ttl: true })));
  if (family !== 4) asked.push(records(6, resolver.resolve6(host, { ttl: true })));
  const all = await Promise.all(asked);
  const addresses = all.flatMap((one) => one.addresses);
  const [silent, ...others] = all.filter(({ error }) => error !== undefined && !NONE.has(codeOf(error)));
  const error = silent?.error ?? (addresses.length > 0 ? undefined : all[0]?.error);
  const missing = others.length === 0 ? silent?.family : undefined;
  return { addresses, ttlMs: Math.min(...all.map(({ ttlMs }) => ttlMs)), error, family: missing };
}

async function ask(resolver: Resolver, question: DnsQuestion, family: 4 | 6 | undefined): Promise<Found> {
  const { host, port, isService } = question;
  if (isService) return services(resolver, question, family);
  const answer = await addressesOf(resolver, host, family);
  const { addresses, ttlMs, error } = answer;
  if (addresses.length === 0 && codeOf(error) !== 'ENODATA') throw error;
  const places = addresses.map((address) => placeAt(address, port, undefined, undefined));
  return foundBy(places, ttlMs, addresses.length === 0 ? [] : [answer]);
}

async function services(resolver: Resolver, question: DnsQuestion, family: 4 | 6 | undefined): Promise<Found> {
  const all = await servicesOf(resolver, question.host);
  const offered = all.filter(({ name }) => name !== '' && name !== '.');
  const targets = sortedBy(offered, textOf)
    .sort((a, b) => a.priority - b.priority)
    .slice(0, question.targetsMax);
  const first = targets[0]?.priority;
  const weightOf = weightsOf(targets);
  const answers = await Promise.all(targets.map(({ name }) => addressesOf(resolver, name, family)));
  const places = answers.flatMap(({ addresses }, index) => {
    const target = targets[index] as SrvRecord;
    return addresses.map((address) => placeAt(address, target.port, weightOf(target), target.priority !== first));
  });
  const missing = answers.find(({ error }) => error !== undefined);
  if (places.length === 0 && missing !== undefined) throw missing.error;
  return foundBy(places, Math.min(...answers.map((answer) => answer.ttlMs)), answers);
}

/** A service without a record is one that has no server. */
async function servicesOf(resolver: Resolver, host: string): Promise<readonly SrvRecord[]> {
  try {
    return await resolver.resolveSrv(host);
  } catch (error) {
    if (codeOf(error) === 'ENODATA') return [];
    throw error;
  }
}

const textOf = ({ name, port }: SrvRecord): string => `${name} ${port}`;

/** Weights of records go up to 65 535, those of servers to 256: larger ones keep their proportion. 0 means little, and not nothing. */
function weightsOf(targets: readonly SrvRecord[]): (target: SrvRecord) => number {
  const scale = Math.min(1, WEIGHT_MAX / Math.max(...targets.map(({ weight }) => weight)));
  return ({ weight }) => Math.max(1, Math.round(weight * scale));
}

const placeAt = (
  address: string,
  port: number | undefined,
  weight: number | undefined,
  backup: boolean | undefined,
): Place => ({ key: keyOf(address, port), address, port, weight, backup });

/** An answer that lacks a part is good for no time: what is missing is asked for again soon. */
function foundBy(places: readonly Place[], ttlMs: number, answers: readonly Records[]): Found {
  const missing = missingIn(answers);
  return { places: inOrder(places), ttlMs: missing === undefined && Number.isFinite(ttlMs) ? ttlMs : 0, missing };
}

function missingIn(answers: readonly Records[]): Missing | undefined {
  const [first, ...others] = answers.filter(({ error }) => error !== undefined);
  if (first === undefined) return undefined;
  const isSame = others.every(({ family }) => family === first.family);
  return { ...failedBy(first.error, false), family: isSame ? first.family : undefined };
}
