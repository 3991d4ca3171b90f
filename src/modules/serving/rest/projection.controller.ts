import { Controller, Get, Inject, Query, Req, UseFilters, type Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { KappaError } from '../../../kernel/errors.js';
import { formatPosition, type Position } from '../../../kernel/position.js';
import type { TableDefinition } from '../../projections/table.js';
import type { ProjectionReader, ReadableProjection } from '../projection-reader.js';
import type { ReadStamp } from '../reader.js';
import { Readers } from '../readers.js';
import { KappaExceptionFilter } from './kappa-exception.filter.js';
import { parseAt, parseKey, parseList, refuseOtherThanAt, type QueryParameters } from './rest-query.js';

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

/** A controller class of its own per projection, as Nest wants it; all do the same with another table. */
export function projectionController(projection: ReadableProjection<object>, options: RestControllerOptions): Type<object> {
  @Controller(`${options.path}/${projection.name}`)
  @UseFilters(KappaExceptionFilter)
  class ProjectionController {
    constructor(
      @Inject(Readers) private readonly readers: Readers,
      @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    ) {}

    @Get()
    async list(@Query() query: QueryParameters, @Req() request: object): Promise<RestPage> {
      const reader = this.#reader();
      const { input, at } = parseList(projection.name, reader.codec.table, query);
      const page = await reader.list({ ...input, ...this.#readOptions(at, request) });
      return { data: page.rows.map(json), cursor: page.cursor, ...stampOf(page.stamp) };
    }

    @Get(':key')
    async one(@Query() query: QueryParameters, @Req() request: object): Promise<RestRow> {
      const reader = this.#reader();
      refuseOtherThanAt(projection.name, query);
      const key = this.#key(request, reader.codec.table);
      const { row, stamp } = await reader.read(key, this.#readOptions(parseAt(projection.name, query), request));
      if (row === null) throw notFound(projection.name, key, stamp);
      return { data: json(row), ...stampOf(stamp) };
    }

    #reader(): ProjectionReader<Row> {
      const source = this.readers.source(projection.name);
      if (source.servesRest) return source.reader(projection as ReadableProjection<Row>);
      throw new KappaError('KAPPA_REST_OFF', 'this process does not serve REST', {
        nextStep: 'Name rest in run (or KAPPA_RUN), or ask another process.',
      });
    }

    /** From the path as it was sent: adapters decode parameters, and a decoded comma could be either a separator or a part. */
    #key(request: object, table: TableDefinition): Row {
      const [path = ''] = String(this.adapterHost.httpAdapter.getRequestUrl(request)).split('?');
      const segment = path.replace(/\/$/, '').split('/').at(-1) ?? '';
      return parseKey(projection.name, table, projection.tenant, segment);
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

function stampOf(stamp: ReadStamp): RestStamp {
  return { version: stamp.version, position: formatPosition(stamp.position) };
}

function notFound(projection: string, key: Row, stamp: ReadStamp): KappaError {
  const named = Object.entries(json(key)).map(([name, value]) => `${name} ${String(value)}`);
  return new KappaError('KAPPA_NOT_FOUND', `${projection} has no row with ${named.join(', ')}`, {
    facts: { projection, key: json(key), ...stampOf(stamp) },
  });
}

/** What JSON cannot hold, as text: a bigint as its digits, bytes in base64. */
function json(row: object): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
    ]),
  );
}
