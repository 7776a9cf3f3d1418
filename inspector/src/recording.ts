/** A recording, read and stepped through. All of it is plain data: what is wrong in it is left out and counted. */
import type { RecordedEnd, RecordedGap, RecordedHead, StepInfo } from '../../src/inspect/protocol.js';

/** More would not be looked at, and a page has to hold them. */
export const STEPS_MAX = 1_000_000;

export interface Recording {
  readonly head: RecordedHead | undefined;
  readonly steps: readonly StepInfo[];
  /** Steps that the recorder could not write, or that were in files that are not here. */
  readonly missing: number;
  /** Steps of other runs, which were in the files too. */
  readonly ofOthers: number;
  /** False where nothing says that this is all: the process has died, or records still, or a file is missing. */
  readonly hasEnd: boolean;
  /** Lines that make no sense. */
  readonly unreadable: number;
  /** Steps beyond what a page holds. */
  readonly leftOut: number;
}

/** From the text of a file: a line is a step, or says what the file is. */
export function parseRecording(text: string): Recording {
  const lines: unknown[] = [];
  let unreadable = 0;
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line === '') continue;
    try {
      lines.push(JSON.parse(line));
    } catch {
      unreadable++;
    }
  }
  return recordingOf(lines, unreadable);
}

/** Of rotated files the one with the highest number is the oldest. */
export const joined = (files: readonly { readonly name: string; readonly text: string }[]): string =>
  [...files]
    .sort((a, b) => b.name.localeCompare(a.name, 'en', { numeric: true }))
    .map(({ text }) => text)
    .join('\n');

/** From its lines, as an export carries them. */
export function recordingOf(lines: readonly unknown[], unreadable = 0): Recording {
  let steps: StepInfo[] = [];
  let head: RecordedHead | undefined;
  let missing = 0;
  let bad = unreadable;
  let leftOut = 0;
  let ofOthers = 0;
  let hasEnd = false;
  /** Steps that went by, where the files say how many there should be. */
  let passed = 0;
  const expect = (count: number | undefined): void => {
    if (head?.before === undefined || count === undefined || count <= passed) return;
    missing += count - passed;
    passed = count;
  };
  for (const line of lines) {
    if (isHead(line)) {
      // The last run is shown: what another one did has the same names.
      if (head !== undefined && line.run !== head.run) {
        ofOthers += steps.length + leftOut;
        steps = [];
        head = undefined;
        missing = leftOut = passed = 0;
      }
      head ??= line;
      expect(line.before);
      hasEnd = false;
    } else if (isGap(line)) {
      missing += line.missing;
    } else if (isEnd(line)) {
      expect(line.end);
      hasEnd = line.continues !== true;
    } else if (isStep(line)) {
      passed++;
      hasEnd = false;
      if (steps.length < STEPS_MAX) steps.push(line);
      else leftOut++;
    } else {
      bad++;
    }
  }
  // Those of several files may come in any order.
  steps.sort((a, b) => a.at - b.at);
  return { head, steps, missing, ofOthers, hasEnd, unreadable: bad, leftOut };
}

/** The lines of a page that carries this recording: what it lacks, it says. */
export function linesFrom({ head, steps, missing, leftOut, hasEnd }: Recording): unknown[] {
  const lines: unknown[] = head === undefined ? [] : [{ ...head, part: undefined, before: undefined }];
  const at = steps[0]?.at ?? head?.startedAt ?? 0;
  if (missing + leftOut > 0) lines.push({ at, missing: missing + leftOut });
  for (const step of steps) lines.push(step);
  if (hasEnd) lines.push({ at: steps.at(-1)?.at ?? at, end: steps.length });
  return lines;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const isHead = (line: unknown): line is RecordedHead => isObject(line) && line.recording === 1;

const isGap = (line: unknown): line is RecordedGap => isObject(line) && Number.isFinite(line.missing);

const isEnd = (line: unknown): line is RecordedEnd => isObject(line) && Number.isFinite(line.end);

const isStep = (line: unknown): line is StepInfo =>
  isObject(line) &&
  Number.isFinite(line.at) &&
  ['who', 'machine', 'from', 'event', 'to'].every((name) => typeof line[name] === 'string') &&
  (line.cause === undefined || isObject(line.cause)) &&
  (line.server === undefined || typeof line.server === 'string') &&
  (line.context === undefined || isObject(line.context));

/** How many instances are in each state, by machine, after some of the steps. */
export class Replay {
  readonly steps: readonly StepInfo[];
  /** How many steps are done. */
  position = 0;
  readonly #counts = new Map<string, Map<string, number>>();
  /** Where the life of each step was before it: a recording may have lost what was between. */
  readonly #before: readonly string[];
  readonly #histories = new Map<string, StepInfo[]>();
  /** The place of each step in the history of its life. */
  readonly #places: readonly number[];

  constructor(steps: readonly StepInfo[]) {
    this.steps = steps;
    const states = new Map<string, string>();
    this.#before = steps.map(({ who, machine, from, to }) => {
      const known = states.get(who);
      // An instance that was there before the recording began.
      if (known === undefined && from !== '') this.#add(machine, from, 1);
      states.set(who, to);
      return known ?? from;
    });
    this.#places = steps.map((step) => {
      const history = this.#histories.get(step.who);
      if (history !== undefined) return history.push(step) - 1;
      this.#histories.set(step.who, [step]);
      return 0;
    });
  }

  /** The steps of the instance that took this one, and its place among them. */
  historyOf(index: number): { readonly steps: readonly StepInfo[]; readonly place: number } {
    const { who } = this.steps[index] as StepInfo;
    return { steps: this.#histories.get(who) as StepInfo[], place: this.#places[index] as number };
  }

  /** The step that was done last. */
  get current(): StepInfo | undefined {
    return this.steps[this.position - 1];
  }

  get machines(): readonly string[] {
    return [...new Set(this.steps.map(({ machine }) => machine))];
  }

  seek(position: number): void {
    const target = Math.min(Math.max(0, Math.trunc(position)), this.steps.length);
    while (this.position < target) this.#do(this.position++, 1);
    while (this.position > target) this.#do(--this.position, -1);
  }

  /** The position just after the last step that happened by then. */
  positionAt(at: number): number {
    let low = 0;
    let high = this.steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.steps[middle] as StepInfo).at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  counts(machine: string): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts.get(machine) ?? []);
  }

  #do(index: number, sign: 1 | -1): void {
    const { machine, to } = this.steps[index] as StepInfo;
    const before = this.#before[index] as string;
    if (before !== '') this.#add(machine, before, -sign);
    this.#add(machine, to, sign);
  }

  #add(machine: string, state: string, change: number): void {
    const counts = this.#counts.get(machine) ?? new Map<string, number>();
    this.#counts.set(machine, counts);
    counts.set(state, (counts.get(state) ?? 0) + change);
  }
}
