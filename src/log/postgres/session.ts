import { bigintArray, intArray, textArray } from '../../database/binary-arrays.js';
import { sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { FencedError, KappaError, RetriableError, UnknownOutcomeError } from '../../kernel/errors.js';
import { offset as checkedOffset, type TopicName } from '../../kernel/names.js';
import { NOWHERE, parsePartitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { NewRecord } from '../../kernel/record.js';
import type { CommitOutcome, LogSession, LogTransaction } from '../event-log.js';
import { assertPartition, groupRecords } from '../record-groups.js';
import { endsOf, inOneRoundTrip, recordParameters } from './append-records.js';
import type { TopicCatalog } from './topic-catalog.js';

/** Waits for a commit that is under way, so that it is settled when the session is open. */
const OPEN = `
  insert into session_tasks as t (task, epoch) values ($1, 1)
  on conflict (task) do update set epoch = t.epoch + 1
  returning epoch`;

const COMMIT = 'select commit_session($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) as ends';
const FENCED = 'KA002';

export interface SessionContext {
  readonly database: Database;
  readonly topics: TopicCatalog;
  readonly maxRecordBytes: number;
  appended(position: Position): void;
}

export async function openSession(context: SessionContext, task: string): Promise<LogSession> {
  try {
    const { rows } = await inOneRoundTrip<{ epoch: number }>(
      context.database,
      { text: OPEN, values: [task] },
      `opening session ${task}`,
    );
    return new PostgresSession(context, task, rows[0]?.epoch ?? 0);
  } catch (error) {
    // An epoch that was raised in vain fences nobody but ourselves: opening may always be tried again.
    if (error instanceof UnknownOutcomeError) throw new RetriableError(`session ${task} was not opened`, { cause: error });
    throw error;
  }
}

class PostgresSession implements LogSession {
  #open: PostgresTransaction | null = null;
  #closed = false;

  constructor(
    private readonly context: SessionContext,
    readonly task: string,
    private readonly epoch: number,
  ) {}

  begin(): LogTransaction {
    if (this.#closed) throw sessionMisused(this.task, 'is closed', 'Open it again.');
    if (this.#open?.isOpen) throw sessionMisused(this.task, 'has a transaction already', 'Commit or abort it first.');
    this.#open = new PostgresTransaction(this.context, this.task, this.epoch);
    return this.#open;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#open?.abort();
  }
}

/** Gathered here and sent at once: the partitions are locked for one round trip. */
class PostgresTransaction implements LogTransaction {
  readonly #records: NewRecord[] = [];
  readonly #offsets = new Map<string, { readonly group: string; readonly key: PartitionKey; readonly next: number }>();
  isOpen = true;

  constructor(
    private readonly context: SessionContext,
    private readonly task: string,
    private readonly epoch: number,
  ) {}

  append(records: readonly NewRecord[]): void {
    this.#assertOpen();
    this.#records.push(...records);
  }

  commitOffsets(group: string, position: Position): void {
    this.#assertOpen();
    for (const [key, next] of Object.entries(position) as [PartitionKey, number][])
      this.#offsets.set(`${group}\0${key}`, { group, key, next: checkedOffset(next) });
  }

  async commit(): Promise<CommitOutcome> {
    this.#assertOpen();
    this.isOpen = false;
    try {
      const position = await this.#send();
      this.context.appended(position);
      return { outcome: 'committed', position };
    } catch (error) {
      if (sqlState(error) === FENCED) throw new FencedError(`task ${this.task}`, { task: this.task, epoch: this.epoch });
      if (error instanceof UnknownOutcomeError) return { outcome: 'unknown', cause: error };
      return { outcome: 'aborted', cause: error };
    }
  }

  abort(): Promise<void> {
    this.isOpen = false;
    return Promise.resolve();
  }

  async #send(): Promise<Position> {
    const { database, topics, maxRecordBytes } = this.context;
    const offsets = [...this.#offsets.values()].map(({ group, key, next }) => ({ group, next, ...parsePartitionKey(key) }));
    const resolved = await topics.resolve([
      ...this.#records.map(({ topic }) => topic),
      ...offsets.map(({ topic }) => topic as TopicName),
    ]);
    const groups = groupRecords(this.#records, resolved, maxRecordBytes);
    const ids = offsets.map(({ topic, partition }) => {
      const stored = resolved.get(topic as TopicName);
      assertPartition(topic as TopicName, partition, stored?.partitions ?? 0);
      return stored?.id ?? 0;
    });
    const values = [
      this.task,
      this.epoch,
      textArray(offsets.map(({ group }) => group)),
      intArray(ids),
      intArray(offsets.map(({ partition }) => partition)),
      bigintArray(offsets.map(({ next }) => next)),
      ...recordParameters(groups),
    ];
    const { rows } = await inOneRoundTrip<{ ends: string[] }>(
      database,
      { name: 'kappa_write_session', text: COMMIT, values },
      `the commit of ${this.task}`,
    );
    return groups.length === 0 ? NOWHERE : endsOf(groups, rows[0]?.ends ?? []);
  }

  #assertOpen(): void {
    if (!this.isOpen) throw sessionMisused(this.task, 'has ended this transaction', 'Begin another one.');
  }
}

function sessionMisused(task: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_SESSION_MISUSED', `session ${task} ${what}`, { facts: { task }, nextStep });
}
