import { asRetriable } from '../../database/database-errors.js';
import type { Statement } from '../../database/database.js';
import { KappaError } from '../../kernel/errors.js';
import type { AnyRecorded } from '../../kernel/event.js';
import type { LogRecord } from '../../kernel/record.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import type { AppendOutcome } from './append-request.js';
import type { LoadedStream } from './state-cache.js';
import { findCommand, loadStream, readVersions, toLogRecord, type LoadRow, type RecordRow } from './stream-statements.js';

/** The slice of a connection that reads: our pool, or the caller's own transaction. */
export type Rows = <Row extends object>(statement: Statement) => Promise<readonly Row[]>;

/** What a command of the same id did before. */
export type EarlierCommand = Extract<AppendOutcome, { outcome: 'repeated' | 'reused' }>;

/** A command id and the content it comes with. */
export interface CommandIdentity {
  readonly commandId: string;
  readonly contentHash: string;
}

/** Loads streams: the snapshot where its code is today's, and the events after it, upcast, page by page. */
export class StreamLoader {
  readonly #load: string;
  readonly #command: string;
  readonly #versions: string;

  constructor(schema: string) {
    this.#load = loadStream(schema);
    this.#command = findCommand(schema);
    this.#versions = readVersions(schema);
  }

  /** With `command`, tells in the same look whether its id has taken effect before. @throws RetriableError; what decoding throws. */
  async load(
    rows: Rows,
    model: AggregateModel,
    { stream }: StreamAddress,
    command: CommandIdentity | null,
  ): Promise<LoadedStream | EarlierCommand> {
    const fingerprint = model.definition.snapshotEvery === null ? null : model.fingerprint;
    let version = 0;
    let snapshotVersion = 0;
    let state = model.initialState();
    for (let first = true, head = 0; first || version < head; first = false) {
      const page = await this.#rows<LoadRow>(rows, 'kappa load stream', this.#load, [
        stream,
        first ? fingerprint : null,
        first ? (command?.commandId ?? null) : null,
        version,
      ]);
      const [top] = page;
      if (first && command && top?.command) return earlierOf(top.command, command.contentHash);
      if (top?.snapshot_version != null) {
        version = snapshotVersion = top.snapshot_version;
        state = model.frozen<unknown>(JSON.parse(top.snapshot_state ?? 'null'));
      }
      head = top?.head ?? 0;
      const before = version;
      for (const row of page) {
        if (!isRecord(row)) continue;
        if (row.version !== version + 1) throw brokenStream(stream, version + 1, row.version);
        state = model.evolve(state, model.decode(toLogRecord(model.definition.topic.name, row)));
        version = row.version;
      }
      if (version === before && version < head) throw brokenStream(stream, version + 1, head);
    }
    return { version, state, snapshotVersion };
  }

  /** What the command's id did before; null where it is new. */
  async earlier(rows: Rows, { stream }: StreamAddress, command: CommandIdentity): Promise<EarlierCommand | null> {
    const [found] = await this.#rows<{ command: string }>(rows, 'kappa find command', this.#command, [
      stream,
      command.commandId,
    ]);
    return found ? earlierOf(found.command, command.contentHash) : null;
  }

  /** The events of these versions, oldest first. */
  async events(
    rows: Rows,
    model: AggregateModel,
    { stream }: StreamAddress,
    firstVersion: number,
    lastVersion: number,
  ): Promise<readonly AnyRecorded[]> {
    if (lastVersion < firstVersion) return [];
    const found = await this.#rows<RecordRow>(rows, 'kappa read versions', this.#versions, [stream, firstVersion, lastVersion]);
    return found.map((row) => model.decode(toLogRecord(model.definition.topic.name, row)));
  }

  /** The records of one stream as they stand in the log, oldest first, in pages. */
  async *records(rows: Rows, model: AggregateModel, { stream }: StreamAddress): AsyncGenerator<LogRecord> {
    for (let version = 0, more = true; more;) {
      const page = (await this.#rows<LoadRow>(rows, 'kappa load stream', this.#load, [stream, null, null, version])).filter(
        isRecord,
      );
      for (const row of page) yield toLogRecord(model.definition.topic.name, row);
      more = page.length > 0;
      version = page.at(-1)?.version ?? version;
    }
  }

  async #rows<Row extends object>(rows: Rows, name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await rows<Row>({ name, text, values });
    } catch (error) {
      throw asRetriable(error, `the load of ${String(values[0])}`);
    }
  }
}

function isRecord(row: LoadRow): row is LoadRow & RecordRow {
  return row.version !== null && row.version !== undefined;
}

function earlierOf(answer: string, contentHash: string): EarlierCommand {
  const [hash, nextOffset, recordedAtUs, firstVersion, lastVersion] = answer.split(',');
  if (hash !== contentHash) return { outcome: 'reused' };
  return {
    outcome: 'repeated',
    nextOffset: Number(nextOffset),
    recordedAtUs: Number(recordedAtUs),
    firstVersion: Number(firstVersion),
    lastVersion: Number(lastVersion),
  };
}

function brokenStream(stream: string, wanted: number, found: number): KappaError {
  return new KappaError('KAPPA_STREAM_BROKEN', `${stream} lacks version ${wanted}, the next there is ${found}`, {
    facts: { stream, wanted, found },
    nextStep: 'Its records were removed by other means than this package: restore them from a backup.',
  });
}
