/** What machines say of their states: what each is, what it would act on, and where that leads. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import {
  backendMachine,
  checkMachine,
  clientMachine,
  listenerMachine,
  nameMachine,
  proxyMachine,
  serverMachine,
  sessionMachine,
} from '../machines/index.js';

/** The machines that a proxy runs on. */
export const MACHINES: ReadonlyMap<string, AnyStateMachine> = new Map(
  (
    [
      proxyMachine,
      listenerMachine,
      sessionMachine,
      clientMachine,
      backendMachine,
      serverMachine,
      checkMachine,
      nameMachine,
    ] as AnyStateMachine[]
  ).map((machine) => [machine.id, machine]),
);

/** What may follow an event, or a timer. */
export interface Exit {
  /** The states that it may lead to, by the machine's guards; none if it stays. */
  readonly leadsTo: string;
  readonly description: string;
}

/** What a state says of itself. */
export interface StateText {
  readonly description: string;
  readonly isFinal: boolean;
  readonly events: ReadonlyMap<string, Exit>;
  /** What it ignores, and why. */
  readonly ignored: ReadonlyMap<string, string>;
  /** By the name of the delay. */
  readonly timers: ReadonlyMap<string, Exit>;
}

const UNKNOWN: StateText = {
  description: '',
  isFinal: false,
  events: new Map(),
  ignored: new Map(),
  timers: new Map(),
};

/** By machine: two inspectors may list machines of the same id. */
const known = new WeakMap<AnyStateMachine, Map<string, StateText>>();

/** The machines that are known: the library's, and those that a user lists. */
export class Charts {
  readonly #machines: ReadonlyMap<string, AnyStateMachine>;

  constructor(own: readonly AnyStateMachine[] = []) {
    this.#machines = new Map([...MACHINES, ...own.map((machine) => [machine.id, machine] as const)]);
  }

  get names(): string[] {
    return [...this.#machines.keys()];
  }

  /** What is known of a leaf state: of other machines nothing. */
  stateText(machine: string, path: string): StateText {
    const chart = this.#machines.get(machine);
    if (chart === undefined) return UNKNOWN;
    let texts = known.get(chart);
    if (texts === undefined) {
      texts = new Map();
      known.set(chart, texts);
      read(chart.root, texts);
    }
    return texts.get(path) ?? UNKNOWN;
  }
}

/** What a state does about an event: what it says of it, or of the longest wildcard that fits. */
export function exitOf(events: ReadonlyMap<string, Exit>, event: string): Exit | undefined {
  const exact = events.get(event);
  if (exact !== undefined) return exact;
  const parts = event.split('.');
  for (let length = parts.length; length > 0; length--) {
    const found = events.get(`${parts.slice(0, length).join('.')}.*`);
    if (found !== undefined) return found;
  }
  return events.get('*');
}

const AFTER = 'xstate.after.';

function read(node: AnyStateNode, texts: Map<string, StateText>): void {
  const below = Object.values(node.states) as AnyStateNode[];
  for (const child of below) read(child, texts);
  if (below.length > 0) return;
  const events = new Map<string, Exit>();
  const timers = new Map<string, Exit>();
  /** What a state only says that it ignores hides what is said above it. */
  const ignored = new Map<string, string>();
  const notTaken = new Set<Exit>();
  // The deepest state that knows an event wins.
  for (let state: AnyStateNode | undefined = node; state !== undefined; state = state.parent) {
    for (const [event, candidates] of state.transitions) {
      const acting = candidates.filter(({ target, actions }) => target !== undefined || actions.length > 0);
      const isDelay = event.startsWith(AFTER) && event.endsWith(`.${state.id}`);
      const delay = isDelay ? event.slice(AFTER.length, -state.id.length - 1) : undefined;
      const [exits, name] = delay === undefined ? [events, event] : [timers, delay];
      if (exits.has(name)) continue;
      const targets = acting.flatMap(({ target = [] }) => target.map((one: AnyStateNode) => leafOf(one)));
      exits.set(name, {
        leadsTo: [...new Set(targets)].join(' or '),
        description: candidates.find(({ description }) => description !== undefined)?.description ?? '',
      });
      if (acting.length > 0) continue;
      const exit = exits.get(name) as Exit;
      notTaken.add(exit);
      if (delay === undefined) ignored.set(name, exit.description);
    }
  }
  for (const exits of [events, timers]) {
    for (const [name, exit] of exits) if (notTaken.has(exit)) exits.delete(name);
  }
  texts.set(node.path.join('.'), {
    description: describe(node),
    isFinal: node.type === 'final' && node.parent === node.machine.root,
    events,
    ignored,
    timers,
  });
}

/** Where one is that enters this state. */
function leafOf(node: AnyStateNode): string {
  let leaf = node;
  for (;;) {
    const next = leaf.initial?.target?.[0] as AnyStateNode | undefined;
    if (next === undefined) return leaf.path.join('.');
    leaf = next;
  }
}

/** From the whole to the part: what the state around it says belongs to it. */
function describe(node: AnyStateNode): string {
  const texts: string[] = [];
  for (let state: AnyStateNode | undefined = node; state?.parent !== undefined; state = state.parent) {
    if (state.description !== undefined) texts.unshift(state.description);
  }
  return texts.join(' ');
}
