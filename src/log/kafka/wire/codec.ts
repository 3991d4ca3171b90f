/** Writes requests as Kafka's protocol guide has them: big-endian, `compact…` where the version of the request is flexible (KIP-482). */
export class Writer {
  #buffer = Buffer.allocUnsafe(512);
  #length = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** Begins anew in the same memory: what was written before is overwritten. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  int8(value: number): this {
    const at = this.#take(1);
    this.#buffer.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#take(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#take(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  uint32(value: number): this {
    const at = this.#take(4);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  int64(value: number | bigint): this {
    const at = this.#take(8);
    this.#buffer.writeBigInt64BE(BigInt(value), at);
    return this;
  }

  bool(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  uuid(hex: string): this {
    return this.raw(Buffer.from(hex, 'hex'));
  }

  string(value: string): this {
    this.int16(Buffer.byteLength(value));
    return this.#text(value);
  }

  nullableString(value: string | null): this {
    return value === null ? this.int16(-1) : this.string(value);
  }

  data(value: Uint8Array): this {
    return this.int32(value.byteLength).raw(value);
  }

  array<T>(items: readonly T[], each: (item: T) => unknown): this {
    this.int32(items.length);
    for (const item of items) each(item);
    return this;
  }

  uvarint(value: number): this {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.int8Unsigned((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.int8Unsigned(rest);
  }

  /** Zigzag, as lengths and deltas of records are. */
  varint(value: number): this {
    return this.uvarint((value << 1) ^ (value >> 31));
  }

  varintString(value: string): this {
    return this.varint(Buffer.byteLength(value)).#text(value);
  }

  compactString(value: string): this {
    this.uvarint(Buffer.byteLength(value) + 1);
    return this.#text(value);
  }

  compactNullableString(value: string | null): this {
    return value === null ? this.uvarint(0) : this.compactString(value);
  }

  compactArray<T>(items: readonly T[] | null, each: (item: T) => unknown): this {
    if (items === null) return this.uvarint(0);
    this.uvarint(items.length + 1);
    for (const item of items) each(item);
    return this;
  }

  /** No tagged fields. */
  tags(): this {
    return this.uvarint(0);
  }

  raw(value: Uint8Array): this {
    const at = this.#take(value.byteLength);
    this.#buffer.set(value, at);
    return this;
  }

  int8Unsigned(value: number): this {
    const at = this.#take(1);
    this.#buffer[at] = value;
    return this;
  }

  #text(value: string): this {
    const bytes = Buffer.byteLength(value);
    const at = this.#take(bytes);
    this.#buffer.write(value, at, bytes, 'utf8');
    return this;
  }

  #take(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

/** Reads answers. Offsets are numbers: 2^53 records fit into no partition. */
export class Reader {
  #at = 0;

  constructor(private readonly buffer: Buffer) {}

  int8(): number {
    return this.buffer.readInt8(this.#pass(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#pass(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#pass(4));
  }

  int64(): number {
    return readOffset(this.buffer, this.#pass(8));
  }

  bigint64(): bigint {
    return this.buffer.readBigInt64BE(this.#pass(8));
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  uuid(): string {
    return this.#slice(16).toString('hex');
  }

  string(): string {
    return this.nullableString() ?? '';
  }

  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#slice(length).toString('utf8');
  }

  data(): Buffer {
    return this.#slice(Math.max(0, this.int32()));
  }

  array<T>(each: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, each);
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.#pass(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  compactString(): string {
    return this.compactNullableString() ?? '';
  }

  compactNullableString(): string | null {
    const length = this.uvarint();
    return length === 0 ? null : this.#slice(length - 1).toString('utf8');
  }

  compactData(): Buffer {
    return this.#slice(Math.max(0, this.uvarint() - 1));
  }

  compactArray<T>(each: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, each);
  }

  /** Tagged fields are optional by definition; none is needed. */
  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint();
      this.#slice(this.uvarint());
    }
  }

  #slice(bytes: number): Buffer {
    const from = this.#pass(bytes);
    return this.buffer.subarray(from, from + bytes);
  }

  #pass(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.buffer.length) throw new RangeError('an answer of Kafka ends too early');
    return at;
  }
}

export function readOffset(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}
