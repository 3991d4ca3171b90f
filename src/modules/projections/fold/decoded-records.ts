import type { AnyEvent, AnyRecorded } from '../../../kernel/event.js';
import type { LogRecord } from '../../../kernel/record.js';

interface Decoded {
  readonly declared: AnyEvent;
  readonly event: AnyRecorded;
}

/**
 * The events of one batch, decoded once for all projections that read it in one pass. Two share an event only where both mean
 * the same declaration: other versions, or other upcasters, are decoded anew.
 */
export class DecodedRecords {
  readonly #events = new Map<LogRecord, Decoded>();

  get(record: LogRecord, declared: AnyEvent): AnyRecorded | null {
    const known = this.#events.get(record);
    return known?.declared === declared ? known.event : null;
  }

  set(record: LogRecord, declared: AnyEvent, event: AnyRecorded): void {
    this.#events.set(record, { declared, event });
  }

  /** Before the next batch. */
  clear(): void {
    this.#events.clear();
  }
}
