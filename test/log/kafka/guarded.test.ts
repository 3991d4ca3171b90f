import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaOptions } from '../../../src/log/kafka/kafka-options.js';
import { kafkajs } from '../../../src/log/kafka/wire/kafkajs.js';
import {
  joinRecording,
  newTopic,
  pollUntil,
  readAll,
  record,
  textOf,
  uniqueName,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { startGuardedBroker, USER, type GuardedBroker } from './guarded-broker.js';
import { KafkaClients } from './kafka-clients.js';

await describeWithOwnKafka(
  'a broker that asks who comes',
  () => {
    let broker: GuardedBroker;
    const clients = new KafkaClients([]);
    const socketFactory = kafkajs().defaultSocketFactory();
    beforeAll(async () => {
      broker = await startGuardedBroker();
    });
    afterEach(() => clients.close());
    afterAll(() => broker.stop());

    const doors: Readonly<Record<string, () => Partial<KafkaOptions>>> = {
      'PLAIN over TLS': () => ({ brokers: [broker.secure], ssl: { ca: broker.ca }, sasl: { mechanism: 'plain', ...USER } }),
      'SCRAM-SHA-256 over TLS': () => ({
        brokers: [broker.secure],
        ssl: { ca: broker.ca },
        sasl: { mechanism: 'scram-sha-256', ...USER },
      }),
      'PLAIN in the open': () => ({ brokers: [broker.login], sasl: { mechanism: 'plain', ...USER } }),
      'SCRAM-SHA-256 in the open': () => ({ brokers: [broker.login], sasl: { mechanism: 'scram-sha-256', ...USER } }),
      'TLS alone': () => ({ brokers: [broker.tls], ssl: { ca: broker.ca } }),
    };
    for (const [door, options] of Object.entries(doors)) {
      it(`is written to and read from by ${door}: topics, appends, sessions, groups`, async () => {
        const { log } = await clients.open({ ...options(), socketFactory });
        const topic = await newTopic(log, 1);
        await log.append([record(topic, 0, 'appended')]);
        const session = await log.openSession(uniqueName('task'));
        const transaction = session.begin();
        transaction.append([record(topic, 0, 'committed')]);
        expect(await transaction.commit()).toMatchObject({ outcome: 'committed' });
        expect((await readAll(log, topic)).map(textOf)).toEqual(['appended', 'committed']);
        const seen: string[] = [];
        const { member } = await joinRecording(log, uniqueName('g'), [topic], { [`${topic}/0`]: 0 });
        await pollUntil(
          [member],
          () => seen.length === 2,
          (batch) => seen.push(...batch.records.map(textOf)),
        );
        expect(seen).toEqual(['appended', 'committed']);
      });
    }

    describe('and does not like what it hears', () => {
      it.each(['plain', 'scram-sha-256'] as const)(
        'refuses a wrong password at once by %s, with a word on what to do',
        async (mechanism) => {
          const opening = clients.open({
            brokers: [broker.secure],
            ssl: { ca: broker.ca },
            sasl: { mechanism, username: USER.username, password: 'wrong' },
            connectTimeoutMs: 3_600_000,
          });
          await expect(opening).rejects.toThrow(
            new RegExp(`^KAPPA_KAFKA_LOGIN: broker ${broker.secure} refuses the login: .*Correct sasl`),
          );
        },
      );

      it('refuses a certificate that nobody vouches for at once, with a word on what to do', async () => {
        const opening = clients.open({ brokers: [broker.tls], ssl: true, connectTimeoutMs: 3_600_000, socketFactory });
        await expect(opening).rejects.toThrow(
          new RegExp(`^KAPPA_KAFKA_CERTIFICATE: the certificate of broker ${broker.tls} is not trusted: .*Give .* ssl`),
        );
      });

      it('refuses the certificate of another host', async () => {
        const opening = clients.open({
          brokers: [broker.tls],
          ssl: { ca: broker.ca, servername: 'kafka.example.org' },
          connectTimeoutMs: 3_600_000,
        });
        await expect(opening).rejects.toThrow(/^KAPPA_KAFKA_CERTIFICATE: .*kafka.example.org/);
      });

      it('says where it looked when it speaks in the open to a door with TLS', async () => {
        const opening = clients.open({ brokers: [broker.tls], connectTimeoutMs: 500, requestTimeoutMs: 400 });
        await expect(opening).rejects.toThrow(/^KAPPA_KAFKA_UNREACHABLE: .*correct brokers \(and ssl\)/);
      });

      it('asks again a broker that goes away in the middle of a login', async () => {
        const proxy = await TcpProxy.start(`kafka://${broker.login}`);
        const lost = proxy.losePieceWith(USER.password);
        await clients.open({ brokers: [new URL(proxy.url).host], sasl: { mechanism: 'plain', ...USER } });
        await lost;
        await proxy.stop();
      });
    });
  },
  'java',
);
