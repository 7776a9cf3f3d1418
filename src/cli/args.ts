/** The program's arguments: one table that is parsed, checked and printed as help. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import type { DiagramKind } from '../diagrams/index.js';
import type { ListenAddress, ProxyOptions, ServerOptions } from '../index.js';
import { type Limit, PROXY_LIMITS } from '../machines/limits.js';
import { NEVER_MS } from '../machines/vocabulary.js';
import { hostAndPort, nearest } from '../text.js';
import { BALANCE_NAMES } from '../upstream/balance/balance.js';
import { WEIGHT_MAX } from '../upstream/balance/weight.js';

/** What the program prints: transitions, as lines for people or as JSON for programs; a line for each client; or nothing. */
export type Output = 'lines' | 'json' | 'log' | 'quiet';

/** The live page: where it is served, and what it may do. */
export interface InspectArgs {
  readonly port: number;
  readonly host?: string;
  readonly actions: boolean;
}

interface Shown {
  readonly output: Output;
  /** Lines of transitions per second. */
  readonly linesMax: number;
  /** Where it is served, unless it is not. */
  readonly inspect: InspectArgs | undefined;
  /** The file that transitions are recorded in. */
  readonly record: string | undefined;
}

export interface TourArgs extends Shown {
  readonly mode: 'tour';
  /** How many times as fast as it is meant to be read. */
  readonly speed: number;
}

export interface RunArgs extends Shown {
  readonly mode: 'run';
  readonly proxy: ProxyOptions;
}

/** A recording becomes an HTML file. */
export interface ExportArgs {
  readonly mode: 'export';
  readonly recording: string;
  readonly page: string;
  /** Machines whose pictures are in the page. */
  readonly machines: readonly MachineArgs[];
}

/** A machine of the user's. */
export interface MachineArgs {
  readonly file: string;
  /** The name of the machine in it; not needed where it is the only one. */
  readonly exported: string | undefined;
}

/** The code of a machine becomes a module. */
export interface CompileArgs extends MachineArgs {
  readonly mode: 'compile';
  readonly out: string | undefined;
}

/** A machine is drawn. */
export interface DiagramArgs extends MachineArgs {
  readonly mode: 'diagram';
  readonly kinds: readonly DiagramKind[];
  /** True where files are compared, and none is written. */
  readonly check: boolean;
  /** The folder; without it, that of the module. */
  readonly out: string | undefined;
}

export type Args =
  | { readonly mode: 'help' }
  | { readonly mode: 'version' }
  | TourArgs
  | RunArgs
  | ExportArgs
  | CompileArgs
  | DiagramArgs;

/** Arguments that cannot be right; the message is the one line that the user needs. */
export class UsageError extends Error {}

/** What was asked for is right, and cannot be done here and now. */
export class StartError extends Error {}

/** What the flags fill in, in any order. */
interface Draft {
  readonly listen: ListenAddress[];
  readonly servers: ServerOptions[];
  /** Names are as many servers as they have addresses. */
  hasAddresses: boolean;
  readonly nameservers: string[];
  readonly proxy: { -readonly [O in keyof ProxyOptions]?: ProxyOptions[O] };
  readonly backoff: { initialMs?: number; maxMs?: number };
  connectionsMax: number | undefined;
  output: Output;
  linesMax: number;
  speed: number;
  inspect: { port?: number; host?: string; actions?: boolean };
  record: string | undefined;
}

interface Flag {
  readonly group: string;
  /** What stands for the value in the help; a flag without is a switch. */
  readonly takes?: string;
  /** True where the value may be left out; it is a number then, so that nothing else is taken for one. */
  readonly mayTake?: boolean;
  readonly help: string;
  readonly fallback?: string;
  /** True where it makes sense only for a proxy of the user's own, not for the tour. */
  readonly runOnly?: boolean;
  readonly hidden?: boolean;
  readonly set: (draft: Draft, value: string, fail: (expected: string) => UsageError) => void;
}

const WHERE = 'Where; an ADDRESS is 127.0.0.1:8080, [::1]:8080, :8080, 8080 or unix:/run/a.sock';
const LIMITS = 'Limits';
const TIMES = 'Times, such as 500ms, 10s, 5m, or off';
const SHOWN = 'What is shown';
const WATCHED = 'What is watched';
const OTHER = 'Other';

type Setter = Flag['set'];

const timeFlag = (help: string, fallback: string, set: Setter): Flag => ({
  group: TIMES,
  takes: 'TIME',
  help,
  fallback,
  runOnly: true,
  set,
});

/** Only one of them can be had. */
function outputSetter(output: Output): Setter {
  return (draft, _value, fail) => {
    if (draft.output !== 'lines' && draft.output !== output) throw fail(`left out when --${draft.output} is given`);
    draft.output = output;
  };
}

/** The flags of the table of limits: `queueTimeout` is `--queue-timeout`. */
function limitFlags(group: string): Record<string, Flag> {
  const flags: Record<string, Flag> = {};
  for (const [option, limit] of Object.entries<Limit>(PROXY_LIMITS)) {
    const isCount = limit.kind === 'count';
    if (limit.flag !== true || group !== (isCount ? LIMITS : TIMES)) continue;
    flags[option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)] = {
      group,
      takes: !isCount ? 'TIME' : option.endsWith('Bytes') ? 'BYTES' : 'N',
      help: limit.bounds.replaceAll('`', ''),
      fallback: fallbackText(limit),
      runOnly: true,
      set: (draft, value, fail) => {
        Object.assign(draft.proxy, { [option]: limitValue(limit, value, fail) });
      },
    };
  }
  return flags;
}

function limitValue({ kind, least = 1 }: Limit, value: string, fail: Fail): number | false {
  if (kind === 'count') return whole(value, least, fail);
  return kind === 'time' ? duration(value, fail) : wait(value, fail);
}

function fallbackText({ kind, fallback, otherwise }: Limit): string {
  if (fallback === undefined) return (otherwise ?? '').replaceAll('`', '');
  if (kind === 'count') return String(fallback);
  return fallback === NEVER_MS ? 'off' : timeText(fallback);
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const FLAGS: Record<string, Flag> = {
  listen: {
    group: WHERE,
    takes: 'ADDRESS',
    help: 'accept clients here; repeatable',
    runOnly: true,
    set: (draft, value, fail) => draft.listen.push(address(value, 0, fail)),
  },
  backend: {
    group: WHERE,
    takes: 'ADDRESS',
    help: 'connect them to this server; repeatable; ADDRESS,weight=3 gets three times as many',
    runOnly: true,
    set: (draft, value, fail) => draft.servers.push(weighted(value, fail)),
  },
  addresses: {
    group: WHERE,
    help: 'each backend that is a name is as many servers as it has addresses',
    runOnly: true,
    set: (draft) => {
      draft.hasAddresses = true;
    },
  },
  nameserver: {
    group: WHERE,
    takes: 'ADDRESS',
    help: 'where such names are looked up; repeatable',
    fallback: "the system's",
    runOnly: true,
    set: (draft, value, fail) => {
      const at = address(value, 1, fail);
      if (!('host' in at) || isIP(at.host as string) === 0)
        throw fail('an IP address with a port, such as 192.0.2.53:53');
      draft.nameservers.push(hostAndPort(at.host as string, at.port));
    },
  },
  balance: {
    group: WHERE,
    takes: 'HOW',
    help: 'roundRobin, leastConnections, random, peakEwma, inOrder or hash',
    fallback: 'roundRobin',
    runOnly: true,
    set: (draft, value, fail) => {
      const balance = BALANCE_NAMES.find((name) => name === value);
      if (balance === undefined) throw fail(`one of ${BALANCE_NAMES.join(', ')}`);
      draft.proxy.balance = balance;
    },
  },

  ...limitFlags(LIMITS),
  'dials-per-second': {
    group: LIMITS,
    takes: 'N',
    help: 'connections to servers that are begun in any second; the rest waits',
    fallback: 'off',
    runOnly: true,
    set: (draft, value, fail) => {
      draft.proxy.governor = { perSecond: whole(value, 1, fail) };
    },
  },
  'connections-max': {
    group: LIMITS,
    takes: 'N',
    help: 'connections at once to each backend; newcomers beyond wait',
    fallback: 'none',
    runOnly: true,
    set: (draft, value, fail) => {
      draft.connectionsMax = whole(value, 1, fail);
    },
  },
  ...limitFlags(TIMES),
  'backoff-initial': timeFlag(
    'wait after every backend has failed; grows each round',
    '100ms',
    (draft, value, fail) => {
      draft.backoff.initialMs = wait(value, fail);
    },
  ),
  'backoff-max': timeFlag('longest such wait', '10s', (draft, value, fail) => {
    draft.backoff.maxMs = wait(value, fail);
  }),
  'keep-alive': timeFlag('idle time until TCP asks for the peer, from 1s on', 'off', (draft, value, fail) => {
    const ms = duration(value, fail);
    if (ms !== false && ms < 1_000) throw fail('at least 1s, or off');
    draft.proxy.keepAlive = ms;
  }),

  json: {
    group: SHOWN,
    help: 'each transition as a line of JSON on stdout; all else goes to stderr',
    set: outputSetter('json'),
  },
  log: {
    group: SHOWN,
    help: 'a line on stdout for each client that has ended; all else goes to stderr',
    runOnly: true,
    set: outputSetter('log'),
  },
  quiet: {
    group: SHOWN,
    help: 'no transitions: only the start, warnings and the end',
    set: outputSetter('quiet'),
  },
  'lines-max': {
    group: SHOWN,
    takes: 'N',
    help: 'lines per second, or off; the rest is counted',
    fallback: '50',
    set: (draft, value, fail) => {
      draft.linesMax = value === 'off' ? Number.POSITIVE_INFINITY : whole(value, 1, fail, ', or off');
    },
  },

  inspect: {
    group: WATCHED,
    takes: 'PORT',
    mayTake: true,
    help: 'serve the live page, to this machine only; its address is printed (a free port)',
    set: (draft, value, fail) => {
      const port = value === '' ? 0 : whole(value, 0, fail);
      if (port > 65_535) throw fail('a port from 0 to 65535');
      draft.inspect.port = port;
    },
  },
  'inspect-host': {
    group: WATCHED,
    takes: 'HOST',
    help: 'serve it there: to whoever has its address, unencrypted',
    set: (draft, value, fail) => {
      if (isUnprintable(value) || /[\s/]/.test(value)) throw fail('a host such as 127.0.0.1 or ::1');
      draft.inspect.host = value;
    },
  },
  'inspect-actions': {
    group: WATCHED,
    help: 'let it close, abort, drain, suspend, resume and retry',
    set: (draft) => {
      draft.inspect.actions = true;
    },
  },
  record: {
    group: WATCHED,
    takes: 'FILE',
    help: 'record every transition in this file, a new one, 16 MiB at most, and three older ones',
    set: (draft, value) => {
      draft.record = value;
    },
  },

  tour: { group: OTHER, help: 'the embedded tour, which is also what no arguments mean', set: () => {} },
  speed: {
    group: OTHER,
    takes: 'N',
    help: 'the tour, so many times as fast',
    hidden: true,
    set: (draft, value, fail) => {
      const speed = Number(value);
      if (!(speed >= 0.1 && speed <= 20)) throw fail('a number from 0.1 to 20');
      draft.speed = speed;
    },
  },
  help: { group: OTHER, help: 'this text', set: () => {} },
  version: { group: OTHER, help: 'the version', set: () => {} },
};

const SHORT: Record<string, string> = { h: 'help', v: 'version', q: 'quiet' };

/**
 * Reads the arguments that follow the program's name.
 *
 * @throws UsageError
 */
export function readArgs(argv: readonly string[]): Args {
  if (argv[0] === 'export') return exportArgs(argv.slice(1));
  if (argv[0] === 'compile') return compileArgs(argv.slice(1));
  if (argv[0] === 'diagram') return diagramArgs(argv.slice(1));
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(FLAGS).map(([name, { takes, mayTake }]) => [
        name,
        { type: takes === undefined || mayTake ? 'boolean' : 'string' },
      ]),
    ),
  });
  const draft: Draft = {
    listen: [],
    servers: [],
    hasAddresses: false,
    nameservers: [],
    proxy: {},
    backoff: {},
    connectionsMax: undefined,
    output: 'lines',
    linesMax: 50,
    speed: 1,
    inspect: {},
    record: undefined,
  };
  const given = new Set<string>();
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'positional') {
      if (mayTakeNext(tokens[index - 1]) && isWhole(token.value)) continue;
      throw new UsageError(`${quoted(token.value)} belongs to no flag: addresses go to --listen and --backend.`);
    }
    if (token.kind === 'option-terminator') continue;
    const name = SHORT[token.name] ?? token.name;
    const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
    if (flag === undefined) throw unknownFlag(token.rawName);
    const next = tokens[index + 1];
    const follows = flag.mayTake && next?.kind === 'positional' && isWhole(next.value) ? next.value : undefined;
    const value = token.value ?? follows;
    if (flag.mayTake) {
      // The value that may follow was looked for.
    } else if (flag.takes === undefined) {
      if (value !== undefined) throw new UsageError(`--${name} takes no value; it was given ${quoted(value)}.`);
    } else if (value === undefined || value === '' || (!token.inlineValue && value.startsWith('--'))) {
      throw new UsageError(`--${name} needs a value: --${name} ${flag.takes}.`);
    }
    given.add(name);
    flag.set(draft, value ?? '', (expected) => {
      const what = value === undefined ? `--${name}` : `--${name} ${quoted(value)} is wrong: it`;
      return new UsageError(`${what} must be ${expected}.`);
    });
  }
  if (given.has('help')) return { mode: 'help' };
  if (given.has('version')) return { mode: 'version' };
  return choose(draft, given);
}

const isWhole = (value: string): boolean => /^\d+$/.test(value);

function mayTakeNext(
  token: { readonly kind: string; readonly name?: string; readonly value?: unknown } | undefined,
): boolean {
  return token?.kind === 'option' && token.value === undefined && FLAGS[token.name ?? '']?.mayTake === true;
}

function exportArgs(argv: readonly string[]): ExportArgs {
  const wrong = () =>
    new UsageError(
      'An export takes two files, and perhaps machines of your own: ' +
        'sockchart export recording.jsonl page.html --machine door.mjs#doorMachine.',
    );
  const options = { machine: { type: 'string', multiple: true } } as const;
  const args = { args: [...argv], strict: false, tokens: true, allowPositionals: true, options } as const;
  const { positionals, tokens } = parseArgs(args);
  const machines: MachineArgs[] = [];
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (token.name !== 'machine') throw unknownFlag(token.rawName, Object.keys(options));
    const machine = token.value?.startsWith('-') === false ? machineArgs(token.value) : undefined;
    if (machine === undefined) throw wrong();
    machines.push(machine);
  }
  const [recording, page, ...more] = positionals;
  if (recording === undefined || page === undefined || more.length > 0) throw wrong();
  return { mode: 'export', recording, page, machines };
}

function compileArgs(argv: readonly string[]): CompileArgs {
  const [from = '', out, ...more] = argv;
  const machine = machineArgs(from);
  if (machine === undefined || more.length > 0 || argv.some((one) => one.startsWith('-'))) {
    throw new UsageError(
      'It takes a module, and perhaps the file to write: sockchart compile door.mjs#doorMachine out.mjs.',
    );
  }
  return { mode: 'compile', ...machine, out };
}

/** `FILE#EXPORT` */
function machineArgs(from: string): MachineArgs | undefined {
  const [, file, exported] = /^([^#]+)(?:#(.+))?$/.exec(from) ?? [];
  return file === undefined ? undefined : { file, exported };
}

const DIAGRAM_KINDS = ['svg', 'mermaid', 'table'] as const;

function diagramArgs(argv: readonly string[]): DiagramArgs {
  const wrong = () =>
    new UsageError(
      'It takes a module, and perhaps --svg, --mermaid, --table, --check and --out: ' +
        'sockchart diagram door.mjs#doorMachine --svg --out docs.',
    );
  const flag = { type: 'boolean' } as const;
  const options = { svg: flag, mermaid: flag, table: flag, check: flag, out: { type: 'string' } } as const;
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (!Object.hasOwn(options, token.name)) throw unknownFlag(token.rawName, Object.keys(options));
    const isWrong = token.name === 'out' ? !token.value || token.value.startsWith('-') : token.value !== undefined;
    if (isWrong) throw wrong();
  }
  const [from = '', ...more] = positionals;
  const machine = machineArgs(from);
  if (machine === undefined || more.length > 0) throw wrong();
  const kinds = DIAGRAM_KINDS.filter((kind) => values[kind] === true);
  const out = typeof values.out === 'string' ? values.out : undefined;
  return {
    mode: 'diagram',
    ...machine,
    kinds: kinds.length > 0 ? kinds : DIAGRAM_KINDS,
    check: values.check === true,
    out,
  };
}

/** Served if anything was said of it. */
function inspectArgs({ port, host, actions = false }: Draft['inspect']): InspectArgs | undefined {
  if (port === undefined && host === undefined && !actions) return undefined;
  return { port: port ?? 0, actions, ...(host !== undefined && { host }) };
}

/** The tour or a proxy: what was given says which. */
function choose(draft: Draft, given: ReadonlySet<string>): TourArgs | RunArgs {
  const { output, linesMax, speed, listen, servers, proxy, backoff, connectionsMax, record } = draft;
  const inspect = inspectArgs(draft.inspect);
  const own = [...given].find((name) => FLAGS[name]?.runOnly);
  if (own === undefined) {
    // On the tour there is nothing to lose, and much to see.
    return { mode: 'tour', output, linesMax, inspect: inspect ?? { port: 0, actions: false }, record, speed };
  }
  for (const name of ['tour', 'speed']) {
    if (given.has(name)) throw new UsageError(`--${name} is for the tour, and --${own} for a proxy of your own.`);
  }
  if (listen.length === 0) throw new UsageError(`--listen is missing, as in: --listen 127.0.0.1:8080.`);
  if (servers.length === 0) throw new UsageError(`--backend is missing, as in: --backend 127.0.0.1:5432.`);
  const backends = withAddresses(draft);
  return {
    mode: 'run',
    output,
    linesMax,
    inspect,
    record,
    proxy: {
      ...proxy,
      ...(Object.keys(backoff).length > 0 && { backoff }),
      listen,
      servers: connectionsMax === undefined ? backends : backends.map((server) => ({ ...server, connectionsMax })),
    },
  };
}

const isName = ({ host }: ServerOptions): boolean => host !== undefined && isIP(host) === 0;

/** Services always have addresses of their own, other names if told so. */
function withAddresses({ servers, hasAddresses, nameservers }: Draft): ServerOptions[] {
  const addresses = nameservers.length > 0 ? { nameservers } : true;
  const isLookedUp = (server: ServerOptions): boolean => isName(server) && (hasAddresses || server.port === undefined);
  if (hasAddresses && !servers.some(isName)) throw new UsageError('--addresses is for a --backend that is a name.');
  if (nameservers.length > 0 && !servers.some(isLookedUp)) {
    throw new UsageError('--nameserver is for names, with --addresses.');
  }
  return servers.map((server) => (isLookedUp(server) ? { ...server, addresses } : server));
}

/** `_postgres._tcp.example.org` */
const SERVICE = /^_[\w-]+\._[\w-]+(?:\.[\w-]+)+$/;

type Fail = (expected: string) => UsageError;

const ADDRESSES = 'an address such as 127.0.0.1:8080, [::1]:8080, :8080, 8080 or unix:/run/a.sock';

/** `host:port`, `[host]:port`, `:port`, `port` or `unix:/path`. */
function address(value: string, portLeast: number, fail: Fail): { host?: string; port: number } | { path: string } {
  if (value.startsWith('unix:')) {
    const path = value.slice('unix:'.length);
    if (path === '' || path.includes('\0')) throw fail(ADDRESSES);
    return { path };
  }
  const parts = /^(?:(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:[\]/@?#]*)):)?(\d{1,5})$/.exec(value);
  if (parts === null) throw fail(ADDRESSES);
  const [, v6, name, digits] = parts;
  const port = Number(digits);
  if (port < portLeast || port > 65_535) throw fail(`${ADDRESSES}, with a port from ${portLeast} to 65535`);
  const host = v6 ?? name ?? '';
  if (isUnprintable(host)) throw fail(ADDRESSES);
  return host === '' ? { port } : { host, port };
}

/** An address that may have a weight, `127.0.0.1:5432,weight=3`, or a service. */
function weighted(value: string, fail: Fail): ServerOptions {
  if (SERVICE.test(value)) return { host: value };
  const [, where = '', digits] = /^(.*?)(?:,weight=(.*))?$/s.exec(value) ?? [];
  const at = address(where, 1, fail);
  if (digits === undefined) return at;
  const weight = /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(weight <= WEIGHT_MAX)) throw fail(`${ADDRESSES}, with a weight from 0 to ${WEIGHT_MAX}`);
  return { ...at, weight };
}

/** `500ms`, `10s`, `5m` or `1h`. */
function timeText(ms: number): string {
  const unit = ['h', 'm', 's'].find((name) => ms % (UNIT_MS[name] as number) === 0) ?? 'ms';
  return `${ms / (UNIT_MS[unit] as number)}${unit}`;
}

function duration(value: string, fail: Fail): number | false {
  return value === 'off' ? false : milliseconds(value, 'off', fail);
}

function wait(value: string, fail: Fail): number {
  return milliseconds(value, undefined, fail);
}

function milliseconds(value: string, other: string | undefined, fail: Fail): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] as number);
  // A missing amount is not a number, and so neither too short nor too long.
  if (ms >= 1 && ms <= NEVER_MS) return Math.ceil(ms);
  const examples = ['500ms', '10s', '5m'];
  if (other !== undefined) examples.push(other);
  throw fail(
    `a time with its unit, from 1ms to 24 days, such as ${examples.slice(0, -1).join(', ')} or ${examples.at(-1)}`,
  );
}

function whole(value: string, least: number, fail: Fail, other = ''): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < least) throw fail(`a whole number from ${least} on${other}`);
  return number;
}

const shownFlags = (): string[] => Object.keys(FLAGS).filter((flag) => FLAGS[flag]?.hidden !== true);

function unknownFlag(rawName: string, shown = shownFlags()): UsageError {
  const name = rawName.replace(/^-+/, '');
  const near = shown.find((flag) => flag.startsWith(name)) ?? nearest(name, shown, 1);
  const hint = near === undefined || name === '' ? 'see --help' : `did you mean --${near}?`;
  return new UsageError(`There is no ${printable(rawName)}: ${hint}`);
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const isUnprintable = (text: string): boolean => text.search(UNPRINTABLE) >= 0;

/** Text that cannot steer a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => `\\u{${(char.codePointAt(0) as number).toString(16)}}`);
}

function quoted(value: string): string {
  return `"${printable(value)}"`;
}

const WIDTH = 34;

/** The text of `--help`. */
export function helpText(): string {
  const lines = [
    'sockchart: a TCP proxy whose connections live by explicit state machines, and a view of what they do.',
    '',
    '  sockchart                                           an embedded tour of 15 seconds',
    '  sockchart --listen ADDRESS … --backend ADDRESS …    a proxy',
    '  sockchart export RECORDING PAGE [--machine FILE[#EXPORT] …]',
    '                                                      a recording as one HTML file, with pictures of your machines',
    '  sockchart compile FILE[#EXPORT] [OUT]               the code of a machine of your own as a module',
    '  sockchart diagram FILE[#EXPORT] [--svg] [--mermaid] [--table] [--check] [--out FOLDER]',
    '                                                      its picture, and its table of states and events',
  ];
  let last = '';
  for (const [name, { group, takes, mayTake, help, fallback, hidden }] of Object.entries(FLAGS)) {
    if (hidden) continue;
    if (group !== last) lines.push('', `${group}:`);
    last = group;
    const short = Object.keys(SHORT).find((letter) => SHORT[letter] === name);
    const value = takes === undefined ? '' : mayTake ? ` [${takes}]` : ` ${takes}`;
    const left = `  --${name}${short === undefined ? '' : `, -${short}`}${value}`;
    lines.push(`${left.padEnd(WIDTH)}${help}${fallback === undefined ? '' : ` (${fallback})`}`);
  }
  lines.push(
    '',
    'SIGINT (Ctrl-C), SIGTERM, SIGQUIT or SIGHUP (the terminal is lost): no client is accepted any more, and the sessions',
    'come to their ends within --drain-timeout. A second one cuts them.',
    '',
    'Exit code: 0 after every session had ended; 1 if it could not start, or if sessions were cut by a second signal',
    'or at the deadline; 2 if the arguments are wrong.',
    '',
    'Colours follow the terminal; NO_COLOR=1 and FORCE_COLOR=1 decide otherwise.',
    '',
    'Examples:',
    '  sockchart --listen 127.0.0.1:8080 --backend 127.0.0.1:5432 --backend 127.0.0.1:5433',
    '  sockchart --listen :8080 --backend db1:5432 --backend db2:5432 --balance inOrder --idle-timeout 5m',
    '  sockchart --listen unix:/run/front.sock --backend [::1]:5432 --clients-max 1000 --quiet',
    '  sockchart --listen :8080 --backend db1:5432 --inspect --record run.jsonl',
    '  sockchart --listen :8080 --backend db1:5432 --json | jq \'select(.to == "dropped")\'',
  );
  return lines.join('\n');
}
