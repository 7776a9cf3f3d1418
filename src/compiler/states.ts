/**
 * The states of a machine: which are left and entered, in which order, and which transitions a type of event may take. The rules are those
 * of the algorithm of SCXML, as XState 5 has them.
 */
import type { AnyStateNode } from 'xstate';
import { CompileError } from '../errors.js';

/** A transition as XState has normalised it. */
export type Transition = NonNullable<AnyStateNode['always']>[number];

/** XState looks for it only when the machine starts. */
export function initialOf(node: AnyStateNode): AnyStateNode['initial'] | undefined {
  if (node.type !== 'compound') return undefined;
  try {
    return node.initial;
  } catch {
    return refuseInitial(node, `Name one of these: ${Object.keys(node.states).join(', ')}`);
  }
}

/** A machine cannot start in a state without states that names one of them all the same. */
export function checkStart(node: AnyStateNode): void {
  const { initial } = node.config as { initial?: unknown };
  if (node.type !== 'compound' && initial !== undefined) refuseInitial(node, 'Give it that state, or name none');
}

function refuseInitial(node: AnyStateNode, advice: string): never {
  const { initial } = node.config as { initial?: unknown };
  return refuse(node, `its initial state "${initial}" is not one of its states`, advice);
}

export function refuse(node: AnyStateNode, why: string, advice: string): never {
  throw new CompileError(node.id, why, advice);
}

/** A state and all around it, from the inside out. */
export function withAncestors(node: AnyStateNode): AnyStateNode[] {
  const all: AnyStateNode[] = [];
  for (let state: AnyStateNode | undefined = node; state !== undefined; state = state.parent) all.push(state);
  return all;
}

export function outermostLast(nodes: ReadonlySet<AnyStateNode>): AnyStateNode[] {
  return [...nodes].sort((a, b) => b.order - a.order);
}

/** True inside `ancestor`; everything is inside of nothing. */
export function isDescendant(node: AnyStateNode, ancestor: AnyStateNode | undefined): boolean {
  return ancestor === undefined || withAncestors(node).indexOf(ancestor) > 0;
}

/** The state that a transition stays inside of; nothing if it leaves the root itself. */
export function domainOf({ source, reenter }: Transition, target: AnyStateNode): AnyStateNode | undefined {
  if (!reenter && (target === source || isDescendant(target, source))) return source;
  const common = withAncestors(target).find((node) => isDescendant(target, node) && isDescendant(source, node));
  return common ?? (reenter ? undefined : source.machine.root);
}

export const leafOf = (active: ReadonlySet<AnyStateNode>): AnyStateNode =>
  [...active].find((node) => node.type !== 'compound') as AnyStateNode;

/** The states that a transition enters, and whether by default: then the actions of its initial transition are done. */
export function entered(
  { source, reenter }: Transition,
  target: AnyStateNode,
  domain: AnyStateNode | undefined,
): Map<AnyStateNode, boolean> {
  const entering = new Map<AnyStateNode, boolean>();
  if (source !== target || source !== domain || reenter) entering.set(target, true);
  addInitial(target, entering);
  for (let node = target.parent; node !== undefined && node !== domain; node = node.parent) {
    if (isDescendant(node, domain) && !entering.has(node)) entering.set(node, false);
  }
  return entering;
}

export function addInitial(node: AnyStateNode, entering: Map<AnyStateNode, boolean>): void {
  let state = node;
  while (state.type === 'compound') {
    state = (state.initial.target as AnyStateNode[])[0] as AnyStateNode;
    entering.set(state, true);
  }
}

/** Transitions for exactly this type, then those of wildcards that match it, the longest first. */
export function candidatesOf(node: AnyStateNode, type: string): Transition[] {
  const matching = wildcardsOf(node).filter((wildcard) => matchesWildcard(type, wildcard));
  return [type, ...matching].flatMap((descriptor) => node.transitions.get(descriptor) ?? []);
}

export const wildcardsOf = (node: AnyStateNode): string[] =>
  [...node.transitions.keys()].filter((type) => isWildcard(node, type)).sort((a, b) => b.length - a.length);

/** `*` matches everything, `socket.*` what begins with `socket.`, and `socket` itself. */
export function matchesWildcard(type: string, descriptor: string): boolean {
  if (descriptor === '*') return true;
  if (!descriptor.endsWith('.*')) return false;
  return type === descriptor.slice(0, -2) || type.startsWith(descriptor.slice(0, -1));
}

export function isWildcard(node: AnyStateNode, descriptor: string): boolean {
  const star = descriptor.indexOf('*');
  if (star === -1) return false;
  if (descriptor === '*' || (star === descriptor.length - 1 && descriptor.endsWith('.*'))) return true;
  return refuse(node, `it has a transition for "${descriptor}"`, 'Use "*" or a type that ends in ".*"');
}

export const doneType = (node: AnyStateNode): string => `xstate.done.state.${node.id}`;

export function toArray<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}
