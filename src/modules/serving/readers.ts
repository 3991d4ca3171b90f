import { KappaError } from '../../kernel/errors.js';
import type { Position } from '../../kernel/position.js';
import type { Data } from '../../kernel/types.js';
import type { ProjectionReader, ReadableProjection } from './projection-reader.js';
import { Reader, type ListOptions, type Page, type ReadKey, type ReadOptions, type ReadStamp } from './reader.js';

/** Where readers come from once the application has started. */
export interface ReaderSource {
  reader<Row>(projection: ReadableProjection<Row>): ProjectionReader<Row>;
  /** False in a process whose `run` leaves REST out. */
  readonly servesRest: boolean;
}

/**
 * The readers of one Nest application. They are injected before the database is known, so each finds its source when it is first
 * used.
 */
export class Readers {
  #source: ReaderSource | null = null;

  /** From now on readers work. */
  connect(source: ReaderSource): void {
    this.#source = source;
  }

  of<Row>(projection: ReadableProjection<Row>): LateReader<Row> {
    return new LateReader(() => this.source(projection.name).reader(projection));
  }

  /** @throws KAPPA_NOT_STARTED */
  source(projection: string): ReaderSource {
    if (this.#source) return this.#source;
    throw new KappaError('KAPPA_NOT_STARTED', `projection ${projection} was read before KappaModule has started`, {
      facts: { projection },
      nextStep: 'Read from onApplicationBootstrap on, and import KappaModule.forRoot() in the application.',
    });
  }
}

/** A reader that looks for its source at its first use. */
export class LateReader<Row> extends Reader<Row> {
  #reader: ProjectionReader<Row> | null = null;

  constructor(private readonly find: () => ProjectionReader<Row>) {
    super();
  }

  /** @throws KAPPA_NOT_STARTED */
  get started(): ProjectionReader<Row> {
    return (this.#reader ??= this.find());
  }

  async get(key: ReadKey<Row>, options?: ReadOptions): Promise<Data<Row> | null> {
    return this.started.get(key, options);
  }

  async read(key: ReadKey<Row>, options?: ReadOptions): Promise<{ readonly row: Data<Row> | null; readonly stamp: ReadStamp }> {
    return this.started.read(key, options);
  }

  async list(options?: ListOptions<Row>): Promise<Page<Row>> {
    return this.started.list(options);
  }

  async waitFor(position: Position, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void> {
    await this.started.waitFor(position, options);
  }
}
