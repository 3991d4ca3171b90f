import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { KappaError } from '../../kernel/errors.js';
import { lastWords } from './broker-log.js';
import { brokerProperties, clusterId, propertiesFile, type Door } from './broker-properties.js';
import { freePorts } from './free-ports.js';
import { didNotStart } from './kafka-errors.js';
import type { StartKafkaOptions } from './started-kafka.js';

export interface JavaClusterOptions extends Pick<StartKafkaOptions, 'properties' | 'advertise'> {
  readonly java: string;
  /** The folder with Kafka's jars. */
  readonly jars: string;
  readonly brokers: number;
  /** More flags for Java. Default: none. */
  readonly flags?: readonly string[];
  /** More ways in for clients. Default: none; what waits for the brokers goes by the plain one. */
  readonly doors?: readonly Door[];
  /** More words for what formats the data: `['--add-scram', …]`. Default: none. */
  readonly formatWith?: readonly string[];
}

/** What a folder that is kept remembers. */
interface Memory {
  readonly id: string;
  readonly ports: readonly number[];
}

/** Small and quick to start: one broker is up within 3 s and takes 230 MB. */
const FLAGS = [
  '-Xmx384m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:+ExitOnOutOfMemoryError',
  // A killed JVM would leave its counters behind in /tmp.
  '-XX:-UsePerfData',
  '-Djava.awt.headless=true',
  '-Dlog4j2.level=WARN',
];
const CLIENT = 0;
const BROKER = 1;
const CONTROLLER = 2;
const PORTS_EACH = 3;

/** Program and arguments that run one of Kafka's classes for the brokers of `folder`. */
export function kafkaCommand(folder: string, { java, jars, flags = [] }: JavaClusterOptions): readonly string[] {
  return [java, ...FLAGS, ...flags, `-Djava.io.tmpdir=${path.join(folder, 'tmp')}`, '-cp', path.join(jars, '*')];
}

/**
 * Lays out what brokers need in `folder`: ports, a configuration each, formatted data where there is none.
 * @returns the addresses that clients are told
 * @throws KAPPA_KAFKA_START
 */
export async function layOutCluster(folder: string, options: JavaClusterOptions): Promise<readonly string[]> {
  await mkdir(path.join(folder, 'tmp'), { recursive: true });
  const { id, ports } = await remembered(folder, options.brokers);
  const addresses = await writeProperties(folder, ports, options);
  await Promise.all(addresses.map((_, node) => format(folder, id, node, options)));
  return addresses;
}

/** A folder that is used again keeps its cluster, and its ports where they are free. */
async function remembered(folder: string, brokers: number): Promise<Memory> {
  const file = path.join(folder, 'cluster.json');
  const before = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Memory) : null;
  const count = brokers * PORTS_EACH;
  if (before !== null && before.ports.length !== count) {
    const had = before.ports.length / PORTS_EACH;
    throw new KappaError('KAPPA_KAFKA_START', `${folder} holds the data of a cluster of ${had}, not of ${brokers}`, {
      facts: { folder, had, wanted: brokers },
      nextStep: `Start ${had}, or give another folder.`,
    });
  }
  const memory = { id: before?.id ?? clusterId(), ports: await freePorts(count, before?.ports) };
  await writeFile(file, JSON.stringify(memory));
  return memory;
}

async function writeProperties(
  folder: string,
  ports: readonly number[],
  { brokers, doors = [], properties = {}, advertise = (address) => Promise.resolve(address) }: JavaClusterOptions,
): Promise<readonly string[]> {
  const address = (node: number, which: number): string => `127.0.0.1:${ports[node * PORTS_EACH + which] ?? 0}`;
  const nodes = Array.from({ length: brokers }, (_, node) => node);
  const voters = nodes.map((node) => `${node}@${address(node, CONTROLLER)}`).join(',');
  return Promise.all(
    nodes.map(async (node) => {
      const advertised = await advertise(address(node, CLIENT));
      const own = brokerProperties({
        node,
        brokers,
        voters,
        client: { bind: address(node, CLIENT), advertised },
        broker: { bind: address(node, BROKER), advertised: address(node, BROKER) },
        controller: { bind: address(node, CONTROLLER) },
        doors,
        properties: { 'log.dirs': dataOf(folder, node), ...properties },
      });
      await writeFile(propertiesOf(folder, node), propertiesFile(own));
      return advertised;
    }),
  );
}

async function format(folder: string, id: string, node: number, options: JavaClusterOptions): Promise<void> {
  if (existsSync(path.join(dataOf(folder, node), 'meta.properties'))) return;
  const [java = '', ...flags] = kafkaCommand(folder, options);
  const { formatWith = [] } = options;
  const args = [...flags, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', propertiesOf(folder, node), ...formatWith];
  await promisify(execFile)(java, args).catch((error: unknown) => {
    const { stdout = '', stderr = '', message } = error as { stdout?: string; stderr?: string; message: string };
    const said = lastWords(`${stdout}${stderr}`) || message;
    throw didNotStart(`the data of broker ${node} could not be formatted`, said, { folder }, error);
  });
}

function propertiesOf(folder: string, node: number): string {
  return path.join(folder, `broker-${node}.properties`);
}

function dataOf(folder: string, node: number): string {
  return path.join(folder, `data-${node}`);
}
