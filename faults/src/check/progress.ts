import type { Offsets, Problem, ProgressNote } from './evidence.js';

/** A build's progress and the epochs of its owners only rise. Notes stand in the order in which they were taken. */
export function checkProgress(notes: readonly ProgressNote[]): readonly Problem[] {
  const problems: Problem[] = [];
  const before = new Map<number, ProgressNote>();
  for (const note of notes) {
    const last = before.get(note.build);
    const name = `${note.projection} build ${note.build}`;
    if (last) {
      problems.push(...fallen(last.next, note.next).map((what): Problem => ({ kind: 'reordered', what: `${name}: ${what}` })));
      problems.push(
        ...fallen(last.epochs, note.epochs).map((what): Problem => ({ kind: 'reordered', what: `${name}, epoch: ${what}` })),
      );
    }
    before.set(note.build, note);
  }
  return problems;
}

function fallen(before: Offsets, after: Offsets): readonly string[] {
  return Object.entries(before).flatMap(([partition, value]) => {
    const now = after[partition];
    return now !== undefined && now >= value ? [] : [`${partition} went from ${value} to ${now ?? 'nothing'}`];
  });
}
