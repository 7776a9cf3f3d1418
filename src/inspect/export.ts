import { writeFile } from 'node:fs/promises';
import { exportPage } from './assets.js';
import { lastLines } from './record.js';

/**
 * Writes a recording as one HTML file that shows it and needs nothing else: to attach to a report, or to keep.
 *
 * @param file what {@link record} has written
 * @param out the HTML file
 * @throws Error when the file cannot be read, or is no recording
 */
export async function exportRecording(file: string, out: string): Promise<void> {
  const lines = await lastLines([file], Number.MAX_SAFE_INTEGER);
  await writeFile(out, await exportPage(lines), { mode: 0o600 });
}
