import type { AnyEvent, AnyRecorded } from '../../../kernel/event.js';

/**
 * The events of one batch, by their place in it, decoded once for all projections that read it in one pass. Two share an event
 * only where both mean the same declaration: other versions, or other upcasters, are decoded anew.
 */
export class DecodedRecords {
  readonly #declared: (AnyEvent | null)[] = [];
  readonly #events: (AnyRecorded | null)[] = [];

  get(at: number, declared: AnyEvent): AnyRecorded | null {
    return this.#declared[at] === declared ? (this.#events[at] ?? null) : null;
  }

  set(at: number, declared: AnyEvent, event: AnyRecorded): void {
    this.#declared[at] = declared;
    this.#events[at] = event;
  }

  /** Before a batch of this many records. */
  begin(records: number): void {
    for (let at = 0; at < Math.max(records, this.#events.length); at++) {
      this.#declared[at] = null;
      this.#events[at] = null;
    }
  }
}
