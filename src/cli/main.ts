import { Console } from 'node:console';
import { isatty } from 'node:tty';
import { CommanderError } from 'commander';
import { CommandContext, type GlobalFlags } from './command-context.js';
import { Output } from './output.js';
import { createProgram } from './program.js';
import { isKappaError, reportError } from './report-error.js';

const FAILURE = 1;
const WRONG_USAGE = 2;

/** Runs the command and ends the process: 0 done, 1 failure, 2 wrong usage, 3 pending changes. */
export async function main(argv: readonly string[]): Promise<void> {
  const code = await runCommand(argv);
  // What was started for the command is stopped; a pipe may still be full, and is emptied before the end.
  process.exitCode = code;
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => (stream.destroyed ? resolve() : stream.write('', () => resolve())));
  process.exit(code);
}

async function runCommand(argv: readonly string[]): Promise<number> {
  const interrupted = onInterrupt();
  // What the application's own code says while it is loaded or folds must not come between the answers.
  globalThis.console = new Console(process.stderr, process.stderr);
  // Known before commander has read the flags, so that its own complaints come in the wanted form too.
  const out = new Output({ json: argv.includes('--json'), color: colorWanted(argv) }, process.stdout, process.stderr);
  let code = 0;
  const program = createProgram(out, async (flags: GlobalFlags, work) => {
    const context = new CommandContext(out, flags, interrupted);
    try {
      code = (await work(context)) ?? 0;
    } catch (error) {
      reportError(error, out, flags.debug === true);
      code = isWrongUsage(error) ? WRONG_USAGE : FAILURE;
    } finally {
      await context.close();
    }
  });
  try {
    await program.parseAsync(argv[0] === '--version' ? ['-V'] : [...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    if (out.json)
      out.last({
        error: { code: 'KAPPA_USAGE', message: error.message.replace(/^error: /, ''), facts: {}, nextStep: 'See --help.' },
      });
    return WRONG_USAGE;
  }
  return code;
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

function isWrongUsage(error: unknown): boolean {
  return isKappaError(error) && (error.code === 'KAPPA_USAGE' || error.code === 'KAPPA_NOT_CONFIRMED');
}
