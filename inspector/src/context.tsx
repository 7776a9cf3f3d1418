import type { Told } from '../../src/inspect/protocol.js';

interface Props {
  readonly told: Told;
  /** What it was before; fields that differ are marked. */
  readonly before?: Told | undefined;
}

/** What an instance of a user's machine remembers: all of it is text. */
export function Context({ told, before }: Props) {
  if ('problem' in told) return <p class="note">The context is not shown: {told.problem}.</p>;
  const fields = fieldsOf(told);
  const old = before === undefined ? undefined : new Map(fieldsOf(before));
  if (fields.length === 0) return <p class="note">The context is empty.</p>;
  return (
    <table class="plain context">
      <thead>
        <tr>
          <th scope="col">field</th>
          <th scope="col">value</th>
        </tr>
      </thead>
      <tbody>
        {fields.map(([name, text]) => {
          const isNew = old !== undefined && old.get(name) !== text;
          return (
            <tr key={name} class={isNew ? 'changed' : undefined}>
              <th scope="row" class="mono">
                {name}
                {isNew && <span class="note"> changed</span>}
              </th>
              <td>
                <pre>{text}</pre>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The fields of a context with their values as text. A recording may have anything in it. */
function fieldsOf(told: Told): (readonly [name: string, text: string])[] {
  const value: unknown = 'value' in told ? told.value : undefined;
  if (typeof value !== 'object' || value === null) return value === undefined ? [] : [['', textOf(value)]];
  return Object.entries(value).map(([name, field]) => [name, textOf(field)]);
}

const textOf = (value: unknown): string => JSON.stringify(value, null, 2);
