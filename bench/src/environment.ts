import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Queryable } from 'nest-kappa';

/** What a figure was measured on: printed with every run and kept in its JSON. */
export interface Environment {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly nodeEnv: string;
  readonly postgresql: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Null where no broker took part. */
  readonly kafka: KafkaEnvironment | null;
  readonly package: string;
}

export interface KafkaEnvironment {
  /** Of brokers that were started here; of others their address is all that is known. */
  readonly version: string;
  readonly brokers: number;
  readonly settings: Readonly<Record<string, string>>;
}

const SETTINGS = [
  'shared_buffers',
  'synchronous_commit',
  'fsync',
  'wal_level',
  'max_wal_size',
  'jit',
  'work_mem',
  'maintenance_work_mem',
];

export async function readEnvironment(
  database: Pick<Queryable, 'query'>,
  kafka: KafkaEnvironment | null = null,
): Promise<Environment> {
  const { rows } = await database.query<{ name: string; setting: string; unit: string | null }>(
    'select name, setting, unit from pg_settings where name = any($1) order by name',
    [SETTINGS],
  );
  const version = (await database.query<{ server_version: string }>('show server_version')).rows[0];
  const { version: ours } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const [cpu] = cpus();
  return {
    date: new Date().toISOString(),
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    nodeEnv: process.env['NODE_ENV'] ?? 'development',
    postgresql: version?.server_version ?? 'unknown',
    settings: Object.fromEntries(rows.map(({ name, setting, unit }) => [name, `${setting}${unit ?? ''}`])),
    kafka,
    package: ours,
  };
}
