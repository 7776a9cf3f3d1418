/** The pictures of users' machines, drawn when a page asks for them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { AnyStateMachine } from 'xstate';
import type { Drawn } from '../diagrams/drawer.js';
import { readModel } from '../diagrams/model.js';
import { NotSupportedError } from '../errors.js';
import { fileOf, NO_PAGE } from './assets.js';

export class Drawings {
  readonly #machines: ReadonlyMap<string, AnyStateMachine>;
  readonly #pictures = new Map<string, Promise<string>>();
  readonly #workers = new Set<Worker>();

  constructor(machines: readonly AnyStateMachine[]) {
    this.#machines = new Map(machines.map((machine) => [machine.id, machine]));
  }

  /**
   * The picture of a machine as SVG; nothing, if it is not one of these.
   *
   * @throws NotSupportedError where it cannot be drawn, such as without `elkjs`
   */
  async of(id: string): Promise<string | undefined> {
    const machine = this.#machines.get(id);
    if (machine === undefined) return undefined;
    let picture = this.#pictures.get(id);
    if (picture === undefined) {
      picture = this.#draw(machine);
      this.#pictures.set(id, picture);
      // What is missing may be installed meanwhile.
      picture.catch(() => this.#pictures.delete(id));
    }
    return picture;
  }

  /** All pictures, by machine. @throws NotSupportedError where one cannot be drawn */
  async all(): Promise<Record<string, string>> {
    const found = [...this.#machines.keys()].map(async (id) => [id, await this.of(id)] as const);
    return Object.fromEntries(await Promise.all(found)) as Record<string, string>;
  }

  /** Those that can be drawn. */
  async possible(): Promise<Record<string, string>> {
    const pictures: Record<string, string> = {};
    for (const id of this.#machines.keys()) {
      const picture = await this.of(id).catch(() => undefined);
      if (picture !== undefined) pictures[id] = picture;
    }
    return pictures;
  }

  /** Draws no more. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.terminate()));
  }

  async #draw(machine: AnyStateMachine): Promise<string> {
    const program = fileOf('dist/diagrams/drawer.js');
    if (program === undefined) throw new NotSupportedError(NO_PAGE);
    let worker: Worker | undefined;
    try {
      worker = new Worker(program, { workerData: readModel(machine), execArgv: [] });
      this.#workers.add(worker);
      worker.unref();
      const [drawn] = (await Promise.race([
        once(worker, 'message'),
        once(worker, 'exit').then(() => [{ problem: 'the drawing was cut off' }]),
      ])) as [Drawn];
      if ('problem' in drawn) throw new NotSupportedError(drawn.problem);
      return drawn.picture;
    } catch (error) {
      if (error instanceof NotSupportedError) throw error;
      throw new NotSupportedError(`The picture cannot be drawn: ${(error as Error).message}`, { cause: error });
    } finally {
      if (worker !== undefined) this.#workers.delete(worker);
      void worker?.terminate();
    }
  }
}
