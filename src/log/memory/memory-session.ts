import { FencedError, KappaError } from '../../kernel/errors.js';
import { offset as checkedOffset, type TopicName } from '../../kernel/names.js';
import { parsePartitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { NewRecord } from '../../kernel/record.js';
import type { CommitOutcome, LogSession, LogTransaction } from '../event-log.js';
import { assertPartition, groupRecords, unknownTopic } from '../record-groups.js';
import type { MemoryCluster } from './memory-cluster.js';

export function openMemorySession(cluster: MemoryCluster, task: string, maxRecordBytes: number): LogSession {
  const epoch = (cluster.epochs.get(task) ?? 0) + 1;
  cluster.epochs.set(task, epoch);
  let open: MemoryTransaction | null = null;
  let closed = false;
  return {
    task,
    begin: () => {
      if (closed || open?.isOpen) throw sessionMisused(task, closed ? 'is closed' : 'has a transaction already');
      open = new MemoryTransaction(cluster, task, epoch, maxRecordBytes);
      return open;
    },
    close: async () => {
      closed = true;
      await open?.abort();
    },
  };
}

class MemoryTransaction implements LogTransaction {
  readonly #records: NewRecord[] = [];
  readonly #offsets: { readonly group: string; readonly position: Position }[] = [];
  isOpen = true;

  constructor(
    private readonly cluster: MemoryCluster,
    private readonly task: string,
    private readonly epoch: number,
    private readonly maxRecordBytes: number,
  ) {}

  append(records: readonly NewRecord[]): void {
    this.#assertOpen();
    this.#records.push(...records);
  }

  commitOffsets(group: string, position: Position): void {
    this.#assertOpen();
    for (const next of Object.values(position)) checkedOffset(next);
    this.#offsets.push({ group, position });
  }

  async commit(): Promise<CommitOutcome> {
    this.#assertOpen();
    this.isOpen = false;
    const { cluster, task, epoch } = this;
    if (cluster.epochs.get(task) !== epoch) throw new FencedError(`task ${task}`, { task, epoch });
    try {
      for (const { position } of this.#offsets)
        for (const key of Object.keys(position) as PartitionKey[]) assertKnown(cluster, key);
      const position = cluster.append(groupRecords(this.#records, cluster.topics, this.maxRecordBytes));
      for (const offsets of this.#offsets) cluster.commitOffsets(offsets.group, offsets.position);
      return { outcome: 'committed', position };
    } catch (cause) {
      return { outcome: 'aborted', cause };
    }
  }

  async abort(): Promise<void> {
    this.isOpen = false;
  }

  #assertOpen(): void {
    if (!this.isOpen) throw sessionMisused(this.task, 'has ended this transaction');
  }
}

function assertKnown(cluster: MemoryCluster, key: PartitionKey): void {
  const { topic: name, partition } = parsePartitionKey(key);
  const topic = cluster.topics.get(name as TopicName);
  if (!topic) throw unknownTopic(name as TopicName);
  assertPartition(topic.name, partition, topic.partitions);
}

function sessionMisused(task: string, what: string): KappaError {
  return new KappaError('KAPPA_SESSION_MISUSED', `session ${task} ${what}`, {
    facts: { task },
    nextStep: 'One open transaction of an open session at a time.',
  });
}
