import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { EventLog } from '../../../log/event-log.js';
import { parsePositionRecord, positionRecord, RELAY_TOPIC, relayTopicSpec, type RelayPosition } from './relay-record.js';

type Positions = ReadonlyMap<PartitionKey, RelayPosition>;

/** So that a busy relay notes its positions once in a while, all partitions together. */
const NOTE_EVERY_MS = 1_000;

/** The positions of the relay as the log has them, and those that are still to be noted. */
export class RelayPositions {
  readonly #toNote = new Map<PartitionKey, RelayPosition>();
  #timer: NodeJS.Timeout | null = null;
  #underWay: Promise<unknown> = Promise.resolve();
  #next: Promise<Positions> | null = null;

  constructor(private readonly log: Pick<EventLog, 'createTopic' | 'offsets' | 'read' | 'append'>) {}

  /** Notes it now. @throws what the log refuses it with */
  async note(position: RelayPosition): Promise<void> {
    this.#toNote.delete(position.key);
    await this.log.append([positionRecord(position)]);
  }

  /** Notes it within a second, if that can be. */
  noteSoon(position: RelayPosition): void {
    this.#toNote.set(position.key, position);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#noteAll();
    }, NOTE_EVERY_MS);
  }

  /**
   * A partition is given up: what is still to be noted of it is, unless it is another's already (`forget`). Not waited for: whoever
   * is to have the partition next looks at the topic.
   */
  leave(key: PartitionKey, forget: boolean): void {
    const position = this.#toNote.get(key);
    this.#toNote.delete(key);
    if (this.#toNote.size === 0 && this.#timer) clearTimeout(this.#timer);
    if (this.#toNote.size === 0) this.#timer = null;
    if (position && !forget) void this.log.append([positionRecord(position)]).catch(() => undefined);
  }

  async #noteAll(): Promise<void> {
    const noted = [...this.#toNote.values()];
    this.#toNote.clear();
    // One that cannot be noted comes with the partition's next: the end of the topic is what counts.
    await this.log.append(noted.map(positionRecord)).catch(() => undefined);
  }

  /**
   * What is committed for this partition now, null where nothing is. Those who ask at the same time share one reading of the
   * topic; one that is under way already began too early to count.
   */
  async of(key: PartitionKey): Promise<RelayPosition | null> {
    this.#toNote.delete(key);
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
