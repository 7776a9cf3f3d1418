// @ts-check
/**
 * Writes the whole public API as text into api.md: for each entry point, every name that it exports and every type
 * that those refer to, unless an earlier entry point has shown it, as the published declarations say it, without comments. With `--check` it writes nothing, and fails if
 * api.md is not what it would write. So a change of the API is seen in the diff, and none happens unnoticed.
 *
 * Run it after the build: it reads dist/.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { api } from './api/declarations.mjs';

const API = new URL('../api.md', import.meta.url);

const sections = api.map(({ name, declarations }) => `## ${name}\n\n\`\`\`ts\n${declarations.join('\n\n')}\n\`\`\`\n`);
const text = `# The public API\n\nWritten by \`npm run api\` from the published declarations.\n\n${sections.join('\n')}`;

if (!process.argv.includes('--check')) writeFileSync(API, text);
else if (readFileSync(API, 'utf8') !== text) {
  console.error('api.md: the public API has changed. If it was meant to, run: npm run api');
  process.exitCode = 1;
}
