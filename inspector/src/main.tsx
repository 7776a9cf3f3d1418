import { render } from 'preact';
import { App } from './app.js';
import { embed } from './drawing.js';
import { goLive } from './live.js';
import { recordingOf } from './recording.js';
import { openRecording } from './replay.js';

/** What a page without a server carries in itself. */
function carried(id: string): unknown {
  const text = document.querySelector(`script[type="application/json"]#${id}`)?.textContent;
  return text == null ? undefined : JSON.parse(text);
}

const lines = carried('recording');
const isExport = Array.isArray(lines);

if (isExport) {
  embed((carried('diagrams') ?? {}) as Record<string, unknown>);
  openRecording('this recording', recordingOf(lines));
} else {
  // The server has taken the token, and given a cookie for it: it need not stay where it can be read.
  if (location.search !== '') history.replaceState(undefined, '', location.pathname + location.hash);
  goLive();
}

const root = document.querySelector('#app');
if (root !== null) render(<App isExport={isExport} />, root);
