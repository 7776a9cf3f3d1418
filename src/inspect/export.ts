import { realpath, stat, writeFile } from 'node:fs/promises';
import type { AnyStateMachine } from 'xstate';
import { OptionError } from '../errors.js';
import { onlyKnown } from '../options.js';
import { exportPage } from './assets.js';
import { Drawings } from './drawings.js';
import { checkMachines } from './own-machines.js';
import { closeParts, isRecording, lastLines, openParts } from './recording.js';

/** What an export has, and has not. */
export interface Exported {
  /** Steps that it shows. */
  readonly steps: number;
  /** Steps that were recorded and are in no file any more, or that the recorder had to leave out. */
  readonly missing: number;
  /** False where the recorder was not stopped: the process has died, or still records. */
  readonly hasEnd: boolean;
}

/** Options of {@link exportRecording}. */
export interface ExportOptions {
  /** Machines of your own, so that their pictures are in the page; to draw them needs the package `elkjs`. */
  readonly machines?: readonly AnyStateMachine[] | undefined;
}

/**
 * Writes a recording as one HTML file that shows it and needs nothing else: to attach to a report, or to keep. All files of
 * the recording are read: `file`, and `<file>.1` and so on, as far as they belong to the same run.
 *
 * @param file what {@link record} has written
 * @param out the HTML file
 * @returns what is in it
 * @throws OptionError when `out` is a recording, also by another name, and for what is no machine
 * @throws NotSupportedError when a machine cannot be drawn, such as without `elkjs`
 * @throws Error when the file cannot be read, or is no recording
 * @example
 * ```ts
 * await exportRecording('run.jsonl', 'run.html', { machines: [doorMachine] });
 * ```
 */
export async function exportRecording(file: string, out: string, options: ExportOptions = {}): Promise<Exported> {
  onlyKnown('exportRecording', options, ['machines']);
  const drawings = new Drawings(checkMachines(options.machines));
  await refuseRecording(file, out);
  const lines = await lastLines(file, Number.MAX_SAFE_INTEGER);
  await writeFile(out, await exportPage(lines, await drawings.all()), { mode: 0o600 });
  const last = lines.at(-1) as object;
  return {
    steps: lines.filter((line) => 'who' in line).length,
    missing: lines.reduce((sum, line) => sum + ('missing' in line ? line.missing : 0), 0),
    hasEnd: 'end' in last,
  };
}

/** What was recorded must not be lost under its own page, nor another recording. */
async function refuseRecording(file: string, out: string): Promise<void> {
  const target = await stat(out).catch(() => undefined);
  if (target === undefined) return;
  const parts = await openParts(file);
  try {
    for (const { name, handle } of parts) {
      const { dev, ino } = await handle.stat();
      if (dev === target.dev && ino === target.ino) {
        throw new OptionError('out', out, `another file than the recording (${name})`);
      }
    }
  } finally {
    await closeParts(parts);
  }
  if (await isRecording(await realpath(out))) throw new OptionError('out', out, 'no recording');
}
