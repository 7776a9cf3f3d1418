/** What a page saves to a file: itself as one HTML file with the last steps in it, and the recording. */
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { exportPage } from './assets.js';
import type { Observer } from './observer.js';
import { now } from './plain.js';
import type { RecordedLine } from './protocol.js';
import { headOf, type Recorder } from './record.js';
import { closeParts, lastLines, openParts, type Part } from './recording.js';
import { Refusal } from './requests.js';

/** Steps in an export. */
const EXPORT_MAX = 50_000;

/** Sends the page as one file. @param lines the steps that it shows @param pictures of users' machines */
export async function sendPage(
  response: ServerResponse,
  lines: readonly RecordedLine[],
  pictures: Readonly<Record<string, string>>,
): Promise<void> {
  const page = await exportPage(lines, pictures);
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-disposition': 'attachment; filename="sockchart.html"',
  });
  response.end(page);
}

/** The end of the recording; without one, the last steps that are remembered. */
export async function newestLines(observer: Observer, recorder: Recorder | undefined): Promise<RecordedLine[]> {
  if (recorder === undefined) {
    const steps = observer.lastSteps(EXPORT_MAX);
    const missing = observer.transitions - steps.length;
    const gap = missing > 0 ? [{ at: observer.since, missing }] : [];
    return [headOf(observer.since), ...gap, ...steps, { at: now(), end: steps.length }];
  }
  await recorder.flush();
  const lines = await lastLines(recorder.file, EXPORT_MAX);
  // The recording goes on, but nothing is missing here.
  if (recorder.error === undefined && !('end' in (lines.at(-1) as object)))
    lines.push({ at: now(), end: recorder.steps });
  return lines;
}

/** Sends all files of the recording, one after the other. */
export async function sendRecording(response: ServerResponse, recorder: Recorder | undefined): Promise<void> {
  if (recorder === undefined) throw new Refusal(404, 'Nothing is being recorded.');
  await recorder.flush();
  const parts = await openParts(recorder.file);
  try {
    response.writeHead(200, {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': 'attachment; filename="sockchart.jsonl"',
    });
    await pipeline(bytesOf(parts), response);
  } finally {
    await closeParts(parts);
  }
}

/** The bytes of all files, as one stream: a pipeline for each file would add its listeners to the response each time. */
async function* bytesOf(parts: readonly Part[]): AsyncGenerator<Buffer> {
  for (const { handle } of parts) yield* handle.createReadStream({ start: 0, autoClose: false });
}
