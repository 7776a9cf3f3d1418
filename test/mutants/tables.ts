/**
 * The rows of the adapters' tables, each of which may do nothing: what a command does, and who hears what a socket or a
 * server reports. Their source is changed on the way to the tests, so that `SOCKCHART_MUTANT` chooses a row.
 */
import { readFileSync } from 'node:fs';

export interface Row {
  /** What is wrong: `backend adapter: socket.open does nothing`. */
  readonly id: string;
  /** The adapter: that of a machine, or what those of both socket kinds share. */
  readonly part: string;
}

const FILES: readonly (readonly [part: string, file: string])[] = [
  ['backend', 'src/adapters/backend.ts'],
  ['client', 'src/adapters/client.ts'],
  ['listener', 'src/adapters/listener.ts'],
  ['check', 'src/checks/checks.ts'],
  ['name', 'src/upstream/server-name.ts'],
  ['session', 'src/proxy/session.ts'],
  ['proxy', 'src/proxy/proxy.ts'],
  ['socket', 'src/adapters/socket-handle.ts'],
  ['socket', 'src/sockets/socket.ts'],
];

/** `      'socket.end': (handle) => handle.endSocket(),` */
const COMMAND = /^( {2,6}'([\w.]+)': )(\([^)]*\) => .+),$/gm;
/** `  socket.on('error', onError);` */
const LISTENER = /^( +)((?:socket|this\.#server)\.on\((.+), (?:this\.#)?(on\w+)\);)$/gm;

const isWanted = (id: string): string => `process.env.SOCKCHART_MUTANT === ${JSON.stringify(id)}`;

/** The source of an adapter, with a choice at every row; nothing for any other file. */
export function withChoices(path: string, source: string, found: (row: Row) => void = () => {}): string | undefined {
  const [part] = FILES.find(([, file]) => path.endsWith(`/${file}`)) ?? [];
  if (part === undefined) return undefined;
  const idOf = (what: string): string => {
    const id = `${part} adapter: ${what}`;
    found({ id, part });
    return id;
  };
  return source
    .replace(COMMAND, (_row, name: string, command: string, does: string) => {
      return `${name}${isWanted(idOf(`${command} does nothing`))} ? () => {} : ${does},`;
    })
    .replace(LISTENER, (_row, indent: string, listens: string, event: string, listener: string) => {
      const name = /^'\w+'$/.test(event) ? event.slice(1, -1) : listener.slice(2).toLowerCase();
      return `${indent}if (!(${isWanted(idOf(`nobody hears ${name}, of ${listener}`))})) ${listens}`;
    });
}

/** All rows, in their order. */
export function rows(): Row[] {
  const list: Row[] = [];
  for (const [, file] of FILES) {
    withChoices(`/${file}`, readFileSync(file, 'utf8'), (row) => list.push(row));
  }
  return list;
}
