import { asRetriable } from '../../database/database-errors.js';
import { KappaError } from '../../kernel/errors.js';
import type { AnyRecorded } from '../../kernel/event.js';
import type { LogRecord } from '../../kernel/record.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import type { AppendOutcome } from './append-request.js';
import { LoadedStream } from './state-cache.js';
import type { StreamReads } from './stream-reads.js';
import { isRecord, PageWish, StreamStatements, toLogRecord, type RecordRow } from './stream-statements.js';

/** What a command of the same id did before. */
export type EarlierCommand = Extract<AppendOutcome, { outcome: 'repeated' | 'reused' }>;

/** A command id and the content it comes with. */
export class CommandIdentity {
  constructor(
    readonly commandId: string,
    readonly contentHash: string,
  ) {}
}

/** Loads streams: the snapshot where its code is today's, and the events after it, upcast, page by page. */
export class StreamLoader {
  readonly #statements: StreamStatements;

  constructor(schema: string) {
    this.#statements = new StreamStatements(schema);
  }

  /**
   * With `command`, tells in the same look whether its id has taken effect before. With `known`, reads only what came after it.
   * @throws RetriableError; KAPPA_STREAM_BROKEN; what decoding and evolve throw
   */
  async load(
    reads: StreamReads,
    model: AggregateModel,
    address: StreamAddress,
    command: CommandIdentity | null,
    known: LoadedStream | null = null,
  ): Promise<LoadedStream | EarlierCommand> {
    const { stream } = address;
    let { version, snapshotVersion, state } = known ?? new LoadedStream(0, model.initialState(), 0);
    const fingerprint = model.definition.snapshotEvery === null ? null : model.fingerprint;
    let wish = new PageWish(stream, version, fingerprint, command?.commandId ?? null);
    for (;;) {
      const page = await reads.page(wish);
      const [top] = page;
      if (command && top?.command) return earlierOf(top.command, command.contentHash);
      if (top && top.snapshot_version !== null) {
        version = snapshotVersion = top.snapshot_version;
        state = model.frozen<unknown>(JSON.parse(top.snapshot_state ?? 'null'));
      }
      const head = top?.head ?? 0;
      // The database was restored to an earlier time: what is known has never been.
      if (known && head < known.version) return this.load(reads, model, address, command);
      const before = version;
      for (const row of page.filter(isRecord)) {
        if (row.version !== version + 1) throw brokenStream(stream, version + 1, row.version);
        state = model.evolve(state, model.decode(toLogRecord(model.definition.topic.name, row)));
        version = row.version;
      }
      if (version >= head) return new LoadedStream(version, state, snapshotVersion);
      if (version === before) throw brokenStream(stream, version + 1, head);
      wish = new PageWish(stream, version, null, null);
    }
  }

  /** What the command's id did before; null where it is new. */
  async earlier({ rows }: StreamReads, { stream }: StreamAddress, command: CommandIdentity): Promise<EarlierCommand | null> {
    const [found] = await rows<{ command: string }>(this.#statements.command(stream, command.commandId)).catch(
      notLoaded(stream),
    );
    return found ? earlierOf(found.command, command.contentHash) : null;
  }

  /** The events of these versions, oldest first. */
  async events(
    { rows }: StreamReads,
    model: AggregateModel,
    { stream }: StreamAddress,
    firstVersion: number,
    lastVersion: number,
  ): Promise<readonly AnyRecorded[]> {
    if (lastVersion < firstVersion) return [];
    const found = await rows<RecordRow>(this.#statements.versions(stream, firstVersion, lastVersion)).catch(notLoaded(stream));
    return found.map((row) => model.decode(toLogRecord(model.definition.topic.name, row)));
  }

  /** The records of one stream as they stand in the log, oldest first, in pages. */
  async *records(reads: StreamReads, model: AggregateModel, { stream }: StreamAddress): AsyncGenerator<LogRecord> {
    for (let after = 0; ;) {
      const page = (await reads.page(new PageWish(stream, after, null, null))).filter(isRecord);
      for (const row of page) yield toLogRecord(model.definition.topic.name, row);
      const last = page.at(-1);
      if (!last || last.version >= last.head) return;
      after = last.version;
    }
  }
}

function notLoaded(stream: string): (error: unknown) => never {
  return (error) => {
    throw asRetriable(error, `the load of ${stream}`);
  };
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
