import type { Database } from '../../database/database.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import { topicName } from '../../kernel/names.js';
import { partitionKey, type Position } from '../../kernel/position.js';
import type { EventLog } from '../../log/event-log.js';
import type { Build, BuildState, PartitionProgress } from './build.js';
import type { Builds } from './builds.js';

/** What a log says of itself and its topics. */
export type NamedLog = Pick<EventLog, 'identity' | 'describeTopic'>;

export interface AdoptLogOptions {
  readonly database: Database;
  readonly builds: Builds;
  /** The log that the checkpoints are of. */
  readonly from: NamedLog;
  /** The log they are to be of. */
  readonly to: NamedLog;
  /** Up to where both were proven to hold the same records at the same offsets. */
  readonly proven: Position;
}

export interface AdoptedBuilds {
  /** Their checkpoints are of the new log now. */
  readonly adopted: readonly Build[];
  /** Those that stay as they are, and why: rebuild them. */
  readonly left: readonly { readonly build: Build; readonly reason: string }[];
}

const PROJECTING: readonly BuildState[] = ['building', 'catching-up', 'ready', 'live', 'standby'];

const move = (schema: string): string => `
  update ${quoteIdentifier(schema)}.progress as p
  set log_driver = $4, log_cluster = $5, topic_incarnation = line.incarnation
  from unnest($6::text[], $7::int[], $8::bigint[], $9::text[]) as line (topic, partition, proven, incarnation)
  where p.build_id = $1 and p.log_driver = $2 and p.log_cluster = $3
    and p.topic = line.topic and p.partition = line.partition and p.next_offset <= line.proven`;

/**
 * Carries the checkpoints of builds over to another log that holds the same records at the same offsets: a position means the
 * same there, so that nothing needs to be built anew. A build moves wholly or not at all.
 */
export async function adoptLog(options: AdoptLogOptions): Promise<AdoptedBuilds> {
  const { builds, from } = options;
  const { driver, cluster } = await from.identity();
  const adopted: Build[] = [];
  const left: { readonly build: Build; readonly reason: string }[] = [];
  for (const build of await builds.list()) {
    if (!PROJECTING.includes(build.state)) continue;
    const progress = await builds.progress(build.id);
    if (!progress.some(({ log }) => log.driver === driver && log.cluster === cluster)) continue;
    const reason = (await obstacle(options, progress)) ?? (await moveBuild(options, build, progress));
    if (reason === null) adopted.push(build);
    else left.push({ build, reason });
  }
  return { adopted, left };
}

/** Why the checkpoints cannot be carried over; null where they can. */
async function obstacle({ from, to, proven }: AdoptLogOptions, progress: readonly PartitionProgress[]): Promise<string | null> {
  for (const { topic, partition, nextOffset, log } of progress) {
    const key = partitionKey(topic, partition);
    const end = proven[key];
    if (end === undefined) return `it reads ${topic}, which is not relayed`;
    if (nextOffset > end) return `it has read ${key} up to ${nextOffset}, but only what lies before ${end} was compared`;
    if (log.incarnation !== (await from.describeTopic(topicName(topic)))?.incarnation)
      return `${topic} was deleted and created again since`;
    if (!(await to.describeTopic(topicName(topic)))) return `${topic} does not stand in the new log`;
  }
  return null;
}

async function moveBuild(
  { database, builds, from, to, proven }: AdoptLogOptions,
  build: Build,
  progress: readonly PartitionProgress[],
): Promise<string | null> {
  const [old, next] = [await from.identity(), await to.identity()];
  const incarnations = await Promise.all(progress.map(({ topic }) => to.describeTopic(topicName(topic))));
  return database
    .transaction(async (on) => {
      const { rowCount } = await on.query(move(database.schema), [
        build.id,
        old.driver,
        old.cluster,
        next.driver,
        next.cluster,
        progress.map(({ topic }) => topic),
        progress.map(({ partition }) => partition),
        progress.map(({ topic, partition }) => proven[partitionKey(topic, partition)]),
        incarnations.map((topic) => topic?.incarnation ?? ''),
      ]);
      // Thrown, so that the transaction leaves nothing behind.
      if (rowCount !== progress.length) throw new MovedMeanwhile();
      if (build.error?.code === 'KAPPA_LOG_CHANGED')
        await on.query(`update ${quoteIdentifier(database.schema)}.builds set error = null where id = $1`, [build.id]);
      await builds.audit({
        projection: build.projection,
        build: build.id,
        action: 'adopt-log',
        facts: { from: old, to: next },
        on,
      });
      return null;
    })
    .catch((error: unknown) => {
      if (error instanceof MovedMeanwhile) return 'it moved on meanwhile: stop the processes that project it from the old log';
      throw error;
    });
}

class MovedMeanwhile extends Error {}
