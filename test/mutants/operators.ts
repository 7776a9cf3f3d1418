/**
 * What can be wrong with a machine in one place: something is left out, or is something else. A machine's configuration
 * is changed rather than its source, for what one line of a helper says there (`...halves(drain)`) may be several
 * transitions here, and each of them can be wrong by itself.
 *
 * An event that is ignored with a reason is no transition to take away: without it, it would be ignored as well. Only
 * where a state further out would answer it, it is. Nor is the first child of a state one that nothing begins in.
 */

/** The parts of a configuration that are looked at; all of a machine's own are written like this. */
interface NodeConfig {
  initial?: string;
  states?: Record<string, NodeConfig>;
  entry?: Many<Action>;
  exit?: Many<Action>;
  on?: Record<string, Many<Branch>>;
  after?: Record<string, Many<Branch>>;
  always?: Many<Branch>;
}

interface Branch {
  target?: string;
  guard?: string | object;
  actions?: Many<Action>;
  reenter?: boolean;
}

type Action = string | { type: string; params?: object };
type Many<T> = T | T[];
type Change<T> = (value: T) => void;

export interface MachineConfig extends NodeConfig {
  id: string;
}

/** One wrong machine. */
export interface Mutant {
  /** What is wrong, and where: `backend: active.connecting: socket.closed → disposing.destroying left out`. */
  readonly id: string;
  readonly machine: string;
  /** The state that it concerns, and the event; a timer's by the name it has when it fires; none, if it is entered. */
  readonly state: string;
  readonly event: string | undefined;
  /** The configuration with that in it; the given one is left alone. */
  apply<C extends object>(config: C): C;
}

const listOf = <T>(many: Many<T> | undefined): T[] =>
  many === undefined ? [] : Array.isArray(many) ? [...many] : [many];

/** All that can be wrong with a machine. @param commands the actions that emit one, each of which may be another */
export function mutantsOf(config: MachineConfig, commands: readonly string[]): Mutant[] {
  const mutants: Mutant[] = [];

  const add = (path: readonly string[], event: string | undefined, what: string, change: Change<NodeConfig>): void => {
    const state = path.join('.');
    mutants.push({
      id: `${config.id}: ${state === '' ? what : `${state}: ${what}`}`,
      machine: config.id,
      state,
      event: event?.startsWith('after ') ? `xstate.after.${event.slice(6)}.${config.id}.${state}` : event,
      apply: (original) => {
        const copy = copyOf(original);
        change(nodeAt(copy as NodeConfig, path));
        return copy;
      },
    });
  };

  /** Every action of a list may be left out; a command may be another one. */
  const addActions = (
    path: readonly string[],
    event: string | undefined,
    where: string,
    actions: readonly Action[],
    change: (actions: Action[]) => Change<NodeConfig>,
    mayBeAlone = true,
  ): void => {
    for (const [index, action] of actions.entries()) {
      const name = nameOf(action);
      if (actions.length > 1 || mayBeAlone) {
        add(path, event, `${where}: ${name} left out`, change(actions.toSpliced(index, 1)));
      }
      const other = commands[(commands.indexOf(name) + 1) % commands.length] as string;
      if (commands.length > 1 && commands.includes(name)) {
        add(path, event, `${where}: ${other} instead of ${name}`, change(actions.with(index, other)));
      }
    }
  };

  const addBranches = (
    path: readonly string[],
    event: string,
    branches: readonly Branch[],
    answeredOutside: boolean,
    change: (branches: Branch[]) => Change<NodeConfig>,
  ): void => {
    for (const [index, branch] of branches.entries()) {
      const { target, guard, actions, reenter } = branch;
      const list = listOf(actions);
      if (target === undefined && list.length === 0 && !answeredOutside) continue;
      const where = `${event}${typeof guard === 'string' ? ` [${guard}]` : ''}${target === undefined ? '' : ` → ${bare(config, target)}`}`;
      const replace = (changed: Branch): Change<NodeConfig> => change(branches.with(index, changed));
      add(path, event, `${where} left out`, change(branches.toSpliced(index, 1)));
      if (target !== undefined) {
        const other = siblingOf(config, path, target);
        add(path, event, `${where}: to ${other} instead`, replace({ ...branch, target: `#${config.id}.${other}` }));
      }
      if (typeof guard === 'string') {
        const { guard: _guard, ...always } = branch;
        add(path, event, `${where}: whatever ${guard} says`, replace(always));
        add(path, event, `${where}: unless ${guard}`, replace({ ...branch, guard: negated(guard) }));
      }
      if (reenter === true) add(path, event, `${where}: not entered anew`, replace({ ...branch, reenter: false }));
      addActions(
        path,
        event,
        where,
        list,
        (changed) => replace({ ...branch, actions: changed }),
        // Without a target and without its only action, it is left out.
        target !== undefined,
      );
    }
  };

  const visit = (node: NodeConfig, path: readonly string[], answered: ReadonlySet<string>): void => {
    const { initial, states = {}, on = {}, after = {}, always } = node;
    const names = Object.keys(states);
    if (initial !== undefined && names.length > 1 && begins.has(path.join('.'))) {
      const other = names[(names.indexOf(initial) + 1) % names.length] as string;
      add(path, undefined, `begins in ${other} instead of ${initial}`, (changed) => {
        changed.initial = other;
      });
    }
    for (const kind of ['entry', 'exit'] as const) {
      addActions(path, undefined, kind, listOf(node[kind]), (actions) => (changed) => {
        changed[kind] = actions;
      });
    }
    for (const [event, branches] of Object.entries(on)) {
      addBranches(path, event, listOf(branches), answered.has(event), (others) => (changed) => {
        setOrDelete(changed.on, event, others);
      });
    }
    for (const [delay, branches] of Object.entries(after)) {
      addBranches(path, `after ${delay}`, listOf(branches), false, (others) => (changed) => {
        setOrDelete(changed.after, delay, others);
      });
    }
    addBranches(path, 'always', listOf(always), false, (others) => (changed) => {
      changed.always = others;
    });
    const here = new Set([...answered, ...Object.keys(on).filter((event) => listOf(on[event]).some(isSomething))]);
    for (const [name, child] of Object.entries(states)) visit(child, [...path, name], here);
  };

  const begins = new Set(['', ...targetsOf(config, config, [])]);
  visit(config, [], new Set());
  return mutants;
}

const isSomething = ({ target, actions }: Branch): boolean => target !== undefined || actions !== undefined;

function setOrDelete(table: Record<string, Many<Branch>> | undefined, key: string, branches: Branch[]): void {
  if (table === undefined) return;
  if (branches.length === 0) delete table[key];
  else table[key] = branches;
}

/** A guard that is named like this is the other one's contrary: see {@link contraries}. */
const negated = (guard: string): string => `not ${guard}`;

type Predicate = (...args: never[]) => boolean;

/** The guards, and the contrary of each. */
export function contraries(guards: Record<string, Predicate>): Record<string, Predicate> {
  const contrary =
    (guard: Predicate): Predicate =>
    (...args) =>
      !guard(...args);
  return {
    ...guards,
    ...Object.fromEntries(Object.entries(guards).map(([name, guard]) => [negated(name), contrary(guard)])),
  };
}

/** The names of the actions that emit a command. */
export function commandsOf(actions: Record<string, unknown>): string[] {
  return Object.keys(actions).filter((name) => (actions[name] as { type?: string }).type === 'xstate.emit');
}

function nameOf(action: Action): string {
  if (typeof action === 'string') return action;
  const params = Object.values(action.params ?? {});
  return params.length === 0 ? action.type : `${action.type}(${params.join(', ')})`;
}

/** The path of a target: `#backend.closed` is `closed`. */
const bare = ({ id }: MachineConfig, target: string): string => target.replace(`#${id}.`, '');

/** What is entered without naming a child of it: only there it matters which one is the first. */
function targetsOf(config: MachineConfig, node: NodeConfig, path: readonly string[]): string[] {
  const branches = [...Object.values(node.on ?? {}), ...Object.values(node.after ?? {}), node.always ?? []].flatMap(
    listOf,
  );
  const targets = branches.flatMap(({ target }) =>
    target === undefined ? [] : pathOf(config, path, target).join('.'),
  );
  if (node.initial !== undefined) targets.push([...path, node.initial].join('.'));
  const children = Object.entries(node.states ?? {});
  return [...targets, ...children.flatMap(([name, child]) => targetsOf(config, child, [...path, name]))];
}

function pathOf(config: MachineConfig, from: readonly string[], target: string): string[] {
  return target.startsWith('#') ? bare(config, target).split('.') : [...from.slice(0, -1), ...target.split('.')];
}

/** The next of the states around a target. */
function siblingOf(config: MachineConfig, from: readonly string[], target: string): string {
  const path = pathOf(config, from, target);
  const names = Object.keys(nodeAt(config, path.slice(0, -1)).states ?? {});
  const index = names.indexOf(path.at(-1) as string);
  if (index < 0 || names.length < 2) throw new Error(`${target} has no other state beside it`);
  return [...path.slice(0, -1), names[(index + 1) % names.length]].join('.');
}

function nodeAt(config: NodeConfig, path: readonly string[]): NodeConfig {
  return path.reduce((node, name) => {
    const child = node.states?.[name];
    if (child === undefined) throw new Error(`There is no state ${path.join('.')}`);
    return child;
  }, config);
}

/** structuredClone refuses functions, which a machine's context is. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part)])) as T;
}
