// Rebuilds the given builds until it is killed or done: some with room for all rows, some with room for hardly any.
import { Database } from '../../../dist/database/database.js';
import { jsonCodec } from '../../../dist/kernel/codec.js';
import { silentLogger } from '../../../dist/kernel/logger.js';
import { PostgresLog } from '../../../dist/log/postgres/postgres-log.js';
import { BuildStore } from '../../../dist/modules/projections/build-store.js';
import { buildWork } from '../../../dist/modules/projections/build-work.js';
import { rebuildProjections } from '../../../dist/modules/projections/rebuild/rebuild-projections.js';
import { ProgressSignal } from '../../../dist/modules/projections/runner/progress-signal.js';
import { accountsV1, flowsV1, kindsV1 } from './ledger.ts';

const definitions = { accounts: accountsV1, flows: flowsV1, kinds: kindsV1 };
const { REBUILD_URL: url, ROOMY: roomy, NARROW: narrow } = process.env;
const database = new Database({ url });
const log = new PostgresLog(database);
const builds = new BuildStore(database);
const context = { database, log, builds, progress: new ProgressSignal(), logger: silentLogger, swap: () => Promise.resolve() };
const paced = { checkpointMs: 15, leaseMs: 200, maxEventsPerSecond: 6_000 };

const worksOf = (ids) =>
  Promise.all(
    ids.split(',').map(async (id) => {
      const build = await builds.get(Number(id));
      return buildWork(database.schema, build, definitions[build.projection], jsonCodec);
    }),
  );
const rebuild = async (works, more) => {
  for await (const _ of rebuildProjections(context, { works, ...paced, ...more }));
};

await log.start();
const [whole, little] = [await worksOf(roomy), await worksOf(narrow)];
process.send('ready');
await Promise.all([rebuild(whole, {}), rebuild(little, { memoryMb: 1 })]);
process.exit(0);
