import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { Controller, Get, Module, Param, UseFilters } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  event,
  FencedError,
  KappaError,
  KappaExceptionFilter,
  KappaRestModule,
  projection,
  Refusal,
  RetriableError,
  topic,
  type,
  UnknownOutcomeError,
  WrongExpectedVersionError,
  type RestPage,
} from 'nest-kappa';
import { Readers } from '../../src/modules/serving/readers.js';
import type { Build } from '../../src/modules/projections/build.js';
import { liveTables, type LiveTables } from './live-table.js';

const Sold = event('product.sold', type<object>());
const sales = topic('sales', { partitions: 1, events: [Sold] });

@Entity({ synchronize: false })
class SaleRow {
  @PrimaryColumn('text') product!: string;
  @PrimaryColumn('int') day!: number;
  @Column('numeric', { precision: 8, scale: 2 }) amount!: string;
  @Column('bigint') count!: bigint;
  @Column('boolean') open!: boolean;
  @Column('timestamptz') soldAt!: Date;
  @Column('bytea', { nullable: true }) raw!: Buffer | null;
}
@Entity({ synchronize: false })
class NoteRow {
  @PrimaryColumn('text') id!: string;
  @PrimaryColumn('text') tenant!: string;
  @Column('text') text!: string;
}
const Sales = projection({ name: 'sales', version: 1, from: [sales], table: SaleRow });
const Notes = projection({ name: 'notes', version: 1, from: [sales], table: NoteRow, tenant: 'tenant' });
const Unbuilt = projection({ name: 'unbuilt', version: 1, from: [sales], table: SaleRow });

const THROWN: Readonly<Record<string, () => Error>> = {
  refusal: () => new Refusal('sale.closed', { since: 1 }),
  conflict: () => new WrongExpectedVersionError('/sale/1', 4, 5),
  retriable: () => new RetriableError('the append did not happen'),
  unknown: () => new UnknownOutcomeError('the connection was lost at COMMIT'),
  fenced: () => new FencedError('the task'),
  invalid: () => new KappaError('KAPPA_INVALID_PAYLOAD', 'amount: must be a number'),
  taken: () => new KappaError('KAPPA_VALUE_TAKEN', 'email is taken'),
  fault: () => new KappaError('KAPPA_UNDECODABLE', 'secret details', { facts: { secret: 1 } }),
};

@Controller('thrown')
@UseFilters(KappaExceptionFilter)
class ThrowingController {
  @Get(':name') thrown(@Param('name') name: string): never {
    throw THROWN[name]?.() ?? new Error('unknown');
  }
}

@Module({
  imports: [
    KappaRestModule.forFeature([Sales, Unbuilt]),
    KappaRestModule.forFeature([Notes], {
      path: 'api/v2',
      tenant: (request: { headers: Record<string, string> }) => request.headers['x-tenant'] ?? null,
    }),
  ],
  controllers: [ThrowingController],
})
class AppModule {}

const QUIETLY = Object.freeze({ logger: false as const });

describe('REST', () => {
  let tables: LiveTables;
  let app: INestApplication;
  let base: string;
  let build: Build;
  let servesRest = true;

  const get = async (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown; headers: Headers }> => {
    const response = await fetch(`${base}${path}`, { headers });
    return { status: response.status, body: await response.json(), headers: response.headers };
  };

  beforeAll(async () => {
    tables = await liveTables();
    build = await tables.build(Sales, [
      {
        product: 'mug',
        day: 1,
        amount: '12.50',
        count: 9007199254740993n,
        open: true,
        soldAt: new Date('2024-06-01T10:00:00Z'),
        raw: Buffer.from('hi'),
      },
      { product: 'mug', day: 2, amount: '7', count: 2n, open: false, soldAt: new Date(0), raw: null },
      { product: 'a,b/c %', day: 1, amount: '0', count: 0n, open: true, soldAt: new Date(0), raw: null },
    ]);
    await tables.swapTo(build);
    await tables.swapTo(
      await tables.build(Notes, [
        { id: 'n,1', tenant: 'a', text: 'of a' },
        { id: 'n,1', tenant: 'b', text: 'of b' },
      ]),
    );
    app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication(QUIETLY);
    app.get(Readers, { strict: false }).connect({
      reader: (wanted) => tables.reader(wanted),
      get servesRest() {
        return servesRest;
      },
    });
    await app.listen(0, '127.0.0.1');
    base = await app.getUrl();
  });
  afterAll(async () => {
    await app.close();
    await tables.stop();
  });

  it('answers one row with version and position', async () => {
    expect(await get('/api/sales/mug,1')).toMatchObject({
      status: 200,
      body: {
        data: {
          product: 'mug',
          day: 1,
          amount: '12.50',
          count: '9007199254740993',
          open: true,
          soldAt: '2024-06-01T10:00:00.000Z',
          raw: 'aGk=',
        },
        version: 1,
        position: 'sales/0:0',
      },
    });
  });

  it('takes the parts of a key as they were sent, commas and slashes encoded', async () => {
    expect(await get(`/api/sales/${encodeURIComponent('a,b/c %')},1`)).toMatchObject({
      status: 200,
      body: { data: { amount: '0.00' } },
    });
  });

  it('answers 404 with a code where there is no row', async () => {
    expect(await get('/api/sales/mug,3')).toMatchObject({
      status: 404,
      body: { statusCode: 404, code: 'KAPPA_NOT_FOUND', message: expect.stringContaining('product mug, day 3') as string },
    });
  });

  it('answers pages that filter, sort and go on', async () => {
    const first = await get('/api/sales?sort=-amount,day&limit=2');
    const page = first.body as RestPage;
    expect(page.data.map(({ amount }) => amount)).toEqual(['12.50', '7.00']);
    const next = (await get(`/api/sales?sort=-amount,day&limit=2&cursor=${page.cursor ?? ''}`)).body as RestPage;
    expect(next).toMatchObject({ data: [{ amount: '0.00' }], cursor: null, version: 1, position: 'sales/0:0' });
    expect(((await get('/api/sales?product=mug&open=false&count=2')).body as RestPage).data).toMatchObject([{ day: 2 }]);
    expect(((await get('/api/sales?amount=12.5')).body as RestPage).data).toHaveLength(1);
    expect(((await get('/api/sales?soldAt=2024-06-01T12:00:00%2B02:00')).body as RestPage).data).toMatchObject([
      { product: 'mug', day: 1 },
    ]);
    expect(((await get('/api/sales?at=')).body as RestPage).data).toHaveLength(3);
  });

  it.each([
    ['/api/sales?prodct=mug', 'KAPPA_BAD_QUERY', 'did you mean product?'],
    ['/api/sales?limi=2', 'KAPPA_BAD_QUERY', 'did you mean limit?'],
    ['/api/sales?day=first', 'KAPPA_BAD_QUERY', 'day'],
    ['/api/sales?open=yes', 'KAPPA_BAD_QUERY', 'open'],
    ['/api/sales?amount=1.005', 'KAPPA_BAD_QUERY', 'amount'],
    ['/api/sales?day=1&day=2', 'KAPPA_BAD_QUERY', 'more than once'],
    ['/api/sales?sort=-amout', 'KAPPA_BAD_QUERY', 'did you mean amount?'],
    ['/api/sales?limit=all', 'KAPPA_BAD_QUERY', 'limit'],
    ['/api/sales?limit=0', 'KAPPA_BAD_QUERY', 'limit'],
    ['/api/sales?raw=aGk', 'KAPPA_BAD_QUERY', 'raw'],
    ['/api/sales?cursor=x', 'KAPPA_BAD_CURSOR', 'cursor'],
    ['/api/sales?at=sales', 'KAPPA_BAD_POSITION', 'sales'],
    ['/api/sales?at=sales/7:1', 'KAPPA_BAD_POSITION', 'sales/7'],
    ['/api/sales/mug', 'KAPPA_BAD_KEY', 'product,day'],
    ['/api/sales/mug,one', 'KAPPA_BAD_KEY', 'day'],
    ['/api/sales/mug,1?day=1', 'KAPPA_BAD_QUERY', 'day'],
  ])('answers 400 to %s and names what is wrong', async (path, code, words) => {
    const { status, body } = await get(path);
    expect(body).toMatchObject({ statusCode: 400, code, message: expect.stringContaining(words) as string });
    expect(status).toBe(400);
  });

  it('waits for a position, within a bound', async () => {
    const waiting = get('/api/sales/mug,1?at=sales/0:5');
    await tables.advance(build, 0, 5);
    tables.progress.publish(build.id, { 'sales/0': 5 });
    expect(await waiting).toMatchObject({ status: 200, body: { position: 'sales/0:5' } });
    await tables.advance(build, 0, 0);
  });

  it('answers 503 and when to come back while nothing is live', async () => {
    const { status, body, headers } = await get('/api/unbuilt');
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(body).toMatchObject({ code: 'KAPPA_NO_LIVE_BUILD' });
  });

  it('serves only the rows of the tenant that the application names', async () => {
    expect(await get('/api/v2/notes/n%2C1', { 'x-tenant': 'b' })).toMatchObject({ body: { data: { text: 'of b' } } });
    expect(await get('/api/v2/notes/n,1', { 'x-tenant': 'a' })).toMatchObject({ body: { data: { text: 'of a' } } });
    expect((await get('/api/v2/notes', { 'x-tenant': 'a' })).body).toMatchObject({ data: [{ text: 'of a' }] });
    expect(await get('/api/v2/notes?tenant=b', { 'x-tenant': 'a' })).toMatchObject({ status: 400 });
    expect((await get('/api/v2/notes')).body).toMatchObject({ data: [] });
    expect(() => KappaRestModule.forFeature([Notes])).toThrow('KAPPA_BAD_TENANT');
  });

  it('is off where run leaves it out', async () => {
    servesRest = false;
    expect(await get('/api/sales')).toMatchObject({ status: 404, body: { code: 'KAPPA_REST_OFF' } });
    servesRest = true;
  });

  it.each([
    ['refusal', 422, 'sale.closed'],
    ['conflict', 409, 'KAPPA_WRONG_VERSION'],
    ['taken', 409, 'KAPPA_VALUE_TAKEN'],
    ['invalid', 400, 'KAPPA_INVALID_PAYLOAD'],
    ['retriable', 503, 'KAPPA_RETRIABLE'],
    ['unknown', 503, 'KAPPA_UNKNOWN_OUTCOME'],
    ['fenced', 503, 'KAPPA_FENCED'],
    ['fault', 500, 'KAPPA_UNDECODABLE'],
  ])('answers a %s of any controller with %i', async (name, expected, code) => {
    const { status, body } = await get(`/thrown/${name}`);
    expect(status).toBe(expected);
    expect(body).toMatchObject({ statusCode: expected, code });
    if (expected === 500) expect(JSON.stringify(body)).not.toContain('secret');
  });
});
