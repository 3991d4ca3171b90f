import type { Offset, TopicName } from '../kernel/names.js';
import type { LogRecord } from '../kernel/record.js';
import type { LogBatch, RecordSource } from './event-log.js';
import type { Page, PageWish } from './page-source.js';

/** A page as a batch; its records are made only when they are asked for. */
export class PageBatch implements LogBatch {
  readonly topic: TopicName;
  readonly partition: number;
  readonly end: Offset;
  readonly onDemand?: RecordSource;

  constructor(
    { topic, partition }: Pick<PageWish, 'topic' | 'partition'>,
    private readonly page: Page,
    readonly next: Offset,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.end = page.end;
    if (page.onDemand) this.onDemand = page.onDemand;
  }

  get records(): readonly LogRecord[] {
    return this.page.records;
  }

  release(): void {
    this.page.release?.();
  }
}
