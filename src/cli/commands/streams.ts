import type { Command } from 'commander';
import { closestName } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import { streamName, tenantPart } from '../../kernel/names.js';
import type { CommandContext } from '../command-context.js';
import { count } from '../format.js';
import type { AddCommands } from '../program.js';
import type { Session } from '../session.js';
import { eventLine, shownEvent } from '../shown-event.js';
import { hasStreams, readStreamRecords } from '../stream-events.js';
import { wholeNumber } from '../wrong-usage.js';

interface StreamOptions {
  readonly tenant?: string;
  readonly after?: string;
  readonly limit?: string;
}

const DEFAULT_LIMIT = 1_000;

/** `streams read`: the events of one aggregate instance. */
export const addStreamCommands: AddCommands = (program, run) => {
  program
    .command('streams')
    .alias('stream')
    .description('the events of one aggregate instance')
    .command('read')
    .description('its events, by version')
    .argument('<aggregate>')
    .argument('<id>')
    .option('--tenant <tenant>', 'whose stream (default: of no tenant)')
    .option('--after <version>', 'only what came after this version')
    .option('--limit <n>', `events at most (default: ${DEFAULT_LIMIT})`)
    .action((aggregate: string, id: string, options: StreamOptions, command: Command) =>
      run(command, (context) => readStream(context, aggregate, id, options)),
    );
};

async function readStream(context: CommandContext, aggregate: string, id: string, options: StreamOptions): Promise<number> {
  const limit = options.limit === undefined ? DEFAULT_LIMIT : wholeNumber('--limit', options.limit);
  const after = options.after === undefined ? 0 : wholeNumber('--after', options.after, 0);
  const tenant = options.tenant ?? null;
  const session = await context.open({ log: false });
  const { out } = context;
  const records = await readStreamRecords(session.database, streamName({ tenant, aggregate, id }), after, limit + 1);
  if (records.length === 0 && after === 0) throw await noStream(session, tenant, aggregate, id);
  const events = records.slice(0, limit).map(shownEvent);
  const more = records.length > limit;
  out.answer({ aggregate, id, tenant, version: events.at(-1)?.stream.version ?? after, more, events }, () =>
    events.length === 0 ? `Nothing came after version ${after}.` : events.map((event) => eventLine(event, out)).join('\n'),
  );
  if (more)
    out.note(out.color.dim(`The first ${count(limit)}; --after ${events.at(-1)?.stream.version ?? limit} shows what follows.`));
  return 0;
}

async function noStream(
  { database, definitions }: Session,
  tenant: string | null,
  aggregate: string,
  id: string,
): Promise<KappaError> {
  const known = definitions.aggregates.map(({ name }) => name);
  const whose = tenant === null ? '' : ` of tenant ${tenant}`;
  if (await hasStreams(database, `${tenantPart(tenant)}/${aggregate}/`)) {
    return new KappaError('KAPPA_UNKNOWN_STREAM', `${aggregate} ${id}${whose} has no events`, {
      facts: { aggregate, id, tenant },
      nextStep: 'Check the id; --tenant reads the stream of a tenant.',
    });
  }
  const closest = known.includes(aggregate) ? null : closestName(aggregate, known);
  return new KappaError(
    'KAPPA_UNKNOWN_STREAM',
    `no stream of ${aggregate}${whose} has events${closest === null ? '' : `; did you mean ${closest}?`}`,
    {
      facts: { aggregate, id, tenant, ...(known.length === 0 ? {} : { aggregates: known }) },
      nextStep: 'Check the name of the aggregate; --tenant reads the stream of a tenant.',
    },
  );
}
