/** The live page and the recording of the program. */
import { OptionError, type TcpProxy } from '../index.js';
import {
  createInspectorServer,
  exportRecording,
  type InspectorServer,
  type PageAction,
  type Recorder,
  record,
} from '../inspect/index.js';
import { type ExportArgs, type InspectArgs, printable, StartError, UsageError } from './args.js';
import { findMachine } from './machine.js';
import { startErrorText } from './start-error.js';
import { plural } from './tally.js';
import type { Terminal } from './terminal.js';

/** What is asked for besides the proxy itself. */
interface Wanted {
  readonly inspect: InspectArgs | undefined;
  readonly record: string | undefined;
}

/** What watches a proxy of the program. */
export interface Watching {
  readonly page: InspectorServer | undefined;
  stop(): Promise<void>;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Begins to record; the page is served once there is a proxy to show.
 *
 * @throws UsageError when the file cannot be written, or is none of a recording
 */
export async function startRecording(file: string | undefined, terminal: Terminal): Promise<Recorder | undefined> {
  if (file === undefined) return undefined;
  try {
    const recorder = await record(file, {
      onError: ({ message }) => {
        const { steps } = recorder;
        terminal.warn(`the recording has stopped: ${message}; the first ${plural(steps, 'transition')} are in ${file}`);
      },
    });
    return recorder;
  } catch (error) {
    if (error instanceof OptionError) throw new UsageError(`--record: ${textOf(error)}`);
    throw new UsageError(`--record cannot write there: ${textOf(error)}.`);
  }
}

/** `live page: weight 5 of server 127.0.0.1:5432, from 127.0.0.1`. */
function actionText({ action, id, server, weight, from }: PageAction): string {
  const what = weight === undefined ? action : `${action} ${weight}`;
  return printable(`live page: ${what} of ${server === undefined ? id : `server ${server}`}, from ${from}`);
}

/**
 * Serves the page and prints its address.
 *
 * @throws UsageError for an option that cannot be right
 * @throws StartError when it cannot listen there
 */
export async function watching(
  { inspect, record: file }: Wanted,
  proxy: TcpProxy,
  recorder: Recorder | undefined,
  terminal: Terminal,
): Promise<Watching> {
  let page: InspectorServer | undefined;
  if (inspect !== undefined) {
    try {
      page = await createInspectorServer({
        ...inspect,
        proxies: [proxy],
        recorder,
        onAction: (action) => terminal.print(actionText(action)),
      });
    } catch (error) {
      if (error instanceof OptionError) throw new UsageError(`--inspect: ${textOf(error)}`);
      throw new StartError(`--inspect: ${startErrorText(error)}`);
    }
    terminal.print('', `live page (for one browser): ${page.url}`, '');
  }
  return {
    page,
    async stop() {
      await Promise.all([page?.close(), recorder?.stop()]);
      if (recorder === undefined) return;
      const { steps, missing, error } = recorder;
      if (error === undefined && missing > 0) {
        terminal.warn(`${plural(missing, 'transition')} missing in the recording: the disk is too slow`);
      }
      const until = error === undefined ? '' : ', until it stopped by itself';
      terminal.print(`recorded: ${plural(steps, 'transition')} in ${file}${until}`);
    },
  };
}

/** @returns the exit code */
export async function exportFile({ recording, page, machines: named }: ExportArgs): Promise<number> {
  const found = await Promise.all(named.map(findMachine));
  try {
    const { steps, missing, hasEnd } = await exportRecording(recording, page, {
      machines: found.map(({ machine }) => machine),
    });
    console.log(`written: ${printable(page)}, with ${plural(steps, 'transition')}`);
    if (missing > 0) console.warn(`${plural(missing, 'transition')} missing: in files that are gone, or never written`);
    if (!hasEnd) console.warn('the recording has no end: the process died, or it still records');
  } catch (error) {
    if (error instanceof OptionError) throw new UsageError(textOf(error));
    throw new StartError(textOf(error));
  }
  return 0;
}
