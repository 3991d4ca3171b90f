import type { Database, Queryable } from '../database/database.js';
import type { PartitionCheckpoint, ProgressTable } from '../database/partition-progress.js';
import { topicName } from '../kernel/names.js';
import { partitionKey, type Position } from '../kernel/position.js';
import type { EventLog } from './event-log.js';

/** What a log says of itself and its topics. */
export type NamedLog = Pick<EventLog, 'identity' | 'describeTopic'>;

/** A move to another log that holds the same records at the same offsets: a position means the same there. */
export interface LogMove {
  readonly database: Database;
  /** The log that the checkpoints are of. */
  readonly from: NamedLog;
  /** The log they are to be of. */
  readonly to: NamedLog;
  /** Up to where both were proven to hold the same records at the same offsets. */
  readonly proven: Position;
}

/** Whose checkpoints are carried over, and where they are kept. */
export interface CheckpointHolder {
  readonly table: ProgressTable;
  readonly id: number | string;
  readonly checkpoints: readonly PartitionCheckpoint[];
  /** Part of the transaction that carries them over. */
  readonly moved: (on: Queryable) => Promise<void>;
}

const move = ({ name, owner }: ProgressTable): string => `
  update ${name} as p
  set log_driver = $4, log_cluster = $5, topic_incarnation = line.incarnation
  from unnest($6::text[], $7::int[], $8::bigint[], $9::text[]) as line (topic, partition, proven, incarnation)
  where p.${owner} = $1 and p.log_driver = $2 and p.log_cluster = $3
    and p.topic = line.topic and p.partition = line.partition and p.next_offset <= line.proven`;

/** Whether any of them is of the log that is left. */
export async function standsOn(log: NamedLog, checkpoints: readonly PartitionCheckpoint[]): Promise<boolean> {
  return (await onLog(log, checkpoints)).length > 0;
}

/**
 * Carries checkpoints over to the other log, where they are not there yet: all or none, in one transaction. Returns why they
 * cannot be; null where they were.
 */
export async function adoptCheckpoints(given: LogMove, holder: CheckpointHolder): Promise<string | null> {
  const checkpoints = await onLog(given.from, holder.checkpoints);
  return (await obstacle(given, checkpoints)) ?? (await carryOver(given, { ...holder, checkpoints }));
}

async function onLog(log: NamedLog, checkpoints: readonly PartitionCheckpoint[]): Promise<readonly PartitionCheckpoint[]> {
  const { driver, cluster } = await log.identity();
  return checkpoints.filter((line) => line.log.driver === driver && line.log.cluster === cluster);
}

async function obstacle({ from, to, proven }: LogMove, checkpoints: readonly PartitionCheckpoint[]): Promise<string | null> {
  for (const { topic, partition, nextOffset, log } of checkpoints) {
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

async function carryOver(
  { database, from, to, proven }: LogMove,
  { table, id, checkpoints, moved }: CheckpointHolder,
): Promise<string | null> {
  const [old, next] = [await from.identity(), await to.identity()];
  const incarnations = await Promise.all(checkpoints.map(({ topic }) => to.describeTopic(topicName(topic))));
  return database
    .transaction(async (on) => {
      const { rowCount } = await on.query(move(table), [
        id,
        old.driver,
        old.cluster,
        next.driver,
        next.cluster,
        checkpoints.map(({ topic }) => topic),
        checkpoints.map(({ partition }) => partition),
        checkpoints.map(({ topic, partition }) => proven[partitionKey(topic, partition)]),
        incarnations.map((topic) => topic?.incarnation ?? ''),
      ]);
      // Thrown, so that the transaction leaves nothing behind.
      if (rowCount !== checkpoints.length) throw new MovedMeanwhile();
      await moved(on);
      return null;
    })
    .catch((error: unknown) => {
      if (error instanceof MovedMeanwhile) return 'it moved on meanwhile: stop the processes that run it on the old log';
      throw error;
    });
}

class MovedMeanwhile extends Error {}
