/**
 * `npm test` runs everything; `npm test -- unit cli` runs the named suites or checks. Suites, order and budgets stand in
 * suites.mjs. Ends with a table of times and, alone on the last line, how many passed, failed and were skipped.
 */
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { startVitest } from 'vitest/node';
import { build, root } from './build.mjs';
import { ensureBuilt } from './ensure-built.mjs';
import { checks, suites } from './suites.mjs';

/** @typedef {{ name: string, budgetSeconds: number, seconds: number, passed: number, failed: number, skipped: number }} Result */

const wanted = process.argv.slice(2);
const names = [...checks, ...suites].map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no suite is called ${unknown.join(', ')}; there are ${names.join(', ')}\n`);
  process.exit(2);
}
/** @param {{ name: string }} suite */
const isWanted = ({ name }) => wanted.length === 0 || wanted.includes(name);

/** @type {Result[]} */
const results = [];
for (const check of checks.filter(isWanted)) results.push(await runCheck(check));
const chosen = suites.filter(isWanted);
if (chosen.length > 0) {
  // Child processes of tests run what was built: without a build the suites would test old code.
  const [first] = results;
  if (first?.name === 'build' ? first.failed === 0 : await ensureBuilt()) results.push(...(await runSuites(chosen)));
  else if (first?.name !== 'build')
    results.push({ name: 'build', budgetSeconds: 0, seconds: 0, passed: 0, failed: 1, skipped: 0 });
}
report();

/**
 * @param {{ name: string, budgetSeconds: number }} check
 * @returns {Promise<Result>}
 */
async function runCheck({ name, budgetSeconds }) {
  process.stdout.write(`\n${name}\n`);
  const started = performance.now();
  // Through npm, so that what fails here can be run alone under the same name.
  const ok =
    name === 'build'
      ? await build()
      : spawnSync('npm', ['run', '--silent', name], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
  const seconds = (performance.now() - started) / 1000;
  return { name, budgetSeconds, seconds, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

/**
 * One run of vitest for all suites, so that what they share starts once; they still run one after another.
 * @param {readonly (typeof suites)[number][]} chosen
 * @returns {Promise<Result[]>}
 */
async function runSuites(chosen) {
  /** @type {Map<string, { start: number, end: number }>} */
  const times = new Map();
  /** @param {import('vitest/node').TestModule} module */
  const touch = (module) => {
    const now = performance.now();
    times.set(module.project.name, { start: times.get(module.project.name)?.start ?? now, end: now });
  };
  const vitest = await startVitest('test', [], {
    root,
    run: true,
    watch: false,
    passWithNoTests: true,
    project: chosen.map(({ name }) => name),
    reporters: ['default', { onTestModuleQueued: touch, onTestModuleEnd: touch }],
  });
  const modules = vitest.state.getTestModules();
  const unhandled = vitest.state.getUnhandledErrors().length;
  const counted = chosen.map(({ name, budgetSeconds }) => {
    const own = modules.filter((module) => module.project.name === name);
    const tests = own.flatMap((module) => [...module.children.allTests()]);
    /** @param {string} state */
    const count = (state) => tests.filter((test) => test.result().state === state).length;
    // A file that breaks before its tests are known, or in a hook, fails without a failed test.
    const broken = own.filter((module) => !module.ok() && ![...module.children.allTests()].some((test) => !test.ok())).length;
    const time = times.get(name);
    const seconds = time ? (time.end - time.start) / 1000 : 0;
    return {
      name,
      budgetSeconds,
      seconds,
      passed: count('passed'),
      failed: count('failed') + broken,
      skipped: count('skipped') + count('pending'),
    };
  });
  await vitest.close();
  if (unhandled === 0) return counted;
  return [...counted, { name: 'errors outside tests', budgetSeconds: 0, seconds: 0, passed: 0, failed: unhandled, skipped: 0 }];
}

function report() {
  /** @param {'seconds' | 'budgetSeconds' | 'passed' | 'failed' | 'skipped'} column */
  const sum = (column) => results.reduce((total, result) => total + result[column], 0);
  const whole = {
    name: 'whole',
    seconds: sum('seconds'),
    budgetSeconds: sum('budgetSeconds'),
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
  };
  const rows = [...results, whole].map((result) => [
    result.name,
    `${result.seconds.toFixed(1)} s`,
    `${result.budgetSeconds} s`,
    String(result.passed),
    String(result.failed),
    String(result.skipped),
    result.seconds > result.budgetSeconds && result.budgetSeconds > 0 ? 'over budget' : '',
  ]);
  const table = [['suite', 'time', 'budget', 'passed', 'failed', 'skipped', ''], ...rows];
  const widths = [22, 9, 8, 7, 7, 8, 12];
  const line = (/** @type {string[]} */ cells) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0))).join('');
  process.stdout.write(`\n${table.map((cells) => line(cells).trimEnd()).join('\n')}\n\n`);
  process.stdout.write(`${whole.passed} passed, ${whole.failed} failed, ${whole.skipped} skipped\n`);
  process.exit(whole.failed === 0 ? 0 : 1);
}
