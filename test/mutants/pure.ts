/** What finds wrong machines without a socket: whether they compile, their paths, and their models. */
import { type AnyStateMachine, createMachine } from 'xstate';
import { compile } from '../../src/compiler/compile.js';
import { NEVER_MS } from '../../src/machines/vocabulary.js';
import { exploreMachine, type Path, replay } from '../../src/testing/index.js';
import { all } from '../machines/all.js';
import {
  type Bounded,
  backendSettings,
  bounded,
  checkSettings,
  clientSettings,
  graphOf,
  nameSettings,
  serverSettings,
} from '../machines/bounds.js';
import { properties } from '../machines/properties.js';
import { boundedCount, checkRules } from '../model/check.js';
import { clusterRules } from '../model/cluster.js';
import type { ConnectionBounds } from '../model/connection.js';
import { explore, exploreSystem, type ModelRules } from '../model/explore.js';
import { boundedLookups, nameRules } from '../model/name.js';
import { serverRules } from '../model/server.js';
import { strictBackend } from '../model/strict/backend.js';
import { strictClient } from '../model/strict/client.js';
import { strictListener } from '../model/strict/listener.js';
import { strictProxy } from '../model/strict/proxy.js';
import { strictConnection } from '../model/strict/session.js';
import { workerRules } from '../model/worker.js';
import { commandsOf, contraries, type MachineConfig, type Mutant, mutantsOf } from './operators.js';

/** Who has found a wrong machine, and what was said. */
export interface Verdict {
  readonly by: 'refused' | 'test/machines' | 'test/model';
  readonly why: string;
}

const implementationsOf = (machine: AnyStateMachine) =>
  machine.implementations as unknown as {
    actions: Record<string, unknown>;
    guards: Parameters<typeof contraries>[0];
  };

/** All wrong machines, in their order. */
export const mutants: readonly Mutant[] = all.flatMap((machine) =>
  mutantsOf(machine.config as MachineConfig, commandsOf(implementationsOf(machine).actions)),
);

/** Explores the wrong machine in one of its models. */
type Model = (machine: AnyStateMachine) => unknown;

const alone =
  <W extends object>(settings: object, rules: ModelRules<W>): Model =>
  (machine) =>
    explore(machine, { settings }, rules);

const backend = (persistent: boolean, attemptsMax: number, onDemand = false): Model =>
  alone(backendSettings(persistent, attemptsMax, onDemand), strictBackend);

const listener = (bindAttempts: number): Model =>
  alone(
    {
      clientsMax: 2,
      bindAttempts,
      bindBackoff: 1,
      drainTimeout: 1,
      admissionTimeout: 1,
      abortTimeout: 1,
      lingerMax: 1,
    },
    strictListener(2, bindAttempts),
  );

/** Its numbers come again: otherwise there is no end to them. */
const checks: Model = (machine) =>
  alone(checkSettings, checkRules)(machine.provide({ actions: { countCheck: boundedCount } } as never));

const name: Model = (machine) => alone(nameSettings, nameRules)(machine.provide({ actions: boundedLookups } as never));

const worker = (attemptsMax: number): Model =>
  alone({ attemptsMax, startTimeout: 1, stableAfter: 1, drainTimeout: 1, abortTimeout: 1 }, workerRules(attemptsMax));

const connection =
  (bounds: Partial<ConnectionBounds>): Model =>
  (machine) => {
    const rules = strictConnection({ askedMax: 1, hooks: false, attemptsMax: 1, idleTimeout: NEVER_MS, ...bounds });
    return exploreSystem({ ...rules, parts: { ...rules.parts, session: { ...rules.parts.session, machine } } });
  };

/** As in test/model/*.test.ts: those that are explored at once, and those that take long. */
const models: Readonly<Record<string, readonly [quick: readonly Model[], long: readonly Model[]]>> = {
  backend: [
    [backend(false, 1), backend(true, 1), backend(true, 1, true)],
    [backend(false, 2), backend(true, 2)],
  ],
  client: [
    [
      alone(clientSettings(4), strictClient),
      alone({ ...clientSettings(4), speaksTls: true, isProxied: true }, strictClient),
    ],
    [],
  ],
  listener: [[listener(2), listener(1)], []],
  session: [
    [connection({}), connection({ halfClose: false, askedMax: 1 }), connection({ routes: true })],
    [connection({ idleTimeout: 4 })],
  ],
  proxy: [[alone({ drainTimeout: 1, abortTimeout: 1, lingerMax: 1 }, strictProxy)], []],
  check: [[checks], []],
  name: [[name], []],
  server: [
    [
      alone(serverSettings(), serverRules(false)),
      alone(serverSettings({ rise: 2, fall: 2, init: 'up', baseMs: 5, maxMs: 5 }), serverRules(true)),
      alone(serverSettings({ rise: 2, fall: 2, init: 'up', baseMs: 5, maxMs: 5 }), serverRules(true, true)),
    ],
    [],
  ],
  worker: [[worker(1), worker(2)], [worker(0)]],
  cluster: [[alone({}, clusterRules)], []],
};

/** The wrong machine itself. */
export function machineOf({ machine: id, apply }: Mutant): AnyStateMachine {
  const machine = all.find((other) => other.id === id) as AnyStateMachine;
  const implementations = implementationsOf(machine);
  return createMachine(apply(machine.config) as never).provide({
    ...implementations,
    guards: contraries(implementations.guards),
  } as never) as never;
}

/** Who finds this one; nobody, if undefined. @param thorough takes long: for those that nobody else has found */
export function judge(id: string, thorough: boolean): Verdict | undefined {
  const mutant = mutants.find((other) => other.id === id);
  if (mutant === undefined) throw new Error(`There is no ${id}`);
  let machine: AnyStateMachine;
  try {
    machine = machineOf(mutant);
    compile(machine);
  } catch (error) {
    return { by: 'refused', why: firstLine(error) };
  }
  const [quick, long] = models[machine.id] ?? [[], []];
  const paths = (kind: 'edgePaths' | 'simplePaths') => verdict('test/machines', () => pathsHold(machine, mutant, kind));
  if (thorough) return inModels(machine, long) ?? paths('simplePaths');
  const atOnce = verdict('test/machines', () => rightPathsHold(machine, mutant));
  return atOnce ?? paths('edgePaths') ?? inModels(machine, quick);
}

const inModels = (machine: AnyStateMachine, list: readonly Model[]): Verdict | undefined =>
  verdict('test/model', () => {
    for (const model of list) model(machine);
  });

function verdict(by: Verdict['by'], check: () => void): Verdict | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return { by, why: firstLine(error) };
  }
}

/** A machine of this kind has a tenth of these; one that has more counts without bounds. */
const STEPS_MAX = 10_000;

function pathsHold(machine: AnyStateMachine, mutant: Mutant, kind: 'edgePaths' | 'simplePaths'): void {
  for (const { options, simple } of bounded.filter((bound) => bound.machine.id === machine.id)) {
    if (kind === 'simplePaths' && !simple) continue;
    for (const path of exploreMachine(machine, { ...options, stepsMax: STEPS_MAX })[kind]()) {
      if (concerns(mutant, path)) holds(machine, options, path);
    }
  }
}

/** The shortest path to each edge of what is right, which is the same for all mutants. */
const rightPaths = new Map<Bounded, Path[]>();

function rightPathsOf(bound: Bounded): Path[] {
  const known = rightPaths.get(bound);
  if (known !== undefined) return known;
  const beginnings = graphOf(bound)
    .edgePaths()
    .flatMap((path) => path.map((_step, index) => path.slice(0, index + 1)));
  const paths = [...new Map(beginnings.map((path) => [JSON.stringify(path), path])).values()];
  rightPaths.set(bound, paths);
  return paths;
}

/**
 * The paths of what is right whose last step comes by what is wrong. Until then the wrong machine has them, too: nearly all
 * mutants are found here, at a hundredth of the cost of walking them.
 */
function rightPathsHold(machine: AnyStateMachine, mutant: Mutant): void {
  for (const bound of bounded.filter((other) => other.machine.id === machine.id)) {
    const paths = rightPathsOf(bound);
    // All of them begin in the same way.
    const ending = mutant.event === 'always' ? paths.slice(0, 1) : paths.filter((path) => comesBy(mutant, path.at(-1)));
    for (const path of ending) check(machine, bound.options, path);
  }
}

/** A path that neither comes by what is wrong nor ends there goes as it always has. */
function concerns(mutant: Mutant, path: Path): boolean {
  if (mutant.event === 'always') return true;
  const last = path.at(-1);
  return path.some((step) => comesBy(mutant, step)) || isWithin(mutant, last?.from) || isWithin(mutant, last?.to);
}

/** Whether a step enters or leaves what is wrong, or is by its event, which a timer may raise. */
function comesBy(mutant: Mutant, step: Path[number] | undefined): boolean {
  if (step === undefined) return false;
  const { type } = step.event;
  if (mutant.event === undefined) return isWithin(mutant, step.to);
  return (type === mutant.event || type.startsWith('xstate.after.')) && isWithin(mutant, step.from);
}

const isWithin = ({ state }: Mutant, path: string | undefined): boolean =>
  path !== undefined && (state === '' || path === state || path.startsWith(`${state}.`));

function holds(machine: AnyStateMachine, { input }: Bounded['options'], path: Path): void {
  const went = check(machine, { input }, path);
  if (went.join() !== path.map(({ to }) => to).join()) throw new Error('Replayed, a path leads elsewhere');
}

/** Asserts the properties. @returns where it went */
function check(machine: AnyStateMachine, { input }: Pick<Bounded['options'], 'input'>, path: Path): string[] {
  const events = path.map(({ event }) => event);
  const replayed = replay(machine, input, events);
  for (const property of properties[machine.id] ?? []) property(replayed as never, events);
  return replayed.steps.slice(1).map(({ to }) => to);
}

const firstLine = (error: unknown): string => (error as Error).message.split('\n')[0] as string;
