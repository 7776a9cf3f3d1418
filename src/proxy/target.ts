/** Where a session goes: what an owner may name as a target, and the set of servers that it comes to. */
import type { Duplex } from 'node:stream';
import type { Client } from '../adapters/client.js';
import { OptionError } from '../errors.js';
import type { Environment } from '../handle.js';
import type { Cause } from '../machines/vocabulary.js';
import { discard, isStream } from '../sockets/given.js';
import { isOwned } from '../sockets/socket.js';
import { Server } from '../upstream/server.js';
import type { ServerOptions } from '../upstream/server-options.js';
import { Servers } from '../upstream/servers.js';
import type { ServersOptions } from '../upstream/servers-options.js';

/**
 * Where a client goes.
 *
 * - One server, `{ host, port, … }`, or a list of them: a set of its own for this client, which remembers nothing of
 *   earlier ones.
 * - A {@link Servers}, which all clients that go there share: it knows which servers are down or full.
 * - One {@link Server} of a `Servers`: no other is tried, and the connection counts there.
 * - A stream that is open already: it is used once.
 */
export type Target = ServerOptions | readonly ServerOptions[] | Servers | Server | Duplex;

/** A target with what else is known of the connection. */
export interface Route {
  /** Where the client goes. */
  readonly to: Target;
  /** For the balancer of the servers: see {@link Balancer}. */
  readonly key?: string | undefined;
}

/** What a hook that chooses a target gets besides the client. */
export interface RouteContext {
  /** Fires when the answer is no longer wanted: the client is gone, was closed, or the hook took too long. */
  readonly signal: AbortSignal;
}

/** Says where a client goes; `false` turns it away. */
export type RouteHook<Data = unknown> = (
  client: Client<Data>,
  context: RouteContext,
) => Target | Route | false | PromiseLike<Target | Route | boolean>;

/** Says what should lead a client to the same server each time. */
export type KeyHook<Data = unknown> = (client: Client<Data>) => string | undefined;

/**
 * The last words to a client whose session gets no backend, as text (UTF-8) or bytes; without any it is reset. `cause` is
 * why: the route was refused, no server could be connected, or a time was up.
 */
export type RefusalHook<Data = unknown> = (cause: Cause, client: Client<Data>) => string | Uint8Array | undefined;

/** @internal A target, checked. */
export interface CheckedTarget {
  readonly servers: Servers;
  /** The set was made for this target alone. */
  readonly isOwn: boolean;
  readonly only: Server | undefined;
  readonly key: string | undefined;
  /** A target that is open already, and has to be closed if nothing comes of the session. */
  readonly stream: Duplex | undefined;
}

/** The context of a hook that decides at once, as most do, needs no signal. */
export class LazyContext implements RouteContext {
  #controller: AbortController | undefined = undefined;
  #isRevoked = false;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isRevoked) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** @internal The answer is no longer wanted. Returns what has to be aborted, if the hook has asked for its signal. */
  revoke(): AbortController | undefined {
    this.#isRevoked = true;
    return this.#controller;
  }
}

/** @internal Closes a stream that was answered, and of which nothing comes. */
export function discardTarget(answer: unknown): void {
  discard(isRoute(answer) ? answer.to : answer);
}

/** @internal @throws OptionError for what is no target */
export function checkedTarget(
  name: string,
  answer: unknown,
  options: ServersOptions,
  environment?: Environment,
): CheckedTarget {
  if (isRoute(answer)) {
    return {
      ...checkedTarget(`${name}.to`, answer.to, options, environment),
      key: checkedKey(`${name}.key`, answer.key),
    };
  }
  if (answer instanceof Servers)
    return { servers: answer, isOwn: false, only: undefined, key: undefined, stream: undefined };
  if (answer instanceof Server) {
    return { servers: answer.set, isOwn: false, only: answer, key: undefined, stream: undefined };
  }
  if (isStream(answer)) {
    if (isOwned(answer)) throw new OptionError(name, answer, 'a stream that is not in use');
    return { servers: joined(answer), isOwn: true, only: undefined, key: undefined, stream: answer };
  }
  if (answer === null || typeof answer !== 'object') {
    throw new OptionError(
      name,
      answer,
      'a target: a server such as { port: 5432 }, a list of servers, a Servers, or a stream',
    );
  }
  const list = Array.isArray(answer) ? answer : [answer as ServerOptions];
  if (list.some((server) => server instanceof Server)) {
    throw new OptionError(name, list, 'one server of a Servers, or the Servers, whose balancer chooses among them');
  }
  const servers = new Servers(list, options, environment);
  return { servers, isOwn: true, only: undefined, key: undefined, stream: undefined };
}

/** @internal @throws OptionError */
export function checkedKey(name: string, key: string | undefined): string | undefined {
  if (key === undefined || typeof key === 'string') return key;
  throw new OptionError(name, key, 'a string, or undefined for none');
}

function isRoute(answer: unknown): answer is Route {
  return answer !== null && typeof answer === 'object' && Object.hasOwn(answer, 'to');
}

/** A set of one server, whose connection is open already: a failure is the end, for there is no other stream. */
function joined(stream: Duplex): Servers {
  const server = { name: 'stream', connect: () => stream };
  return new Servers([server], { isPermanent: () => true });
}
