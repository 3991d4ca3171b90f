import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { EventLog } from '../../../log/event-log.js';
import { parsePositionRecord, RELAY_TOPIC, relayTopicSpec, type RelayPosition } from './relay-record.js';

type Positions = ReadonlyMap<PartitionKey, RelayPosition>;

/** The positions of the relay as the log has them. */
export class RelayPositions {
  #underWay: Promise<unknown> = Promise.resolve();
  #next: Promise<Positions> | null = null;

  constructor(private readonly log: Pick<EventLog, 'createTopic' | 'offsets' | 'read'>) {}

  /**
   * What is committed for this partition now, null where nothing is. Those who ask at the same time share one reading of the
   * topic; one that is under way already began too early to count.
   */
  async of(key: PartitionKey): Promise<RelayPosition | null> {
    this.#next ??= this.#underWay.then(() => {
      this.#next = null;
      const reading = this.#read();
      this.#underWay = reading.catch(() => undefined);
      return reading;
    });
    return (await this.#next).get(key) ?? null;
  }

  async #read(): Promise<Positions> {
    // Each time: it may have been deleted, and positions are then found again from what was relayed.
    await this.log.createTopic(relayTopicSpec);
    const from: Record<PartitionKey, number> = {};
    const to: Record<PartitionKey, number> = {};
    for (const { partition, begin, end } of await this.log.offsets(RELAY_TOPIC)) {
      from[partitionKey(RELAY_TOPIC, partition)] = begin;
      to[partitionKey(RELAY_TOPIC, partition)] = end;
    }
    const positions = new Map<PartitionKey, RelayPosition>();
    for await (const { records } of this.log.read({ from, to })) {
      for (const record of records) {
        const position = parsePositionRecord(record);
        if (position) positions.set(position.key, position);
        else positions.delete(record.key as PartitionKey);
      }
    }
    return positions;
  }
}
