/**
 * What `npm test` runs, in this order: the build, the other static checks side by side (an npm script each), then the suites,
 * fast ones first, so that a slip shows within seconds. `budgetSeconds` is the wall time that each may take on two cores; the
 * sum stays below the fifteen minutes that the whole may take.
 *
 * `folders` are folders of test/; a folder that another suite names inside one of them is that suite's alone, and a test file
 * outside all of them fails the run. `workers` is how many of a suite's files run at once: one where its tests fill the machine
 * by themselves. `shares`: its files use the modules that a worker has loaded, instead of loading them for each; not where tests
 * change the environment, or look at what a process has found out once. `waits`: its tests wait for longer than they work, so that
 * it runs beside the others and its time is part of no sum.
 */
export const checks = [
  { name: 'build', budgetSeconds: 10 },
  { name: 'format:check', budgetSeconds: 14 },
  { name: 'lint', budgetSeconds: 44 },
  { name: 'imports', budgetSeconds: 8 },
  { name: 'typecheck', budgetSeconds: 22 },
];

export const suites = [
  { name: 'unit', folders: ['kernel', 'types', 'house'], budgetSeconds: 12, workers: 2, shares: true },
  { name: 'database', folders: ['database'], budgetSeconds: 24, workers: 2 },
  { name: 'log', folders: ['log'], budgetSeconds: 18, workers: 2, shares: true },
  { name: 'aggregates', folders: ['aggregates'], budgetSeconds: 32, workers: 2, shares: true },
  { name: 'policies', folders: ['policies'], budgetSeconds: 22, workers: 2, shares: true },
  { name: 'projections', folders: ['projections'], budgetSeconds: 125, workers: 2, shares: true },
  {
    name: 'serving',
    folders: ['serving', 'operations', 'kappa'],
    budgetSeconds: 34,
    workers: 2,
    shares: true,
  },
  { name: 'testing', folders: ['testing'], budgetSeconds: 10, workers: 2 },
  { name: 'cli', folders: ['cli'], budgetSeconds: 38, workers: 2, shares: true },
  { name: 'kafka', folders: ['kafka', 'log/kafka', 'testing/kafka'], budgetSeconds: 215, workers: 2 },
  { name: 'silence', folders: ['kafka/silence'], budgetSeconds: 120, workers: 1, waits: true },
  { name: 'docs', folders: ['docs'], budgetSeconds: 10, workers: 2, shares: true },
  { name: 'examples', folders: ['examples'], budgetSeconds: 40, workers: 2 },
  { name: 'flow', folders: ['flow'], budgetSeconds: 40, workers: 1 },
  { name: 'faults', folders: ['faults'], budgetSeconds: 95, workers: 1 },
  { name: 'packaging', folders: ['packaging'], budgetSeconds: 80, workers: 2 },
];

/**
 * The folders inside `folder` that other suites name.
 * @param {string} folder
 */
export function foldersOfOthers(folder) {
  return suites.flatMap(({ folders }) => folders).filter((other) => other.startsWith(`${folder}/`));
}
