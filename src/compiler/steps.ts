/**
 * Writes the methods that take steps. A method works everything out first, and then performs it. Where a step leads to further
 * ones (`always`, `raise`), they are followed here, and written into the same method.
 */
import { isNever } from '../runtime/clock.js';
import type { Call, Expression, Guard, Leaf, Op, Plan, Step } from './plan.js';
import { capitals, json, type Surroundings } from './text.js';

/** A method that becomes too long, or has no end, takes its steps one by one when it runs. */
const STEPS_MAX = 10;

class TooLong extends Error {}

/** Where more steps may follow than were written down. At the start, all of them are steps that need no event. */
export type Open = 0 | 1 | 2;
export const NEVER = 0;
export const AT_START = 1;
export const ANYWHERE = 2;

/** A command that is performed at the end of a method, or effects that are known only then: its place, and its text. */
interface Emitted {
  readonly place: string;
  readonly text: string;
  readonly isStatic: boolean;
}

/** The method that makes the argument of a function: that of an assignment has `spawn` too, that of an output no `system`. */
type Arguments = 'args' | 'argsOfAssign' | 'argsOfOutput';

/** Where a method has come to. */
interface Point {
  readonly leaf: number;
  /** The name of the current event, and of the argument with it if there is one. */
  readonly event: string;
  given: string | undefined;
  /** What was raised: the type, and the text of the event. */
  readonly raised: readonly (readonly [type: string, text: string])[];
  readonly commands: readonly Emitted[];
}

/** The methods of one class, and the constants that they need. */
export class Steps {
  #isOpen: Open = NEVER;
  /** Where a method asks whether more steps follow. */
  readonly asks: Open;
  readonly constants: string[] = [];
  /** The methods, by their text: many states share one. */
  readonly methods = new Map<string, string>();
  readonly #plan: Plan;
  readonly #outside: Surroundings;
  readonly #places = new Map<unknown, string>();
  readonly #names = new Set<string>();
  #variables = 0;

  constructor(plan: Plan, outside: Surroundings, asks: Open) {
    this.#plan = plan;
    this.#outside = outside;
    this.asks = asks;
  }

  /** Where more steps may follow than the methods have. */
  get isOpen(): Open {
    return this.#isOpen;
  }

  /** A name of the machine in a comment: nothing in it can end that. */
  comment(text: string): string {
    return this.#outside.isCommented ? `/* ${text.replace(/[^\w.$#→ -]/g, '_')} */ ` : '';
  }

  leafName(leaf: number): string {
    return this.comment((this.#plan.leaves[leaf] as Leaf).path.join('.'));
  }

  unique(name: string): string {
    let unique = name;
    for (let number = 2; this.#names.has(unique); number++) unique = `${name}${number}`;
    this.#names.add(unique);
    return unique;
  }

  /** The name of a method that takes this step and the steps after it. @param asks this step may itself come after another one */
  method(step: Step, asks: boolean): string {
    const text = this.attempt(
      (lines) => this.#takeStep(lines, step, asks),
      (lines) => {
        const { commands } = this.step(lines, step, takePoint(), true);
        this.#tell(lines, 'note', 'event', commands);
        lines.push(`return this.follow(${['event', ...pairs(commands)].join(', ')});`);
      },
    );
    const { path } = this.#plan.leaves[step.to] as Leaf;
    return this.methodNamed(text, `to${capitals(path.join('.')) || '_'}`);
  }

  methodNamed(text: string, name: string): string {
    let method = this.methods.get(text);
    if (method === undefined) {
      method = this.unique(name);
      this.methods.set(text, method);
    }
    return method;
  }

  /** The text of a method; if that is too long, the other one, which leaves the steps that follow to later. */
  attempt(write: (lines: string[]) => void, otherwise: (lines: string[]) => void): string {
    try {
      return this.block(write);
    } catch (error) {
      if (!(error instanceof TooLong)) throw error;
      this.open(ANYWHERE);
      return this.block(otherwise);
    }
  }

  block(write: (lines: string[]) => void): string {
    const lines: string[] = [];
    this.#variables = 0;
    write(lines);
    if (!this.#plan.acts && lines.some((line) => /\bcontext\b/.test(line))) lines.unshift('const { context } = this;');
    if (lines.some((line) => /\bfrom\b/.test(line))) lines.unshift('const from = this.leaf;');
    return `{ ${lines.join('\n')} }`;
  }

  #takeStep(lines: string[], step: Step, asks: boolean): void {
    const next = this.step(lines, step, takePoint(), false);
    const isAlone = next.raised.length === 0 && !this.#mayGoOn(next.leaf, step);
    this.#tell(lines, isAlone ? 'tell' : 'note', 'event', next.commands);
    if (asks) {
      const raises = next.raised.map(([, text]) => this.#raise(text));
      const follow = `return this.follow(${['event', ...pairs(next.commands)].join(', ')});`;
      lines.push(
        raises.length === 0 ? `if (this.goesOn()) ${follow}` : `if (this.goesOn()) { ${raises.join(' ')} ${follow} }`,
      );
    }
    if (isAlone) this.perform(lines, next.commands);
    else this.go(lines, next);
  }

  /** What is raised is taken later, by any of the methods. */
  #raise(text: string): string {
    this.open(ANYWHERE);
    return `this.raise(${text});`;
  }

  open(where: Open): void {
    if (where > this.#isOpen) this.#isOpen = where;
  }

  #mayGoOn(leaf: number, step: Step): boolean {
    const { always, isFinal } = this.#plan.leaves[leaf] as Leaf;
    return always.length > 0 && !isFinal && !step.ops.some((op) => op.do === 'finish');
  }

  /** Follows what comes after a step: steps that need no event, then what was raised. */
  go(lines: string[], point: Point, asksAlways = true, budget = new Budget()): void {
    // A function of the user's may do anything in between.
    if (this.#plan.acts) throw new TooLong();
    const leaf = this.#plan.leaves[point.leaf] as Leaf;
    const here = { ...point };
    if (!leaf.isFinal && asksAlways && this.#choose(lines, here, leaf.always, true, budget)) return;
    const [first, ...raised] = here.raised;
    if (leaf.isFinal || first === undefined) {
      lines.push(`if (${this.isWatched}) this.told();`);
      this.perform(lines, here.commands);
      return;
    }
    const [type, text] = first;
    const event = this.#variable('event');
    lines.push(`const ${event} = ${text};`);
    const next = { ...here, event, given: undefined, raised };
    const steps =
      leaf.on.get(type) ?? leaf.other.filter(({ wildcard }) => wildcard === undefined || matches(type, wildcard));
    if (this.#choose(lines, next, steps, false, budget)) return;
    this.go(lines, next, leaf.always.length > 0, budget);
  }

  /** Takes one of these steps, and goes on from there. True if one is taken in any case. */
  #choose(lines: string[], point: Point, steps: readonly Step[], isAlways: boolean, budget: Budget): boolean {
    for (const step of steps) {
      const { guard } = step;
      if (guard !== undefined && calls(guard)) this.#given(lines, point);
      const inner: string[] = guard === undefined ? lines : [];
      budget.spend();
      const next = step.acts ? this.step(inner, step, point, false) : point;
      if (step.acts) {
        this.#tell(inner, 'note', point.event, next.commands.slice(point.commands.length), point.leaf);
        if (this.asks === ANYWHERE && step.ops.some(isDynamicDelay)) {
          inner.push(`if (this.goesOn()) return this.follow(${[next.event, ...pairs(next.commands)].join(', ')});`);
        }
      }
      this.go(inner, next, isAlways ? step.changes : true, budget);
      if (guard === undefined) return true;
      const text = `{ ${inner.join('\n')} return; }`;
      const given = point.given as string;
      lines.push(
        isAlways ? `if (${this.guard(guard, given)}) ${text}` : this.where(step, guard, given, point.event, text),
      );
    }
    return false;
  }

  get isWatched(): string {
    return this.#outside.isOwn ? 'this.isWatched' : 'transitions.hasSubscribers';
  }

  #tell(lines: string[], how: 'tell' | 'note', event: string, commands: readonly Emitted[], from?: number): void {
    const args = [from === undefined ? 'from' : String(from), event, texts(commands)].filter((text) => text !== '');
    const name = this.#plan.acts ? 'noteNow' : how;
    lines.push(`if (${this.isWatched}) this.${name}(${args.join(', ')});`);
  }

  perform(lines: string[], commands: readonly Emitted[]): void {
    for (const { place, text, isStatic } of commands) {
      lines.push(isStatic ? `this.emit(${place});` : `this.emitAs(${place}, ${text});`);
    }
  }

  /** Works out one step. @param isLast what it raises is left to later */
  step(lines: string[], { ops, to, stays }: Step, point: Point, isLast: boolean): Point {
    const here = { ...point };
    const commands = [...point.commands];
    const raised = [...point.raised];
    const effects = (text: string): void => {
      const name = this.#variable('effects');
      lines.push(`const ${name} = ${text};`);
      commands.push({ place: 'effects', text: name, isStatic: false });
    };
    const delaysAreSure = this.#outside.delaysAreNumbers === true;
    const mixes = !delaysAreSure && ops.some(isDynamicDelay);
    for (const op of ops) {
      switch (op.do) {
        case 'assign':
          this.#assign(lines, here, op.parts);
          if (op.parts.some(([, value]) => 'call' in value && value.call.asks)) effects('this.spawned()');
          break;
        case 'merge':
          if (this.#plan.acts) {
            lines.push(`this.context = { ...this.context, ...${this.#call(lines, here, op.call, 'argsOfAssign')} };`);
            if (op.call.asks) effects('this.spawned()');
          } else {
            lines.push(`Object.assign(context, ${this.#call(lines, here, op.call)});`);
          }
          break;
        case 'call':
          lines.push(`this.call(${this.#callParts(here, op.call, 'args').join(', ')});`);
          break;
        case 'act':
          effects(`this.act(${this.#actParts(here, op).join(', ')})`);
          break;
        case 'invoke':
          effects(`this.invoke(${here.event}, ${this.#outside.valueOf(op.actor)})`);
          break;
        case 'stop':
          effects(`this.stopActor(${json(op.id)})`);
          break;
        case 'schedule': {
          const { name, type } = op.timer;
          effects(`this.schedule(${json(name)}, ${json(type)}, ${this.#expression(lines, here, op.delay)})`);
          break;
        }
        case 'unschedule':
          effects(`this.unschedule(${json(op.timer.type)})`);
          break;
        case 'emit':
          commands.push(this.#emitted(lines, here, op.command));
          break;
        case 'set':
          this.#setTimer(lines, here, op);
          break;
        case 'clear':
          lines.push(`this.clearTimer${op.timer.slot}();`);
          break;
        case 'raise':
          if (isLast) {
            lines.push(this.#raise(this.#expression(lines, here, op.event)));
          } else {
            const type = 'value' in op.event ? (op.event.value as { type?: unknown } | undefined)?.type : undefined;
            if (typeof type !== 'string') throw new TooLong();
            raised.push([type, this.#expression(lines, here, op.event)]);
          }
          break;
        case 'complete': {
          const output =
            op.output === undefined ? 'undefined' : this.#expression(lines, here, op.output, 'argsOfOutput');
          const event = this.#variable('done');
          lines.push(`const ${event} = { type: ${json(op.type)}, output: ${output} };`);
          if (isLast) lines.push(this.#raise(event));
          else raised.push([op.type, event]);
          break;
        }
        case 'finish':
          lines.push(`this.done(${this.#output(lines, here, op)});`);
          break;
      }
    }
    if (!isLast && (this.#plan.stepsMax <= STEPS_MAX || mixes) && raised.length > 0) throw new TooLong();
    if (!isLast && this.#plan.stepsMax <= STEPS_MAX && (this.#plan.leaves[to] as Leaf).always.length > 0)
      throw new TooLong();
    if (!stays && to !== point.leaf) lines.push(`this.leaf = ${to};${this.leafName(to)}`);
    return { ...here, leaf: to, commands, raised };
  }

  #assign(lines: string[], point: Point, parts: readonly (readonly [string, Expression])[]): void {
    if (this.#plan.acts) {
      // A function may keep the context: each is another object.
      const texts = parts.map(([key, value]) => {
        const text =
          'call' in value ? this.#call(lines, point, value.call, 'argsOfAssign') : this.#outside.valueOf(value.value);
        return `, [${json(key)}]: ${text}`;
      });
      lines.push(`this.context = { ...this.context${texts.join('')} };`);
      return;
    }
    const computed = parts.filter(([, value]) => 'call' in value).length;
    const values = parts.map(([key, value]): [string, string] => {
      const text = this.#expression(lines, point, value);
      if (computed < 2 || 'value' in value) return [key, text];
      const name = this.#variable('value');
      lines.push(`const ${name} = ${text};`);
      return [key, name];
    });
    // What is computed is computed before anything is written.
    values.sort(([a], [b]) => Number(isConstant(parts, a)) - Number(isConstant(parts, b)));
    for (const [key, text] of values) lines.push(`context[${json(key)}] = ${text};`);
  }

  #emitted(lines: string[], point: Point, command: Expression): Emitted {
    if ('value' in command) {
      const place = this.#place(command.value, String((command.value as { type?: unknown } | undefined)?.type), () =>
        this.#outside.valueOf(command.value),
      );
      return { place, text: `${place}.command`, isStatic: true };
    }
    const { run } = command.call;
    const text = this.#variable('command');
    lines.push(`const ${text} = ${this.#call(lines, point, command.call)};`);
    return { place: this.#place(run, this.#outside.nameOf(run), () => ''), text, isStatic: false };
  }

  #place(key: unknown, name: string, value: () => string): string {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.unique(`do${capitals(name) || '_'}`);
      this.#places.set(key, place);
      this.constants.push(`const ${place} = place(${value()});`);
    }
    return place;
  }

  #setTimer(lines: string[], point: Point, { timer, delay }: Extract<Op, { do: 'set' }>): void {
    if ('value' in delay) {
      const delayMs = delay.value as number;
      if (!isNever(delayMs)) lines.push(`this.timer${timer.slot} = this.wait(${String(delayMs)});`);
      return;
    }
    const delayMs = this.#call(lines, point, delay.call);
    if (this.#outside.delaysAreNumbers) {
      lines.push(`this.timer${timer.slot} = this.wait(${delayMs});`);
    } else {
      this.open(ANYWHERE);
      lines.push(`this.timer${timer.slot} = this.waitOrRaise(${delayMs}, ${json(timer.type)});`);
    }
  }

  #output(lines: string[], point: Point, { output, type, final }: Extract<Op, { do: 'finish' }>): string {
    const event = this.#variable('end');
    if (output === undefined || !('call' in output)) {
      // Nothing asks for the output of the final state; what it throws ends the instance all the same.
      if (final !== undefined && 'call' in final)
        lines.push(`${this.#expression(lines, point, final, 'argsOfOutput')};`);
      return output === undefined ? 'undefined' : this.#expression(lines, point, output);
    }
    const told = final === undefined ? 'undefined' : this.#expression(lines, point, final, 'argsOfOutput');
    lines.push(`const ${event} = { type: ${json(type)}, output: ${told} };`);
    const given = this.#plan.acts ? undefined : `{ context, event: ${event} }`;
    return this.#call(lines, { ...point, event, given }, output.call, 'argsOfOutput');
  }

  #expression(lines: string[], point: Point, expression: Expression, how: Arguments = 'args'): string {
    if ('value' in expression) return this.#outside.valueOf(expression.value);
    return this.#call(lines, point, expression.call, how);
  }

  #call(lines: string[], point: Point, call: Call, how: Arguments = 'args'): string {
    if (!this.#plan.acts) return this.#callWith(call, this.#given(lines, point));
    const [run, ...args] = this.#callParts(point, call, how);
    return `${run}(${args.join(', ')})`;
  }

  /** A function and its arguments, where each call has a context of its own. */
  #callParts(point: Point, { run, asks = false, params }: Call, how: Arguments): string[] {
    const given = asks ? `this.${how}(${point.event})` : plainArgs(point.event);
    return [this.#outside.nameOf(run), given, ...this.#params(point, params)];
  }

  #actParts(point: Point, { action, params, coming }: Extract<Op, { do: 'act' }>): string[] {
    const [given = 'undefined'] = this.#params(point, params);
    const parts = [point.event, this.#outside.valueOf(action), given];
    return coming === undefined ? parts : [...parts, json(coming)];
  }

  #params(point: Point, params: Expression | undefined): string[] {
    if (params === undefined) return [];
    if ('value' in params) return [this.#outside.valueOf(params.value)];
    return [this.#callWith(params.call, plainArgs(point.event))];
  }

  #callWith({ run, params }: Call, given: string): string {
    const name = this.#outside.nameOf(run);
    if (params === undefined) return `${name}(${given})`;
    const second = 'call' in params ? this.#callWith(params.call, given) : this.#outside.valueOf(params.value);
    return `${name}(${given}, ${second})`;
  }

  /** The argument of the machine's functions: made once for an event. */
  #given(lines: string[], point: Point): string {
    if (point.given === undefined) {
      point.given = point.event === 'event' ? 'given' : this.#variable('given');
      const { event } = point;
      lines.push(`const ${point.given} = { context, ${event === 'event' ? 'event' : `event: ${event}`} };`);
    }
    return point.given;
  }

  /**
   * Does this where the guard of a transition for an event agrees. As in XState, an error that a user's guard throws is put into
   * another error, which names the transition. XState does not do so for a transition that needs no event.
   */
  where(step: Step, guard: Guard, given: string, event: string, text: string, isMatch?: string): string {
    const is = this.guard(guard, given);
    if (this.#outside.isOwn !== true || !calls(guard)) {
      return `if (${isMatch === undefined ? '' : `${isMatch} && `}(${is})) ${text}`;
    }
    const error = `guardError(error, ${event}, ${json(step.source)}, ${json(step.guardName)})`;
    const asks = `{ let is; try { is = ${is}; } catch (error) { throw ${error}; } if (is) ${text} }`;
    return isMatch === undefined ? asks : `if (${isMatch}) ${asks}`;
  }

  guard(guard: Guard, given: string): string {
    if ('call' in guard) return this.#callWith(guard.call, given);
    if ('not' in guard) return `!${this.guard(guard.not, given)}`;
    const parts = 'and' in guard ? guard.and : guard.or;
    if (parts.length === 0) return String('and' in guard);
    return `(${parts.map((part) => this.guard(part, given)).join('and' in guard ? ' && ' : ' || ')})`;
  }

  #variable(name: string): string {
    return `${name}${this.#variables++}`;
  }
}

class Budget {
  #left = STEPS_MAX;
  spend(): void {
    if (this.#left-- === 0) throw new TooLong();
  }
}

/** A body that many states may share knows the state before only as a variable. */
const takePoint = (): Point => ({ leaf: -1, event: 'event', given: undefined, raised: [], commands: [] });
export const pointAt = (leaf: number): Point => ({
  leaf,
  event: 'event',
  given: undefined,
  raised: [],
  commands: [],
});

const plainArgs = (event: string): string =>
  `{ context: this.context, ${event === 'event' ? 'event' : `event: ${event}`} }`;

export const isDynamicDelay = (op: Op): boolean => op.do === 'set' && 'call' in op.delay;

const isConstant = (parts: readonly (readonly [string, Expression])[], key: string): boolean =>
  parts.some(([name, value]) => name === key && 'value' in value);

export function calls(guard: Guard): boolean {
  if ('call' in guard) return true;
  if ('not' in guard) return calls(guard.not);
  return ('and' in guard ? guard.and : guard.or).some(calls);
}

const matches = (type: string, wildcard: string): boolean =>
  type === wildcard.slice(0, -2) || type.startsWith(wildcard.slice(0, -1));

export const pairs = (commands: readonly Emitted[]): string[] => commands.flatMap(({ place, text }) => [place, text]);
export const texts = (commands: readonly Emitted[]): string => commands.map(({ text }) => text).join(', ');
