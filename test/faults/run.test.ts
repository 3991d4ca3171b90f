import { expect, it } from 'vitest';
import { describeWithOwnKafka } from '../support/kafka.js';
import { runToEnd } from '../support/run-example.js';

/** More of them: `npm run faults -- --runs 20`. */
const RUNS = 1;

async function keepsEveryPromise(driver: 'postgres' | 'kafka', signal: AbortSignal): Promise<void> {
  const args = ['--driver', driver, '--runs', String(RUNS), '--seed', '1', '--json'];
  const { code, stdout, stderr, last } = await runToEnd('scripts/faults.mjs', args, { signal });
  console.log(stdout);
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  expect(JSON.parse(last)).toMatchObject({
    driver,
    runs: RUNS,
    lost: 0,
    doubled: 0,
    reordered: 0,
    mixed: 0,
    failedSeeds: [],
  });
}

it('keeps every promise while processes, wires and the database are struck', { timeout: 300_000 }, ({ signal }) =>
  keepsEveryPromise('postgres', signal),
);

await describeWithOwnKafka('on Kafka', () => {
  it('keeps every promise while brokers are struck as well', { timeout: 300_000 }, ({ signal }) =>
    keepsEveryPromise('kafka', signal),
  );
});

it('says how it is called when it is called otherwise', { timeout: 60_000 }, async () => {
  const { code, stderr } = await runToEnd('scripts/faults.mjs', ['--runs', 'many']);
  expect(code).toBe(2);
  expect(stderr).toContain('usage: npm run faults -- [--runs N] [--seed S]');
});
