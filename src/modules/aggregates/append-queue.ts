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
    this.request.fate.settle(cameAbout(this.request, outcome));
  }

  reject(error: unknown): void {
    this.onError(error);
    this.request.fate.settle(false);
  }
}

/** Also where its answer was lost and it is found again, at the very versions that it was to have. */
function cameAbout({ expectedVersion, events }: AppendRequest, outcome: AppendOutcome): boolean {
  if (outcome.outcome !== 'repeated') return outcome.outcome === 'appended';
  return outcome.firstVersion === expectedVersion + 1 && outcome.lastVersion === expectedVersion + events.length;
}

export interface GroupBounds {
  readonly maxCommands: number;
  readonly maxBytes: number;
}

/**
 * Commands that wait, by partition. A partition is in one group at a time, so that the groups of one process never wait for
 * each other's locks; a partition that was slow to lock is alone in its group, so that it holds up none of its neighbours.
 */
export class AppendQueue {
  readonly #waiting = new Map<PartitionKey, PendingAppend[]>();
  readonly #busy = new Set<PartitionKey>();
  readonly #slow = new Set<PartitionKey>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(pending: PendingAppend): void {
    const { partitionKey } = pending.request;
    const waiting = this.#waiting.get(partitionKey);
    if (waiting) waiting.push(pending);
    else this.#waiting.set(partitionKey, [pending]);
  }

  /** Puts commands back to the front, in their order. */
  putBack(pendings: readonly PendingAppend[]): void {
    for (const pending of pendings.toReversed()) {
      const { partitionKey } = pending.request;
      this.#waiting.set(partitionKey, [pending, ...(this.#waiting.get(partitionKey) ?? [])]);
    }
  }

  /**
   * The next group, its partitions marked busy; empty when all that waits is busy. At least one command, whatever its size.
   * `slow`: one slow partition, else any number of others.
   */
  take(bounds: GroupBounds, slow: boolean): PendingAppend[] {
    const group: PendingAppend[] = [];
    let bytes = 0;
    for (const [key, waiting] of this.#waiting) {
      if (this.#busy.has(key) || this.#slow.has(key) !== slow) continue;
      let count = 0;
      for (const pending of waiting) {
        if (group.length > 0 && (group.length >= bounds.maxCommands || bytes + pending.request.bytes > bounds.maxBytes)) break;
        group.push(pending);
        bytes += pending.request.bytes;
        count += 1;
      }
      if (count === 0) break;
      this.#busy.add(key);
      if (count === waiting.length) this.#waiting.delete(key);
      else this.#waiting.set(key, waiting.slice(count));
      if (slow) break;
    }
    return group;
  }

  /** The group is done: its partitions may be taken again. They go to the end of the line, so that none starves. */
  release(group: readonly PendingAppend[]): void {
    for (const { request } of group) {
      if (!this.#busy.delete(request.partitionKey)) continue;
      const waiting = this.#waiting.get(request.partitionKey);
      if (!waiting) continue;
      this.#waiting.delete(request.partitionKey);
      this.#waiting.set(request.partitionKey, waiting);
    }
  }

  markSlow(key: PartitionKey, slow: boolean): void {
    if (slow) this.#slow.add(key);
    else this.#slow.delete(key);
  }
}
