/** A small XML reader for tests: it takes elements, attributes and text, and throws at what is not well-formed. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

function unescaped(text: string): string {
  if (/<|&(?!(?:amp|lt|gt|quot);)/.test(text)) throw new Error(`not escaped: ${text}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML allows none of these.
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text))
    throw new Error(`not a character of XML: ${JSON.stringify(text)}`);
  return text.replace(/&(\w+);/g, (_, name: string) => NAMED[name] ?? '');
}

/** The root of a document. */
export function parseXml(source: string): Element {
  const open: Element[] = [{ name: '', attributes: {}, children: [], text: '' }];
  for (const [token, tag, text = ''] of source.matchAll(/<!--.*?-->|<([^>]*)>|([^<]+)|</gs)) {
    const parent = open.at(-1) as Element;
    if (token.startsWith('<!--')) continue;
    if (tag === undefined) {
      parent.text += unescaped(token === '<' ? token : text);
    } else if (tag.startsWith('/')) {
      if (parent.name !== tag.slice(1)) throw new Error(`<${tag}> closes <${parent.name}>`);
      open.pop();
    } else {
      const [, name, given = '', closed] = /^([\w:-]+)((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)$/.exec(tag) ?? [];
      if (name === undefined) throw new Error(`no tag: ${token}`);
      const attributes: Record<string, string> = {};
      for (const [, key = '', value = ''] of given.matchAll(/([\w:-]+)="([^"]*)"/g)) {
        if (key in attributes) throw new Error(`${key} twice: ${token}`);
        attributes[key] = unescaped(value);
      }
      const element = { name, attributes, children: [], text: '' };
      parent.children.push(element);
      if (closed === '') open.push(element);
    }
  }
  const [document, ...more] = open as [Element, ...Element[]];
  const [root, ...others] = document.children;
  if (more.length > 0 || root === undefined || others.length > 0 || document.text.trim() !== '')
    throw new Error('not exactly one root that is closed');
  return root;
}

/** The element and all inside it. */
export const allOf = (element: Element): Element[] => [element, ...element.children.flatMap(allOf)];
