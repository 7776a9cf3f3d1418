/** What a path has started and nothing has ended: timers of the program, such as those of an actor that was stopped. */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';

interface Found {
  readonly timer: NodeJS.Timeout;
  readonly where: string;
}

/** The paths that are under way, each with the timers that it has started. */
const paths = new AsyncLocalStorage<Leftovers>();
let watching = 0;

const byId = new Map<number, Leftovers>();
const hook = createHook({
  init(id, type, _trigger, resource) {
    const path = type === 'Timeout' ? paths.getStore() : undefined;
    if (path === undefined) return;
    byId.set(id, path);
    path.started(id, resource as NodeJS.Timeout);
  },
  destroy(id) {
    byId.get(id)?.ended(id);
    byId.delete(id);
  },
});

/** Watches the timers of one path. */
export class Leftovers {
  readonly #timers = new Map<number, Found>();

  constructor() {
    if (watching++ === 0) hook.enable();
  }

  /** What starts here, and in all that follows from it, is of this path. */
  run<T>(work: () => T): T {
    return paths.run(this, work);
  }

  started(id: number, timer: NodeJS.Timeout): void {
    this.#timers.set(id, { timer, where: callerOf(new Error().stack) });
  }

  ended(id: number): void {
    this.#timers.delete(id);
  }

  /** Where the timers were started that still run, and keep the process alive: they are cleared, so that it can end. */
  async end(): Promise<string[]> {
    // Node tells of the end of a timer in a later turn.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (--watching === 0) hook.disable();
    const left = [...this.#timers];
    for (const [id] of left) byId.delete(id);
    const alive = left.map(([, found]) => found).filter(({ timer }) => timer.hasRef());
    for (const { timer } of alive) clearTimeout(timer);
    return alive.map(({ where }) => where);
  }
}

/** The first line of a stack that is neither Node's nor of this file. */
function callerOf(stack = ''): string {
  const lines = stack.split('\n').slice(1);
  const line = lines.find((text) => !/node:|AsyncHook\.|Leftovers\./.test(text));
  return line?.trim().replace(/^at /, '') ?? 'an unknown place';
}
