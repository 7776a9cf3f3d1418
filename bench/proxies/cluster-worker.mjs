/** What each worker of the cluster runs. */
import { createProxy } from 'sockchart';
import { optionsOf } from './options.mjs';

/** @param {import('sockchart/cluster').ModuleContext} context */
export default ({ data }) => createProxy(optionsOf(/** @type {import('./report.mjs').Task} */ (data)));
