/**
 * What lives now. A list that is linked through its members: adding and deleting allocate nothing, and keep the order.
 *
 * A `Set` or a `Map` whose members come and go is dear under load. V8 replaces its table every so many members, and each old
 * table refers to the next one. Once an old table was promoted, dead as it is, it keeps all later tables and their members until
 * the next mark-compact: hardly an object dies in a scavenge then.
 */

/** What lives now, in the order in which it came. A loop skips members that end before their turn, and members that are new. */
export interface Members<T> extends Iterable<T> {
  /** How many they are. */
  readonly size: number;
}

/** A member of one list at a time: the list writes these fields. */
export interface Member<T> {
  previous: T | undefined;
  next: T | undefined;
}

/** @internal */
export class MemberList<T extends Member<T>> implements Members<T> {
  first: T | undefined = undefined;
  #last: T | undefined = undefined;
  size = 0;

  /** True for a member of this list; do not ask about a member of another list. */
  has(member: T): boolean {
    return member.previous !== undefined || this.first === member;
  }

  /** Adds it at the end, unless it is in the list already. */
  add(member: T): void {
    if (this.has(member)) return;
    const last = this.#last;
    if (last === undefined) this.first = member;
    else last.next = member;
    member.previous = last;
    this.#last = member;
    this.size++;
  }

  /** Returns false if the list does not have this member. */
  delete(member: T): boolean {
    if (!this.has(member)) return false;
    const { previous, next } = member;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    // An old member that is dead must not keep young ones.
    member.previous = undefined;
    member.next = undefined;
    this.size--;
    return true;
  }

  *[Symbol.iterator](): Generator<T, void> {
    const members: T[] = [];
    for (let member = this.first; member !== undefined; member = member.next) members.push(member);
    for (const member of members) if (this.has(member)) yield member;
  }
}
