import { Controller, Get, Inject, Query, Req, UseFilters, type Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { KappaError } from '../../../kernel/errors.js';
import { formatPosition, type Position } from '../../../kernel/position.js';
import type { ProjectionReader, ReadableProjection } from '../projection-reader.js';
import type { ReadStamp } from '../reader.js';
import { Readers } from '../readers.js';
import { KappaExceptionFilter } from './kappa-exception.filter.js';
import { keyParser, parseList, parseOnlyAt, type QueryParameters } from './rest-query.js';

/** Of which version and position an answer is; `position` can be given back as `at`. */
export interface RestStamp {
  readonly version: number;
  readonly position: string;
}

/** `GET /api/fines/17` */
export interface RestRow extends RestStamp {
  readonly data: Readonly<Record<string, unknown>>;
}

/** `GET /api/fines?paid=0.00&sort=-amount&limit=20` */
export interface RestPage extends RestStamp {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  /** Null on the last page. */
  readonly cursor: string | null;
}

export interface RestControllerOptions {
  readonly path: string;
  readonly tenant: ((request: object) => string | null) | null;
}

type Row = Readonly<Record<string, unknown>>;

/** Of any adapter. */
interface RequestWithQuery {
  readonly query: QueryParameters;
}

/** A controller class of its own per projection, as Nest wants it; all do the same with another table. */
export function projectionController(projection: ReadableProjection<object>, options: RestControllerOptions): Type<object> {
  @Controller(`${options.path}/${projection.name}`)
  @UseFilters(KappaExceptionFilter)
  class ProjectionController {
    readonly #stamp = new LastStamp();
    #parseKey: ((segment: string) => Row) | null = null;

    constructor(
      @Inject(Readers) private readonly readers: Readers,
      @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    ) {}

    @Get()
    async list(@Query() query: QueryParameters, @Req() request: object): Promise<RestPage> {
      const reader = this.#reader();
      const { input, at } = parseList(projection.name, reader.codec.table, query);
      const page = await reader.list({ ...input, ...this.#readOptions(at, request) });
      return { data: page.rows.map(json), cursor: page.cursor, ...this.#stamp.as(page.stamp) };
    }

    @Get(':key')
    async one(@Req() request: RequestWithQuery): Promise<RestRow> {
      const reader = this.#reader();
      const url = String(this.adapterHost.httpAdapter.getRequestUrl(request));
      // Adapters parse the query when it is first asked for: mostly there is none.
      const at = url.includes('?') ? parseOnlyAt(projection.name, request.query) : null;
      this.#parseKey ??= keyParser(projection.name, reader.codec.table, projection.tenant);
      const key = this.#parseKey(lastSegment(url));
      const { row, stamp } = await reader.read(key, this.#readOptions(at, request));
      if (row === null) throw notFound(projection.name, key, this.#stamp.as(stamp));
      return { data: json(row), ...this.#stamp.as(stamp) };
    }

    #reader(): ProjectionReader<Row> {
      const source = this.readers.source(projection.name);
      if (source.servesRest) return source.reader(projection as ReadableProjection<Row>);
      throw new KappaError('KAPPA_REST_OFF', 'this process does not serve REST', {
        nextStep: 'Name rest in run (or KAPPA_RUN), or ask another process.',
      });
    }

    #readOptions(at: Position | null, request: object): { readonly at?: Position; readonly tenant?: string | null } {
      return {
        ...(at === null ? {} : { at }),
        ...(projection.tenant === null || options.tenant === null ? {} : { tenant: options.tenant(request) }),
      };
    }
  }
  Object.defineProperty(ProjectionController, 'name', { value: `KappaRest_${projection.name}_Controller` });
  return ProjectionController;
}

/** Of the path as it was sent: adapters decode parameters, and a decoded comma could be either a separator or a part. */
function lastSegment(url: string): string {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  const end = path.endsWith('/') ? path.length - 1 : path.length;
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end);
}

/** The last stamp that was asked for: a reader gives the same one as long as nothing has moved. */
class LastStamp {
  #of: ReadStamp | null = null;
  #as: RestStamp = { version: 0, position: '' };

  as(stamp: ReadStamp): RestStamp {
    if (this.#of !== stamp) {
      this.#as = { version: stamp.version, position: formatPosition(stamp.position) };
      this.#of = stamp;
    }
    return this.#as;
  }
}

function notFound(projection: string, key: Row, stamp: RestStamp): KappaError {
  const named = Object.entries(json(key)).map(([name, value]) => `${name} ${String(value)}`);
  return new KappaError('KAPPA_NOT_FOUND', `${projection} has no row with ${named.join(', ')}`, {
    facts: { projection, key: json(key), ...stamp },
  });
}

/** What JSON cannot hold, as text: a bigint as its digits, bytes in base64. */
function json(row: object): Row {
  let other: Record<string, unknown> | null = null;
  for (const [name, value] of Object.entries(row) as [string, unknown][]) {
    if (typeof value === 'bigint') (other ??= { ...row })[name] = String(value);
    else if (value instanceof Uint8Array) (other ??= { ...row })[name] = Buffer.from(value).toString('base64');
  }
  return other ?? (row as Row);
}
