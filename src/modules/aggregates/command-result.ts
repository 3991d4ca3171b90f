import type { AnyRecorded } from '../../kernel/event.js';
import { plain } from '../../kernel/plain.js';
import type { PartitionKey } from '../../kernel/position.js';
import type { CommandResult } from './command.js';

type Values = [version: number, partition: PartitionKey, nextOffset: number, events: readonly AnyRecorded[]];

/** What a command has brought about, in the partition of its stream. */
export const ResultOf = plain<CommandResult, Values>(function (version, partition, nextOffset, events) {
  const position: Record<PartitionKey, number> = {};
  position[partition] = nextOffset;
  this.version = version;
  this.position = position;
  this.events = events;
});
