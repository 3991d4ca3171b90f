import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { classArchiveFlags } from '../../../src/testing/kafka/class-archive.js';
import { startJavaBrokers } from '../../../src/testing/kafka/java-brokers.js';
import { cachedJars } from '../../../src/testing/kafka/kafka-jars.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { homeOf } from './home-of.js';

await describeWithOwnKafka(
  'the file of Kafka’s classes',
  () => {
    it('is made once and taken by brokers', async () => {
      const use = { java: 'java', jars: (await cachedJars()) ?? '' };
      const flags = await classArchiveFlags(use);
      expect(flags).toEqual([expect.stringMatching(/^-XX:SharedArchiveFile=.*\.jsa$/)]);
      expect(await classArchiveFlags(use)).toEqual(flags);

      // With `on`, Java ends where it cannot use the file.
      const broker = await startJavaBrokers({ ...use, brokers: 1, timeoutMs: 60_000, flags: [...flags, '-Xshare:on'] });
      const log = await readFile(path.join(await homeOf(broker.pids[0] ?? 0), 'broker-0.log'), 'utf8');
      await broker.stop();
      expect(log).not.toContain('[cds');
    }, 120_000);

    it('is done without where it cannot be made, and not tried again', async () => {
      const jars = await mkdtemp(path.join(tmpdir(), 'kappa-no-jars-'));
      try {
        expect(await classArchiveFlags({ java: 'java', jars })).toEqual([]);
        expect(await readdir(jars)).toEqual([expect.stringMatching(/\.jsa\.failed$/)]);
        expect(await classArchiveFlags({ java: 'java', jars })).toEqual([]);
      } finally {
        await rm(jars, { recursive: true, force: true });
      }
    }, 60_000);
  },
  'java',
);
