import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { identityOf } from '../../../src/database/embedded/process-identity.js';
import { Child } from '../../support/child.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { answerOf } from '../../support/source-processes.js';
import { homeOf } from './home-of.js';

async function starter(): Promise<{ readonly child: Child<never>; readonly pid: number; readonly home: string }> {
  const child = await Child.start<never>(new URL('./starter.ts', import.meta.url), {});
  const answer = answerOf<number>(child.process);
  child.process.send('pid');
  const pid = await answer;
  const home = await homeOf(pid);
  expect(await identityOf(pid)).not.toBeNull();
  expect(existsSync(home)).toBe(true);
  return { child, pid, home };
}

async function expectGone(pid: number, home: string): Promise<void> {
  await vi.waitFor(async () => expect(await identityOf(pid)).toBeNull(), { timeout: 30_000 });
  await vi.waitFor(() => expect(existsSync(home)).toBe(false), { timeout: 30_000 });
}

await describeWithOwnKafka(
  'brokers whose starter is gone',
  () => {
    it('end with it when it is killed, also while they are paused', async () => {
      const { child, pid, home } = await starter();
      process.kill(pid, 'SIGSTOP');
      await child.kill('SIGKILL');
      await expectGone(pid, home);
    }, 120_000);

    it('end with it when it forgets them, and do not hold it', async () => {
      const { child, pid, home } = await starter();
      const ended = once(child.process, 'exit');
      child.process.send('end');
      expect(await ended).toEqual([0, null]);
      await expectGone(pid, home);
    }, 120_000);
  },
  'java',
);
