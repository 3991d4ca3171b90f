/**
 * What `npm test` runs, in this order: first the static checks (an npm script each), then the suites, fast ones first, so that
 * a slip shows within seconds. `budgetSeconds` is the wall time that each may take on two cores; the sum stays below the
 * fifteen minutes that the whole may take.
 *
 * `folders` are folders of test/; a folder that another suite names inside one of them is that suite's alone, and a test file
 * outside all of them fails the run. `workers` is how many of a suite's files run
 * at once: one where its tests fill the machine by themselves.
 */
export const checks = [
  { name: 'build', budgetSeconds: 10 },
  { name: 'format:check', budgetSeconds: 10 },
  { name: 'lint', budgetSeconds: 30 },
  { name: 'imports', budgetSeconds: 8 },
  { name: 'typecheck', budgetSeconds: 15 },
];

export const suites = [
  { name: 'unit', folders: ['kernel', 'types', 'house'], budgetSeconds: 15, workers: 2 },
  { name: 'database', folders: ['database'], budgetSeconds: 35, workers: 2 },
  { name: 'log', folders: ['log', 'conformance'], budgetSeconds: 25, workers: 2 },
  { name: 'aggregates', folders: ['aggregates', 'modules/aggregates'], budgetSeconds: 40, workers: 2 },
  { name: 'policies', folders: ['policies', 'modules/policies'], budgetSeconds: 25, workers: 2 },
  { name: 'projections', folders: ['projections', 'modules/projections'], budgetSeconds: 115, workers: 2 },
  {
    name: 'serving',
    folders: ['serving', 'operations', 'kappa', 'modules/serving', 'modules/kappa'],
    budgetSeconds: 30,
    workers: 2,
  },
  { name: 'testing', folders: ['testing'], budgetSeconds: 10, workers: 2 },
  { name: 'cli', folders: ['cli'], budgetSeconds: 35, workers: 2 },
  { name: 'kafka', folders: ['kafka', 'log/kafka', 'testing/kafka'], budgetSeconds: 160, workers: 2 },
  { name: 'docs', folders: ['docs'], budgetSeconds: 10, workers: 2 },
  { name: 'examples', folders: ['examples'], budgetSeconds: 95, workers: 1 },
  { name: 'flow', folders: ['flow'], budgetSeconds: 50, workers: 1 },
  { name: 'faults', folders: ['faults'], budgetSeconds: 100, workers: 1 },
  { name: 'packaging', folders: ['packaging'], budgetSeconds: 80, workers: 2 },
];

/**
 * The folders inside `folder` that other suites name.
 * @param {string} folder
 */
export function foldersOfOthers(folder) {
  return suites.flatMap(({ folders }) => folders).filter((other) => other.startsWith(`${folder}/`));
}
