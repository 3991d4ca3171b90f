import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DirectedTest } from './guard.js';
import type { Processes } from './processes.js';

/** What one run of directed tests came to. */
export interface TestRun {
  /** Tests that were run, skipped ones left out, as `file › title`. */
  readonly ran: readonly string[];
  readonly failed: readonly { readonly test: string; readonly why: string }[];
  /** Why files failed as a whole, and what the run said, where it ended otherwise than by its tests. */
  readonly broken: readonly string[];
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly title: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/** The directed tests, run in the sources below `root`. */
export async function runTests(root: string, processes: Processes, tests: readonly DirectedTest[]): Promise<TestRun> {
  const report = path.join(root, 'prove-report.json');
  await rm(report, { force: true });
  const files = [...new Set(tests.map(({ file }) => file))];
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', ...files, '-t', tests.map(({ name }) => matching(name)).join('|')];
  const ended = await processes.run(
    process.execPath,
    [...args, '--reporter=json', `--outputFile=${report}`, '--passWithNoTests'],
    root,
  );
  const text = await readFile(report, 'utf8').catch(() => null);
  if (text === null) return { ran: [], failed: [], broken: [`${ended.stdout}\n${ended.stderr}`.trim()] };
  return readReport(JSON.parse(text) as Report, root);
}

function readReport({ testResults }: Report, root: string): TestRun {
  const results = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'passed' || status === 'failed')
      .map(({ status, title, failureMessages }) => ({
        test: `${path.relative(root, name)} › ${title}`,
        failed: status === 'failed',
        why: failureMessages?.join('\n') ?? '',
      })),
  );
  return {
    ran: results.map(({ test }) => test),
    failed: results.filter(({ failed }) => failed).map(({ test, why }) => ({ test, why })),
    broken: testResults
      .filter(
        ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
      )
      .map(({ name, message }) => `${path.relative(root, name)}: ${message ?? ''}`),
  };
}

/** A title with its placeholders (`%s`, `$name`) as a pattern. */
function matching(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%[sdifjo]|\\\$\w+/g, '.*');
}
