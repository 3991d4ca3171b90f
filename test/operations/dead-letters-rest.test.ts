import 'reflect-metadata';
import { Injectable, Module, type CanActivate, type ExecutionContext, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Commands, DeadLetters, KappaDeadLettersModule, KappaModule, projection, type DeadLetterPage } from 'nest-kappa';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { account, accounts, BalanceRow, Deposit, Deposited, OpenAccount, Opened, Rates } from '../kappa/bank.js';

const trap = { armed: true };
const Guarded = projection({ name: 'guarded', version: 1, from: [accounts], table: BalanceRow });
const guardedV1 = Guarded.on(Opened, (_, e) => ({ id: e.stream.id, owner: e.data.owner, rate: e.data.rate, cents: 0 })).on(
  Deposited,
  (row, e) => {
    if (trap.armed && e.data.cents === 666) throw new Error('sprung');
    return row && { ...row, cents: row.cents + e.data.cents };
  },
);

interface Caller {
  readonly headers: Readonly<Record<string, string | undefined>>;
}

@Injectable()
class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<Caller>().headers['x-admin'] !== undefined;
  }
}

describe('dead letters over HTTP', () => {
  let made: TestDatabase;
  let app: INestApplication;
  let base: string;

  const call = async (method: 'GET' | 'POST', path: string, body?: unknown, admin: string | null = 'ann') => {
    const response = await fetch(`${base}/admin/dead-letters${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(admin === null ? {} : { 'x-admin': admin }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as never };
  };
  const letters = async (query = ''): Promise<DeadLetterPage['letters']> => {
    const { body } = await call('GET', query);
    return (body as DeadLetterPage).letters;
  };
  /** Until the owner has come to it. */
  const until = async (query: string, count: number): Promise<DeadLetterPage['letters']> => {
    for (;;) {
      const found = await letters(query);
      if (found.length === count) return found;
    }
  };

  beforeAll(async () => {
    made = await createMigratedDatabase();
    @Module({
      imports: [
        KappaModule.forRoot({ name: 'bank', database: { url: made.url }, projections: { deadLetters: { retries: 0 } } }),
        KappaModule.forFeature({ aggregates: [account], projections: [guardedV1] }),
        KappaDeadLettersModule.forRoot({
          guards: [AdminGuard],
          by: (request: Caller) => request.headers['x-admin'] ?? 'nobody',
        }),
      ],
      providers: [Rates],
    })
    class AppModule {}
    app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    base = await app.getUrl();
    const commands = app.get(Commands, { strict: false });
    for (const id of ['a', 'b']) {
      await commands.execute(new OpenAccount(id, 'x'));
      for (const cents of [1, 666, 2]) await commands.execute(new Deposit(id, cents));
    }
    await until('', 2);
  });
  afterAll(async () => {
    await app.close();
    await made.drop();
  });

  it('are for those alone whom the guards let in', async () => {
    expect((await call('GET', '', undefined, null)).status).toBe(403);
    expect((await call('POST', '/retry', { all: true }, null)).status).toBe(403);
  });

  it('are listed page by page, counted and shown with the event', async () => {
    const [first] = await letters('?projection=guarded&limit=1');
    expect(first).toMatchObject({ label: 'guarded v1 build 1', state: 'letter', reason: { message: 'sprung' } });
    expect(await letters(`?after=${first?.id}`)).toHaveLength(1);
    expect(await until('?states=letter,follower', 4)).toHaveLength(4);
    expect((await call('GET', '/counts')).body).toEqual({
      counts: [{ name: 'guarded', label: 'guarded v1 build 1', letters: 2, followers: 2, discarded: 0 }],
    });
    expect(await call('GET', `/${first?.id}`)).toMatchObject({ status: 200, body: { record: { data: { cents: 666 } } } });
    expect(await app.get(DeadLetters, { strict: false }).counts()).toHaveLength(1);
  });

  it('are refused what makes no sense, by name', async () => {
    const refusals: readonly (readonly ['GET' | 'POST', string, unknown, number, string])[] = [
      ['GET', '?stats=letter', undefined, 400, 'states'],
      ['GET', '?states=lost', undefined, 400, 'states'],
      ['GET', '?limit=0', undefined, 400, 'limit'],
      ['GET', '?projection=unknown', undefined, 404, 'unknown'],
      ['GET', '/4711', undefined, 404, '4711'],
      ['GET', '/x', undefined, 400, 'id'],
      ['POST', '/retry', {}, 400, 'ids'],
      ['POST', '/retry', { ids: [1], all: true }, 400, 'ids'],
      ['POST', '/retry', { ids: ['x'] }, 400, 'ids'],
      ['POST', '/retry', { all: false }, 400, 'all'],
      ['POST', '/discard', { ids: [1] }, 400, 'reason'],
      ['POST', '/discard', { ids: [1], reason: ' ' }, 400, 'reason'],
    ];
    for (const [method, path, body, status, named] of refusals) {
      const answer = await call(method, path, body);
      expect([path, answer.status, (answer.body as { message: string }).message]).toEqual([
        path,
        status,
        expect.stringContaining(named),
      ]);
    }
    const follower = (await letters('?states=follower'))[0];
    expect(await call('POST', '/retry', { ids: [follower?.id] })).toMatchObject({ status: 409 });
  });

  it('are retried and discarded by the running application, in the name of who asked', async () => {
    const [first, second] = await letters();
    const discarded = await call('POST', '/discard', { ids: [second?.id], reason: 'booked twice' });
    expect(discarded).toMatchObject({ status: 202, body: { outcomes: [{ outcome: 'asked' }] } });
    await until('', 1);
    expect(await letters('?states=discarded')).toMatchObject([{ requestedBy: 'ann', requestedWhy: 'booked twice' }]);
    trap.armed = false;
    expect((await call('POST', '/retry', { ids: [first?.id] })).status).toBe(202);
    await until('?states=letter,follower', 0);
    expect((await letters('?states=applied')).length).toBe(3);
  });
});
