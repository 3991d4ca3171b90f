import { Injectable, Module, type BeforeApplicationShutdown, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Health, KappaHealthModule, KappaModule, policy, type KappaDefinitions, type ReadyReport } from 'nest-kappa';
import { HealthChecks } from '../../src/modules/operations/health/health-checks.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import { aggregates, fines, pay, reacting, until } from '../policies/support/receipts.js';
import { TcpProxy } from '../../src/testing/tcp-proxy.js';
import { Commands } from '../../src/modules/aggregates/command.js';

let made: TestDatabase;
let proxy: TcpProxy;
const apps: INestApplication[] = [];

beforeEach(async () => {
  made = await createMigratedDatabase();
  proxy = await TcpProxy.start(made.url);
});
afterEach(async () => {
  proxy.heal();
  for (const app of apps.splice(0)) await app.close();
  await proxy.stop();
  await made.drop();
});

async function boot(definitions: KappaDefinitions = {}, path?: string, more: readonly Type[] = []): Promise<string> {
  @Module({
    imports: [
      KappaModule.forRoot({ database: { url: proxy.url } }),
      KappaModule.forFeature({ aggregates, ...definitions }),
      KappaHealthModule.forRoot(path === undefined ? {} : { path }),
    ],
    providers: [...more],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}

async function probe<T>(url: string): Promise<{ readonly status: number; readonly body: T }> {
  const answer = await fetch(url);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return { status: answer.status, body: (await answer.json()) as T };
}

describe('the probes of an application', () => {
  it('say that it lives and is ready, under the path that was chosen', async () => {
    const url = await boot({}, 'probes');
    expect(await probe(`${url}/probes/live`)).toMatchObject({ status: 200, body: { live: true, reasons: [] } });
    expect(await probe(`${url}/probes/ready`)).toEqual({ status: 200, body: { ready: true, reasons: [] } });
  });

  it('say what is away, by codes alone, and never that the process should be restarted for it', async () => {
    const url = await boot();
    proxy.cut();
    const away = await probe<ReadyReport>(`${url}/health/ready`);
    expect(away.status).toBe(503);
    expect(away.body.reasons).toEqual([
      expect.stringMatching(/^the database does not answer/),
      expect.stringMatching(/^the log \(postgres\) does not answer/),
    ]);
    expect(JSON.stringify(away.body)).not.toContain('127.0.0.1');
    expect((await probe(`${url}/health/live`)).status).toBe(200);
    proxy.heal();
    await until(async () => (await probe(`${url}/health/ready`)).status === 200);
  });

  it('wait for a half-open connection no longer than they may', async () => {
    const url = await boot();
    proxy.halfOpen();
    const { status, body } = await probe<ReadyReport>(`${url}/health/ready`);
    expect(status).toBe(503);
    expect(body.reasons).toContain('the database does not answer within 2 s');
    proxy.cutOnce();
  });

  it('say which engine is halted, without what its handler said', async () => {
    const halting = policy({
      name: 'send-receipts',
      from: [fines],
      startAt: 'beginning',
      deadLetters: { retries: 0, halt: true },
    });
    const failing = reacting(() => {
      throw new Error('a secret');
    }, halting);
    const url = await boot({ policies: [failing] });
    await pay({ commands: apps[0]!.get(Commands, { strict: false }) }, 'a', 1);
    const halted = await until(async () => {
      const { status, body } = await probe<ReadyReport>(`${url}/health/ready`);
      return status === 503 ? body : null;
    });
    expect(halted.reasons).toEqual([expect.stringContaining('policy send-receipts is halted (KAPPA_HANDLER_FAILED)')]);
    expect(JSON.stringify(halted)).not.toContain('secret');
  });

  it('say that it stops while requests under way still end', async () => {
    const seen: ReadyReport[] = [];
    @Injectable()
    class Watcher implements BeforeApplicationShutdown {
      constructor(private readonly health: Health) {}
      async beforeApplicationShutdown(): Promise<void> {
        seen.push(await this.health.ready());
      }
    }
    await boot({}, undefined, [Watcher]);
    await apps.pop()?.close();
    expect(seen).toEqual([{ ready: false, reasons: ['it stops'] }]);
  });

  it('are asked by many and answered with one look', async () => {
    let looks = 0;
    const check = { name: 'the database', check: () => Promise.resolve((looks += 1) ? [] : ['never']) };
    const health = new HealthChecks([check]);
    expect(await Promise.all([health.ready(), health.ready(), health.ready()])).toEqual(
      Array(3).fill({ ready: true, reasons: [] }),
    );
    expect(looks).toBe(1);
    await health.stop();
  });
});

describe('the heartbeat of the event loop', () => {
  it('tells that the loop stood still, and that it goes on', async () => {
    const health = new HealthChecks([], { maxEventLoopDelayMs: 100 });
    health.start();
    expect(health.live()).toMatchObject({ live: true });
    // Beats are a second apart: the one that is due comes late.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_300);
    expect(health.live()).toMatchObject({ live: false, reasons: [expect.stringContaining('the event loop stood still')] });
    await until(() => health.live().live);
    await health.stop();
    expect(health.live()).toMatchObject({ live: true, eventLoopDelayMs: 0 });
  });
});
