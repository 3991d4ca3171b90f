import { distance } from 'fastest-levenshtein';

/** The known name that a mistyped one is close to, or null: at most a third of its letters differ. */
export function closestName(name: string, known: readonly string[]): string | null {
  const wanted = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, far: distance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const [best] = ranked;
  return best && best.far <= Math.max(1, Math.ceil(best.candidate.length / 3)) ? best.candidate : null;
}

/** `; did you mean "paid"?`, or the names there are. */
export function didYouMean(name: string, known: readonly string[]): string {
  const closest = closestName(name, known);
  return closest === null ? `; known: ${known.join(', ')}` : `; did you mean ${closest}?`;
}
