/** What a page may do to servers, where that is allowed. */
import { OptionError, SockchartError } from '../errors.js';
import type { Report } from '../machines/vocabulary.js';
import type { Charts } from './charts.js';
import { type ActionRequest, SERVER_ACTIONS, type ServerAction, type ServerDetail } from './protocol.js';
import type { LiveServer } from './registry.js';
import { Refusal } from './requests.js';

/** Why something is as an operator wanted it. */
export const BY_PAGE: Report = { initiator: 'owner', manner: 'command', code: 'page' };

type Able = Partial<Record<ServerAction, () => void>>;

/** What it can do, whatever its state. */
function ablesOf(server: LiveServer, weight: number | undefined): Able {
  return {
    ...(server.drain !== undefined && { drain: () => server.drain?.(BY_PAGE) }),
    ...(server.maintain !== undefined && { maintain: () => server.maintain?.(BY_PAGE) }),
    ...(server.up !== undefined && { up: () => server.up?.(BY_PAGE) }),
    ...(server.restore !== undefined && { restore: () => server.restore?.(BY_PAGE) }),
    ...(server.weight !== undefined && {
      weight: () => {
        server.weight = weight as number;
      },
    }),
  };
}

/** Each action that it can do at all, and why it makes no sense now, where it makes none. */
export function actionsOf(server: LiveServer, charts: Charts): ServerDetail['actions'] {
  const able = ablesOf(server, undefined);
  return SERVER_ACTIONS.filter((action) => able[action] !== undefined).map((action) => {
    const problem = problemOf(action, server, charts);
    return problem === undefined ? { action } : { action, problem };
  });
}

/** The machine says why it ignores a request. */
function problemOf(action: ServerAction, server: LiveServer, charts: Charts): string | undefined {
  // A change of the weight is no event: it makes sense while the server can be asked for anything.
  const event = `server.${action === 'weight' ? 'close' : action}`;
  if (server.accepts?.().includes(event) !== false) return undefined;
  return charts.stateText('server', server.state).ignored.get(event) || `It is ${server.state}.`;
}

/** @throws Refusal where it cannot be done */
export function performOnServer(server: LiveServer, { action, weight }: ActionRequest, charts: Charts): void {
  const asked = ablesOf(server, weight)[action as ServerAction];
  if (asked === undefined) throw new Refusal(409, `${server.name} cannot ${action}.`);
  const problem = problemOf(action as ServerAction, server, charts);
  if (problem !== undefined) throw new Refusal(409, `${server.name}: ${problem}`);
  try {
    asked();
  } catch (error) {
    if (error instanceof OptionError) throw new Refusal(400, error.message);
    if (error instanceof SockchartError) throw new Refusal(409, error.message);
    throw error;
  }
}
