// @ts-check
/** What each worker of cluster.mjs runs. */
import { createProxy } from 'sockchart';

/** @param {import('sockchart/cluster').ModuleContext<{ servers: { host: string, port: number }[] }>} context */
export default ({ data: { servers } }) => createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers });
