/**
 * Shows transitions as they happen. What one instance does in one go is one line, so that a connect that leads through
 * three states is read as one thing; a busy proxy is shown in part, and counted in full.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Cause, systemClock, TRANSITION_CHANNEL, type Transition } from '../index.js';
import { causeText, eventText, serverWhy } from '../inspect/words.js';
import { shortState, TONES, type Tone } from '../machines/words.js';
import { timeOf } from '../runtime/clock.js';
import { type Output, printable } from './args.js';
import { plural, type TalliedTransition, Tally } from './tally.js';
import type { Style, Terminal } from './terminal.js';

/** How often the counts are printed where no status line can be redrawn. */
const COUNTS_EVERY_MS = 5_000;
const SECOND_MS = 1_000;
/** What an instance does within this time is read as one thing. */
const TOGETHER_MS = 30;

const MACHINE_STYLES: Record<string, Style> = {
  proxy: ['bold', 'blue'],
  listener: 'blue',
  client: 'cyan',
  session: 'magenta',
  backend: 'yellowBright',
  server: 'green',
};

const TONE_STYLES: Record<Tone, Style> = { bad: 'red', warning: 'yellow', good: 'green', over: 'dim' };

/** To the microsecond: beyond that there is nothing but rounding. */
const micros = (ms: number): number => Math.round(ms * 1_000) / 1_000;

/** What one instance did in one go, for one reason. */
interface Run {
  readonly who: string;
  readonly machine: string;
  /** Where the client comes from that it is about. */
  peer: string | undefined;
  readonly at: number;
  readonly states: string[];
  readonly cause: Cause | undefined;
  event: string | undefined;
  server: string | undefined;
  failover: TalliedTransition['failover'];
  isDrop: boolean;
}

/** Shows the transitions of this process from its making until {@link View.stop}. */
export class View {
  readonly tally = new Tally();
  readonly #terminal: Terminal;
  readonly #output: Output;
  readonly #linesMax: number;
  readonly #since = timeOf(systemClock);
  readonly #timer: NodeJS.Timeout;
  readonly #serverName: (server: string) => string;
  #runs: Run[] = [];
  #runOf = new Map<string, Run>();
  #flushTimer: NodeJS.Timeout | undefined;
  #second = 0;
  #linesLeft: number;
  #marksLeft: number;
  #leftOut = 0;
  #countedAt = 0;
  #counts = '';

  /** @param serverName what people call a server */
  constructor(terminal: Terminal, output: Output, linesMax: number, serverName = (server: string) => server) {
    this.#terminal = terminal;
    this.#output = output;
    this.#linesMax = linesMax;
    this.#serverName = serverName;
    this.#linesLeft = linesMax;
    this.#marksLeft = linesMax;
    subscribe(TRANSITION_CHANNEL, this.#onTransition);
    this.#timer = setInterval(() => this.#tick(), SECOND_MS).unref();
  }

  /** Shows what is left, and then nothing more. */
  stop(): void {
    clearInterval(this.#timer);
    unsubscribe(TRANSITION_CHANNEL, this.#onTransition);
    this.flush();
    this.#reportLeftOut();
    this.#terminal.status('');
  }

  /** Forgets what was to be shown in a moment. */
  discard(): void {
    this.#runs = [];
  }

  readonly #onTransition = (message: unknown): void => {
    const transition = message as Transition;
    const step = this.tally.note(transition);
    if (this.#output === 'json') this.#writeJson(transition);
    else if (this.#output === 'lines') this.#collect(transition, step);
  };

  #writeJson({ who, parent, machine, incarnation, about, from, event, cause, means, to, at }: Transition): void {
    if (!this.#terminal.isReady) {
      this.#leftOut++;
      return;
    }
    // Every field in every line, absent ones as null.
    const { server, peer } = about;
    const record = { who, parent, machine, incarnation, server, peer, from, event, cause, means, to, at: micros(at) };
    this.#terminal.writeRaw(`${JSON.stringify(record, (_key, value) => (value === undefined ? null : value))}\n`);
  }

  #collect({ who, machine, from, event, to, about, at }: Transition, step: TalliedTransition): void {
    // A timer that only looks, a client that only is counted: nothing to tell.
    if (from === to) return;
    const { server, peer } = about;
    let run = this.#runOf.get(who);
    if (run === undefined || step.cause !== undefined) {
      run = {
        who,
        machine,
        peer,
        at,
        states: [from],
        cause: step.cause,
        event: undefined,
        server: undefined,
        failover: undefined,
        isDrop: false,
      };
      this.#runs.push(run);
      this.#runOf.set(who, run);
    }
    run.states.push(to);
    if (event !== 'xstate.init') run.event ??= event;
    run.server = server;
    run.peer = peer;
    run.failover ??= step.failover;
    run.isDrop ||= step.isDrop;
    this.#flushTimer ??= setTimeout(() => this.flush(), TOGETHER_MS).unref();
  }

  /** Shows now what was to be shown in a moment. */
  flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    const runs = this.#runs;
    this.#runs = [];
    this.#runOf = new Map();
    this.#nextSecond();
    const lines: string[] = [];
    for (const run of runs) {
      if (this.#mayPrint(run)) lines.push(this.#line(run));
      else this.#leftOut++;
    }
    this.#refreshStatus();
    if (lines.length > 0) this.#terminal.print(...lines);
  }

  /** What matters has lines of its own: it does not go under in what is routine. */
  #mayPrint({ isDrop, failover }: Run): boolean {
    if (!this.#terminal.isReady) return false;
    if (this.#linesLeft > 0) {
      this.#linesLeft--;
      return true;
    }
    if ((isDrop || failover !== undefined) && this.#marksLeft > 0) {
      this.#marksLeft--;
      return true;
    }
    return false;
  }

  #line(run: Run): string {
    const { paint } = this.#terminal;
    const { who, machine, peer, at, states, event, server, cause, failover, isDrop } = run;
    const time = ((at - this.#since) / 1_000).toFixed(3).padStart(8);
    const words = [
      paint('dim', time),
      paint(MACHINE_STYLES[machine] ?? 'bold', printable(who).padEnd(12)),
      states.map((_state, index) => this.#state(states, index)).join(paint('dim', ' → ')),
    ];
    if (isDrop) words.push(paint(['bold', 'red'], 'DROP'));
    if (failover !== undefined) {
      const [left, right] = [failover.from, failover.to ?? ''].map((name) => printable(this.#serverName(name)));
      words.push(paint(['bold', 'yellow'], `FAILOVER ${left} → ${right}`));
    } else if (server !== undefined) {
      words.push(printable(this.#serverName(server)));
    }
    if (peer !== undefined) words.push(paint('dim', `from ${printable(peer)}`));
    const why = machine === 'server' ? serverWhy : causeText;
    if (cause !== undefined) words.push(paint(isDrop ? 'red' : 'dim', printable(why(cause))));
    if (event !== undefined) words.push(paint('dim', `(${printable(eventText(event))})`));
    return words.join('  ');
  }

  /** A state, without the part that it shares with the one before. */
  #state(states: readonly string[], index: number): string {
    const { paint } = this.#terminal;
    const state = states[index] as string;
    if (state === '') return paint('dim', 'new');
    const isLast = index === states.length - 1;
    const short = shortState(state);
    const [first, ...rest] = short.split('.');
    const isSibling = rest.length > 0 && index > 0 && shortState(states[index - 1] as string).startsWith(`${first}.`);
    const text = isSibling ? rest.join('.') : short;
    const tone = TONES.find(([start]) => start.test(short))?.[1];
    if (tone !== undefined && (isLast || tone === 'bad' || tone === 'warning')) return paint(TONE_STYLES[tone], text);
    return isLast ? text : paint('dim', text);
  }

  #tick(): void {
    this.#nextSecond();
    this.#refreshStatus();
    const now = performance.now();
    if (this.#output !== 'lines' || this.#terminal.hasStatus || now - this.#countedAt < COUNTS_EVERY_MS) return;
    this.#countedAt = now;
    const counts = this.#countsText();
    if (counts === this.#counts || !this.#terminal.isReady) return;
    this.#counts = counts;
    this.#terminal.print(counts);
  }

  #nextSecond(): void {
    const second = Math.floor((timeOf(systemClock) - this.#since) / SECOND_MS);
    if (second === this.#second) return;
    this.#second = second;
    this.#linesLeft = this.#linesMax;
    this.#marksLeft = this.#linesMax;
    this.#reportLeftOut();
  }

  #reportLeftOut(): void {
    if (this.#leftOut === 0) return;
    if (this.#output === 'json') {
      this.#terminal.warn(`${plural(this.#leftOut, 'transition')} left out: stdout is not read fast enough.`);
    } else if (this.#terminal.isReady) {
      const text = `         … ${plural(this.#leftOut, 'line')} left out (--lines-max ${this.#linesMax} a second)`;
      this.#terminal.print(this.#terminal.paint('dim', text));
    } else {
      return;
    }
    this.#leftOut = 0;
  }

  #refreshStatus(): void {
    if (this.#output === 'lines') this.#terminal.status(this.#countsText());
  }

  #countsText(): string {
    const { tally } = this;
    const [served, whole] = [tally.now(['client', 'session', 'backend']), tally.now(['server', 'listener', 'proxy'])];
    return [`counts: ${served === '' ? 'no clients' : served}`, `so far ${tally.incidents()}`, whole].join(' · ');
  }
}
