import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { StepInfo } from '../../src/inspect/protocol.js';
import { eventText, stepWords } from '../../src/inspect/words.js';
import { notice } from './actions.js';
import { api } from './api.js';
import { capital, Emitted } from './connection.js';
import { Context } from './context.js';
import { linesOf, withLines } from './export.js';
import { clock, clockMs, count } from './format.js';
import { about } from './live.js';
import { joined, linesFrom, parseRecording, type Recording, Replay as Run, recordingOf } from './recording.js';
import { Statechart } from './statechart.js';
import { Store, useStore } from './store.js';

export interface Opened {
  readonly name: string;
  readonly recording: Recording;
  readonly run: Run;
}

/** It outlives the view. */
export const opened = new Store<Opened | undefined>(undefined);

export function openRecording(name: string, recording: Recording): void {
  const run = new Run(recording.steps);
  run.seek(1);
  opened.value = { name, recording, run };
}

export function Replay() {
  const now = useStore(opened);
  const hasServer = useStore(about) !== undefined;
  const [isOver, setOver] = useState(false);
  const [problem, setProblem] = useState('');
  const open = async (name: string, read: Promise<Recording>): Promise<void> => {
    try {
      const recording = await read;
      if (recording.steps.length === 0) setProblem(`${name} has no steps in it.`);
      else {
        openRecording(name, recording);
        setProblem('');
      }
    } catch (error) {
      setProblem(`${name} could not be read: ${(error as Error).message}`);
    }
  };
  const openFiles = (files: Iterable<File>): void => {
    const all = [...files];
    const [first] = all;
    if (first === undefined) return;
    const texts = Promise.all(all.map(async (file) => ({ name: file.name, text: await file.text() })));
    void open(all.length === 1 ? first.name : `${all.length} files`, texts.then(joined).then(read));
  };
  return (
    <section
      class={isOver ? 'replay over' : 'replay'}
      aria-labelledby="replay-title"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        openFiles(event.dataTransfer?.files ?? []);
      }}
    >
      <div class="toolbar">
        <h1 id="replay-title">Replay</h1>
        <label class="file">
          <input
            type="file"
            multiple
            aria-label="Open a recording"
            onChange={({ currentTarget }) => {
              openFiles(currentTarget.files ?? []);
              currentTarget.value = '';
            }}
          />
          <span>Open a recording…</span>
        </label>
        {hasServer && (
          <button
            type="button"
            onClick={() =>
              void open(
                'what is remembered',
                api.export().then((page) => recordingOf(linesOf(page))),
              )
            }
          >
            Open what is remembered
          </button>
        )}
        {hasServer && now !== undefined && <Export now={now} />}
        {now !== undefined && <Summary now={now} />}
      </div>
      {problem !== '' && (
        <p class="note bad" role="alert">
          {problem}
        </p>
      )}
      {now === undefined ? <Nothing /> : <Player key={now.name + now.recording.steps.length} run={now.run} />}
    </section>
  );
}

/** A file of lines, or an exported page. */
const read = (text: string): Recording => (text.startsWith('<') ? recordingOf(linesOf(text)) : parseRecording(text));

function Nothing() {
  return (
    <div class="card nothing">
      <p>
        Start the program with <code>--record file</code>, and open that file here, or drop it on this page. It stays on
        this machine.
      </p>
      <p class="note">
        <kbd>←</kbd> <kbd>→</kbd> step, <kbd>Space</kbd> plays, <kbd>Home</kbd> <kbd>End</kbd> lead to the ends.
      </p>
    </div>
  );
}

function Summary({ now: { name, recording } }: { readonly now: Opened }) {
  const { steps, missing, ofOthers, hasEnd, unreadable, leftOut } = recording;
  const lacks = [
    missing > 0 && `${count(missing)} are missing`,
    ofOthers > 0 && `${count(ofOthers)} of earlier runs are not shown`,
    unreadable > 0 && `${count(unreadable)} lines make no sense`,
    leftOut > 0 && `${count(leftOut)} are too many for a page`,
  ].filter((text) => text !== false);
  return (
    <p class="note" role="status">
      {name}: {count(steps.length)} steps{lacks.map((text) => `; ${text}`)}
      {!hasEnd && <span class="bad">; it has no end: the process died, still records, or a file is missing</span>}
    </p>
  );
}

/** One file to attach to a report: this page, with the recording in it. */
function Export({ now: { name, recording } }: { readonly now: Opened }) {
  const [isBusy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    setBusy(true);
    try {
      const page = await api.export(true);
      const lines = linesFrom(recording);
      download(`${name.replace(/\.\w+$/, '')}.html`, withLines(page, lines));
    } catch (error) {
      notice.value = `The export failed: ${(error as Error).message}`;
    }
    setBusy(false);
  };
  return (
    <button type="button" disabled={isBusy} onClick={save}>
      Export as HTML
    </button>
  );
}

function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/html' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const SPEEDS = [0.1, 1, 10, 100] as const;
/** Nobody wants to look at nothing for longer. */
const GAP_MAX_MS = 1_000;
/** Nobody sees more, and a drawing costs. */
const DRAW_EVERY_MS = 80;
/** Edges stay lit for as long. */
const LIT_MS = 1_000;
const LIT_STEPS_MAX = 2_000;
const AROUND = 40;

function Player({ run }: { readonly run: Run }) {
  const [, redraw] = useReducer((turn: number) => turn + 1, 0);
  const [only, setOnly] = useState('');
  const [speed, setSpeed] = useState<number>(1);
  const [isPlaying, setPlaying] = useState(false);
  const [machine, setMachine] = useState<string>();
  const { steps, current } = run;

  const seek = (position: number): void => {
    run.seek(position);
    redraw(undefined);
  };
  const isMeant = (index: number): boolean => only === '' || steps[index]?.who === only;
  const step = (by: 1 | -1): void => {
    let position = run.position + by;
    while (position >= 1 && position <= steps.length && !isMeant(position - 1)) position += by;
    if (position >= 0 && position <= steps.length) seek(position);
  };
  const act = useRef({ step, seek });
  act.current = { step, seek };

  useEffect(() => {
    if (!isPlaying) return;
    let frame = 0;
    let last = performance.now();
    let drawn = 0;
    let at = run.current?.at ?? steps[0]?.at ?? 0;
    const tick = (now: number): void => {
      at += (now - last) * speed;
      last = now;
      const next = steps[run.position];
      if (next === undefined) {
        setPlaying(false);
        return;
      }
      if (next.at - at > GAP_MAX_MS * speed) at = next.at - GAP_MAX_MS * speed;
      const position = run.positionAt(at);
      if (position > run.position && now - drawn > DRAW_EVERY_MS) {
        drawn = now;
        act.current.seek(position);
      }
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [isPlaying, speed, run, steps]);

  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const { key, target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return;
      if (target instanceof HTMLButtonElement && key === ' ') return;
      if (key === 'ArrowRight') act.current.step(1);
      else if (key === 'ArrowLeft') act.current.step(-1);
      else if (key === ' ') setPlaying((before) => !before);
      else if (key === 'Home') act.current.seek(0);
      else if (key === 'End') act.current.seek(steps.length);
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [steps]);

  const shown = machine ?? current?.machine ?? steps[0]?.machine ?? '';
  const play = (): void => {
    if (run.position >= steps.length) seek(0);
    setPlaying(!isPlaying);
  };
  return (
    <>
      <div class="card player">
        <div class="controls">
          <button type="button" onClick={() => seek(0)} aria-label="To the start">
            ⇤
          </button>
          <button type="button" onClick={() => step(-1)} aria-label="One step back">
            ←
          </button>
          <button type="button" class="primary" onClick={play} aria-label={isPlaying ? 'Pause' : 'Play'}>
            {isPlaying ? '❚❚' : '▶'}
          </button>
          <button type="button" onClick={() => step(1)} aria-label="One step forward">
            →
          </button>
          <button type="button" onClick={() => seek(steps.length)} aria-label="To the end">
            ⇥
          </button>
          <select
            aria-label="Speed"
            value={String(speed)}
            onChange={({ currentTarget }) => setSpeed(Number(currentTarget.value))}
          >
            {SPEEDS.map((value) => (
              <option key={value} value={String(value)}>
                {value}×
              </option>
            ))}
          </select>
          <output class="mono" aria-label="Position">
            {count(run.position)} / {count(steps.length)}
          </output>
          {current !== undefined && <time class="mono">{clockMs(current.at)}</time>}
          {only !== '' && (
            <button type="button" onClick={() => setOnly('')}>
              only {only} ✕
            </button>
          )}
        </div>
        <Histogram steps={steps} />
        <input
          type="range"
          class="scrubber"
          aria-label="Position in the recording"
          aria-valuetext={
            current === undefined ? 'before the first step' : `${clock(current.at)}, step ${run.position}`
          }
          min={0}
          max={steps.length}
          value={run.position}
          onInput={({ currentTarget }) => seek(Number(currentTarget.value))}
        />
        <p class="now" aria-live="polite">
          {current === undefined ? 'Before the first step.' : <Words run={run} index={run.position - 1} />}
        </p>
      </div>
      <div class="columns even">
        <section class="card" aria-labelledby="replay-chart">
          <div class="bar-of-tabs">
            <h2 id="replay-chart">{shown}</h2>
            <div class="tabs" role="tablist" aria-label="Machine">
              <button
                type="button"
                role="tab"
                aria-selected={machine === undefined}
                onClick={() => setMachine(undefined)}
              >
                follow
              </button>
              {run.machines.map((name) => (
                <button
                  key={name}
                  type="button"
                  role="tab"
                  aria-selected={machine === name}
                  onClick={() => setMachine(name)}
                >
                  {name}
                </button>
              ))}
            </div>
          </div>
          <Statechart
            machine={shown}
            counts={run.counts(shown)}
            rates={lit(run, shown)}
            step={current?.machine === shown ? current : undefined}
            current={current?.machine === shown ? current.to : undefined}
            isLarge
          />
          {current !== undefined && <Remembered run={run} />}
        </section>
        <section class="card" aria-labelledby="replay-steps">
          <h2 id="replay-steps">Steps</h2>
          <Steps run={run} isMeant={isMeant} seek={seek} follow={setOnly} />
        </section>
      </div>
    </>
  );
}

/** The context of the instance that took the step, if that is in the recording. */
function Remembered({ run }: { readonly run: Run }) {
  const { steps, place } = run.historyOf(run.position - 1);
  const { who, context } = steps[place] as StepInfo;
  if (context === undefined) return null;
  return (
    <section aria-label={`What ${who} remembers`}>
      <h3>
        What <span class="mono">{who}</span> remembers
      </h3>
      <Context told={context} before={steps[place - 1]?.context} />
    </section>
  );
}

/** How often each edge was taken in the second before. */
function lit({ steps, position }: Run, machine: string): (StepInfo & { rate: number })[] {
  const taken: (StepInfo & { rate: number })[] = [];
  const since = (steps[position - 1]?.at ?? 0) - LIT_MS;
  const first = Math.max(0, position - LIT_STEPS_MAX);
  for (let index = position - 1; index >= first; index--) {
    const step = steps[index] as StepInfo;
    if (step.at < since) break;
    if (step.machine === machine) taken.push({ ...step, rate: 1_000 / LIT_MS });
  }
  return taken;
}

const Words = ({ run, index }: { readonly run: Run; readonly index: number }) => {
  const { steps, place } = run.historyOf(index);
  const { who } = steps[place] as StepInfo;
  return (
    <>
      <span class="mono who">{who}</span> {capital(stepWords(near(steps, place), Math.min(place, NEAR)))}.
    </>
  );
};

/** The words of a step need a few before it and after it, and an instance may have a million. */
const NEAR = 200;
const near = (steps: readonly StepInfo[], place: number): readonly StepInfo[] =>
  steps.slice(Math.max(0, place - NEAR), place + NEAR);

interface StepsProps {
  readonly run: Run;
  readonly isMeant: (index: number) => boolean;
  readonly seek: (position: number) => void;
  readonly follow: (who: string) => void;
}

function Steps({ run, isMeant, seek, follow }: StepsProps) {
  const list = useRef<HTMLOListElement>(null);
  const { steps, position } = run;
  const around: number[] = [];
  for (let index = position - 1; index >= 0 && around.length < AROUND; index--)
    if (isMeant(index)) around.unshift(index);
  const before = around.length;
  for (let index = position; index < steps.length && around.length < before + AROUND; index++) {
    if (isMeant(index)) around.push(index);
  }
  useEffect(() => {
    const frame = list.current;
    const row = frame?.querySelector<HTMLElement>('[aria-current]');
    if (frame == null || row == null) return;
    frame.scrollTop = row.offsetTop - frame.offsetTop - frame.clientHeight / 2 + row.offsetHeight / 2;
  }, [position]);
  return (
    <ol class="steps" ref={list}>
      {around.map((index) => {
        const { who, machine, from, event, to, commands } = steps[index] as StepInfo;
        const isNow = index === position - 1;
        return (
          <li
            key={index}
            class={`of-${machine}${index >= position ? ' later' : ''}`}
            aria-current={isNow ? 'step' : undefined}
          >
            <button type="button" class="jump" onClick={() => seek(index + 1)}>
              <span class="mono step">
                {clockMs((steps[index] as StepInfo).at)} {from === '' ? '·' : from} → {to}{' '}
                <span class="note">({eventText(event)})</span>
                <Emitted commands={commands} />
              </span>
              <span class="words">
                <Words run={run} index={index} />
              </span>
            </button>
            <button type="button" class="quiet" onClick={() => follow(who)} aria-label={`Only ${who}`}>
              only
            </button>
          </li>
        );
      })}
    </ol>
  );
}

const BUCKETS = 240;

/** When how much happened. */
function Histogram({ steps }: { readonly steps: readonly StepInfo[] }) {
  const counts = useRef<{ of: readonly StepInfo[]; path: string }>({ of: [], path: '' });
  if (counts.current.of !== steps) counts.current = { of: steps, path: histogram(steps) };
  return (
    <svg class="histogram" viewBox={`0 0 ${BUCKETS} 20`} preserveAspectRatio="none" aria-hidden="true">
      <path d={counts.current.path} />
    </svg>
  );
}

/** Along the steps, as the scrubber is: what is dense took little time. */
function histogram(steps: readonly StepInfo[]): string {
  const rates: number[] = [];
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const first = Math.floor((bucket * steps.length) / BUCKETS);
    const last = Math.max(first, Math.floor(((bucket + 1) * steps.length) / BUCKETS) - 1);
    const took = (steps[Math.min(last + 1, steps.length - 1)]?.at ?? 0) - (steps[first]?.at ?? 0);
    rates.push(Math.log1p((last - first + 1) / Math.max(0.001, took / 1_000)));
  }
  const most = Math.max(...rates, 1);
  return `M0 20${rates.map((value, index) => `L${index} ${(20 - (value / most) * 19).toFixed(1)}`).join('')}L${BUCKETS} 20Z`;
}
