import type { Problem, ViewNote } from './evidence.js';

/** An answer holds rows of one version only, also during a swap, and never fewer events than an answer before it. */
export function checkViews(notes: readonly ViewNote[]): readonly Problem[] {
  const problems: Problem[] = [];
  const most = new Map<string, number>();
  for (const { projection, labels, folded } of notes) {
    if (labels.length > 1)
      problems.push({ kind: 'mixed', what: `an answer of ${projection} held rows of ${labels.join(' and ')}` });
    if (folded === null) continue;
    const before = most.get(projection) ?? 0;
    if (folded < before) problems.push({ kind: 'lost', what: `${projection} showed ${before} events and then ${folded}` });
    most.set(projection, Math.max(before, folded));
  }
  return problems;
}
