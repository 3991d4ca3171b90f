import type { Database, Queryable } from '../../database/database.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import {
  advanceStatement,
  claimStatement,
  moveParameters,
  type PartitionClaim,
  type ProgressMove,
  type ProgressTable,
} from '../../database/partition-progress.js';
import { KappaError } from '../../kernel/errors.js';
import { partitionKey, parsePartitionKey, type PartitionKey } from '../../kernel/position.js';
import type { LogIdentity } from '../../log/event-log.js';
import type { AcceptedTopic } from './accept-log.js';
import type { PolicyDefinition } from './policy.js';
import type { KnownPolicy, NewPolicyTopic, PolicyError, PolicyPartition, PolicyProgress } from './policy-progress.js';

const PROGRESS_COLUMNS = `p.topic, p.partition, p.next_offset, p.owner_epoch, p.refused, p.log_driver, p.log_cluster, p.topic_incarnation`;

interface ProgressRow {
  readonly topic: string;
  readonly partition: number;
  readonly next_offset: number;
  readonly owner_epoch: number;
  readonly refused: number;
  readonly log_driver: string;
  readonly log_cluster: string;
  readonly topic_incarnation: string;
}

/** Policies and their progress in our schema of PostgreSQL. */
export class PolicyStore implements PolicyProgress {
  readonly #sql: ReturnType<typeof statements>;

  constructor(private readonly database: Database) {
    this.#sql = statements(quoteIdentifier(database.schema));
  }

  async list(): Promise<readonly KnownPolicy[]> {
    return (await this.database.query<KnownPolicy>(this.#sql.list, [null])).rows;
  }

  async get(policy: string): Promise<KnownPolicy | null> {
    return (await this.database.query<KnownPolicy>(this.#sql.list, [policy])).rows[0] ?? null;
  }

  async partitions(policy: string): Promise<readonly PolicyPartition[]> {
    const { rows } = await this.database.query<ProgressRow>(this.#sql.partitions, [policy]);
    return rows.map(({ topic, partition, next_offset, owner_epoch, refused, ...row }) => ({
      topic,
      partition,
      nextOffset: next_offset,
      ownerEpoch: owner_epoch,
      refused,
      log: { driver: row.log_driver, cluster: row.log_cluster, incarnation: row.topic_incarnation },
    }));
  }

  async begin(
    { name, startAt }: Pick<PolicyDefinition, 'name' | 'startAt'>,
    topics: readonly NewPolicyTopic[],
    log: LogIdentity,
  ): Promise<void> {
    const lines = topics.flatMap(({ description, offsets }) =>
      offsets.map(({ partition, begin, end }) => ({
        topic: description.name,
        partition,
        next: startAt === 'end' ? end : begin,
        incarnation: description.incarnation,
      })),
    );
    await this.database.transaction(async (on) => {
      await on.query(this.#sql.addPolicy, [name, startAt]);
      await on.query(this.#sql.addLines, [
        name,
        lines.map((line) => line.topic),
        lines.map((line) => line.partition),
        lines.map((line) => line.next),
        lines.map((line) => line.incarnation),
        log.driver,
        log.cluster,
      ]);
    });
  }

  async claim(policy: string, partitions: readonly PartitionKey[]): Promise<readonly PartitionClaim[]> {
    const wanted = partitions.map(parsePartitionKey);
    const { rows } = await this.database.query<ProgressRow>(this.#sql.claim, [
      policy,
      wanted.map((line) => line.topic),
      wanted.map((line) => line.partition),
    ]);
    if (rows.length !== wanted.length) {
      const known = rows.map((row) => partitionKey(row.topic, row.partition));
      throw new KappaError(
        'KAPPA_UNKNOWN_PARTITION',
        `policy ${policy} has no progress for ${partitions.filter((key) => !known.includes(key)).join(', ')}`,
        {
          facts: { policy, wanted: partitions, known },
          nextStep: 'Restart it: the lines of new topics are made at the start.',
        },
      );
    }
    return rows.map((row) => ({
      topic: row.topic,
      partition: row.partition,
      nextOffset: row.next_offset,
      epoch: row.owner_epoch,
    }));
  }

  async advance(on: Queryable, policy: string, moves: readonly ProgressMove[]): Promise<boolean> {
    const { rows } = await on.query<{ outcome: 'advanced' | 'fenced'; moved: number }>(
      this.#sql.advance,
      moveParameters(policy, moves),
    );
    return rows[0]?.outcome === 'advanced' && rows[0].moved === moves.length;
  }

  async owns(
    on: Queryable,
    policy: string,
    { topic, partition, epoch }: Pick<ProgressMove, 'topic' | 'partition' | 'epoch'>,
  ): Promise<boolean> {
    const { rowCount } = await on.query(this.#sql.owns, [policy, topic, partition, epoch]);
    return rowCount === 1;
  }

  async countRefused(on: Queryable, policy: string, refused: ReadonlyMap<PartitionKey, number>): Promise<void> {
    const lines = [...refused].map(([key, count]) => ({ ...parsePartitionKey(key), count }));
    await on.query(this.#sql.countRefused, [
      policy,
      lines.map((line) => line.topic),
      lines.map((line) => line.partition),
      lines.map((line) => line.count),
    ]);
  }

  async accept(policy: string, topics: readonly AcceptedTopic[], { driver, cluster }: LogIdentity): Promise<void> {
    await this.database.transaction(async (on) => {
      for (const { description, moves } of topics) {
        const { name, incarnation, partitions } = description;
        await on.query(this.#sql.acceptLines, [
          policy,
          name,
          moves.map((move) => move.partition),
          moves.map((move) => move.to),
          incarnation,
          driver,
          cluster,
        ]);
        await on.query(this.#sql.dropLines, [policy, name, partitions]);
      }
      await on.query(this.#sql.acceptPolicy, [policy]);
    });
  }

  async setError(policy: string, error: PolicyError | null): Promise<void> {
    await this.database.query(this.#sql.setError, [policy, error === null ? null : JSON.stringify(error)]);
  }
}

/** `schema` is quoted. */
function statements(schema: string) {
  const progress: ProgressTable = { name: `${schema}.policy_progress`, owner: 'policy' };
  return {
    list: `
      select p.name, p.start_at as "startAt", p.error from ${schema}.policies p
      where $1::text is null or p.name = $1
      order by p.name`,

    partitions: `
      select ${PROGRESS_COLUMNS} from ${progress.name} p
      where p.policy = $1
      order by p.topic, p.partition`,

    addPolicy: `insert into ${schema}.policies (name, start_at) values ($1, $2) on conflict (name) do nothing`,

    addLines: `
      insert into ${progress.name} (policy, topic, partition, next_offset, topic_incarnation, log_driver, log_cluster)
      select $1, line.topic, line.partition, line.next_offset, line.incarnation, $6, $7
      from unnest($2::text[], $3::int[], $4::bigint[], $5::text[]) as line(topic, partition, next_offset, incarnation)
      order by line.topic, line.partition
      on conflict (policy, topic, partition) do nothing`,

    acceptLines: `
      insert into ${progress.name} as p (policy, topic, partition, next_offset, topic_incarnation, log_driver, log_cluster)
      select $1, $2, line.partition, line.next_offset, $5, $6, $7
      from unnest($3::int[], $4::bigint[]) as line(partition, next_offset)
      order by line.partition
      on conflict (policy, topic, partition) do update
      set next_offset = excluded.next_offset, owner_epoch = p.owner_epoch + 1, topic_incarnation = excluded.topic_incarnation,
          log_driver = excluded.log_driver, log_cluster = excluded.log_cluster`,

    dropLines: `delete from ${progress.name} p where p.policy = $1 and p.topic = $2 and p.partition >= $3`,

    acceptPolicy: `
      update ${schema}.policies set error = null
      where name = $1
        and error ->> 'code' in ('KAPPA_LOG_CHANGED', 'KAPPA_LOG_TRUNCATED', 'KAPPA_UNKNOWN_PARTITION', 'KAPPA_UNKNOWN_TOPIC')`,

    claim: claimStatement(progress, PROGRESS_COLUMNS),

    advance: advanceStatement(progress),

    owns: `
      select 1 from ${progress.name} p
      where p.policy = $1 and p.topic = $2 and p.partition = $3 and p.owner_epoch = $4
      for update of p`,

    countRefused: `
      update ${progress.name} as p set refused = p.refused + line.count
      from unnest($2::text[], $3::int[], $4::bigint[]) as line(topic, partition, count)
      where p.policy = $1 and p.topic = line.topic and p.partition = line.partition`,

    setError: `update ${schema}.policies set error = $2 where name = $1`,
  };
}
