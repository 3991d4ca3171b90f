import { Database } from '../../../src/database/database.js';
import { jsonCodec } from '../../../src/kernel/codec.js';
import { silentLogger } from '../../../src/kernel/logger.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import type { Build } from '../../../src/modules/projections/build.js';
import { BuildStore } from '../../../src/modules/projections/build-store.js';
import { buildWork } from '../../../src/modules/projections/build-work.js';
import type { ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import { rebuildProjections } from '../../../src/modules/projections/rebuild/rebuild-projections.js';
import type { BuildWork } from '../../../src/modules/projections/runner/fold-batch.js';
import { ProgressSignal } from '../../../src/modules/projections/runner/progress-signal.js';
import { accountsV1, flowsV1, kindsV1 } from './ledger.js';

/** Rebuilds the given builds until it is killed or done: some with room for all rows, some with room for hardly any. */
const definitions: Readonly<Record<string, ProjectionDefinition>> = { accounts: accountsV1, flows: flowsV1, kinds: kindsV1 };
const { REBUILD_URL: url = '', ROOMY: roomy = '', NARROW: narrow = '' } = process.env;
const database = new Database({ url });
const log = new PostgresLog(database);
const builds = new BuildStore(database);
const context = {
  database,
  log,
  builds,
  progress: new ProgressSignal(),
  logger: silentLogger,
  swap: () => Promise.resolve(),
};
/** Slow enough that ten kills do not last to the end, on a machine of any speed. */
const paced = { checkpointMs: 15, leaseMs: 200, maxEventsPerSecond: 2_000 };

const worksOf = (ids: string): Promise<readonly BuildWork[]> =>
  Promise.all(
    ids.split(',').map(async (id) => {
      const build = (await builds.get(Number(id))) as Build;
      return buildWork(database.schema, build, definitions[build.projection] as ProjectionDefinition, jsonCodec);
    }),
  );
const rebuild = async (works: readonly BuildWork[], memory: { readonly memoryMb?: number } = {}): Promise<void> => {
  for await (const _ of rebuildProjections(context, { works, ...paced, ...memory }));
};

await log.start();
const [whole, little] = [await worksOf(roomy), await worksOf(narrow)];
process.send?.('ready');
await Promise.all([rebuild(whole), rebuild(little, { memoryMb: 1 })]);
process.exit(0);
