/** The list of what lives: it is what a `Set` would be, also while its members come and go. */
import { describe, expect, test } from 'vitest';
import { type Member, MemberList } from '../../src/members.js';

class Part implements Member<Part> {
  previous: Part | undefined = undefined;
  next: Part | undefined = undefined;
  constructor(readonly number: number) {}
}

const parts = (count: number): Part[] => Array.from({ length: count }, (_, number) => new Part(number));

function listOf(members: readonly Part[]): MemberList<Part> {
  const list = new MemberList<Part>();
  for (const member of members) list.add(member);
  return list;
}

describe('a list of members', () => {
  test('is as a Set after any additions and deletions', () => {
    const all = parts(20);
    const list = new MemberList<Part>();
    const set = new Set<Part>();
    let seed = 1;
    for (let step = 0; step < 5_000; step++) {
      seed = (seed * 48_271) % 2_147_483_647;
      const part = all[seed % all.length] as Part;
      if (seed % 5 < 2) {
        list.add(part);
        set.add(part);
      } else {
        expect(list.delete(part)).toBe(set.delete(part));
      }
      expect([...list]).toEqual([...set]);
      expect(list.size).toBe(set.size);
      expect(all.filter((one) => list.has(one))).toEqual(all.filter((one) => set.has(one)));
    }
  });

  test('a loop reaches each member once, though it deletes them all', () => {
    const all = parts(5);
    const list = listOf(all);
    const reached: Part[] = [];
    for (const part of list) {
      reached.push(part);
      list.delete(part);
    }
    expect(reached).toEqual(all);
    expect(list.size).toBe(0);
    expect(list.first).toBeUndefined();
  });

  test('a loop skips a member that has left before its turn, and one that is new', () => {
    const [first, second, third, fourth] = parts(4) as [Part, Part, Part, Part];
    const list = listOf([first, second, third]);
    const reached: Part[] = [];
    for (const part of list) {
      reached.push(part);
      list.delete(first);
      list.delete(second);
      list.add(fourth);
    }
    expect(reached).toEqual([first, third]);
    expect([...list]).toEqual([third, fourth]);
  });

  test('a member that has left refers to no other', () => {
    const all = parts(3);
    const list = listOf(all);
    for (const part of [all[1], all[0], all[2]] as Part[]) {
      list.delete(part);
      expect([part.previous, part.next]).toEqual([undefined, undefined]);
    }
  });
});
