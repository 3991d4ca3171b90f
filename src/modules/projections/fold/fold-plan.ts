import { jsonCodec, type Codec } from '../../../kernel/codec.js';
import { HEADER } from '../../../kernel/envelope.js';
import { EventDecoder } from '../../../kernel/event-decoder.js';
import { KappaError } from '../../../kernel/errors.js';
import type { AnyEvent, AnyRecorded } from '../../../kernel/event.js';
import { streamKey, type TopicName } from '../../../kernel/names.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { ProjectionDefinition, ProjectionHandler, RawContext, Row, RowKey } from '../projection.js';
import type { RowCodec } from '../table.js';
import type { DecodedRecords } from './decoded-records.js';
import { EventFailure } from './event-failure.js';
import { deepFreeze } from '../../../kernel/deep-freeze.js';
import type { FoldSteps } from './fold-steps.js';
import type { RowEntry, RowWindow } from './row-window.js';
import { StreamKeys } from './stream-keys.js';
import { WatchedTransaction } from './watched-transaction.js';

/** Types of columns that give a text back as it is. */
const KEEPS_TEXT = /^(text|character varying|varchar)\b/;

/**
 * A projection compiled for speed: the engines, live and in bulk, and the testing kit all fold through it. In two passes, keys
 * before folds, so that a whole batch needs one read of the rows it touches. Types that no handler names are skipped by their
 * header; a type is always part of a version's fingerprint, so what is skipped now can never be wanted later.
 */
export class FoldPlan {
  /** `fines v1` */
  readonly label: string;
  readonly topics: readonly TopicName[];
  /**
   * Rows may be touched by several partitions: some handler names its own key, or there are several topics, a raw handler, or a
   * topic whose `decode` says whose event a record is.
   */
  readonly shared: boolean;
  readonly hasRaw: boolean;
  /**
   * A row is touched by records of one key alone, so that all of them stand in one partition: as long as each has its stream's key,
   * see {@link RowWindow.mayBeElsewhere}. Not where the column brings several ids to one form, as a uuid in capitals.
   */
  readonly rowsByKey: boolean;
  /** Events may refer to the bytes of their records: a codec other than JSON, or the `decode` of a topic, may pass them on. */
  readonly mayHoldBytes: boolean;
  readonly #handlers: ReadonlyMap<string, HandledType>;
  readonly #decoder: EventDecoder;
  readonly #streamKeys: StreamKeys | null;
  readonly #freeze: boolean;

  /** @throws KAPPA_BAD_PROJECTION when a handler without a key meets a table whose key is more than one column (and the tenant's). */
  constructor(
    readonly definition: ProjectionDefinition,
    readonly codec: RowCodec,
    payloads: Codec,
    options: { readonly freeze?: boolean } = {},
  ) {
    const { handlers } = definition;
    this.label = `${definition.name} v${definition.version}`;
    this.topics = definition.from.map((topic) => topic.name);
    this.hasRaw = handlers.some((handler) => handler.run.kind === 'raw');
    const isForeign = definition.from.some((topic) => topic.decode !== null);
    this.shared = this.hasRaw || definition.from.length > 1 || handlers.some((handler) => handler.key !== null) || isForeign;
    this.rowsByKey = !this.shared && codec.table.columns.every(({ isKey, type }) => !isKey || KEEPS_TEXT.test(type));
    const declared = new Map<string, AnyEvent>(
      definition.from.flatMap((topic) => topic.events.map((event) => [event.type, event])),
    );
    this.#handlers = byType(handlers, declared);
    this.mayHoldBytes = payloads !== jsonCodec || isForeign;
    this.#decoder = new EventDecoder(definition.from, payloads);
    this.#streamKeys = handlers.some((handler) => handler.key === null && handler.run.kind === 'fold')
      ? new StreamKeys(definition, codec.table.key)
      : null;
    this.#freeze = options.freeze ?? process.env['NODE_ENV'] !== 'production';
  }

  /** Whether any handler may want the record; from its header alone, save for what only `decode` of its topic can tell. */
  wants(record: LogRecord): boolean {
    const type = record.headers[HEADER.type];
    return type === undefined || this.#handlers.has(type) || this.#decoder.isForeign(record);
  }

  /**
   * First pass: decodes the record, finds the keys of its rows and adds its steps. Adds nothing for a type without handlers.
   * `decoded`: what other plans have decoded of the same batch, in which the record is the `at`th.
   * @throws EventFailure; the steps are then as before.
   */
  gather(record: LogRecord, rows: RowWindow, steps: FoldSteps, decoded: DecodedRecords | null = null, at = 0): void {
    const type = record.headers[HEADER.type];
    const handled = type === undefined ? undefined : this.#handlers.get(type);
    const foreign = handled === undefined && this.#decoder.isForeign(record);
    if (handled === undefined && type !== undefined && !foreign) return;
    const start = steps.length;
    try {
      if (foreign) this.#gatherForeign(record, rows, steps);
      else this.#addSteps(record, this.#decode(record, handled?.declared ?? null, decoded, at), handled, rows, steps);
    } catch (error) {
      steps.length = start;
      throw new EventFailure(record, error);
    }
  }

  #gatherForeign(record: LogRecord, rows: RowWindow, steps: FoldSteps): void {
    const event = this.#decoder.decodeForeign(record);
    if (event === null) return;
    if (this.#freeze) deepFreeze(event.data);
    this.#addSteps(record, event, this.#handlers.get(event.type), rows, steps);
  }

  #addSteps(record: LogRecord, event: AnyRecorded, handled: HandledType | undefined, rows: RowWindow, steps: FoldSteps): void {
    this.#checkTenant(event);
    for (const handler of handled?.handlers ?? []) {
      if (handler.run.kind === 'raw') steps.add(record, event, handler.run, null);
      else if (handler.key === null) this.#addStreamStep(record, event, handler, rows, steps);
      else this.#addKeySteps(record, event, handler.key(event), handler, rows, steps);
    }
  }

  #decode(record: LogRecord, declared: AnyEvent | null, decoded: DecodedRecords | null, at: number): AnyRecorded {
    const known = declared && decoded?.get(at, declared);
    if (known) return known;
    const event = this.#decoder.decode(record);
    // Handlers and projections see one payload: none may change it for the others.
    if (this.#freeze) deepFreeze(event.data);
    if (declared) decoded?.set(at, declared, event);
    return event;
  }

  /**
   * Second pass: folds the steps in [from, to), none of them raw; all rows they touch are known.
   * @throws EventFailure; the rows are then as they were before that event, with the events before it applied.
   */
  fold(steps: FoldSteps, from: number, to: number): void {
    const { events, runs, entries, before, wasDirty } = steps;
    let i = from;
    try {
      for (; i < to; i++) {
        const run = runs[i];
        const entry = entries[i];
        const event = events[i];
        if (run?.kind !== 'fold' || !entry || !event) continue;
        const { row } = entry;
        before[i] = row;
        wasDirty[i] = entry.dirty;
        const result = run.fold(row, event, entry.key);
        if (result === row) continue;
        entry.row = result === null ? null : this.#checked(result, entry);
        entry.dirty = true;
      }
    } catch (error) {
      const record = steps.records[i];
      if (!record) throw error;
      takeBack(steps, i, from);
      throw new EventFailure(record, error);
    }
  }

  /**
   * Runs a raw step in the transaction of its batch.
   * @throws EventFailure, save for an outage: that is thrown as it came, also where the handler made another error of it.
   */
  async runRaw(steps: FoldSteps, step: number, context: RawContext): Promise<void> {
    const run = steps.runs[step];
    const event = steps.events[step];
    const record = steps.records[step];
    if (run?.kind !== 'raw' || !event || !record) return;
    const transaction = new WatchedTransaction(context.transaction);
    try {
      await run.handle({ ...context, transaction }, event);
      await transaction.confirm();
    } catch (error) {
      throw transaction.blame(error, (cause) => new EventFailure(record, cause));
    }
  }

  #addStreamStep(record: LogRecord, event: AnyRecorded, handler: ProjectionHandler, rows: RowWindow, steps: FoldSteps): void {
    const key = this.#streamKeys?.of(event) ?? {};
    if (record.key !== event.stream.id && record.key !== streamKey(event.tenant, event.stream.id)) rows.mayBeElsewhere();
    steps.add(record, event, handler.run, rows.touch(this.codec.keyText(key), key));
  }

  #addKeySteps(
    record: LogRecord,
    event: AnyRecorded,
    found: RowKey | readonly RowKey[],
    handler: ProjectionHandler,
    rows: RowWindow,
    steps: FoldSteps,
  ): void {
    if (!Array.isArray(found)) {
      this.#addKeyStep(record, event, found as RowKey, handler, rows, steps);
      return;
    }
    const first = steps.length;
    for (const key of found as readonly RowKey[]) {
      this.#addKeyStep(record, event, key, handler, rows, steps);
      // The fold is called once per key, also when a key is named twice.
      if (steps.entries.indexOf(steps.entries[steps.length - 1] ?? null, first) < steps.length - 1) steps.length -= 1;
    }
  }

  #addKeyStep(
    record: LogRecord,
    event: AnyRecorded,
    given: RowKey,
    handler: ProjectionHandler,
    rows: RowWindow,
    steps: FoldSteps,
  ): void {
    if (typeof given !== 'object' || given === null) {
      throw new KappaError('KAPPA_BAD_KEY', `the key function of ${this.label} for ${event.type} returned ${String(given)}`, {
        facts: { projection: this.definition.name, type: event.type },
        nextStep: 'Return an object with the primary columns, or a list of them (an empty one to leave the event out).',
      });
    }
    const key = this.#withTenant(given, event);
    steps.add(record, event, handler.run, rows.touch(this.codec.keyText(key), key));
  }

  #withTenant(key: RowKey, event: AnyRecorded): RowKey {
    const { tenant } = this.definition;
    if (tenant === null) return key;
    const own = event.tenant ?? '';
    if (key[tenant] === own) return key;
    if (key[tenant] !== undefined) {
      throw new KappaError(
        'KAPPA_BAD_KEY',
        `the key function of ${this.label} for ${event.type} names the rows of another tenant`,
        {
          facts: { projection: this.definition.name, type: event.type, column: tenant },
          nextStep: `Leave ${tenant} out of the key: it is the event's own.`,
        },
      );
    }
    // Spread, and a field more, would make a hidden class for each event: that is slower, and lives until a sweep.
    return Object.assign({}, key, { [tenant]: own });
  }

  #checkTenant(event: AnyRecorded): void {
    if (event.tenant === null || this.definition.tenant !== null) return;
    throw new KappaError(
      'KAPPA_TENANT_COLUMN_MISSING',
      `an event of a tenant reached ${this.label}, whose rows have no tenant`,
      {
        facts: {
          projection: this.definition.name,
          topic: event.topic,
          partition: event.partition,
          offset: event.offset,
          type: event.type,
        },
        nextStep: "Add a primary column for the tenant and name it in projection({ tenant: '…' }).",
      },
    );
  }

  #checked(result: Row, entry: RowEntry): Row {
    if (typeof result !== 'object' || Array.isArray(result) || result instanceof Promise) {
      const what =
        (result as unknown) === undefined
          ? 'undefined'
          : result instanceof Promise
            ? 'a promise'
            : Array.isArray(result)
              ? 'a list'
              : typeof result;
      throw new KappaError('KAPPA_BAD_ROW', `a fold of ${this.label} returned ${what}`, {
        facts: { projection: this.definition.name, key: entry.key },
        nextStep: 'Return the whole new row, or null for none; folds are synchronous.',
      });
    }
    const row = this.codec.canonical(result) as Record<string, unknown>;
    for (const column of this.codec.table.key) {
      const own = entry.key[column];
      if (row[column] === own) {
        // One value in memory for the row and its key: each event brings its own copy of a stream's id.
        row[column] = own;
        continue;
      }
      if (row[column] !== entry.row?.[column] && this.codec.keyText(row) !== entry.text) {
        throw new KappaError('KAPPA_BAD_ROW', `a fold of ${this.label} changed ${column}, which is part of the row's key`, {
          facts: { projection: this.definition.name, column, key: entry.key, value: row[column] },
          nextStep:
            'Return a row of the same key; to move a row, name both keys in the handler and return null for the old one.',
        });
      }
    }
    return this.#freeze ? deepFreeze(row) : row;
  }
}

/** An event type that somebody handles. */
interface HandledType {
  readonly declared: AnyEvent | null;
  readonly handlers: readonly ProjectionHandler[];
}

function byType(
  handlers: readonly ProjectionHandler[],
  declared: ReadonlyMap<string, AnyEvent>,
): ReadonlyMap<string, HandledType> {
  const types = [...new Set(handlers.map((handler) => handler.type))];
  return new Map(
    types.map((type) => [
      type,
      { declared: declared.get(type) ?? null, handlers: handlers.filter((handler) => handler.type === type) },
    ]),
  );
}

/** Steps of one event stand together: undoes those of the event of step `failed` that ran. */
function takeBack(steps: FoldSteps, failed: number, from: number): void {
  const event = steps.events[failed];
  for (let i = failed - 1; i >= from && steps.events[i] === event; i--) {
    const entry = steps.entries[i];
    if (!entry) break;
    entry.row = steps.before[i] ?? null;
    entry.dirty = steps.wasDirty[i] ?? true;
  }
}
