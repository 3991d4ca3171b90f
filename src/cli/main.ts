import { Console } from 'node:console';
import { isatty } from 'node:tty';
import { runProgram } from './run-program.js';

/** Runs the command and ends the process: 0 done, 1 failure, 2 wrong usage, 3 pending changes. */
export async function main(argv: readonly string[]): Promise<void> {
  const interrupted = onInterrupt();
  // What the application's own code says while it is loaded or folds must not come between the answers.
  globalThis.console = new Console(process.stderr, process.stderr);
  const code = await runProgram(argv, {
    stdout: process.stdout,
    stderr: process.stderr,
    color: colorWanted(argv),
    interrupted,
  });
  // What was started for the command is stopped; a pipe may still be full, and is emptied before the end.
  process.exitCode = code;
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => (stream.destroyed ? resolve() : stream.write('', () => resolve())));
  process.exit(code);
}

/** The first Ctrl-C ends the work cleanly, the second one at once. */
function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}

function colorWanted(argv: readonly string[]): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (argv.includes('--no-color') || NO_COLOR) return false;
  // `process.stdout.isTTY` is undefined in a pipe, and the colour library takes undefined for a wish to find out by itself.
  return Boolean(FORCE_COLOR && FORCE_COLOR !== '0') || (isatty(process.stdout.fd) && TERM !== 'dumb');
}
