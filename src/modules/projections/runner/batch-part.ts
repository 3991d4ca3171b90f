import type { ProgressMove } from '../../../database/partition-progress.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { RecordSource } from '../../../log/event-log.js';

/** One partition's share of a batch: its records lie in [from, to), and all in between is proven scanned. */
export class BatchPart implements ProgressMove, RecordSource {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  #made: readonly LogRecord[] | null = null;

  constructor(
    move: ProgressMove,
    private readonly source: RecordSource,
  ) {
    this.topic = move.topic;
    this.partition = move.partition;
    this.epoch = move.epoch;
    this.from = move.from;
    this.to = move.to;
  }

  /** How many records it has. */
  get length(): number {
    return this.source.length;
  }

  /** All of them, made now where they were not yet. */
  get records(): readonly LogRecord[] {
    this.#made ??= this.source.slice(0, this.source.length);
    return this.#made;
  }

  /** Made each time that they are asked for, where all were not made already: they are garbage soon where nobody keeps them. */
  slice(from: number, to: number): readonly LogRecord[] {
    return (this.#made ?? this.source).slice(from, to);
  }

  /** Up to an exclusive offset. */
  before(end: number): BatchPart {
    if (this.to <= end) return this;
    return new BatchPart(
      { ...this.#move, to: Math.max(this.from, end) },
      this.records.filter(({ offset }) => offset < end),
    );
  }

  /** From an offset on. */
  since(from: number): BatchPart {
    if (from <= this.from) return this;
    return new BatchPart(
      { ...this.#move, from },
      this.records.filter(({ offset }) => offset >= from),
    );
  }

  get #move(): ProgressMove {
    const { topic, partition, epoch, from, to } = this;
    return { topic, partition, epoch, from, to };
  }
}
