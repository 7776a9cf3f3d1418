/** What the option `checks` takes, and what it refuses. */
import { describe, expect, test } from 'vitest';
import { type ChecksOptions, createProxy, OptionError, type ServerOptions, Servers } from '../../src/index.js';
import { useBench } from '../support/bench.js';

const bench = useBench();

const checked = (checks: ChecksOptions | boolean | undefined, ...servers: ServerOptions[]) =>
  bench.keepSet(new Servers(servers, { checks })).list.map((server) => server.checks);

describe('defaults', () => {
  test('no checks', () => expect(checked(undefined, { port: 1 })).toEqual([undefined]));

  test('true takes the defaults; the intervals and the timeout follow the interval', () => {
    const settings = { interval: 2_000, fastInterval: 2_000, downInterval: 2_000, timeout: 2_000, spread: 0.05 };
    expect(checked(true, { port: 1 })).toMatchObject([
      { settings, rise: 2, fall: 3, init: 'up', timeout: 2_000, by: 'connect' },
    ]);
    expect(checked({ interval: 100 }, { port: 1 })).toMatchObject([
      { settings: { interval: 100, fastInterval: 100, downInterval: 100, timeout: 100 } },
    ]);
  });

  test('a server replaces what it names, turns its checks off, or has some alone', () => {
    const shared = { interval: 100, rise: 1, fall: 5 };
    const own = { port: 2, checks: { fall: 1, fastInterval: 50 } };
    const [first, second, third] = checked(shared, { port: 1 }, own, { port: 3, checks: false });
    expect(first).toMatchObject({ rise: 1, fall: 5, settings: { interval: 100, fastInterval: 100 } });
    expect(second).toMatchObject({ rise: 1, fall: 1, settings: { interval: 100, fastInterval: 50 } });
    expect(third).toBeUndefined();
    expect(checked(false, { port: 1 }, { port: 2, checks: true })).toMatchObject([undefined, { rise: 2 }]);
    expect(checked({ rise: 7 }, { port: 1, checks: true })).toMatchObject([{ rise: 7 }]);
  });

  test('TLS and the PROXY header are those of the server, but not at another address', () => {
    const server = { port: 1, tls: true, proxyProtocol: 1 } as const;
    expect(checked(true, server)).toMatchObject([{ tls: true, proxyProtocol: true, at: undefined }]);
    expect(checked({ port: 2 }, server)).toMatchObject([
      { tls: false, proxyProtocol: false, at: { host: '127.0.0.1', port: 2 } },
    ]);
    expect(checked({ port: 2, tls: true }, server)).toMatchObject([{ tls: true, proxyProtocol: false }]);
    expect(checked({ tls: false }, server)).toMatchObject([{ tls: false, proxyProtocol: true }]);
    expect(checked(true, { port: 1 })).toMatchObject([{ tls: false, proxyProtocol: false }]);
  });

  test('another address is the server’s where it is not named', () => {
    const of = (checks: ChecksOptions, server: ServerOptions) => checked(checks, server)[0]?.at;
    expect(of({ host: '192.0.2.9' }, { port: 1 })).toMatchObject({ host: '192.0.2.9', port: 1, path: undefined });
    expect(of({ port: 9 }, { host: '192.0.2.1', port: 1 })).toMatchObject({ host: '192.0.2.1', port: 9 });
    expect(of({ path: '/run/x' }, { port: 1 })).toMatchObject({ path: '/run/x', port: undefined });
    expect(of({ port: 9 }, { path: '/run/x' })).toMatchObject({ host: '127.0.0.1', port: 9, path: undefined });
  });

  test('a proxy passes them on', () => {
    const proxy = createProxy({ listen: { port: 0 }, servers: [{ port: 1 }], checks: { fall: 9 } });
    expect(proxy.servers.list[0]?.checks).toMatchObject({ fall: 9 });
    void proxy.abort();
  });
});

describe('a mistake says what, where, and what would be right', () => {
  const hook: ServerOptions['connect'] = () => Promise.reject(new Error('never called'));

  test.each<[unknown, string, RegExp, ServerOptions?]>([
    ['yes', 'checks', /an object of options/],
    [{ intervall: 1 }, 'checks.intervall', /spelt "interval"/],
    [{ interval: 0 }, 'checks.interval', /from 1 to 3600000/],
    [{ interval: false }, 'checks.interval', /from 1 to 3600000/],
    [{ fastInterval: Number.NaN }, 'checks.fastInterval', /from 1 to/],
    [{ downInterval: '1s' }, 'checks.downInterval', /from 1 to/],
    [{ timeout: false }, 'checks.timeout', /from 1 to/],
    [{ rise: 0 }, 'checks.rise', /a whole number from 1/],
    [{ rise: Number.POSITIVE_INFINITY }, 'checks.rise', /a whole number from 1/],
    [{ fall: 1.5 }, 'checks.fall', /a whole number from 1/],
    [{ fall: Number.POSITIVE_INFINITY }, 'checks.fall', /a whole number from 1/],
    [{ spread: 0.6 }, 'checks.spread', /a number from 0 to 0\.5/],
    [{ init: 'Up' }, 'checks.init', /"up", "fullyUp", "down" or "fullyDown"/],
    [{ by: 'ping' }, 'checks.by', /"connect", an object with expect/],
    [{ by: null }, 'checks.by', /"connect", an object with expect/],
    [{ by: {} }, 'checks.by.expect', /a string, bytes or a RegExp, and not empty/],
    [{ by: { send: 'x' } }, 'checks.by.expect', /a string, bytes or a RegExp/],
    [{ by: { expect: '' } }, 'checks.by.expect', /not empty/],
    [{ by: { send: new Uint8Array(), expect: 'x' } }, 'checks.by.send', /a string, bytes, and not empty/],
    [{ by: { expect: 'x', sent: 'y' } }, 'checks.by.sent', /spelt "send"/],
    [{ port: 0 }, 'checks.port', /a port from 1 to 65535/],
    [{ host: '' }, 'checks.host', /a string that is not empty/],
    [{ path: '/x', port: 1 }, 'checks.path', /left out when a host or a port is given/],
    [{ host: '192.0.2.1' }, 'checks.port', /a port/, { path: '/run/x' }],
    [{ host: '::1' }, 'checks.host', /an IPv4 address/, { port: 1, localAddress: '127.0.0.2' }],
    [{ port: 2 }, 'checks.port', /left out where connect is given/, { connect: hook }],
    [{ tls: true }, 'checks.tls', /left out where the server has no such option/],
    [{ proxyProtocol: true }, 'checks.proxyProtocol', /left out where the server has no such option/],
    [{ tls: 1 }, 'checks.tls', /true or false/, { port: 1, tls: true }],
  ])('%j', (checks, option, expected, server = { port: 1 }) => {
    const wrong = (make: () => unknown): OptionError => {
      try {
        make();
      } catch (error) {
        if (error instanceof OptionError) return error;
        throw error;
      }
      throw new Error('It was taken.');
    };
    const ofSet = wrong(() => new Servers([server], { checks: checks as never }));
    expect(ofSet.option).toBe(option);
    expect(ofSet.message).toMatch(expected);
    const ofServer = wrong(() => new Servers([server, { ...server, checks: checks as never }]));
    expect(ofServer.option).toBe(`servers[1].${option}`);
  });
});
