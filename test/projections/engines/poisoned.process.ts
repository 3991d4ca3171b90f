import { Database } from '../../../src/database/database.js';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { silentLogger } from '../../../src/kernel/logger.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { BuildStore } from '../../../src/modules/projections/build-store.js';
import { buildWork } from '../../../src/modules/projections/build-work.js';
import { rebuildProjections } from '../../../src/modules/projections/rebuild/rebuild-projections.js';
import { LiveRunner } from '../../../src/modules/projections/runner/live-runner.js';
import { ProgressSignal } from '../../../src/modules/projections/runner/progress-signal.js';
import { accountsV1, flowsV1 } from './ledger.js';
import { isPoison, poisoned } from './poison.js';

/** Rebuilds or follows builds of poisoned projections until it is killed. */
const { URL: url = '', BUILDS = '', CORRECTED, FOLLOW } = process.env;
const quickly = { retries: 0, maxLetters: 100_000 };
const fails = CORRECTED ? () => false : isPoison;
const definitions = [accountsV1, flowsV1].map((definition) => poisoned(definition, fails, quickly));

const database = new Database({ url });
const log = new PostgresLog(database, { heartbeatMs: 50, sessionTimeoutMs: 500 });
const builds = new BuildStore(database);
const context = {
  database,
  log,
  builds,
  progress: new ProgressSignal(),
  logger: silentLogger,
  swap: () => Promise.resolve(),
};
await log.start();
const works = await Promise.all(
  BUILDS.split(',').map(async (id) => {
    const build = await builds.get(Number(id));
    const definition = definitions.find(({ name }) => name === build?.projection);
    if (!build || !definition) throw new Error(`no build ${id}`);
    return buildWork(database.schema, build, definition, jsonCodec);
  }),
);
process.send?.('ready');
if (FOLLOW) for (const work of works) new LiveRunner(context, work).start();
else {
  const paced = { checkpointMs: 10, leaseMs: 200, maxEventsPerSecond: 4_000, batchRecords: 100 };
  for await (const _ of rebuildProjections(context, { works, ...paced }));
}
