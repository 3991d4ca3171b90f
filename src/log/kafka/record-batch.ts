import type { TopicName } from '../../kernel/names.js';
import type { LogRecord, NewRecord } from '../../kernel/record.js';
import type { AbortedTransaction } from './wire/api/fetch.js';
import { readOffset, Writer } from './wire/codec.js';
import { kafkajs } from './wire/kafkajs.js';
import { RecordReader } from './record-reader.js';

/** Record batches of format 2, the only one that Kafka has written since 0.11: https://kafka.apache.org/documentation/#recordbatch */
const PREFIX = 12;
const HEADER_BYTES = 61;
const AT = {
  length: 8,
  magic: 16,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  count: 57,
} as const;
const FLAG = { compression: 0x07, appendTime: 0x08, transactional: 0x10, control: 0x20 } as const;
const ABORT_MARKER = 0;

export interface DecodedBatches {
  /** Committed records at or after the offset that was asked for. */
  readonly records: LogRecord[];
  /** All before it was scanned: also where a batch held markers, aborted records, or nothing any more after compaction. */
  readonly next: number;
}

export interface BatchPlace {
  readonly topic: TopicName;
  readonly partition: number;
  readonly from: number;
  readonly aborted: readonly AbortedTransaction[];
}

/** Reads what a fetch gave: whole batches from the one that holds `from` on, a cut-off one at the end left out. */
export async function decodeBatches(buffer: Buffer, { topic, partition, from, aborted }: BatchPlace): Promise<DecodedBatches> {
  const reader = new RecordReader(topic, partition);
  const open = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const abortedNow = new Set<bigint>();
  const records: LogRecord[] = [];
  let next = from;
  for (let at = 0; at + HEADER_BYTES <= buffer.length;) {
    const end = at + PREFIX + buffer.readInt32BE(at + AT.length);
    if (end > buffer.length) break;
    const batch = buffer.subarray(at, end);
    at = end;
    if (batch.readInt8(AT.magic) !== 2)
      throw new Error(`${topic}/${partition} holds a batch of format ${batch.readInt8(AT.magic)}`);
    const base = readOffset(batch, 0);
    const last = base + batch.readInt32BE(AT.lastOffsetDelta);
    if (last < from) continue;
    next = last + 1;
    while (open[0] && open[0].firstOffset <= last) abortedNow.add((open.shift() as AbortedTransaction).producerId);
    const attributes = batch.readInt16BE(AT.attributes);
    const producer = batch.readBigInt64BE(AT.producerId);
    if (attributes & FLAG.control) {
      if (markerOf(batch) === ABORT_MARKER) abortedNow.delete(producer);
      continue;
    }
    if (attributes & FLAG.transactional && abortedNow.has(producer)) continue;
    const codec = attributes & FLAG.compression ? kafkajs().codecOf(attributes) : null;
    const body = batch.subarray(HEADER_BYTES);
    const appendTime = attributes & FLAG.appendTime ? readOffset(batch, AT.maxTimestamp) : null;
    reader.read(
      codec ? await codec.decompress(body) : body,
      { count: batch.readInt32BE(AT.count), base, baseTimestamp: readOffset(batch, AT.baseTimestamp), appendTime, from },
      records,
    );
  }
  return { records, next };
}

/** The type in the key of the one record of a control batch. */
function markerOf(batch: Buffer): number {
  // Length, attributes, time and offset deltas and key length of a marker take a byte each; the key is version and type.
  const at = HEADER_BYTES + 5;
  return batch.length >= at + 4 ? batch.readInt16BE(at + 2) : -1;
}

export interface BatchProducer {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Of the first record; a batch that is sent again bears the same. */
  readonly sequence: number;
  readonly transactional: boolean;
}

/** One batch, stamped with the time of its append. */
export function encodeBatch(records: readonly NewRecord[], producer: BatchProducer, nowMs: number): Buffer {
  const body = new Writer();
  body
    .int16(producer.transactional ? FLAG.transactional : 0)
    .int32(records.length - 1)
    .int64(nowMs)
    .int64(nowMs)
    .int64(producer.producerId)
    .int16(producer.epoch)
    .int32(producer.sequence)
    .int32(records.length);
  const scratch = new Writer();
  records.forEach((record, index) => {
    encodeRecord(record, index, scratch.clear());
    body.varint(scratch.length).raw(scratch.bytes);
  });
  const bytes = body.bytes;
  const batch = new Writer();
  // Base offset and leader epoch are the broker's to give.
  batch
    .int64(0)
    .int32(bytes.length + 9)
    .int32(-1)
    .int8(2)
    .uint32(kafkajs().crc32c(bytes) >>> 0)
    .raw(bytes);
  return batch.bytes;
}

function encodeRecord({ key, value, headers }: NewRecord, index: number, writer: Writer): void {
  writer.int8(0).varint(0).varint(index);
  if (key === null) writer.varint(-1);
  else writer.varintString(key);
  if (value === null) writer.varint(-1);
  else writer.varint(value.byteLength).raw(value);
  const names = Object.keys(headers);
  writer.varint(names.length);
  for (const name of names) writer.varintString(name).varintString(headers[name] ?? '');
}
