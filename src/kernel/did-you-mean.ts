import { distance } from 'fastest-levenshtein';

/** Shorter beginnings fit too many names. */
const BEGINNING_LETTERS = 3;

/** The known name that a mistyped one is close to, or null: at most a third of its letters differ, or one begins the other. */
export function closestName(name: string, known: readonly string[]): string | null {
  const wanted = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, far: distance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const [best] = ranked;
  if (best && best.far <= Math.max(1, Math.ceil(best.candidate.length / 3))) return best.candidate;
  return ranked.find(({ candidate }) => begins(wanted, candidate.toLowerCase()))?.candidate ?? null;
}

function begins(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= BEGINNING_LETTERS && (a.startsWith(b) || b.startsWith(a));
}

/** `; did you mean "paid"?`, or the names there are. */
export function didYouMean(name: string, known: readonly string[]): string {
  const closest = closestName(name, known);
  return closest === null ? `; known: ${known.join(', ')}` : `; did you mean ${closest}?`;
}
