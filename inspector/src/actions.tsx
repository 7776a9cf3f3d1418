import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { ActionRequest, ServerAction } from '../../src/inspect/protocol.js';
import { api } from './api.js';
import { Store } from './store.js';

/** Said to everybody, aloud as well. */
export const notice = new Store('');

type Action = Exclude<ActionRequest['action'], Exclude<ServerAction, 'drain'>>;

const TEXT: Readonly<Record<Action, readonly [name: string, question: string, what: string]>> = {
  close: [
    'Close',
    'Close',
    'It may say what it has to say within its close timeout; then it is cut. A close is final.',
  ],
  abort: ['Abort', 'Abort', 'It is cut at once, with a reset: bytes that are under way are lost.'],
  drain: ['Drain', 'Drain', 'It takes no more clients, and ends when the last one has left. That cannot be undone.'],
  suspend: ['Suspend', 'Suspend', 'It stops listening. Those that are connected stay, and it can be resumed.'],
  resume: ['Resume', 'Resume', 'It listens again, where it did before.'],
  stop: [
    'Stop',
    'Stop',
    'It ends where it is, without an exit action: its timers are cleared, and its actors are stopped. A socket that it is attached to is reset.',
  ],
  retry: ['Retry now', 'Retry', 'The wait before the next attempt is cut short.'],
};

/** A button that asks before it does anything to a connection, a listener or a proxy. */
export function Act({ action, id }: { readonly action: Action; readonly id: string }) {
  const [name, question, what] = TEXT[action];
  const isGrave = action !== 'suspend' && action !== 'resume' && action !== 'retry';
  return (
    <Ask request={() => ({ action, id })} name={name} question={question} of={id} isGrave={isGrave}>
      <p>{what}</p>
    </Ask>
  );
}

interface AskProps {
  /** What is asked of the server of the page, once the user has agreed. */
  readonly request: () => ActionRequest;
  readonly name: string;
  readonly question: string;
  /** What it is done to. */
  readonly of: string;
  readonly isGrave?: boolean;
  readonly isDisabled?: boolean;
  readonly describedBy?: string | undefined;
  /** What it does. */
  readonly children: ComponentChildren;
}

/** A button with a dialog, which stays open, and says why, if it is refused. */
export function Ask({
  request,
  name,
  question,
  of,
  isGrave = false,
  isDisabled = false,
  describedBy,
  children,
}: AskProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const act = async (): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      await api.act(request());
      notice.value = `${of}: ${name.toLowerCase()} was asked for.`;
      dialog.current?.close();
    } catch (error) {
      setProblem(`It was refused: ${(error as Error).message}`);
    }
    setBusy(false);
  };
  return (
    <>
      <button
        type="button"
        class={isGrave ? 'danger' : ''}
        disabled={isDisabled}
        aria-describedby={describedBy}
        onClick={() => {
          setProblem('');
          dialog.current?.showModal();
        }}
      >
        {name}
      </button>
      <dialog ref={dialog} aria-label={`${question} ${of}?`}>
        <h2>
          {question} <span class="mono">{of}</span>?
        </h2>
        {children}
        {problem !== '' && (
          <p class="bad" role="alert">
            {problem}
          </p>
        )}
        <p class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="button" class={isGrave ? 'danger primary' : 'primary'} disabled={isBusy} onClick={act}>
            {name}
          </button>
        </p>
      </dialog>
    </>
  );
}
