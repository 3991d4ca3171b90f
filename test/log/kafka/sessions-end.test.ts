import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { LogSession } from '../../../src/log/event-log.js';
import type { KafkaOptions } from '../../../src/log/kafka/kafka-options.js';
import { joinRecording, newTopic, record, textOf, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { startGuardedBroker, USER, type GuardedBroker } from './guarded-broker.js';
import { KafkaClients } from './kafka-clients.js';
import { SASL_AUTHENTICATE } from './wire-tap.js';

const SESSION_MS = 2_000;
const SESSIONS = 3;
/** Between two rounds of the writer; by then it has all connections that it needs. */
const PAUSE_MS = 20;
const WARM_ROUNDS = 20;

await describeWithOwnKafka(
  'a broker whose logins end by themselves',
  () => {
    let broker: GuardedBroker;
    beforeAll(async () => {
      broker = await startGuardedBroker({ sessionMs: SESSION_MS });
    });
    afterAll(() => broker.stop());

    const ways: readonly [way: string, options: () => Partial<KafkaOptions>][] = [
      ['PLAIN in the open', () => ({ brokers: [broker.login], sasl: { mechanism: 'plain', ...USER } })],
      [
        'SCRAM-SHA-256 over TLS',
        () => ({ brokers: [broker.secure], ssl: { ca: broker.ca }, sasl: { mechanism: 'scram-sha-256', ...USER } }),
      ],
    ];
    describe.for(ways)('by %s', { concurrent: true }, ([, options]) => {
      it('cuts off nobody who works on: each login is renewed on its connection', async ({ expect }) => {
        const clients = new KafkaClients([]);
        const { log, wire } = await clients.open(options());
        const topic = await newTopic(log, 1);
        const key = `${topic}/0` as const;
        const [written, read, polled]: [string[], string[], string[]] = [[], [], []];
        const commit = async (session: LogSession, text: string) => {
          const transaction = session.begin();
          transaction.append([record(topic, 0, text)]);
          expect(await transaction.commit()).toMatchObject({ outcome: 'committed' });
          written.push(text);
        };
        const [busy, resting] = [await log.openSession(uniqueName('task')), await log.openSession(uniqueName('task'))];
        const { member, events } = await joinRecording(log, uniqueName('g'), [topic], { [key]: 0 });
        const stopping = new AbortController();
        const reading = (async () => {
          for await (const batch of log.read({ from: { [key]: 0 }, signal: stopping.signal }))
            read.push(...batch.records.map(textOf));
        })();
        const polling = (async () => {
          while (!stopping.signal.aborted)
            for (const batch of await member.poll({ maxWaitMs: 100 })) polled.push(...batch.records.map(textOf));
        })();

        await commit(resting, 'before a long rest');
        let opened = Infinity;
        const until = performance.now() + SESSIONS * SESSION_MS;
        for (let round = 0; performance.now() < until; round += 1) {
          await log.append([record(topic, 0, `append ${round}`)]);
          written.push(`append ${round}`);
          await commit(busy, `commit ${round}`);
          await pause(PAUSE_MS);
          if (round === WARM_ROUNDS) opened = wire.opened;
        }
        await commit(resting, 'after it');
        await expect.poll(() => [read.length, polled.length]).toEqual([written.length, written.length]);
        stopping.abort();
        await Promise.all([reading, polling]);

        expect(read).toEqual(written);
        expect(polled).toEqual(written);
        expect(events.map(({ kind }) => kind)).toEqual(['assigned']);
        expect(wire.opened).toBe(opened);
        expect(wire.sent.filter((request) => request === SASL_AUTHENTICATE).length).toBeGreaterThan(opened * (SESSIONS - 1));
        await clients.close();
      });
    });
  },
  'java',
);
