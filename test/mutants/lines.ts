/**
 * What can be wrong with plain code in one place: a comparison, a condition, a number, a call that is left out. All mutants
 * of a file are built into its source at once, each behind a choice, so that `SOCKCHART_MUTANT` chooses one, and each test
 * can say which of them it has reached.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseAst } from 'vite';

export interface Line {
  /** What is wrong, and where: `relay.ts: Relay.end: this.#ends++ → this.#ends--`. */
  readonly id: string;
  readonly part: string;
}

const sources = (folder: string, ...without: string[]): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && name !== 'index.ts' && !without.includes(name))
    .map((name) => `${folder}/${name}`);

/** The plain code of each part. */
export const LINE_FILES: Readonly<Record<string, readonly string[]>> = {
  relay: ['src/relay/relay.ts', 'src/relay/leg.ts', 'src/relay/buffers.ts'],
  upstream: sources('src/upstream'),
  balance: sources('src/upstream/balance'),
  checks: ['src/checks/check.ts'],
  names: sources('src/names'),
  inspect: sources('src/inspect', 'stately.ts', 'charts.ts', 'assets.ts'),
  processes: sources('src/cluster'),
};

/**
 * Of how many mutants one is taken, chosen by its name, so that it stays the same one: parts whose tests take long would
 * take hours.
 */
const SHARES: Readonly<Record<string, number>> = { upstream: 4, inspect: 24, processes: 24 };

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  value !== null && typeof value === 'object' && typeof (value as Node).type === 'string';

const COMPARISONS: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
};

const LOGICAL: Readonly<Record<string, string>> = { '&&': '||', '||': '&&' };
const ASSIGNMENTS: Readonly<Record<string, string>> = { '+=': '-=', '-=': '+=' };

/** What is no code, or where another value changes nothing: types, and tables that are only asked for their names. */
const isLeftOut = (node: Node): boolean =>
  (node.type.startsWith('TS') && !/^TS(As|Satisfies|NonNull)/.test(node.type)) ||
  node.type.startsWith('Import') ||
  (node.type === 'VariableDeclarator' && /^KIND$/.test((node.id as Node & { name?: string }).name ?? ''));

/** A file with a choice in every place. @param isWanted leaves out the others @param found is told of each */
export function withLines(part: string, path: string, source: string, found: (line: Line) => void = () => {}): string {
  const file = basename(path);
  const used = new Map<string, number>();
  const share = SHARES[part] ?? 1;

  /** Notes a mutant; its name in quotes, or nothing if it is not one of the chosen ones. */
  const choose = (place: readonly string[], what: string): string | undefined => {
    const name = `${file}: ${[...place, what.replace(/\s+/g, ' ')].join(': ')}`;
    const count = (used.get(name) ?? 0) + 1;
    used.set(name, count);
    const id = count === 1 ? name : `${name} (${count})`;
    if (hash(id) % share !== 0) return undefined;
    found({ id, part });
    return JSON.stringify(id);
  };

  const textOf = (node: Node): string => source.slice(node.start, node.end);
  const short = (node: Node): string => {
    const text = textOf(node).replace(/\s+/g, ' ');
    return text.length > 70 ? `${text.slice(0, 50)}…${text.slice(-15)}` : text;
  };

  /** The source of a node, with the choices inside it. @param wrap changes what became of a child */
  const inside = (
    node: Node,
    place: readonly string[],
    wrap: (child: Node, text: string) => string = (_child, text) => text,
  ): string => {
    const parts: string[] = [];
    let at = node.start;
    for (const child of childrenOf(node)) {
      parts.push(source.slice(at, child.start), wrap(child, emit(child, place, node)));
      at = child.end;
    }
    parts.push(source.slice(at, node.end));
    return parts.join('');
  };

  /** An expression that is one of these instead, or itself. */
  const either = (node: Node, place: readonly string[], others: readonly (readonly [what: string, text: string])[]) => {
    const chosen = others.flatMap(([what, text]) => {
      const id = choose(place, `${short(node)} → ${what}`);
      return id === undefined ? [] : [`__mutant(${id}) ? (${text}) : `];
    });
    const itself = inside(node, place);
    return chosen.length === 0 ? itself : `(${chosen.join('')}(${itself}))`;
  };

  const emit = (node: Node, place: readonly string[], parent: Node): string => {
    if (isLeftOut(node)) return textOf(node);
    const within = nameOf(node, parent);
    const here = within === undefined ? place : [...place.slice(0, 1), within].slice(-2);
    switch (node.type) {
      case 'BinaryExpression': {
        const { left, right, operator } = node as unknown as { left: Node; right: Node; operator: string };
        const other = COMPARISONS[operator];
        if (other === undefined || (operator === '+' && [left, right].some(isText))) break;
        return either(node, here, [[other, `(${textOf(left)}) ${other} (${textOf(right)})`]]);
      }
      case 'LogicalExpression': {
        const { left, right, operator } = node as unknown as { left: Node; right: Node; operator: string };
        const other = LOGICAL[operator];
        if (other !== undefined) return either(node, here, [[other, `(${textOf(left)}) ${other} (${textOf(right)})`]]);
        return either(node, here, [['without ??', textOf(left)]]);
      }
      case 'UnaryExpression': {
        const { operator, argument } = node as unknown as { operator: string; argument: Node };
        if (operator === '!') return either(node, here, [['without !', textOf(argument)]]);
        break;
      }
      case 'UpdateExpression': {
        const { operator, argument, prefix } = node as unknown as { operator: string; argument: Node; prefix: boolean };
        // As a statement it may be left out.
        if (parent.type === 'ExpressionStatement') break;
        const other = operator === '++' ? '--' : '++';
        return either(node, here, [[other, prefix ? other + textOf(argument) : textOf(argument) + other]]);
      }
      case 'AssignmentExpression': {
        const { operator, left, right } = node as unknown as { operator: string; left: Node; right: Node };
        const other = ASSIGNMENTS[operator];
        if (other === undefined) {
          // What is assigned to is no expression.
          return source.slice(node.start, right.start) + emit(right, here, node) + source.slice(right.end, node.end);
        }
        return either(node, here, [[other, `${textOf(left)} ${other} ${textOf(right)}`]]);
      }
      case 'Literal': {
        if (typeof node.value === 'boolean') return either(node, here, [[`${!node.value}`, `${!node.value}`]]);
        if (typeof node.value !== 'number') break;
        const other = node.value === 0 ? '1' : node.value === 1 ? '0' : `${node.raw} + 1`;
        return either(node, here, [[other, other]]);
      }
      case 'IfStatement':
      case 'ConditionalExpression': {
        const test = node.test as Node;
        // Those with an operator of their own are wrong in that.
        if (/^(Identifier|MemberExpression|CallExpression)$/.test(test.type)) {
          const id = choose(here, `${node.type === 'IfStatement' ? 'if ' : ''}${short(test)} → its contrary`);
          if (id !== undefined) {
            return inside(node, here, (child, text) => (child === test ? `(__mutant(${id}) !== !!(${text}))` : text));
          }
        }
        break;
      }
      case 'ExpressionStatement': {
        const expression = node.expression as Node;
        if (isSuper(expression) || isText(expression)) break;
        const id = choose(here, `${short(expression)} left out`);
        if (id !== undefined) return `{ if (!__mutant(${id})) ${inside(node, here)} }`;
        break;
      }
    }
    return inside(node, here);
  };

  const ast = parseAst(source, { lang: 'ts' }) as unknown as Node;
  return `${CHOICE}${inside(ast, [])}`;
}

/** Says whether this is the mutant that is wanted, and notes that a test has reached it. */
const CHOICE = `const __mutant = globalThis.__mutant ??= (() => {
  const reached = globalThis.__reached = new Set();
  const { SOCKCHART_MUTANT: wanted, SOCKCHART_REACHED: file } = process.env;
  if (wanted !== undefined) return (id) => id === wanted;
  const write = file === undefined ? () => {} : process.getBuiltinModule('node:fs').appendFileSync;
  return (id) => {
    if (!reached.has(id)) {
      reached.add(id);
      write(file, id + '\\n');
    }
    return false;
  };
})();\n`.replaceAll('\n', ' ');

function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (const [key, value] of Object.entries(node)) {
    // What is no value: a name, a label, and what is taken apart.
    if (key === 'id' && node.type !== 'VariableDeclarator') continue;
    if (key === 'key' && node.computed !== true) continue;
    if (key === 'typeAnnotation' || key === 'decorators' || key === 'superClass') continue;
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) children.push(child);
  }
  // Shorthands have the same name twice.
  const seen = new Set<number>();
  return children
    .sort((one, other) => one.start - other.start || other.end - one.end)
    .filter(({ start }) => !seen.has(start) && seen.add(start) !== undefined);
}

const isText = ({ type, value }: Node): boolean =>
  type === 'TemplateLiteral' || (type === 'Literal' && typeof value === 'string');

const isSuper = ({ type, callee }: Node): boolean =>
  type === 'CallExpression' && (callee as Node | undefined)?.type === 'Super';

/** The name of a function, method or constant. */
function nameOf(node: Node, parent: Node): string | undefined {
  const text = (name: unknown): string | undefined => (isNode(name) ? ((name.name as string) ?? undefined) : undefined);
  if (node.type === 'ClassDeclaration' || node.type === 'FunctionDeclaration') return text(node.id);
  if (node.type === 'MethodDefinition' || node.type === 'PropertyDefinition') return text(node.key);
  if (node.type === 'VariableDeclarator' && parent.type === 'VariableDeclaration') return text(node.id);
  return undefined;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) as number), 0x01000193) >>> 0;
  // Its low bits are weak.
  return (value ^ (value >>> 15)) >>> 0;
}

/** The part that a file belongs to. */
export function partOf(path: string): [part: string, file: string] | undefined {
  for (const [part, files] of Object.entries(LINE_FILES)) {
    const file = files.find((name) => path.endsWith(`/${name}`));
    if (file !== undefined) return [part, file];
  }
  return undefined;
}

/** All of them, in their order. */
export function lines(): Line[] {
  const list: Line[] = [];
  for (const [part, files] of Object.entries(LINE_FILES)) {
    for (const file of files) withLines(part, file, readFileSync(file, 'utf8'), (line) => list.push(line));
  }
  return list;
}
