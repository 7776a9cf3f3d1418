/** The types of the public face: what `tsc -p tsconfig.test.json` must take, and what it must refuse. */
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  adoptClient,
  type Backend,
  type Cause,
  type Client,
  createListener,
  createProxy,
  createSession,
  type LegHandle,
  type Members,
  type Outcome,
  type Servers,
  type Session,
  type TcpProxy,
} from '../../src/index.js';

interface Tenant {
  readonly name: string;
  readonly servers: Servers;
}

describe('client.data', () => {
  let proxy: TcpProxy | undefined;
  afterEach(() => proxy?.abort());

  test('has the type that is given to createProxy, in all of its hooks and events', async () => {
    const seen = new Promise<string>((resolve) => {
      const typed = createProxy<{ name: string }>({
        listen: { host: '127.0.0.1', port: 0 },
        admit: (client) => {
          client.data = { name: 'a' };
          // @ts-expect-error: no such property
          client.data.nme;
        },
        route: ({ data }) => {
          resolve(data.name);
          return false;
        },
      });
      expectTypeOf(typed).toEqualTypeOf<TcpProxy<{ name: string }>>();
      proxy = typed;
    });
    await proxy?.start();
    const [address] = proxy?.addresses ?? [];
    const socket = connect(address as { host: string; port: number }).on('error', () => {});
    expect(await seen).toBe('a');
    socket.destroy();
  });

  test('has the type that a hook names', () => {
    const inferred = () => createProxy({ route: (client: Client<Tenant>) => client.data.servers });
    expectTypeOf(inferred).returns.toEqualTypeOf<TcpProxy<Tenant>>();
    const listener = () => createListener({ port: 0, admit: (client: Client<Tenant>) => client.data.name !== '' });
    expectTypeOf(listener).returns.toHaveProperty('clients').toEqualTypeOf<Members<Client<Tenant>>>();
  });

  test('is unknown otherwise', () => {
    expectTypeOf<Client['data']>().toBeUnknown();
    expectTypeOf(() => createProxy({ servers: [{ port: 1 }] })).returns.toEqualTypeOf<TcpProxy>();
    expectTypeOf<Parameters<typeof adoptClient>[1]>().not.toBeAny();
    // @ts-expect-error: its type is not known
    void (({ data }: Client) => data.name);
  });

  test('goes from a client to its session, and from there to prepare and transform', () => {
    const join = (client: Client<Tenant>) =>
      createSession(client, {
        to: client.data.servers,
        prepare: (_socket, { client: { data } }) => expectTypeOf(data).toEqualTypeOf<Tenant>(),
        transform: {
          fromClient: ({ client: { data } }) => {
            expectTypeOf(data).toEqualTypeOf<Tenant>();
            return undefined;
          },
        },
      });
    expectTypeOf(join).returns.toEqualTypeOf<Session<Tenant>>();
  });

  test('goes to the events of a proxy and of a listener', () => {
    void ((proxy: TcpProxy<Tenant>) => {
      proxy.on('established', ({ client }) => expectTypeOf(client.data).toEqualTypeOf<Tenant>());
      proxy.on('clientClosed', ({ client }) => expectTypeOf(client.data).toEqualTypeOf<Tenant>());
      expectTypeOf(proxy.adopt).parameter(1).exclude(undefined).toHaveProperty('data');
      for (const { client } of proxy.sessions) expectTypeOf(client.data).toEqualTypeOf<Tenant>();
      for (const listener of proxy.listeners) listener.on('client', ({ data }) => data.name);
    });
  });

  test('a proxy, a session and a client with data are as good as ones without', () => {
    expectTypeOf<TcpProxy<Tenant>>().toExtend<TcpProxy>();
    expectTypeOf<Session<Tenant>>().toExtend<Session>();
    expectTypeOf<Client<Tenant>>().toExtend<Client>();
    expectTypeOf<TcpProxy>().not.toExtend<TcpProxy<Tenant>>();
  });
});

test('a stream of an HTTP server, which its types call a Duplex, can be adopted', () => {
  void ((proxy: TcpProxy<string | undefined>, server: Server) => {
    server.on('connect', ({ url }, socket, head) => proxy.adopt(socket, { head, data: url }));
    // @ts-expect-error: the data of this proxy is text
    server.on('upgrade', (_, socket) => proxy.adopt(socket, { data: 1 }));
    server.on('connect', (_, socket) => adoptClient(socket));
  });
});

describe('a leg', () => {
  test('is a client, or a backend', () => {
    expectTypeOf<Client>().toExtend<LegHandle>();
    expectTypeOf<Client<Tenant>>().toExtend<LegHandle>();
    expectTypeOf<Backend>().toExtend<LegHandle>();
    void ((leg: LegHandle) => leg.on('dropped', ({ cause }) => expectTypeOf(cause).toEqualTypeOf<Cause>()));
  });

  test('has events in common, also as a union', () => {
    void ((leg: Client | Backend) => {
      leg.on('dropped', ({ cause }) => expectTypeOf(cause).toEqualTypeOf<Cause>());
      leg.once('closed', (outcome) => expectTypeOf(outcome).toEqualTypeOf<Outcome>());
      leg.off('released', () => {});
      // @ts-expect-error: a client has no such event
      leg.on('failover', () => {});
    });
    void (({ client, backend }: Session) => {
      for (const leg of [client, backend]) leg.on('dropped', ({ cause }) => cause.leg);
    });
  });

  test('has its own events and payloads where it is known which it is', () => {
    void ((backend: Backend) => {
      backend.on('dropped', ({ server, incarnation }) => `${server} ${incarnation}`);
      // @ts-expect-error: no such event
      backend.on('droped', () => {});
    });
  });
});
