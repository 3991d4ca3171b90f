import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const PART = 'KAPPA_BENCH_PART';
const STOP = 'stop';

/**
 * Runs a file in a process of its own, as each side of a bench has one, and returns what it reports with {@link playPart}.
 * `execPath` is the Node.js that runs it; the bench's own by default.
 */
export async function runPart<Part, Report>(file: URL, part: Part, execPath = process.execPath): Promise<Report> {
  const child = forked(file, part, execPath);
  let report: Report | undefined;
  child.on('message', (message) => (report = message as Report));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 || report === undefined) throw new Error(`${file.pathname} ended with ${code ?? 'a signal'} and told nothing`);
  return report;
}

/** The whole of such a process: it ends with its report, or when the bench is gone. */
export function playPart<Part, Report>(play: (part: Part) => Promise<Report>): void {
  process.once('disconnect', () => process.exit(1));
  play(partOfProcess<Part>()).then((report) => process.send?.(report, () => process.exit(0)), failed);
}

/** A process that stays as it is until `stop`. */
export interface HeldPart<Report> {
  readonly pid: number;
  /** What it told when it was ready. */
  readonly report: Report;
  stop(): Promise<void>;
}

/** Starts a file in a process of its own and waits until it is ready, with {@link holdPart}. */
export async function startPart<Part, Report>(file: URL, part: Part): Promise<HeldPart<Report>> {
  const child = forked(file, part);
  const ended = once(child, 'exit');
  const report = await Promise.race([
    once(child, 'message').then(([message]) => message as Report),
    ended.then(([code]) => Promise.reject(new Error(`${file.pathname} ended with ${code ?? 'a signal'}`))),
  ]);
  return {
    pid: child.pid ?? 0,
    report,
    stop: async () => {
      if (child.connected) child.send(STOP);
      await ended;
    },
  };
}

/** The whole of such a process: it starts, tells what it has to tell, and stops when it is told to, or when the bench is gone. */
export function holdPart<Part, Report>(
  start: (part: Part) => Promise<{ readonly report: Report; stop(): Promise<void> }>,
): void {
  process.once('disconnect', () => process.exit(1));
  start(partOfProcess<Part>()).then(({ report, stop }) => {
    process.once('message', () => void stop().then(() => process.exit(0), failed));
    process.send?.(report);
  }, failed);
}

function forked(file: URL, part: unknown, execPath = process.execPath): ChildProcess {
  return fork(file, { execPath, env: { ...process.env, [PART]: JSON.stringify(part) } });
}

function partOfProcess<Part>(): Part {
  return JSON.parse(process.env[PART] ?? '{}') as Part;
}

function failed(error: unknown): never {
  console.error(error);
  process.exit(1);
}
