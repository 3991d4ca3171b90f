import type { Command } from 'commander';
import { openOf } from '../../database/dead-letters/dead-letter.js';
import { KappaError } from '../../kernel/errors.js';
import { acceptLog, type AcceptFlags } from '../policies/accept-log.js';
import { didYouMean } from '../../kernel/did-you-mean.js';
import type { PolicyOperations, PolicyStatus } from '../../modules/policies/operations.js';
import { count } from '../format.js';
import type { Output } from '../output.js';
import type { AddCommands } from '../add-commands.js';

/** `policies list|status`: how far policies are, and what halted one; `policies accept`: lets one go on that a changed log halted. */
export const addPolicyCommands: AddCommands = (program, run) => {
  const group = program.command('policies').alias('policy').description('what turns events into commands');

  group
    .command('list')
    .alias('ls')
    .alias('status')
    .description('every policy: how far behind it is, what it ignored, what halted it')
    .argument('[names...]')
    .action((names: readonly string[], _: unknown, command: Command) =>
      run(command, async (context) => {
        const session = await context.open();
        const policies = await existingPolicies(session.policies, names);
        const { out } = context;
        out.answer({ policies }, () => policyTable(policies, out));
        return 0;
      }),
    );

  group
    .command('accept')
    .description('let a policy go on with a log that is not what it has read: set back, created again, or another one')
    .argument('<names...>')
    .option('--from <end>', 'begin or end: where it goes on in what has changed (default: end)')
    .option('--yes', 'do not ask')
    .action((names: readonly string[], flags: AcceptFlags, command: Command) =>
      run(command, (context) => acceptLog(context, names, flags)),
    );
};

/** One line a policy, then what halted any. */
export function policyTable(policies: readonly PolicyStatus[], out: Output): string {
  if (policies.length === 0) return 'No policies: none was started yet.';
  const table = out.table(
    ['policy', 'in code', 'state', 'behind', 'letters', 'refused', 'topics'],
    policies.map((policy) => [
      policy.name,
      policy.declared ? 'yes' : out.color.dim('–'),
      stateOf(policy, out),
      count(policy.behind),
      count(openOf(policy.letters)),
      count(policy.refused),
      [...new Set(policy.progress.map(({ topic }) => topic))].join(', '),
    ]),
    [3, 4, 5],
  );
  const errors = policies.flatMap(({ name, error }) => (error ? [`${out.color.red(`${name} halted`)}: ${error.message}`] : []));
  return [table, ...errors].join('\n');
}

function stateOf({ error, runners }: PolicyStatus, out: Output): string {
  if (error) return out.color.red('halted');
  return runners === 0 ? out.color.yellow('not running') : 'running';
}

/** @throws KAPPA_UNKNOWN_POLICY with what was probably meant */
async function existingPolicies(operations: PolicyOperations, names: readonly string[]): Promise<readonly PolicyStatus[]> {
  const all = await operations.status();
  const known = all.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new KappaError(
      'KAPPA_UNKNOWN_POLICY',
      `there is no policy ${unknown}${known.length === 0 ? '' : didYouMean(unknown, known)}`,
      { facts: { policy: unknown, policies: known }, nextStep: '`npx nest-kappa policies list` shows all.' },
    );
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}
