// @ts-check
/** What the commands of this directory are asked: a flag that there is not is said in one line, with what there is. */
import { parseArgs } from 'node:util';

/**
 * @template {NonNullable<import('node:util').ParseArgsConfig['options']>} O
 * @param {{ options: O }} config
 * @param {string} usage
 * @returns {ReturnType<typeof parseArgs<{ options: O, allowPositionals: true }>>}
 */
export function argumentsOf(config, usage) {
  try {
    return parseArgs({ ...config, allowPositionals: /** @type {const} */ (true) });
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message.split('. To specify')[0]}. Usage: ${usage}`);
    return process.exit(2);
  }
}
