/** What a page may do to connections, proxies and instances of users' machines, where that is allowed. */
import { NotSupportedError, SockchartError } from '../errors.js';
import type { OwnRun } from '../runtime/roster.js';
import type { handleOf } from './connections.js';
import { type ActionRequest, SERVER_ACTIONS } from './protocol.js';
import { Refusal } from './requests.js';

const ACTIONS: readonly ActionRequest['action'][] = [
  ...new Set(['close', 'abort', 'drain', 'suspend', 'resume', 'retry', 'stop', ...SERVER_ACTIONS] as const),
];

/** @throws Refusal where the body is no action */
export function actionOf(body: string): ActionRequest {
  let read: Partial<ActionRequest> | null;
  try {
    read = JSON.parse(body);
  } catch {
    throw new Refusal(400, 'This is no JSON.');
  }
  const { action, id, weight } = read ?? {};
  if (action === undefined || !ACTIONS.includes(action) || typeof id !== 'string') {
    throw new Refusal(400, `An action is { action, id }, where action is one of ${ACTIONS.join(', ')}.`);
  }
  if (action === 'weight' && typeof weight !== 'number') {
    throw new Refusal(400, 'The weight is a whole number from 0 to 256.');
  }
  return action === 'weight' ? { action, id, weight } : { action, id };
}

type AnyHandle = NonNullable<ReturnType<typeof handleOf>>;
type Method = 'close' | 'abort' | 'suspend' | 'resume' | 'retryNow';
type Able = Partial<Record<Method, () => unknown>>;

const METHODS: Partial<Record<ActionRequest['action'], Method>> = {
  close: 'close',
  abort: 'abort',
  drain: 'close',
  suspend: 'suspend',
  resume: 'resume',
  retry: 'retryNow',
};

/** @throws Refusal where it cannot be done */
export function perform(action: ActionRequest['action'], handle: AnyHandle): void {
  // It is the backend that waits for its next attempt.
  const asked: Able = action === 'retry' && 'backend' in handle ? (handle.backend as Able) : (handle as Able);
  const name = METHODS[action];
  const method = name === undefined ? undefined : asked[name];
  try {
    if (method === undefined || (action === 'drain' && !('sessions' in handle))) {
      throw new NotSupportedError(`${handle.id} cannot ${action}.`);
    }
    // The page shows how it ends.
    Promise.resolve(method.call(asked)).catch(() => {});
  } catch (error) {
    if (error instanceof SockchartError) throw new Refusal(409, error.message);
    throw error;
  }
}

/** Ends an instance of a user's machine: by its host, which knows what belongs to it, or by itself. @throws Refusal for another action */
export function performOn(action: ActionRequest['action'], run: OwnRun): void {
  const { host } = run;
  if (action !== 'stop') throw new Refusal(409, `${host.id} cannot ${action}: it can be stopped.`);
  if (host.abort === undefined) run.stop();
  else Promise.resolve(host.abort()).catch(() => {});
}
