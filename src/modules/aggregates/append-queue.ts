import type { PartitionKey } from '../../kernel/position.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';

/** A command that waits for its append, and who is to be told. */
export class PendingAppend {
  constructor(
    readonly request: AppendRequest,
    private readonly onOutcome: (outcome: AppendOutcome) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The caller first: what it remembers of the stream stands before others look. */
  resolve(outcome: AppendOutcome): void {
    this.onOutcome(outcome);
    // Not where it is found to have taken effect before: what it wrote then need not be what it would have written now.
    this.request.fate.settle(outcome.outcome === 'appended');
  }

  reject(error: unknown): void {
    this.onError(error);
    this.request.fate.settle(false);
  }
}

export interface GroupBounds {
  readonly maxCommands: number;
  readonly maxBytes: number;
  /** With so many no further partition is taken. */
  readonly enoughCommands: number;
}

/** The commands of a partition that wait, oldest first. */
class Line {
  waiting: PendingAppend[] = [];
  /** In a group under way. */
  isBusy = false;
  isSlow = false;
}

/**
 * Commands that wait, by partition. A partition is in one group at a time, so that the groups of one process never wait for
 * each other's locks; a partition that was slow to lock is alone in its group, so that it holds up none of its neighbours.
 */
export class AppendQueue {
  readonly #lines = new Map<PartitionKey, Line>();
  /** Those in which somebody waits, in the order in which their turn comes. */
  readonly #order = new Set<Line>();

  get isEmpty(): boolean {
    return this.#order.size === 0;
  }

  /** Commands that wait. */
  get length(): number {
    let length = 0;
    for (const { waiting } of this.#order) length += waiting.length;
    return length;
  }

  /** Of these, those that a group may have: their partitions are neither busy nor slow. */
  get ready(): number {
    let ready = 0;
    for (const { waiting, isBusy, isSlow } of this.#order) if (!isBusy && !isSlow) ready += waiting.length;
    return ready;
  }

  add(pending: PendingAppend): void {
    const line = this.#line(pending.request.partitionKey);
    line.waiting.push(pending);
    this.#order.add(line);
  }

  /** Puts commands back to the front, in their order. */
  putBack(pendings: readonly PendingAppend[]): void {
    for (const pending of pendings.toReversed()) {
      const line = this.#line(pending.request.partitionKey);
      line.waiting.unshift(pending);
      this.#order.add(line);
    }
  }

  /**
   * The next group, its partitions marked busy; empty when all that waits is busy. At least one command, whatever its size.
   * `slow`: one slow partition, else any number of others.
   */
  take(bounds: GroupBounds, slow: boolean): PendingAppend[] {
    const group: PendingAppend[] = [];
    let bytes = 0;
    for (const line of this.#order) {
      if (line.isBusy || line.isSlow !== slow) continue;
      if (group.length >= bounds.enoughCommands) break;
      let count = 0;
      for (const pending of line.waiting) {
        if (group.length > 0 && (group.length >= bounds.maxCommands || bytes + pending.request.bytes > bounds.maxBytes)) break;
        group.push(pending);
        bytes += pending.request.bytes;
        count += 1;
      }
      if (count === 0) break;
      line.isBusy = true;
      line.waiting = line.waiting.slice(count);
      if (line.waiting.length === 0) this.#order.delete(line);
      if (slow) break;
    }
    return group;
  }

  /** The group is done: its partitions may be taken again. They go to the end of the line, so that none starves. */
  release(group: readonly PendingAppend[]): void {
    for (const { request } of group) {
      const line = this.#line(request.partitionKey);
      if (!line.isBusy) continue;
      line.isBusy = false;
      if (this.#order.delete(line)) this.#order.add(line);
    }
  }

  markSlow(key: PartitionKey, slow: boolean): void {
    this.#line(key).isSlow = slow;
  }

  /** Stays for good: there are as many as partitions. */
  #line(key: PartitionKey): Line {
    let line = this.#lines.get(key);
    if (!line) this.#lines.set(key, (line = new Line()));
    return line;
  }
}
