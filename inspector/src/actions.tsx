import { useRef, useState } from 'preact/hooks';
import type { ActionRequest } from '../../src/inspect/protocol.js';
import { api } from './api.js';
import { Store } from './store.js';

/** Said to everybody, aloud as well. */
export const notice = new Store('');

const TEXT: Readonly<Record<ActionRequest['action'], readonly [name: string, question: string, what: string]>> = {
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

/** A button that asks before it does anything. */
export function Act({ action, id }: ActionRequest) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [name, question, what] = TEXT[action];
  const act = async (): Promise<void> => {
    setBusy(true);
    try {
      await api.act({ action, id });
      notice.value = `${id}: ${name.toLowerCase()} was asked for.`;
    } catch (error) {
      notice.value = `${id}: ${name.toLowerCase()} was refused: ${(error as Error).message}`;
    }
    setBusy(false);
    dialog.current?.close();
  };
  const isGrave = action !== 'suspend' && action !== 'resume' && action !== 'retry';
  return (
    <>
      <button type="button" class={isGrave ? 'danger' : ''} onClick={() => dialog.current?.showModal()}>
        {name}
      </button>
      <dialog ref={dialog} aria-label={`${question} ${id}?`}>
        <h2>
          {question} <span class="mono">{id}</span>?
        </h2>
        <p>{what}</p>
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
