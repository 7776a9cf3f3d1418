/**
 * Writes a class from the plan of a machine: one method for each type of event, which switches on the state, and one for
 * each transition (see steps.ts).
 *
 * Names and strings of the machine come into the text only as JSON, or cut down to letters and digits.
 */
import type { Leaf, Op, Plan, Step } from './plan.js';
import { ANYWHERE, AT_START, calls, isDynamicDelay, NEVER, type Open, pairs, pointAt, Steps, texts } from './steps.js';
import { capitals, json, range, type Surroundings } from './text.js';

/**
 * Each generated class has these methods of its own; they do what those of `MachineInstance` do. V8 remembers for each method of
 * which classes its objects were. In a method that is shared by ten classes it has to look up each field, each time.
 */
const HOT = `
send(event) {
  const { flags } = this;
  if ((flags & (STARTED | BUSY | OVER)) !== STARTED) return this.keep(event);
  this.flags = flags | BUSY;
  try {
    this.take(event);
  } catch (error) {
    this.fail(error);
  }
  if ((this.flags & UNRESTED) === 0) this.flags &= ~BUSY;
  else this.rest();
}

emit(at) {
  if ((this.flags & BOUND) === 0 || at.perform === undefined) return this.emitAs(at, at.command);
  try {
    at.perform(this.host, at.command);
  } catch (error) {
    this.commandFailed(at.command.type, error);
  }
}

emitAs(at, command) {
  if ((this.flags & BOUND) === 0 || at.perform === undefined || at.type !== command.type) return super.emitAs(at, command);
  try {
    at.perform(this.host, command);
  } catch (error) {
    this.commandFailed(command.type, error);
  }
}

hasTag(tag) {
  return FACTS.leaves[this.leaf].tags.has(tag);
}
`;

/** The source of the class `className`, with the constants that it needs. */
export function sourceOf(plan: Plan, className: string, surroundings: Surroundings): string {
  // Most machines never take more steps than are written down: only then it must be asked for.
  for (const asks of plan.acts ? [] : ([NEVER, AT_START] as const)) {
    const writer = new Writer(plan, className, surroundings, asks);
    const text = writer.write();
    if (writer.isOpen <= asks) return text;
  }
  return new Writer(plan, className, surroundings, ANYWHERE).write();
}

type TimerOp = Extract<Op, { do: 'clear' }>;

class Writer {
  readonly #plan: Plan;
  readonly #className: string;
  readonly #outside: Surroundings;
  readonly #steps: Steps;

  constructor(plan: Plan, className: string, outside: Surroundings, asks: Open) {
    this.#plan = plan;
    this.#className = className;
    this.#outside = outside;
    this.#steps = new Steps(plan, outside, asks);
  }

  get isOpen(): Open {
    return this.#steps.isOpen;
  }

  write(): string {
    const { id, leaves, slots, stepsMax, eventTypes } = this.#plan;
    const events = this.#events();
    const always = this.#always();
    const start = this.#start();
    const rows = leaves.map(({ path, tags, timers, isFinal }) =>
      [path, tags, timers.map(({ name, type }) => [name, type]), ...(isFinal ? [true] : [])].map((part) => json(part)),
    );
    const context = this.#context();
    const { isOwn = false } = this.#outside;
    return `
const FACTS = factsOf(${json(id)}, ${json(eventTypes)}, [${rows.map((row, index) => `${this.#steps.comment(String(index))}[${row.join(', ')}],`).join('\n')}], ${stepsMax});
const makeContext = ${isOwn ? 'ownContext' : 'contextOf'}(${context}${this.#plan.contextAsks ? ', true' : ''});
${this.#steps.constants.join('\n')}

class ${this.#className} extends ${isOwn ? 'OwnInstance' : 'MachineInstance'} {
${range(slots, (slot) => `timer${slot} = undefined;`)}

constructor(input, host) {
super(FACTS, host, ${isOwn ? 'makeContext' : 'makeContext(input)'}, ${start.leaf}, input);
${start.call}}
${isOwn ? `\nget machine() { return ${this.#outside.valueOf(this.#plan.machine)}; }\n` : ''}
get facts() { return FACTS; }
${isOwn ? '' : HOT}
${events}
${start.text}
${always}
${this.#timers(slots)}
${[...this.#steps.methods].map(([text, name]) => `${name}(event) ${text}`).join('\n\n')}
}
`;
  }

  #context(): string {
    const { context } = this.#plan;
    if (typeof context === 'function') return this.#outside.nameOf(context);
    return this.#outside.valueOf(context ?? {});
  }

  // Events

  #events(): string {
    const { types, hasWildcards } = this.#plan;
    const cases: string[] = [];
    const methods: string[] = [];
    const add = (label: string, name: string, text: string): void => {
      cases.push(`${label} return this.${name}(event);`);
      methods.push(`${name}(event) ${text}`);
    };
    for (const type of types) {
      const text = this.#switch((leaf) => this.#reaction(leaf, leaf.on.get(type) ?? [], isFatal(type)));
      // Where a wildcard would take it otherwise, it must be said that it is ignored.
      if (text !== undefined || hasWildcards) {
        add(`case ${json(type)}:`, this.#steps.unique(`on${capitals(type) || '_'}`), text ?? '{}');
      }
    }
    const other = this.#switch((leaf) => this.#reaction(leaf, leaf.other, true));
    if (other !== undefined) {
      add('default:', this.#steps.unique('onOther'), `{ this.unknown(event); ${other.slice(1)}`);
    } else {
      cases.push('default: return this.unknown(event);');
    }
    const take = `take(event) { switch (event.type) { ${cases.join('\n')} } }`;
    return [take, ...methods].join('\n\n');
  }

  /** A method's body that does in each state what is said for it; nothing if it never does anything. */
  #switch(textOf: (leaf: Leaf, number: number) => string): string | undefined {
    const groups = new Map<string, number[]>();
    for (const [number, leaf] of this.#plan.leaves.entries()) {
      const text = textOf(leaf, number);
      if (text === '') continue;
      const group = groups.get(text);
      if (group === undefined) groups.set(text, [number]);
      else group.push(number);
    }
    if (groups.size === 0) return undefined;
    const cases = [...groups].map(([text, numbers]) => {
      const labels = numbers.map((number) => `case ${number}: ${this.#leafLine(number)}`);
      const block = text.startsWith('return') ? text : `{ ${text} }`;
      return `${labels.join('\n')}${block}${text.split('\n').at(-1)?.startsWith('return') ? '' : ' break;'}`;
    });
    return `{ switch (this.leaf) { ${cases.join('\n')} } }`;
  }

  /** The name of a state, at the end of a line. */
  #leafLine(leaf: number): string {
    return this.#steps.leafName(leaf).replace(/^\/\* (.*) \*\/ $/, '// $1\n');
  }

  /** What is done in a state for an event that these steps may be taken for. */
  #reaction(leaf: Leaf, steps: readonly Step[], mayBeFatal: boolean): string {
    const lines: string[] = [];
    let given = false;
    let isDecided = false;
    for (const step of steps) {
      const taking = step.acts
        ? this.#taking(step, this.#steps.asks === ANYWHERE, 'return ')
        : [this.#idle(leaf) || 'return;'];
      const text = taking.length === 1 ? (taking[0] as string) : `{ ${taking.join(' ')} }`;
      const isMatch = step.wildcard === undefined ? undefined : wildcardTest(step.wildcard);
      if (step.guard === undefined) {
        if (isMatch === undefined) {
          lines.push(...taking);
          isDecided = true;
          break;
        }
        lines.push(`if (${isMatch}) ${text}`);
        continue;
      }
      if (!given && calls(step.guard)) {
        lines.push('const given = { context: this.context, event };');
        given = true;
      }
      lines.push(this.#steps.where(step, step.guard, 'given', 'event', text, isMatch));
    }
    if (!isDecided) {
      if (this.#plan.hasActors && mayBeFatal) lines.push('if (this.isFatal(event)) return this.failBy(event);');
      lines.push(this.#idle(leaf) || 'return;');
    }
    // What does nothing at the end need not be said.
    while (lines.at(-1) === 'return;') lines.pop();
    return lines.some((line) => line.includes('return')) ? lines.join('\n') : '';
  }

  /** A step that needs no event may have waited for this event, though no transition takes it. */
  #idle(leaf: Leaf): string {
    if (!canRest(leaf)) return '';
    const text = this.#steps.attempt(
      (lines) => {
        if (this.#steps.asks === ANYWHERE) lines.push('if (this.goesOn()) return;');
        this.#steps.go(lines, pointAt(this.#numberOf(leaf)));
      },
      (lines) => {
        if (this.#steps.asks === ANYWHERE) lines.push('if (this.goesOn()) return;');
        lines.push('return this.follow(event);');
      },
    );
    return `return this.${this.#steps.methodNamed(text, 'idle')}(event);`;
  }

  #numberOf(leaf: Leaf): number {
    return this.#plan.leaves.indexOf(leaf);
  }

  #always(): string {
    if (this.#steps.asks === NEVER) return '';
    const text = this.#switch((leaf) => {
      const lines: string[] = [];
      for (const step of leaf.always) {
        if (lines.length === 0 && leaf.always.some(({ guard }) => guard !== undefined && calls(guard))) {
          lines.push('const given = { context: this.context, event };');
        }
        const asks = step.mayChange && !step.changes;
        const changes = asks ? 'this.context !== context' : String(step.changes);
        const take = step.acts ? this.#taking(step, true).join(' ') : '';
        const taken = `${asks ? 'const { context } = this; ' : ''}${take} return ${changes};`;
        if (step.guard === undefined) {
          lines.push(taken);
          break;
        }
        lines.push(`if (${this.#steps.guard(step.guard, 'given')}) { ${taken} }`);
      }
      return lines.join('\n');
    });
    if (text === undefined) return '';
    return `always(event) ${text.slice(0, -1)} return undefined; }`;
  }

  // The start

  #start(): { leaf: number; call: string; text: string } {
    const { initial, leaves } = this.#plan;
    const leaf = leaves[initial.to] as Leaf;
    const enter = 'enter(event)';
    const ways = this.#plan.acts ? undefined : startsOf(initial, leaf, leaves);
    if (ways === undefined) {
      const lines = this.#steps.block((lines) => {
        const { commands } = this.#steps.step(lines, initial, pointAt(initial.to), true);
        lines.push(`this.follow(${['event', ...pairs(commands)].join(', ')});`);
      });
      this.#steps.open(AT_START);
      return { leaf: initial.to, call: 'this.prepare();\n', text: `${enter} ${lines}` };
    }
    const body = ({ ops, to }: Step): string =>
      this.#steps.block((lines) => {
        const { commands } = this.#steps.step(lines, { ...initial, ops, to }, pointAt(to), false);
        if (this.#steps.asks === ANYWHERE && ops.some(isDynamicDelay)) {
          lines.push(`if (this.goesOn()) return this.followStart(${['event', ...pairs(commands)].join(', ')});`);
        }
        lines.push(`if (${this.#steps.isWatched}) this.tellStart(${texts(commands)});`);
        this.#steps.perform(lines, commands);
      });
    const [only] = ways as [Step];
    if (ways.length === 1) return { leaf: only.to, call: '', text: `${enter} ${body(only)}` };
    const choose = ways.map(({ guard, to }) =>
      guard === undefined ? `return ${to};` : `if (${this.#steps.guard(guard, 'given')}) return ${to};`,
    );
    return {
      leaf: initial.to,
      call: 'this.chooseStart();\n',
      text: `choose(event) { const given = { context: this.context, event }; ${choose.join('\n')} }
${enter} { switch (this.leaf) { ${ways.map((way) => `case ${way.to}: ${this.#steps.leafName(way.to)}${body(way)} break;`).join('\n')} } }`,
    };
  }

  // Transitions

  /**
   * The statements that take a step, and those that follow. The timers that it stops are stopped before: transitions from
   * several states often differ in nothing else, and so share a method.
   */
  #taking(step: Step, asks: boolean, before = ''): string[] {
    // Not those that the step itself has set: it may enter states that it leaves again.
    const isStop = (op: Op, index: number): op is TimerOp =>
      op.do === 'clear' &&
      !this.#plan.acts &&
      !step.ops.slice(0, index).some((other) => other.do === 'set' && other.timer.slot === op.timer.slot);
    const stops = step.ops.filter(isStop).map(({ timer }) => `this.clearTimer${timer.slot}();`);
    const shared = { ...step, ops: step.ops.filter((op, index) => !isStop(op, index)) };
    return [...stops, `${before}this.${this.#steps.method(shared, asks)}(event);`];
  }

  #timers(slots: number): string {
    if (slots === 0) return '';
    const last = slots - 1;
    return `timerAt(slot) { ${range(last, (at) => `if (slot === ${at}) return this.timer${at};`)} return this.timer${last}; }
setTimerAt(slot, timer) { ${range(last, (at) => `if (slot === ${at}) this.timer${at} = timer; else`)} this.timer${last} = timer; }
${range(slots, (at) => `clearTimer${at}() { if (this.timer${at} !== undefined) this.timer${at} = this.unset(this.timer${at}); }`)}`;
  }
}

/** The steps that may start it: undefined where one may follow from the other, or any computes. */
function startsOf(initial: Step, leaf: Leaf, leaves: readonly Leaf[]): Step[] | undefined {
  if (!initial.ops.every(isPlain)) return undefined;
  if (leaf.always.length === 0) return [initial];
  const ways: Step[] = [];
  for (const step of leaf.always) {
    const isKnown = ways.some(({ to }) => to === step.to);
    if (isKnown || (leaves[step.to] as Leaf).always.length > 0 || !step.ops.every(isPlain)) return undefined;
    ways.push({ ...step, ops: [...initial.ops, ...step.ops] });
    if (step.guard === undefined) return ways;
  }
  return undefined;
}

/** Of an actor: the instance ends by it where no transition takes it. */
const isFatal = (type: string): boolean => type.startsWith('xstate.error.actor');

const isPlain = (op: Op): boolean => op.do === 'emit' || op.do === 'set' || op.do === 'clear';

/** True where an instance may stay though there are steps that need no event. */
const canRest = ({ always }: Leaf): boolean =>
  always.length > 0 && (always.every(({ guard }) => guard !== undefined) || always.some(({ changes }) => !changes));

const wildcardTest = (wildcard: string): string =>
  `(event.type === ${json(wildcard.slice(0, -2))} || event.type.startsWith(${json(wildcard.slice(0, -1))}))`;
