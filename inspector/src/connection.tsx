import { useEffect, useState } from 'preact/hooks';
import type { ConnectionDetail, InstanceDetail, StepInfo } from '../../src/inspect/protocol.js';
import { durationText, eventText, stepWords } from '../../src/inspect/words.js';
import { Act } from './actions.js';
import { api } from './api.js';
import { Context } from './context.js';
import { useDetail } from './detail.js';
import { bytes, clock, clockMs, count, since } from './format.js';
import { about } from './live.js';
import { Sequence } from './sequence.js';
import { Statechart } from './statechart.js';
import { useStore } from './store.js';

/** What a page can show of a long life without becoming slow. */
const STEPS_SHOWN = 300;

const isOver = ({ endedAt }: ConnectionDetail): boolean => endedAt !== undefined;

export function Connection({ id }: { readonly id: string }) {
  const { detail, problem, readAt } = useDetail(id, api.connection, isOver);
  if (detail === undefined) return <p class="note">{problem === '' ? 'Reading…' : problem}</p>;
  return <Shown detail={detail} problem={problem} readAt={readAt} />;
}

interface ShownProps {
  readonly detail: ConnectionDetail;
  readonly problem: string;
  readonly readAt: number;
}

function Shown({ detail, problem, readAt }: ShownProps) {
  const { row, instances, steps, endedAt } = detail;
  const [chosen, setChosen] = useState<string>();
  const [own] = useIsOwn(instances) ? instances : [];
  const instance = instances.find(({ machine }) => machine === chosen) ?? instances[0];
  return (
    <>
      <div class="toolbar">
        <h1>
          <span class="mono">{row.id}</span>
        </h1>
        <span class="state">{row.state}</span>
        {endedAt !== undefined && <span class="note">ended at {clock(endedAt)}</span>}
        {problem !== '' && <span class="note bad">{problem}</span>}
        <span class="grow" />
        <Actions detail={detail} isOwn={own !== undefined} />
      </div>
      <dl class="tiles facts">
        <Fact name="peer" value={row.peer} />
        {own === undefined && <Fact name="server" value={row.server} />}
        <Fact name="age" value={durationText(row.ageMs)} />
        {own === undefined && <Fact name="from client" value={bytes(row.bytesFromClient)} />}
        {own === undefined && <Fact name="from server" value={bytes(row.bytesFromBackend)} />}
        <Fact name={own === undefined ? 'last cause' : 'last event'} value={row.lastCause} />
      </dl>
      <div class="columns even">
        <div class="stack">
          <section class="card" aria-labelledby="why-title">
            <h2 id="why-title">Why it is where it is, and what can happen next</h2>
            {instances.map((one) => (
              <Why key={one.id} instance={one} readAt={readAt} isOver={endedAt !== undefined} />
            ))}
          </section>
          <HistoryCard detail={detail} />
        </div>
        <div class="stack">
          <section class="card" aria-labelledby="chart-title">
            <div class="bar-of-tabs">
              <h2 id="chart-title">Where it is</h2>
              <div class="tabs" role="tablist" aria-label="Instance">
                {instances.map(({ machine }) => (
                  <button
                    key={machine}
                    type="button"
                    role="tab"
                    aria-selected={machine === instance?.machine}
                    onClick={() => setChosen(machine)}
                  >
                    {machine}
                  </button>
                ))}
              </div>
            </div>
            {instance !== undefined && (
              <Statechart
                machine={instance.machine}
                current={instance.state}
                step={steps.findLast(({ who, from, to }) => who === instance.id && from !== to)}
                isLarge
              />
            )}
          </section>
          {own === undefined ? (
            <section class="card" aria-labelledby="sequence-title">
              <h2 id="sequence-title">Who said what to whom</h2>
              <Sequence steps={steps} forgotten={detail.stepsForgotten} />
            </section>
          ) : (
            <section class="card" aria-labelledby="context-title">
              <h2 id="context-title">
                {endedAt === undefined ? 'What it remembers' : 'What it remembered at its end'}
              </h2>
              {own.context === undefined ? (
                <p class="note">Its context is not known.</p>
              ) : (
                <Context told={own.context} />
              )}
            </section>
          )}
        </div>
      </div>
    </>
  );
}

/** An instance of a listed machine of the user's is alone. */
function useIsOwn([instance]: readonly InstanceDetail[]): boolean {
  const own = useStore(about)?.own ?? [];
  return instance !== undefined && own.includes(instance.machine);
}

export function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd title={value}>{value === '' ? '–' : value}</dd>
    </div>
  );
}

interface ActionsProps {
  readonly detail: ConnectionDetail;
  readonly isOwn: boolean;
}

function Actions({ detail: { row, instances, endedAt }, isOwn }: ActionsProps) {
  if (useStore(about)?.actions !== true || endedAt !== undefined) return null;
  if (isOwn) {
    return (
      <p class="actions">
        <Act action="stop" id={row.id} />
      </p>
    );
  }
  const backend = instances.find(({ machine }) => machine === 'backend');
  return (
    <p class="actions">
      {backend?.accepts.some(({ event }) => event === 'backend.retry') === true && <Act action="retry" id={row.id} />}
      <Act action="close" id={row.id} />
      <Act action="abort" id={row.id} />
    </p>
  );
}

interface WhyProps {
  readonly instance: InstanceDetail;
  readonly readAt: number;
  readonly isOver: boolean;
}

export function Why({ instance, readAt, isOver }: WhyProps) {
  const { id, machine, state, description, why, inStateMs, accepts, timers } = instance;
  // A user's machine may have spaces in its id, which would make several ids of this one.
  const title = `why-${encodeURIComponent(machine)}`;
  return (
    <section class="why" aria-labelledby={title}>
      <h3 id={title}>
        <span class="mono">{id}</span> <span class="state">{state}</span>{' '}
        <span class="note">
          {isOver ? '' : 'for '}
          {isOver ? '' : <Elapsed base={inStateMs} since={readAt} />}
        </span>
      </h3>
      <p>{description}</p>
      {why !== '' && <p class="reason">{why}</p>}
      {timers.length > 0 && (
        <ul class="timers" aria-label={`Timers of ${id}`}>
          {timers.map(({ name, remainingMs, leadsTo }) => (
            <li key={name}>
              <span class="clock mono">{name}</span> fires in <Remaining ms={remainingMs} since={readAt} />
              {leadsTo !== '' && leadsTo !== state && (
                <>
                  , then <span class="mono">{leadsTo}</span>
                </>
              )}
            </li>
          ))}
        </ul>
      )}
      {accepts.length > 0 && (
        <details>
          <summary>
            {accepts.length} {accepts.length === 1 ? 'event' : 'events'} it would act on
          </summary>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">event</th>
                <th scope="col">leads to</th>
              </tr>
            </thead>
            <tbody>
              {accepts.map((accepted) => (
                <tr key={accepted.event}>
                  <th scope="row" class="mono">
                    {accepted.event}
                  </th>
                  <td>
                    <span class="mono">{accepted.leadsTo === '' ? 'stays' : accepted.leadsTo}</span>
                    {accepted.description !== '' && <span class="note"> {accepted.description}</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </section>
  );
}

/** Between two answers of the server, time goes on. */
function useNow(): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(performance.now()), 250);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

const Elapsed = ({ base, since }: { readonly base: number; readonly since: number }) => (
  <>{durationText(base + Math.max(0, useNow() - since))}</>
);

function Remaining({ ms, since }: { readonly ms: number; readonly since: number }) {
  const left = ms - Math.max(0, useNow() - since);
  return <b>{left <= 0 ? 'no time' : durationText(left)}</b>;
}

function HistoryCard({ detail: { steps, stepsForgotten } }: { readonly detail: ConnectionDetail }) {
  const hidden = Math.max(0, steps.length - STEPS_SHOWN);
  const start = steps[0]?.at ?? 0;
  return (
    <section class="card" aria-labelledby="history-title">
      <h2 id="history-title">What has happened</h2>
      {stepsForgotten + hidden > 0 && <p class="note">{count(stepsForgotten + hidden)} older steps are not shown.</p>}
      {steps.length === 0 && <p class="note">Nothing has happened since this page is watched.</p>}
      <ol class="history">
        {steps.slice(hidden).map((_, index) => (
          <HistoryStep key={stepsForgotten + hidden + index} steps={steps} index={hidden + index} start={start} />
        ))}
      </ol>
    </section>
  );
}

interface HistoryStepProps {
  readonly steps: readonly StepInfo[];
  readonly index: number;
  readonly start: number;
}

function HistoryStep({ steps, index, start }: HistoryStepProps) {
  const { at, who, machine, from, event, to, commands } = steps[index] as StepInfo;
  return (
    <li class={`of-${machine}`}>
      <time title={clockMs(at)}>+{since(at - start)}</time>
      <p class="words">{capital(stepWords(steps, index))}</p>
      <p class="step mono">
        {who}: {from === '' ? '·' : from} → {to} <span class="note">({eventText(event)})</span>
        <Emitted commands={commands} />
      </p>
    </li>
  );
}

/** What a machine of the user's has emitted in a step. */
export function Emitted({ commands }: Pick<StepInfo, 'commands'>) {
  if (!Array.isArray(commands) || commands.length === 0) return null;
  return <span class="emitted"> emits {commands.join(', ')}</span>;
}

export const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
