import type { Codec } from '../../kernel/codec.js';
import type { CommandHandler, Inject } from './aggregate.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';
import type { ExecuteOptions } from './command.js';
import type { FoundingGuess } from './founding-guess.js';
import type { SnapshotWriter } from './snapshots.js';
import type { StateCache } from './state-cache.js';
import type { StreamLoader } from './stream-loader.js';
import type { StreamReads } from './stream-reads.js';
import type { StreamTurns } from './stream-turns.js';
import type { UnderWay } from './under-way.js';

/** What all runs of an executor share. */
export interface RunParts {
  readonly codec: Codec;
  readonly loader: StreamLoader;
  readonly cache: StateCache;
  readonly turns: StreamTurns;
  readonly underWay: UnderWay;
  readonly founding: FoundingGuess;
  readonly snapshots: SnapshotWriter;
  readonly inject: Inject;
  readonly clock: () => Date;
  readonly newId: () => string;
  readonly retries: number;
  readonly maxRecordBytes: number;
}

/** A checked command and where it goes. */
export class RunTarget {
  constructor(
    readonly model: AggregateModel,
    readonly handler: CommandHandler,
    readonly command: object,
    readonly options: ExecuteOptions,
    readonly address: StreamAddress,
    readonly topicId: number,
  ) {}
}

/** Where a run reads and appends: our pool and the group commit, or the caller's own transaction. */
export interface RunPlace {
  readonly reads: StreamReads;
  append(request: AppendRequest): Promise<AppendOutcome>;
  /** Whether what was appended is committed, so that others may see it from the cache. */
  readonly shared: boolean;
}
