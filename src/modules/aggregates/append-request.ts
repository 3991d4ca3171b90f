import type { StreamName, TopicName } from '../../kernel/names.js';
import type { PartitionKey } from '../../kernel/position.js';
import type { RecordHeaders } from '../../kernel/record.js';
import type { AppendFate } from './append-fate.js';

/** An event as the append writes it. */
export class EncodedEvent {
  constructor(
    readonly type: string,
    readonly value: Uint8Array,
    readonly headers: RecordHeaders,
    /** As its row keeps them. */
    readonly storedHeaders: string,
  ) {}
}

/** A value that the stream holds from now on, alone in its tenant; null gives back what it held under this name. */
export interface UniqueClaim {
  readonly name: string;
  readonly value: string | null;
}

/** One decided command, ready to be appended. */
export interface AppendRequest {
  readonly stream: StreamName;
  /** The record key of its events. */
  readonly key: string;
  readonly tenant: string | null;
  readonly topic: TopicName;
  readonly topicId: number;
  readonly partition: number;
  readonly partitionKey: PartitionKey;
  readonly commandId: string;
  /** Tells whether a repeated id comes with the same content. */
  readonly contentHash: string;
  /** The version that was decided on. */
  readonly expectedVersion: number;
  readonly events: readonly EncodedEvent[];
  readonly claims: readonly UniqueClaim[];
  /** Of values and headers together. */
  readonly bytes: number;
  /** What becomes of it, and of the append that it was decided on. */
  readonly fate: AppendFate;
}

/** It took effect. `nextOffset` is the end of the partition after its events, `recordedAtUs` their time, microseconds since 1970. */
export class AppendedOutcome {
  readonly outcome = 'appended';

  constructor(
    readonly nextOffset: number,
    readonly recordedAtUs: number,
  ) {}
}

/** What became of one command; nothing is thrown for it, so that it never touches the others of its group. */
export type AppendOutcome =
  | AppendedOutcome
  /** Its id has taken effect before, with these versions; none where last is below first. */
  | {
      readonly outcome: 'repeated';
      readonly nextOffset: number;
      readonly recordedAtUs: number;
      readonly firstVersion: number;
      readonly lastVersion: number;
    }
  /** Its id was used for other content. */
  | { readonly outcome: 'reused' }
  /** The stream is at `head`. */
  | { readonly outcome: 'conflict'; readonly head: number }
  | { readonly outcome: 'taken'; readonly claim: UniqueClaim }
  /** The append that it was decided on has failed; it was not sent. */
  | { readonly outcome: 'unfounded' };
