/**
 * Unix socket paths. Node removes a path that it has bound when the server closes, also if another process owns the path by then. So
 * the socket is bound under a name of its own and linked to the path, which fails if the path exists; on close the
 * path is removed only while it is still ours.
 */
import { connect } from 'node:net';
import { builtin } from '../builtin.js';

/** The right to remove a path: which file it led to when it was bound. */
export interface PathLock {
  readonly path: string;
  readonly inode: number;
}

let serial = 0;

/** A name beside the path to bind, in the same folder, so that it can be linked. */
export function bindingName(path: string): string {
  serial += 1;
  return `${path}.${process.pid}.${serial}`;
}

/** Windows pipes and Linux's abstract sockets are no files. */
export function isFile(path: string): boolean {
  return process.platform !== 'win32' && !path.startsWith('\0');
}

/** Gives a bound socket its path. A path that nothing answers on is stale and taken over. */
export async function lockPath(bound: string, path: string): Promise<PathLock> {
  const { ino: inode } = builtin.fs.lstatSync(bound);
  try {
    builtin.fs.linkSync(bound, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const stale = builtin.fs.lstatSync(path);
    if (!stale.isSocket() || (await answers(path))) throw inUse(path);
    // Only the file that was asked is removed: another process may have been faster.
    if (inodeOf(path) === stale.ino) builtin.fs.unlinkSync(path);
    try {
      builtin.fs.linkSync(bound, path);
    } catch {
      throw inUse(path);
    }
  } finally {
    try {
      builtin.fs.rmSync(bound, { force: true });
    } catch {
      // Node removes it when the server closes.
    }
  }
  return { path, inode };
}

/** Removes the path if it is still ours. */
export function unlockPath({ path, inode }: PathLock): void {
  if (inodeOf(path) === inode) builtin.fs.unlinkSync(path);
}

/** Which file a path leads to; nothing if it is gone. */
function inodeOf(path: string): number | undefined {
  return builtin.fs.lstatSync(path, { throwIfNoEntry: false })?.ino;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // A full backlog (EAGAIN) is an answer; only a refusal says that no process listens.
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

function inUse(path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${path} is in use`), { code: 'EADDRINUSE', syscall: 'listen' });
}
