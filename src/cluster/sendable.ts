import { serialize } from 'node:v8';
import { OptionError } from '../errors.js';

/** @throws OptionError for options that cannot be sent to another process */
export function mustBeSendable(options: object, path = 'server'): void {
  if (options === null || typeof options !== 'object') throw new OptionError(path, options, 'an object of options');
  const expected = 'what can be sent to another process, since the workers of a cluster share the set';
  for (const [name, value] of Object.entries(options)) {
    try {
      serialize(value);
    } catch {
      throw new OptionError(`${path}.${name}`, value, expected);
    }
  }
}
