/** The files of the live page, and the page as one file. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { MACHINES } from './charts.js';
import type { RecordedLine } from './protocol.js';

/** What is said where the page is not found. */
export const NO_PAGE =
  'The live page is not found beside the library. In a clone "npm run build" makes it; a bundled program must leave the package sockchart out of its bundle (external).';

/** A file or a folder of the package: as far from the sources as from what is built. */
export function fileOf(path: string): URL | undefined {
  const relative = `../../${path}`;
  // A bundle may have no URL of its own, and must be imported all the same.
  return URL.canParse(relative, import.meta.url) ? new URL(relative, import.meta.url) : undefined;
}

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
};

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** By path: a file that is not here is not served. */
export type Assets = ReadonlyMap<string, Asset>;

/** Reads the page and the diagrams. There may be no page, where it was not built, and neither in a bundle. */
export async function readAssets(): Promise<Assets> {
  const assets = new Map<string, Asset>();
  const add = async (path: string, file: URL): Promise<void> => {
    const type = TYPES[file.pathname.slice(file.pathname.lastIndexOf('.') + 1)];
    if (type !== undefined) assets.set(path, { type, body: await readFile(file) });
  };
  const [page, diagrams] = [fileOf('dist/inspector/'), fileOf('diagrams/')];
  if (page === undefined || diagrams === undefined) return assets;
  const names = await readdir(page).catch(() => []);
  for (const name of names) await add(name === 'index.html' ? '/' : `/${name}`, new URL(name, page));
  for (const machine of MACHINES.keys()) {
    await add(`/diagrams/${machine}.svg`, new URL(`${machine}.svg`, diagrams)).catch(() => {});
  }
  return assets;
}

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing in it can end the script element that it stands in. */
const inData = (value: unknown): string =>
  JSON.stringify(value).replace(/[<\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
const inScript = (text: string): string =>
  text.replace(/<(?=\/script|script)/gi, '\\x3c').replaceAll('<!--', '\\x3c!--');
const inStyle = (text: string): string => text.replace(/<(?=\/style)/gi, '\\3c ');

/**
 * The page as one file that needs no server and asks for nothing: it runs its own script and no other.
 *
 * @param pictures of users' machines, by id
 * @throws Error when the page was not built
 */
export async function exportPage(
  lines: readonly RecordedLine[],
  pictures: Readonly<Record<string, string>>,
): Promise<string> {
  const assets = await readAssets();
  const textOf = (path: string): string => {
    const asset = assets.get(path);
    if (asset === undefined) throw new Error(NO_PAGE);
    return asset.body.toString('utf8');
  };
  let script = '';
  let style = '';
  const page = textOf('/')
    .replace(/<script\b[^>]*\bsrc="\.?(\/[^"]+)"[^>]*><\/script>/g, (_all, path: string) => {
      script = inScript(textOf(path));
      return '';
    })
    .replace(/<link\b[^>]*\brel="stylesheet"[^>]*\bhref="\.?(\/[^"]+)"[^>]*>/g, (_all, path: string) => {
      style = inStyle(textOf(path));
      return '';
    })
    .replace(/(<link\b[^>]*\brel="icon"[^>]*\bhref=")\.?(\/[^"]+)"/g, (_all, before: string, path: string) => {
      const icon = Buffer.from(textOf(path)).toString('base64');
      return `${before}data:image/svg+xml;base64,${icon}"`;
    });
  const library = [...MACHINES.keys()].map((machine) => [machine, textOf(`/diagrams/${machine}.svg`)] as const);
  const diagrams = Object.fromEntries([...library, ...Object.entries(pictures)]);
  const policy = [
    `default-src 'none'`,
    `script-src ${sha256(script)}`,
    `style-src ${sha256(style)}`,
    'img-src data: blob:',
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');
  const head = `<meta http-equiv="content-security-policy" content="${policy}">\n<style>${style}</style>`;
  const body = [
    `<script type="application/json" id="recording">${inData(lines)}</script>`,
    `<script type="application/json" id="diagrams">${inData(diagrams)}</script>`,
    `<script type="module">${script}</script>`,
  ].join('\n');
  return page
    .replace(/<meta charset="[^"]*">/, (charset) => `${charset}\n${head}`)
    .replace('</body>', () => `${body}\n</body>`);
}
