import type { Position } from '../../kernel/position.js';
import type { Data } from '../../kernel/types.js';

export interface ReadOptions {
  /** Waits until the projection has reached this position (as a command returned it), within `timeoutMs`. Default: reads at once. */
  readonly at?: Position;
  /** How long to wait for `at`, in milliseconds. Default 15,000: longer than it takes to take over from a killed process. @see KAPPA_READ_TIMEOUT */
  readonly timeoutMs?: number;
  /** Whose rows; needed for projections with a tenant column, refused for others. */
  readonly tenant?: string | null;
}

/** From which version, build and position an answer comes; all of one snapshot. */
export interface ReadStamp {
  readonly version: number;
  readonly build: number;
  readonly position: Position;
}

export interface ListOptions<Row> extends ReadOptions {
  /** Equality; null means is null. */
  readonly where?: Partial<Data<Row>>;
  /** `[{ by: 'paid', direction: 'desc' }]`; the key is always appended, so that pages neither repeat nor skip. Default: by key. */
  readonly sort?: readonly { readonly by: keyof Data<Row> & string; readonly direction?: 'asc' | 'desc' }[];
  /** Rows at most. Default 50, at most 1,000. */
  readonly limit?: number;
  /** Where the page before ended; bound to the same filter and sort. */
  readonly cursor?: string;
}

export interface Page<Row> {
  readonly rows: readonly Data<Row>[];
  /** Null on the last page. */
  readonly cursor: string | null;
  readonly stamp: ReadStamp;
}

/** The key of a row: its primary columns, or just the value where there is one. */
export type ReadKey<Row> = string | number | Partial<Data<Row>>;

/**
 * Reads a projection's live build: `constructor(@InjectReader(Fines) private readonly fines: Reader<FineRow>)`.
 * The pointer is resolved in the same snapshot as the rows, so that an answer is wholly of one build; where the build was swapped
 * away or dropped meanwhile, it is resolved anew and read again, up to eight times in all.
 */
export abstract class Reader<Row> {
  /** @throws KAPPA_BAD_KEY, KAPPA_READ_TIMEOUT, KAPPA_NO_LIVE_BUILD */
  abstract get(key: ReadKey<Row>, options?: ReadOptions): Promise<Data<Row> | null>;
  /** As `get`, with version, build and position of the answer. */
  abstract read(
    key: ReadKey<Row>,
    options?: ReadOptions,
  ): Promise<{ readonly row: Data<Row> | null; readonly stamp: ReadStamp }>;
  /** @throws KAPPA_BAD_QUERY naming the field, operator or value; KAPPA_BAD_CURSOR; as `get` */
  abstract list(options?: ListOptions<Row>): Promise<Page<Row>>;
  /** Waits until the live build has reached the position. @throws KAPPA_READ_TIMEOUT with how far it is. */
  abstract waitFor(position: Position, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
}
