import type { Offset } from '../kernel/names.js';
import type { LogBatch } from './event-log.js';

/**
 * A batch in pieces of so many records, one after the other. Where the log makes records on demand, those of a piece are made when
 * it is taken, so that whoever is done with a piece before the next holds the records of one.
 */
export function* piecesOf(batch: LogBatch, records: number): Generator<LogBatch> {
  const source = batch.onDemand ?? batch.records;
  if (source.length === 0) yield batch;
  for (let at = 0; at < source.length; at += records) {
    const piece = source.slice(at, at + records);
    const last = piece.at(-1);
    const next = at + records < source.length && last ? ((last.offset + 1) as Offset) : batch.next;
    yield { topic: batch.topic, partition: batch.partition, records: piece, next, end: batch.end };
  }
}
