/**
 * `npm test` runs everything; `npm test -- unit cli` runs the named suites or checks. Suites, order and budgets stand in
 * suites.mjs; what mostly waits runs beside the others. Ends with a table of times and, alone on the last line, how many passed,
 * failed and were skipped.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
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

const began = performance.now();
/** @type {Result[]} */
const results = await runChecks(checks.filter(isWanted));
const chosen = suites.filter(isWanted);
if (chosen.length > 0) {
  // Child processes of tests run what was built: without a build the suites would test old code.
  const [first] = results;
  if (first?.name === 'build' ? first.failed === 0 : await ensureBuilt()) {
    const beside = chosen.length > 1 ? chosen.filter(({ waits }) => waits) : [];
    const running = Promise.all(beside.map(runBeside));
    results.push(...(await runSuites(chosen.filter((suite) => !beside.includes(suite)))), ...(await running));
  } else if (first?.name !== 'build')
    results.push({ name: 'build', budgetSeconds: 0, seconds: 0, passed: 0, failed: 1, skipped: 0 });
}
report();

/**
 * The build alone, then the others side by side, those that take longest first; what one prints is shown when it has ended.
 * @param {readonly (typeof checks)[number][]} chosen
 * @returns {Promise<Result[]>} In the order of `chosen`.
 */
async function runChecks(chosen) {
  /** @type {Map<string, Result>} */
  const done = new Map();
  const waiting = chosen.filter(({ name }) => name !== 'build').sort((a, b) => b.budgetSeconds - a.budgetSeconds);
  const first = chosen.find(({ name }) => name === 'build');
  if (first) done.set(first.name, await timed(first, build));
  const lane = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const { name } = check;
      done.set(name, await timed(check, () => runScript(name)));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return chosen.flatMap(({ name }) => done.get(name) ?? []);
}

/**
 * @param {{ name: string, budgetSeconds: number }} check
 * @param {() => Promise<boolean>} run
 * @returns {Promise<Result>}
 */
async function timed({ name, budgetSeconds }, run) {
  const started = performance.now();
  const ok = await run();
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${name}: ${ok ? 'passed' : 'FAILED'} in ${seconds.toFixed(1)} s\n`);
  return { name, budgetSeconds, seconds, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

/**
 * Through npm, so that what fails here can be run alone under the same name.
 * @param {string} name
 */
async function runScript(name) {
  const script = spawn('npm', ['run', '--silent', name], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => script.once('error', () => resolve(null)).once('close', resolve));
  const [out, err, code] = await Promise.all([text(script.stdout), text(script.stderr), ended]);
  process.stdout.write(out + err);
  return code === 0;
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

/**
 * In a process of its own; what it prints is shown where it fails.
 * @param {(typeof suites)[number]} suite
 * @returns {Promise<Result>}
 */
async function runBeside({ name, budgetSeconds }) {
  const started = performance.now();
  const script = spawn(process.execPath, [fileURLToPath(import.meta.url), name], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(script.stdout), text(script.stderr)]);
  const seconds = (performance.now() - started) / 1000;
  const counted = /(\d+) passed, (\d+) failed, (\d+) skipped\n$/.exec(out);
  const [passed = 0, failed = 1, skipped = 0] = counted ? counted.slice(1).map(Number) : [];
  process.stdout.write(
    `${failed > 0 ? out + err : ''}${name}: ${failed === 0 ? 'passed' : 'FAILED'} in ${seconds.toFixed(1)} s\n`,
  );
  return { name, budgetSeconds, seconds, passed, failed, skipped };
}

function report() {
  /** @param {'seconds' | 'budgetSeconds' | 'passed' | 'failed' | 'skipped'} column */
  const sum = (column, of = results) => of.reduce((total, result) => total + result[column], 0);
  const waiting = new Set(suites.filter(({ waits }) => waits).map(({ name }) => name));
  const inTurn = results.filter(({ name }) => !waiting.has(name));
  const beside = results.filter(({ name }) => waiting.has(name));
  const whole = {
    name: 'whole',
    // Less than the sum: checks run side by side.
    seconds: (performance.now() - began) / 1000,
    budgetSeconds: Math.max(sum('budgetSeconds', inTurn), ...beside.map(({ budgetSeconds }) => budgetSeconds)),
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
