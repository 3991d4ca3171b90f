import type { Offset, TopicName } from '../../kernel/names.js';
import { StoredRecord, type LogRecord } from '../../kernel/record.js';

export interface BatchFacts {
  readonly count: number;
  readonly base: number;
  readonly baseTimestamp: number;
  /** Null where each record bears the time that its producer gave. */
  readonly appendTime: number | null;
  /** Records before it are not wanted. */
  readonly from: number;
}

/** Reads the records of one partition's batches. Values stay slices of what was fetched; names of headers, which repeat, are kept. */
export class RecordReader {
  readonly #names: { readonly bytes: Buffer; readonly text: string }[] = [];
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(
    private readonly topic: TopicName,
    private readonly partition: number,
  ) {}

  /** Adds the records to `into`, in order. */
  read(buffer: Buffer, { count, base, baseTimestamp, appendTime, from }: BatchFacts, into: LogRecord[]): void {
    this.#buffer = buffer;
    this.#at = 0;
    for (let left = count; left > 0; left--) {
      const end = this.#varint() + this.#at;
      this.#at += 1;
      const timestamp = baseTimestamp + this.#varlong();
      const offset = (base + this.#varint()) as Offset;
      if (offset >= from) {
        const key = this.#text();
        const value = this.#bytes();
        const headers = this.#headers();
        const timestampUs = (appendTime ?? timestamp) * 1000;
        into.push(new StoredRecord(this.topic, this.partition, offset, timestampUs, key, value, headers));
      }
      this.#at = end;
    }
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = {};
    const count = this.#varint();
    for (let index = 0; index < count; index++) {
      const name = this.#name(index);
      headers[name] = this.#text() ?? '';
    }
    return headers;
  }

  /** Of one producer's records, the header in the same place mostly has the same name. */
  #name(index: number): string {
    const length = this.#varint();
    const from = this.#at;
    this.#at += length;
    const known = this.#names[index];
    if (known?.bytes.length === length && isSame(known.bytes, this.#buffer, from)) return known.text;
    const bytes = Buffer.from(this.#buffer.subarray(from, from + length));
    const text = bytes.toString('utf8');
    this.#names[index] = { bytes, text };
    return text;
  }

  #text(): string | null {
    const length = this.#varint();
    if (length < 0) return null;
    const from = this.#at;
    this.#at += length;
    return this.#buffer.toString('utf8', from, this.#at);
  }

  #bytes(): Buffer | null {
    const length = this.#varint();
    if (length < 0) return null;
    const from = this.#at;
    this.#at += length;
    return this.#buffer.subarray(from, this.#at);
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw new RangeError(`a batch of ${this.topic}/${this.partition} ends too early`);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
  }

  /** Deltas of times pass 32 bits in batches that span weeks. */
  #varlong(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw new RangeError(`a batch of ${this.topic}/${this.partition} ends too early`);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function isSame(bytes: Buffer, buffer: Buffer, from: number): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes[index] !== buffer[from + index]) return false;
  return true;
}
