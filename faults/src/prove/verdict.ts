import type { TestRun } from './run-tests.js';

/** What taking a guard out came to. */
export type Verdict =
  { readonly caughtBy: string; readonly after: number } | { readonly caughtBy: null } | { readonly broken: string };

/** A product that does not compile, or whose SQL does not, fails every test and says nothing of the guard. */
const BROKEN =
  /SyntaxError|ReferenceError|is not a function|is not defined|syntax error at|(column|function|relation|operator|record) .* (does not exist|has no field)|has no field|missing FROM-clause/;
const SHOWN = 400;

/** Tests that fail on whole sources, too, catch nothing. */
export function verdictOf({ ran, failed, broken }: TestRun, failedBefore: ReadonlySet<string>): Verdict {
  const told = failed.filter(({ test }) => !failedBefore.has(test));
  const unfit = told.find(({ why }) => BROKEN.test(why));
  if (unfit) return { broken: `the patched product is broken: ${unfit.test}: ${unfit.why.slice(0, SHOWN)}` };
  const [first] = told;
  if (first) return { caughtBy: first.test, after: 1 };
  if (broken.length > 0) return { broken: `test files failed as a whole: ${broken.join('; ').slice(0, SHOWN)}` };
  if (ran.length === 0) return { broken: 'no test was run: is there a Kafka to run them on?' };
  return { caughtBy: null };
}
