import type { AnyRecorded } from '../../../kernel/event.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { ProjectionHandler, Row } from '../projection.js';
import type { RowEntry } from './row-window.js';

export type Run = ProjectionHandler['run'];

/**
 * What a batch of records asks for: step i runs `runs[i]` on `entries[i]` (null for a raw handler) with `events[i]`. Parallel
 * arrays that are used again for every batch: a step costs no object.
 */
export class FoldSteps {
  length = 0;
  readonly records: LogRecord[] = [];
  readonly events: AnyRecorded[] = [];
  readonly runs: Run[] = [];
  readonly entries: (RowEntry | null)[] = [];
  /** The row before the step and whether it was dirty, so that a failing event can be taken back wholly. */
  readonly before: (Row | null)[] = [];
  readonly wasDirty: boolean[] = [];

  add(record: LogRecord, event: AnyRecorded, run: Run, entry: RowEntry | null): void {
    const i = this.length;
    this.records[i] = record;
    this.events[i] = event;
    this.runs[i] = run;
    this.entries[i] = entry;
    this.length = i + 1;
  }

  /** The next raw step from `from` on, or the length. */
  nextRaw(from: number): number {
    for (let i = from; i < this.length; i++) if (this.entries[i] === null) return i;
    return this.length;
  }

  /** True when the rows of all steps from `from` on are known. */
  areKnown(from: number): boolean {
    for (let i = from; i < this.length; i++) if (!this.entries[i]?.known) return false;
    return true;
  }

  clear(): void {
    this.length = 0;
  }
}
