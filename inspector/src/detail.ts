/** Follows one thing of the page: its server is asked once a second. What was known of something that is gone stays. */
import { useEffect, useState } from 'preact/hooks';
import { Refused } from './api.js';

const REFRESH_MS = 1_000;

interface Detail<T> {
  readonly detail?: T;
  /** Why there is nothing newer. */
  readonly problem: string;
  readonly readAt: number;
}

const NOTHING: Detail<never> = { problem: '', readAt: 0 };

/** @param isOver nothing of it changes any more */
export function useDetail<T>(
  id: string,
  ask: (id: string, signal: AbortSignal) => Promise<T>,
  isOver: (detail: T) => boolean,
): Detail<T> {
  const [state, setState] = useState<Detail<T>>(NOTHING);
  useEffect(() => {
    setState(NOTHING);
    const aborter = new AbortController();
    let timer: number | undefined;
    const read = async (): Promise<void> => {
      try {
        const detail = await ask(id, aborter.signal);
        setState({ detail, problem: '', readAt: performance.now() });
        if (isOver(detail)) return;
      } catch (error) {
        if (aborter.signal.aborted) return;
        const isGone = error instanceof Refused && error.status === 404;
        const problem = isGone
          ? 'It is gone, and no longer remembered.'
          : `It could not be read: ${(error as Error).message}`;
        setState((before) => ({ ...before, problem }));
        if (isGone) return;
      }
      timer = window.setTimeout(next, REFRESH_MS);
    };
    const next = (): void => {
      if (document.visibilityState === 'visible') void read();
      else timer = window.setTimeout(next, REFRESH_MS);
    };
    void read();
    return () => {
      aborter.abort();
      window.clearTimeout(timer);
    };
  }, [id, ask, isOver]);
  return state;
}
