import { CommanderError } from 'commander';
import { CommandContext, type GlobalFlags } from './command-context.js';
import { Output, type Sink } from './output.js';
import { createProgram } from './program.js';
import { isKappaError, reportError } from './report-error.js';

const FAILURE = 1;
const WRONG_USAGE = 2;

/** What a command line is run with. */
export interface Surroundings {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly color: boolean;
  /** Ends the work cleanly when it aborts. */
  readonly interrupted: AbortSignal;
}

/** Runs one command line and returns its exit code: 0 done, 1 failure, 2 wrong usage, 3 pending changes. */
export async function runProgram(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stdout, stderr, color, interrupted } = surroundings;
  // Known before commander has read the flags, so that its own complaints come in the wanted form too.
  const out = new Output({ json: argv.includes('--json'), color }, stdout, stderr);
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

function isWrongUsage(error: unknown): boolean {
  return isKappaError(error) && (error.code === 'KAPPA_USAGE' || error.code === 'KAPPA_NOT_CONFIRMED');
}
