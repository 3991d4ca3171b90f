import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Offset } from '../kernel/names.js';
import type { LogRecord } from '../kernel/record.js';
import type { LogBatch, RecordSource } from './event-log.js';

/**
 * Records that are made and folded at a time. So few that they are garbage when the young generation is swept: of pieces of 128
 * and more the engine learns that records live long, keeps them among the old, and a rebuild spends a fifth of its time on that.
 */
export const PIECE_RECORDS = 32;

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

/** Records that are made or folded between two turns of the event loop: requests are answered meanwhile, and the next pages come in. */
export const TURN_RECORDS = 512;

/** All records of a source, made in turn with the rest of the process. */
export async function recordsInTurns(source: RecordSource): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for (let at = 0; at < source.length; at += TURN_RECORDS) {
    if (at > 0) await nextTurn();
    records.push(...source.slice(at, at + TURN_RECORDS));
  }
  return records;
}

/** The batch with all its records made, in turn with the rest of the process. */
export async function madeInTurns(batch: LogBatch): Promise<LogBatch> {
  if (!batch.onDemand) return batch;
  const { topic, partition, next, end } = batch;
  return { topic, partition, records: await recordsInTurns(batch.onDemand), next, end };
}
