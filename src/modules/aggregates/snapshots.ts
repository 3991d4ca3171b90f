import { textArray, intArray } from '../../database/binary-arrays.js';
import type { Queryable } from '../../database/database.js';
import type { Logger } from '../../kernel/logger.js';
import type { StreamName } from '../../kernel/names.js';
import type { AggregateModel } from './aggregate-model.js';

/** In the order of streams, so that two processes never wait for each other crosswise. */
const WRITE_SNAPSHOTS = `
  insert into snapshots as s (stream, version, fingerprint, state)
  select n.stream, n.version, n.fingerprint, n.state::json
  from unnest($1::text[], $2::int[], $3::text[], $4::text[]) as n (stream, version, fingerprint, state)
  order by n.stream
  on conflict (stream) do update
  set version = excluded.version, fingerprint = excluded.fingerprint, state = excluded.state, taken_at = now()
  where excluded.version > s.version or excluded.fingerprint <> s.fingerprint`;

const MAX_WAITING = 1_000;
const BATCH = 50;

interface WaitingSnapshot {
  readonly version: number;
  readonly fingerprint: string;
  readonly state: unknown;
}

/**
 * Writes snapshots in the background, the newest of each stream. A snapshot only saves work: what cannot be written is dropped
 * and told, beyond a thousand waiting the rest is dropped, and no command waits for one or fails by one.
 */
export class SnapshotWriter {
  readonly #waiting = new Map<StreamName, WaitingSnapshot>();
  /** Aggregates whose states JSON cannot keep: told once, then left alone. */
  readonly #unfit = new Set<string>();
  #writing: Promise<void> | null = null;

  constructor(
    private readonly database: Queryable,
    private readonly logger: Logger,
  ) {}

  offer(model: AggregateModel, stream: StreamName, version: number, state: unknown): void {
    const { name } = model.definition;
    if (this.#unfit.has(name) || (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(stream))) return;
    const unfit = unfitPath(state, 'state');
    if (unfit !== null) {
      this.#unfit.add(name);
      this.logger.warn(
        `aggregate ${name} gets no snapshots: ${unfit} would not come back from JSON as it was. Keep plain values in the state, or set snapshots: false.`,
      );
      return;
    }
    this.#waiting.set(stream, { version, fingerprint: model.fingerprint, state });
    this.#writing ??= this.#write();
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // After the commands of this turn of the event loop: they come first.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, BATCH);
      for (const [stream] of batch) this.#waiting.delete(stream);
      try {
        await this.database.query(WRITE_SNAPSHOTS, [
          textArray(batch.map(([stream]) => stream)),
          intArray(batch.map(([, { version }]) => version)),
          textArray(batch.map(([, { fingerprint }]) => fingerprint)),
          textArray(batch.map(([, { state }]) => JSON.stringify(state ?? null))),
        ]);
      } catch (error) {
        this.logger.warn(
          `${batch.length} snapshots were not written: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
    this.#writing = null;
  }
}

/** Where a state holds what JSON would give back as something else; null where all is plain. */
function unfitPath(value: unknown, path: string): string | null {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? null : path;
  if (typeof value !== 'object') return path;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return path;
  for (const [name, item] of Object.entries(value)) {
    const unfit = item === undefined && Array.isArray(value) ? `${path}.${name}` : unfitPath(item, `${path}.${name}`);
    if (unfit !== null) return unfit;
  }
  return null;
}
