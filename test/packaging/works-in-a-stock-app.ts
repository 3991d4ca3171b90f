import { afterAll, beforeAll, expect, it } from 'vitest';
import { StockApp } from './stock-app.js';

/** One test body for both majors of Nest; the tests build on each other, as a newcomer's first minutes do. */
export function worksInAStockApp(template: 'nest-11' | 'nest-12', runTests: (app: StockApp) => Promise<string>): void {
  let app: StockApp;

  beforeAll(async () => {
    app = await StockApp.install(template);
  }, 240_000);

  afterAll(() => app?.remove());

  it('compiles with tsc, starts, and answers a write with its row', { timeout: 120_000 }, async () => {
    await app.bin('tsc', '-p', 'tsconfig.build.json');
    await app.whileRunning(async (url) => {
      expect(await deposit(url, 500)).toEqual({ id: 'ann', cents: 500 });
    });
  });

  it('compiles with nest build -b swc, and goes on with its data', { timeout: 120_000 }, async () => {
    await app.bin('nest', 'build', '-b', 'swc');
    await app.whileRunning(async (url) => {
      await deposit(url, 250);
      // A stock main.ts ends without saying so, and its partitions are free when its lease has ended.
      await expect.poll(() => balance(url), { timeout: 30_000 }).toEqual({ id: 'ann', cents: 750 });
    });
  });

  it("passes a test in the application's own runner", { timeout: 120_000 }, async () => {
    expect(await runTests(app)).toMatch(/\b[1-9]\d* passed/);
  });

  it('brings both commands', { timeout: 30_000 }, async () => {
    expect(await app.bin('nest-kappa', '--version')).toBe(await app.bin('kappa', '--version'));
  });
}

async function deposit(url: string, cents: number): Promise<unknown> {
  const answer = await fetch(`${url}/accounts/ann/deposits`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ cents }),
  });
  return answer.json();
}

async function balance(url: string): Promise<unknown> {
  return (await fetch(`${url}/accounts/ann`)).json();
}
