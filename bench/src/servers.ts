import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Kafka, logLevel } from 'kafkajs';
import { Database, KappaModule } from 'nest-kappa';
import { startKafka } from 'nest-kappa/testing';
import type { LogName } from './bench.js';
import { makeDataFolder } from './data-folder.js';
import { readEnvironment, type Environment, type KafkaEnvironment } from './environment.js';

/** What both sides of a bench use: one PostgreSQL with the settings of production, and a broker where Kafka carries the log. */
export interface Servers {
  readonly databaseUrl: string;
  /** With all tables of the log. */
  readonly database: Database;
  /** Empty where PostgreSQL carries the log. */
  readonly brokers: readonly string[];
  readonly environment: Environment;
  stop(): Promise<void>;
}

const BROKER_SETTINGS = [
  'num.network.threads',
  'num.io.threads',
  'log.flush.interval.messages',
  'transaction.state.log.num.partitions',
  'offsets.topic.num.partitions',
];

export async function startServers(log: LogName): Promise<Servers> {
  const folder = await makeDataFolder();
  @Module({ imports: [KappaModule.forRoot({ name: 'bench', database: { dataDir: join(folder.path, 'kappa') }, run: {} })] })
  class ServerModule {}
  const app = await NestFactory.createApplicationContext(ServerModule, { logger: ['warn', 'error'], abortOnError: false });
  const kafka = log === 'kafka' ? await startKafka() : null;
  const stop = async (): Promise<void> => {
    await kafka?.stop();
    await app.close();
    await folder.remove();
  };
  try {
    const database = app.get(Database, { strict: false });
    const brokers = kafka?.brokers ?? [];
    const facts = kafka ? await brokerFacts(brokers, kafka.source !== 'environment') : null;
    return { databaseUrl: database.url, database, brokers, environment: await readEnvironment(database, facts), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function brokerFacts(brokers: readonly string[], ours: boolean): Promise<KafkaEnvironment> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const [broker] = (await admin.describeCluster()).brokers;
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      // 4 is a broker.
      resources: [{ type: 4, name: String(broker?.nodeId ?? 0), configNames: BROKER_SETTINGS }],
    });
    const settings = resources.flatMap(({ configEntries }) => configEntries.map((each) => [each.configName, each.configValue]));
    return {
      version: ours ? await startedVersion() : `unknown, at ${brokers.join(', ')}`,
      brokers: brokers.length,
      settings: Object.fromEntries(settings) as Record<string, string>,
    };
  } finally {
    await admin.disconnect();
  }
}

/** What `startKafka` starts. */
async function startedVersion(): Promise<string> {
  const pom = await readFile(new URL('../../dist/testing/kafka/pom.xml', import.meta.url), 'utf8');
  return /kafka_[\d.]+<\/artifactId>\s*<version>([^<]+)/.exec(pom)?.[1] ?? 'unknown';
}
