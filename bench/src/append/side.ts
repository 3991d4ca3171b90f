/** An event of the benchmarks: its JSON has 285 bytes. */
export interface BenchEvent {
  readonly n: number;
  readonly text: string;
}

/** One way to append, over connections of its own and into tables of its own. */
export interface AppendSide {
  /** Appends all events to the end of a stream, or none. */
  append(stream: string, events: readonly BenchEvent[]): Promise<unknown>;
  /** How many events stand in its tables. */
  count(): Promise<number>;
  close(): Promise<void>;
}

const JSON_BYTES = 285;

export function benchEvent(n: number): BenchEvent {
  const empty = JSON.stringify({ n, text: '' });
  return { n, text: 'x'.repeat(JSON_BYTES - empty.length) };
}
