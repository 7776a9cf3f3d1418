import type { Marks } from './drawing.js';
import { compact, count, rate } from './format.js';

/** A machine that is not drawn: its states, and the transitions that were taken. */
export function ChartTable({ machine, counts = {}, rates = [], current }: Marks & { readonly machine: string }) {
  const states = Object.entries(counts).filter(([state, instances]) => instances > 0 || state === current);
  if (current !== undefined && counts[current] === undefined) states.push([current, 1]);
  const taken = rates.filter(({ total, rate: perSecond }) => (total ?? 0) > 0 || perSecond > 0);
  return (
    <>
      <table class="plain">
        <caption class="sr-only">States of {machine}</caption>
        <thead>
          <tr>
            <th scope="col">state</th>
            <th scope="col" class="number">
              instances
            </th>
          </tr>
        </thead>
        <tbody>
          {states.map(([state, instances]) => (
            <tr key={state}>
              <th scope="row" class="mono">
                {state} {state === current && <span class="note">now</span>}
              </th>
              <td class="number">{compact(instances)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {taken.length > 0 && (
        <table class="plain">
          <caption class="sr-only">Transitions of {machine}</caption>
          <thead>
            <tr>
              <th scope="col">transition</th>
              <th scope="col">event</th>
              <th scope="col" class="number">
                taken
              </th>
              <th scope="col" class="number">
                per second
              </th>
            </tr>
          </thead>
          <tbody>
            {taken.map(({ from, event, to, total, rate: perSecond }, index) => (
              <tr key={`${index} ${from} ${event} ${to}`}>
                <th scope="row" class="mono">
                  {from === '' ? '·' : from} → {to}
                </th>
                <td class="mono">{event}</td>
                <td class="number">{total === undefined ? '' : count(total)}</td>
                <td class="number">{rate(perSecond)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
