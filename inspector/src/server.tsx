/** One server: how it is and why, what it got and what failed, its checks, and what an operator may ask of it. */
import { useRef, useState } from 'preact/hooks';
import type { ActionRequest, ServerAction, ServerDetail, ServerRow } from '../../src/inspect/protocol.js';
import { Ask } from './actions.js';
import { api } from './api.js';
import { CheckBars, CheckList } from './checks.js';
import { capital, Fact, Why } from './connection.js';
import { useDetail } from './detail.js';
import { Since, Until } from './elapsed.js';
import { clock, count } from './format.js';
import { servers } from './live.js';
import { percent, placesText, StateChip } from './servers.js';
import { latelyOf } from './servers-news.js';
import { Statechart } from './statechart.js';
import { useStore } from './store.js';

const never = (): boolean => false;

export function ServerPage({ id }: { readonly id: string }) {
  const { detail, problem, readAt } = useDetail(id, api.server, never);
  if (detail === undefined) return <p class="note">{problem === '' ? 'Reading…' : problem}</p>;
  return <Shown detail={detail} problem={problem} readAt={readAt} />;
}

interface ShownProps {
  readonly detail: ServerDetail;
  readonly problem: string;
  readonly readAt: number;
}

function Shown({ detail, problem, readAt }: ShownProps) {
  const { server, instances, actions } = detail;
  const { name, state, since, endsAt, checks } = server;
  const [chosen, setChosen] = useState('server');
  const instance = instances.find(({ machine }) => machine === chosen) ?? instances[0];
  const isGone = problem !== '';
  return (
    <>
      <div class="toolbar">
        <h1>
          <span class="mono">{name}</span>
        </h1>
        <StateChip state={state} />
        {since !== undefined && !isGone && (
          <span class="note">
            since {clock(since)}, for <Since at={since} />
          </span>
        )}
        {isGone && <span class="note bad">{problem}</span>}
        <span class="grow" />
        {!isGone && actions.length > 0 && <Actions server={server} actions={actions} />}
      </div>
      <section class="card" aria-labelledby="state-title">
        <h2 id="state-title">Why it is {state}</h2>
        <p class="why reason-line">
          {capital(server.why)}.
          {endsAt !== undefined && !isGone && (
            <>
              {' '}
              <b>
                {ENDS[state] ?? 'This ends'} <Until at={endsAt} />
              </b>{' '}
              <span class="note">at {clock(endsAt)}</span>
            </>
          )}
        </p>
        {server.recovery !== undefined && <SlowStart recovery={server.recovery} />}
        <LastFailure server={server} />
      </section>
      <Facts detail={detail} />
      <div class="columns even">
        <div class="stack">
          <section class="card" aria-labelledby="checks-title">
            <div class="bar-of-tabs">
              <h2 id="checks-title">Checks</h2>
              {server.nextCheckAt !== undefined && !isGone && (
                <span class="note">
                  the next one <Until at={server.nextCheckAt} />
                </span>
              )}
            </div>
            {checks === undefined ? (
              <p class="note">It is not checked.</p>
            ) : checks.length === 0 ? (
              <p class="note">The first check is still to come.</p>
            ) : (
              <>
                <CheckBars checks={checks} />
                <CheckList checks={checks} />
              </>
            )}
          </section>
          <Changes detail={detail} />
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
              <>
                <Why instance={instance} readAt={readAt} isOver={isGone} />
                <Statechart machine={instance.machine} current={instance.state} isLarge />
              </>
            )}
          </section>
        </div>
      </div>
    </>
  );
}

/** What ends, by the state. */
const ENDS: Readonly<Record<string, string>> = {
  ejected: 'It is tried again',
  excluded: 'It is tried again',
  recovering: 'It has its full share',
  removing: 'Its sessions are cut',
  leaving: 'Its sessions are cut',
};

function SlowStart({ recovery }: { readonly recovery: number }) {
  return (
    <p>
      Slow start: <progress max={1} value={recovery} aria-label="Slow start" /> {percent(recovery)} of its time is over
    </p>
  );
}

function LastFailure({ server: { failure, failedAt, why } }: { readonly server: ServerRow }) {
  if (failure === undefined || failedAt === undefined) return <p class="note">Nothing has failed there.</p>;
  return (
    <p>
      <span class="note">
        Last failure, <Since at={failedAt} /> ago at {clock(failedAt)}:
      </span>{' '}
      {failure === why ? 'the same' : failure}.
    </p>
  );
}

const number = (value: number | undefined): string => (value === undefined ? '' : count(value));

function Facts({ detail: { server, set } }: { readonly detail: ServerDetail }) {
  const known = useStore(servers);
  const lately = known && latelyOf(known, server);
  const { weight, share, waiting, chosen, failed, failures, ejections, backup } = server;
  return (
    <dl class="tiles facts">
      <Fact name="connections" value={placesText(server)} />
      <Fact name="waiting for it alone" value={number(waiting)} />
      <Fact name="waiting in its set" value={number(set.waiting)} />
      <Fact name={backup === true ? 'weight (a spare)' : 'weight'} value={number(weight)} />
      <Fact name="share by weight" value={share === undefined ? '' : percent(share)} />
      <Fact name="share, last half minute" value={lately === undefined ? '' : percent(lately)} />
      <Fact name="chosen" value={number(chosen)} />
      <Fact name="failed attempts" value={`${number(failed)}${failures > 0 ? `, ${count(failures)} in a row` : ''}`} />
      <Fact name="recent ejections" value={number(ejections)} />
    </dl>
  );
}

function Changes({ detail: { changes } }: { readonly detail: ServerDetail }) {
  return (
    <section class="card" aria-labelledby="changes-title">
      <h2 id="changes-title">What has happened, newest first</h2>
      <ol class="history">
        {changes.toReversed().map(({ at, from, to, why }) => (
          <li key={`${at} ${to}`}>
            <time>{clock(at)}</time>
            <p class="words">
              {capital(why)} <span class="note">{from === '' ? '' : `${from} → `}</span>
              <StateChip state={to} />
            </p>
          </li>
        ))}
      </ol>
    </section>
  );
}

type Text = readonly [name: string, question: string, what: string];

const TEXT: Readonly<Record<ServerAction, Text>> = {
  drain: [
    'Drain',
    'Drain',
    'It gets no new connections. Those that it has go on, and so do its checks. Undo it by “Take back”.',
  ],
  maintain: [
    'Maintenance',
    'Put into maintenance',
    'It gets no new connections, and it is not checked. Those that it has go on, unless the program cuts them (onDown). Undo it by “Take back”.',
  ],
  up: ['Take back', 'Take back', 'It may get new connections again, as its checks and its traffic say.'],
  restore: ['Restore', 'Restore', 'What its traffic has told against it is forgotten: it may be chosen at once.'],
  weight: ['Weight…', 'Change the weight of', 'Its part of the new connections, next to the weights of the others.'],
};

interface ActionsProps {
  readonly server: ServerRow;
  readonly actions: ServerDetail['actions'];
}

function Actions({ server, actions }: ActionsProps) {
  const problems = actions.filter(({ problem }) => problem !== undefined);
  return (
    <div class="server-actions">
      <p class="actions">
        {actions.map(({ action, problem }) =>
          action === 'weight' ? (
            <Weight key={action} server={server} isDisabled={problem !== undefined} />
          ) : (
            <Plain key={action} action={action} server={server} isDisabled={problem !== undefined} />
          ),
        )}
      </p>
      {problems.map(({ action, problem }) => (
        <p key={action} id={`not-${action}`} class="note">
          {TEXT[action][0].replace('…', '')}: {problem?.replaceAll('`', '')}
        </p>
      ))}
    </div>
  );
}

interface ActionProps {
  readonly server: ServerRow;
  readonly isDisabled: boolean;
}

function Plain({ action, server: { id, name }, isDisabled }: ActionProps & { readonly action: ServerAction }) {
  const [button, question, what] = TEXT[action];
  return (
    <Ask
      request={() => ({ action, id })}
      name={button}
      question={question}
      of={name}
      isGrave={action === 'drain' || action === 'maintain'}
      isDisabled={isDisabled}
      describedBy={isDisabled ? `not-${action}` : undefined}
    >
      <p>{what}</p>
    </Ask>
  );
}

function Weight({ server: { id, name, weight }, isDisabled }: ActionProps) {
  const input = useRef<HTMLInputElement>(null);
  const [button, question, what] = TEXT.weight;
  const request = (): ActionRequest => {
    const text = input.current?.value.trim() ?? '';
    // What is no number is refused in the words of the program, as any other weight that cannot be.
    return { action: 'weight', id, weight: text === '' ? Number.NaN : Number(text) };
  };
  return (
    <Ask
      request={request}
      name={button}
      question={question}
      of={name}
      isDisabled={isDisabled}
      describedBy={isDisabled ? 'not-weight' : undefined}
    >
      <p>{what}</p>
      <p>
        <label>
          From 0 (no new connections) to 256:{' '}
          <input ref={input} type="text" inputMode="numeric" size={4} defaultValue={String(weight ?? '')} />
        </label>
      </p>
    </Ask>
  );
}
