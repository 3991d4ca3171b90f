import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';

describe('accounts', () => {
  let app: INestApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication();
    await app.listen(0);
  }, 60_000);

  afterAll(() => app.close());

  it('answer a deposit with the row that it made', async () => {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const answer = await fetch(`http://localhost:${port}/accounts/bob/deposits`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ cents: 700 }),
    });
    expect(await answer.json()).toEqual({ id: 'bob', cents: 700 });
  }, 30_000);
});
