/** The machines of this library, compiled and on XState actors. */
import { compile, interpret, systemClock } from 'sockchart/runtime';
import { courses } from './machines.mjs';

/** @typedef {import('./child.mjs').Contender} Contender */

/** Performs nothing, and counts that it was told to. */
function makeHost() {
  return {
    id: 'life#1',
    parentId: undefined,
    clock: systemClock,
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

/** @param {(machine: any) => { run(input: any, host: any): any }} make @param {string} machine @param {boolean} waits */
const running = (make, machine, waits) =>
  contender(
    (definition) => {
      const made = make(definition);
      return (input, host) => made.run(input, host);
    },
    machine,
    waits,
  );

/** @param {string} machine @param {boolean} waits */
export const compiled = (machine, waits) => running(compile, machine, waits);

/** @param {string} machine @param {boolean} waits */
export const xstate = (machine, waits) => running(interpret, machine, waits);
