/** The machines of this library, compiled and on XState actors. */
import * as sockchart from 'sockchart';
import { xstateRuntime } from '../../dist/runtime/xstate.js';
import { courses } from './machines.mjs';

/** @typedef {import('./child.mjs').Contender} Contender */

/** Performs nothing, and counts that it was told to. */
function makeHost() {
  return {
    id: 'life#1',
    parentId: undefined,
    clock: sockchart.systemClock,
    backgroundTimers: new Set(),
    performed: 0,
    perform() {
      this.performed++;
    },
    finish() {},
  };
}

/**
 * @param {(machine: any) => (input: any, host: any) => any} runtimeOf
 * @param {string} name
 * @param {boolean} waits
 * @returns {Contender}
 */
function contender(runtimeOf, name, waits) {
  const course = courses(waits)[name];
  if (course === undefined) throw new Error(`there is no machine ${name}`);
  const run = runtimeOf(course.machine);
  const { input, events, state } = course;
  const resting = events.slice(0, course.rest);
  const host = makeHost();
  return {
    live() {
      const life = run(input, host);
      life.start();
      for (const event of events) life.send(event);
      return life;
    },
    rest() {
      const life = run(input, host);
      life.start();
      for (const event of resting) life.send(event);
      return life;
    },
    check(life) {
      if (life.state !== state) throw new Error(`${name} is ${life.state}, and should be ${state}`);
      return host.performed;
    },
  };
}

/** The function is not there before the compiled runtime is. */
const compile = /** @type {((machine: any) => { run(input: any, host: any): any }) | undefined} */ (
  Reflect.get(sockchart, 'compile')
);

/** @param {string} machine @param {boolean} waits */
export function compiled(machine, waits) {
  if (compile === undefined) return undefined;
  return contender(
    (definition) => {
      const table = compile(definition);
      return (input, host) => table.run(input, host);
    },
    machine,
    waits,
  );
}

/** @param {string} machine @param {boolean} waits */
export const xstate = (machine, waits) =>
  contender((definition) => (input, host) => xstateRuntime.run(definition, input, host), machine, waits);
