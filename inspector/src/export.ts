/** A recording as one file to attach to a report: the page that the server exports, which carries its steps as data. */

interface Place {
  readonly start: number;
  readonly end: number;
}

function placeIn(page: string): Place {
  const start = page.indexOf('>', page.indexOf('id="recording"')) + 1;
  const end = page.indexOf('</script>', start);
  if (start === 0 || end < 0) throw new Error('there is no place for a recording in it');
  return { start, end };
}

/** Whatever the lines say, they cannot end the element that they are in. */
export function withLines(page: string, lines: readonly unknown[]): string {
  const { start, end } = placeIn(page);
  return page.slice(0, start) + JSON.stringify(lines).replaceAll('<', '\\u003c') + page.slice(end);
}

export function linesOf(page: string): readonly unknown[] {
  const { start, end } = placeIn(page);
  const lines: unknown = JSON.parse(page.slice(start, end));
  if (!Array.isArray(lines)) throw new Error('it carries no recording');
  return lines;
}
