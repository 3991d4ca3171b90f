import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import type { BenchSettings } from '../bench.js';
import { startPart } from '../part.js';
import { comparedAtMost, differingAtMost, type BenchReport } from '../result.js';
import { startServers } from '../servers.js';
import type { BareConsumersPart } from './bare-consumers.process.js';
import type { IdlePart, IdleReport } from './ours.process.js';
import { restingCpu } from './sides.js';

const PARTITIONS = 8;
/** One for each projection; the relay reads PostgreSQL. */
const CONSUMERS = 2;
const TOPIC = 'things';
/** The relay notes where it stands once, at most a second after the last record. */
const NOTED_WITHIN_MS = 3_000;
/** What a transaction writes to: events and markers, the position of the relay, its own state. */
const WRITTEN = [TOPIC, 'kappa.relay', '__transaction_state'];

/** The application's process alone: the brokers work as little for either side. */
export async function idleOnKafka(settings: BenchSettings): Promise<BenchReport> {
  const servers = await startServers('kafka');
  const { brokers, databaseUrl } = servers;
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  try {
    await admin.connect();
    const ours = await startPart<IdlePart, IdleReport>(new URL('./ours.process.js', import.meta.url), {
      database: { url: databaseUrl },
      brokers,
      partitions: PARTITIONS,
    });
    const theirs = await startPart<BareConsumersPart, null>(new URL('./bare-consumers.process.js', import.meta.url), {
      brokers,
      topic: TOPIC,
      consumers: CONSUMERS,
    });
    await sleep(NOTED_WITHIN_MS);
    const before = await written(admin);
    const runs = await restingCpu(settings, [ours.pid], [theirs.pid]);
    const moved = (await written(admin)) - before;
    await ours.stop();
    await theirs.stop();
    const app = `relay and ${CONSUMERS} live projections, ${PARTITIONS} partitions`;
    return {
      environment: servers.environment,
      results: [
        comparedAtMost(
          {
            bench: 'idle',
            case: `CPU of the process at rest, log kafka: ${app}`,
            unit: '% of a core',
            against: `${CONSUMERS} bare idle kafkajs consumers in one process`,
            atLeast: 1.5,
            aim: 1,
          },
          runs,
        ),
        differingAtMost(
          {
            bench: 'idle',
            case: `records, markers and states of transactions written at rest, log kafka: ${app}`,
            unit: 'offsets',
            against: 'none',
            atLeast: 0,
            aim: 0,
          },
          { ours: [moved], theirs: [0] },
        ),
      ],
    };
  } finally {
    await admin.disconnect();
    await servers.stop();
  }
}

/** Markers of transactions take offsets too. */
async function written(admin: Admin): Promise<number> {
  let sum = 0;
  for (const topic of WRITTEN) for (const { high } of await admin.fetchTopicOffsets(topic)) sum += Number(high);
  return sum;
}
