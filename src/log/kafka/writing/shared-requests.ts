import { partitionKey } from '../../../kernel/position.js';
import type { Cluster } from '../wire/cluster.js';
import { writeTo, type PendingBatch } from './produce-batches.js';

interface Ready {
  readonly batch: PendingBatch;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What one leader is sent. */
interface Line {
  readonly ready: Ready[];
  /** Requests under way, by the connection that they take. */
  readonly slots: Set<number>;
  /** Those of them that have taken so long that others need not wait for them. */
  readonly late: Set<number>;
}

/** Far below what a broker takes in one request (`socket.request.max.bytes`, 100 MiB). */
const REQUEST_BYTES = 16 * 1024 * 1024;
/** A broker takes one request after the other from a connection. */
const SLOTS = 3;
const PATIENCE_MS = 5;

/**
 * Lets batches of several writers that are ready at the same time share a request to their leader: a request costs a broker far more
 * than a batch. While one is under way the next gathers; another goes beside one that takes long, so that a partition which waits
 * for a replica holds up none but itself for more than a moment.
 */
export class SharedRequests {
  readonly #lines = new Map<number, Line>();

  constructor(
    private readonly cluster: Cluster,
    private readonly role: string,
  ) {}

  /** Sends it once. @throws KafkaError, BrokerAwayError; what became of the batch then is in the batch */
  async write(batch: PendingBatch): Promise<void> {
    const leader = await this.cluster.leader(batch.topic.name, batch.partition);
    await new Promise<void>((resolve, reject) => {
      const line = this.#lines.get(leader) ?? { ready: [], slots: new Set<number>(), late: new Set<number>() };
      this.#lines.set(leader, line);
      line.ready.push({ batch, resolve, reject });
      // Not at once: all that is ready in this turn of the event loop goes together.
      if (line.ready.length === 1) setImmediate(() => this.#send(leader, line));
    });
  }

  #send(leader: number, line: Line): void {
    if (line.ready.length === 0 || line.slots.size > line.late.size || line.slots.size >= SLOTS) return;
    const slot = Array.from({ length: SLOTS }, (_, index) => index).find((index) => !line.slots.has(index)) ?? 0;
    const sent = takeOne(line.ready);
    line.slots.add(slot);
    const late = setTimeout(() => {
      line.late.add(slot);
      this.#send(leader, line);
    }, PATIENCE_MS);
    void this.#written(leader, slot, sent).finally(() => {
      clearTimeout(late);
      line.slots.delete(slot);
      line.late.delete(slot);
      this.#send(leader, line);
    });
  }

  async #written(leader: number, slot: number, sent: readonly Ready[]): Promise<void> {
    const batches = sent.map(({ batch }) => batch);
    const role = `${this.role} ${slot}`;
    const failures = await this.cluster.waiting(() => writeTo(this.cluster, leader, batches, { role, transactionalId: null }));
    sent.forEach(({ resolve, reject }, index) => {
      const failure = failures[index] ?? null;
      if (failure) reject(failure);
      else resolve();
    });
  }
}

/** What goes into the next request: one batch of a partition, at least one of all, and what stays is in `ready`. */
function takeOne(ready: Ready[]): readonly Ready[] {
  const partitions = new Set<string>();
  const taken: Ready[] = [];
  let bytes = 0;
  const left = ready.filter((each) => {
    const { topic, partition, bytes: batch } = each.batch;
    const key = partitionKey(topic.name, partition);
    if (partitions.has(key) || (taken.length > 0 && bytes + batch.length > REQUEST_BYTES)) return true;
    partitions.add(key);
    taken.push(each);
    bytes += batch.length;
    return false;
  });
  ready.splice(0, ready.length, ...left);
  return taken;
}
