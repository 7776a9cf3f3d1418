/**
 * Servers in turn by their weights, in the order of HAProxy's `balance roundrobin` (its file lb_fwrr.c).
 *
 * A round has as many turns as all weights together. A server has its next position in the round; each of its turns
 * moves that by total / weight. The first server whose position has come has its turn. If there is none, the heaviest of
 * those that have not begun this round begins it.
 */
import type { Server } from '../server.js';
import { sixteenths } from './balancer.js';
import { Heap, type Ranked } from './heap.js';

const WEIGHT_SCALE = 16;
const WEIGHT_MAX = 256 * WEIGHT_SCALE;
const WEIGHT_RANGE = 256;

class Turn implements Ranked {
  rank = 0;
  order = 0;
  index = 0;
  /** The heap that it is in, or was in last. */
  heap: Heap<Turn> | undefined = undefined;
  position = 0;
  lastPosition = 0;
  /** What integer division has left of its steps. */
  rest = 0;
  /** The next of those that were passed over. */
  passed: Turn | undefined = undefined;

  constructor(
    readonly server: Server,
    public weight: number,
  ) {}
}

export class Turns {
  readonly #turns = new Map<Server, Turn>();
  /** Those under way in this round, by position. */
  readonly #current = new Heap<Turn>();
  /** Those that have not begun this round, the heaviest first. */
  #waiting = new Heap<Turn>();
  /** Those that are done with this round. */
  #next = new Heap<Turn>();
  #position: number;
  /** The weight of this round. */
  #weight: number;
  /** The weight of the next round. */
  #nextWeight: number;

  /** @param servers each with a share */
  constructor(servers: readonly Server[]) {
    for (const server of servers) {
      const turn = new Turn(server, sixteenths(server));
      this.#turns.set(server, turn);
      this.#addByWeight(this.#waiting, turn);
    }
    this.#nextWeight = 0;
    for (const { weight } of this.#turns.values()) this.#nextWeight += weight;
    this.#weight = this.#nextWeight;
    this.#position = this.#nextWeight;
  }

  /** Goes on with these servers, each with a share. */
  follow(servers: readonly Server[]): void {
    const kept = new Set(servers);
    for (const [server, turn] of this.#turns) {
      if (kept.has(server)) continue;
      turn.heap?.remove(turn);
      this.#nextWeight -= turn.weight;
      this.#turns.delete(server);
    }
    for (const server of servers) {
      const turn = this.#turns.get(server);
      const weight = sixteenths(server);
      if (turn === undefined) this.#add(new Turn(server, weight));
      else if (turn.weight !== weight) this.#reweigh(turn, weight);
    }
  }

  next(isUsable: (server: Server) => boolean): Server | undefined {
    let passed: Turn | undefined;
    let hasSwitched = false;
    let turn: Turn | undefined;
    for (;;) {
      turn = this.#first();
      if (turn === undefined) {
        if (hasSwitched) break;
        hasSwitched = true;
        this.#begin();
        continue;
      }
      this.#step(turn);
      turn.heap?.remove(turn);
      this.#position++;
      if (isUsable(turn.server)) {
        this.#queue(turn);
        break;
      }
      turn.passed = passed;
      passed = turn;
    }
    // A turn that is passed over is lost; at the end of a round only the weight counts.
    while (passed !== undefined) {
      const { passed: another } = passed;
      passed.passed = undefined;
      if (hasSwitched) this.#addByWeight(this.#waiting, passed);
      else this.#queue(passed);
      passed = another;
    }
    return turn?.server;
  }

  #add(turn: Turn): void {
    this.#turns.set(turn.server, turn);
    this.#nextWeight += turn.weight;
    const left = this.#nextWeight + this.#weight - this.#position;
    turn.position = this.#position + Math.trunc(left / turn.weight);
    this.#queue(turn);
  }

  #reweigh(turn: Turn, weight: number): void {
    this.#nextWeight += weight - turn.weight;
    turn.weight = weight;
    const { heap } = turn;
    heap?.remove(turn);
    if (heap === this.#waiting) {
      this.#addByWeight(this.#waiting, turn);
      return;
    }
    const before = heap === this.#next ? turn.position + this.#weight : turn.position;
    const step = Math.trunc(this.#nextWeight / weight);
    turn.position = Math.min(turn.lastPosition + step, before);
    turn.rest = 0;
    if (turn.position < this.#position + 2) turn.position = this.#position + step;
    this.#queue(turn);
  }

  #first(): Turn | undefined {
    const { first } = this.#current;
    if (first !== undefined && first.position <= this.#position) return first;
    const heaviest = this.#waiting.first;
    if (heaviest === undefined) return first;
    heaviest.position = 0;
    heaviest.rest = 0;
    return heaviest;
  }

  /** The next round. */
  #begin(): void {
    [this.#waiting, this.#next] = [this.#next, this.#waiting];
    this.#weight = this.#nextWeight;
    this.#position = this.#nextWeight;
  }

  #step(turn: Turn): void {
    if (turn.position === 0) turn.position = this.#position;
    turn.lastPosition = turn.position;
    const step = Math.trunc(this.#nextWeight / turn.weight);
    turn.position += step;
    turn.rest += this.#nextWeight - step * turn.weight;
    if (turn.rest < turn.weight) return;
    turn.rest -= turn.weight;
    turn.position++;
  }

  #queue(turn: Turn): void {
    if (turn.position >= this.#weight + Math.min(this.#weight, this.#nextWeight)) {
      turn.position -= this.#weight;
      this.#addByWeight(this.#next, turn);
      return;
    }
    // Of equal positions, the heavier first.
    turn.rank = WEIGHT_RANGE * turn.position + Math.trunc((WEIGHT_MAX + turn.rest - turn.weight) / WEIGHT_SCALE);
    turn.heap = this.#current;
    this.#current.add(turn);
  }

  #addByWeight(heap: Heap<Turn>, turn: Turn): void {
    turn.rank = WEIGHT_MAX - turn.weight;
    turn.heap = heap;
    heap.add(turn);
  }
}
