import type { Codec } from '../../kernel/codec.js';
import type { CommandHandler, Inject } from './aggregate.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import type { ExecuteOptions } from './command.js';
import type { FoundingGuess } from './founding-guess.js';
import type { SnapshotWriter } from './snapshots.js';
import type { StateCache } from './state-cache.js';
import type { StreamLoader } from './stream-loader.js';
import type { StreamTurns } from './stream-turns.js';

/** What all runs of an executor share. */
export interface RunParts {
  readonly codec: Codec;
  readonly loader: StreamLoader;
  readonly cache: StateCache;
  readonly turns: StreamTurns;
  readonly founding: FoundingGuess;
  readonly snapshots: SnapshotWriter;
  readonly inject: Inject;
  readonly clock: () => Date;
  readonly newId: () => string;
  readonly retries: number;
  readonly maxRecordBytes: number;
}

/** A checked command and where it goes. */
export interface RunTarget {
  readonly model: AggregateModel;
  readonly handler: CommandHandler;
  readonly command: object;
  readonly options: ExecuteOptions;
  readonly address: StreamAddress;
  readonly topicId: number;
}
