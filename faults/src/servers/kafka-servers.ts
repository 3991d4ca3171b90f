import path from 'node:path';
import { startKafka, startPostgres, TcpProxy } from 'nest-kappa/testing';
import { readKafkaTopics } from './read-kafka-topics.js';
import type { Servers } from './servers.js';

/** Three brokers, as a cluster that outlives one of them needs, and the PostgreSQL that commands append to. */
export async function kafkaServers(folder: string): Promise<Servers> {
  const wires: TcpProxy[] = [];
  const advertise = async (address: string): Promise<string> => {
    const wire = await TcpProxy.start(`kafka://${address}`);
    wires.push(wire);
    return new URL(wire.url).host;
  };
  const [postgres, kafka] = await Promise.all([
    startPostgres({ folder: path.join(folder, 'postgres') }),
    startKafka({ brokers: 3, from: ['docker', 'java'], advertise }),
  ]);
  return {
    driver: 'kafka',
    databaseUrl: postgres.url,
    kafka: {
      brokers: kafka.brokers,
      wire: (broker) => {
        const host = kafka.brokers[broker];
        const wire = wires.find(({ url }) => new URL(url).host === host);
        if (!wire) throw new RangeError(`there is no broker ${broker}`);
        return wire;
      },
      kill: (broker) => kafka.kill(broker),
      restart: (broker) => kafka.restart(broker),
    },
    killDatabase: () => postgres.kill(),
    restartDatabase: () => postgres.restart(),
    readTopics: () => readKafkaTopics(kafka.brokers),
    stop: async () => {
      await Promise.all([postgres.stop(), kafka.stop()]);
      await Promise.all(wires.map((wire) => wire.stop()));
    },
  };
}
