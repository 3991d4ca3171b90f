import type { ContainerRuntimeClient, StartedNetwork, StartedTestContainer } from 'testcontainers';
import { brokerProperties, clusterId, propertiesFile } from './broker-properties.js';
import { freePorts } from './free-ports.js';
import { brokerOf, didNotStart } from './kafka-errors.js';
import type { StartedKafka, StartKafkaOptions } from './started-kafka.js';
import { untilReady } from './until-ready.js';

/** The version is that of pom.xml. */
const IMAGE = 'apache/kafka:4.3.0';
/** Where the image looks for a configuration of ours. */
const PROPERTIES = '/mnt/shared/config/server.properties';
const DATA = '/var/lib/kafka/data';
const [CLIENT, BROKER, CONTROLLER] = [9092, 19092, 9093];

type Containers = ContainerRuntimeClient['container'];

export interface DockerBrokersOptions extends Pick<StartKafkaOptions, 'properties' | 'advertise'> {
  readonly brokers: number;
  readonly timeoutMs: number;
}

/** Why there can be no containers, or null when there can. */
export async function dockerProblem(): Promise<string | null> {
  const testcontainers = await import('testcontainers').catch(() => null);
  if (testcontainers === null) return 'the package testcontainers is not installed';
  return testcontainers.getContainerRuntimeClient().then(
    () => null,
    () => 'no Docker engine answers',
  );
}

/**
 * Brokers in containers on a network of their own. The reaper of testcontainers removes them when this process is gone.
 * @throws KAPPA_KAFKA_START
 */
export async function startDockerBrokers(options: DockerBrokersOptions): Promise<StartedKafka> {
  const { Network, getContainerRuntimeClient } = await import('testcontainers');
  const { container, info } = await getContainerRuntimeClient();
  const network = await new Network().start();
  const started: StartedTestContainer[] = [];
  try {
    const { host } = info.containerRuntime;
    const ports = await freePorts(options.brokers);
    const id = clusterId();
    const { advertise = (address: string) => Promise.resolve(address) } = options;
    const brokers = await Promise.all(ports.map((port) => advertise(`${host}:${port}`)));
    const starting = brokers.map(async (advertised, node) => {
      started[node] = await startContainer({ network, id, node, port: ports[node] ?? 0, advertised }, options);
    });
    // All are waited for, so that a failure leaves none that starts behind our back.
    for (const outcome of await Promise.allSettled(starting)) if (outcome.status === 'rejected') throw outcome.reason;
    const kafka = new DockerBrokers(brokers, started, network, container, options.timeoutMs);
    await kafka.untilReady();
    return kafka;
  } catch (error) {
    await Promise.all(started.map((one) => one.stop()));
    await network.stop();
    throw didNotStart(error instanceof Error ? error.message : String(error), '', { image: IMAGE }, error);
  }
}

interface ContainerPlan {
  readonly network: StartedNetwork;
  readonly id: string;
  readonly node: number;
  /** On the host; fixed, so that it stays over a restart. */
  readonly port: number;
  readonly advertised: string;
}

async function startContainer(plan: ContainerPlan, options: DockerBrokersOptions): Promise<StartedTestContainer> {
  const { GenericContainer } = await import('testcontainers');
  const { network, id, node, port, advertised } = plan;
  const nodes = Array.from({ length: options.brokers }, (_, index) => index);
  const properties = brokerProperties({
    node,
    brokers: options.brokers,
    voters: nodes.map((index) => `${index}@${nameOf(index)}:${CONTROLLER}`).join(','),
    client: { bind: `0.0.0.0:${CLIENT}`, advertised },
    broker: { bind: `0.0.0.0:${BROKER}`, advertised: `${nameOf(node)}:${BROKER}` },
    controller: { bind: `0.0.0.0:${CONTROLLER}` },
    properties: { 'log.dirs': DATA, ...options.properties },
  });
  return new GenericContainer(IMAGE)
    .withNetwork(network)
    .withNetworkAliases(nameOf(node))
    .withExposedPorts({ container: CLIENT, host: port })
    .withEnvironment({ CLUSTER_ID: id, KAFKA_HEAP_OPTS: '-Xmx384m' })
    .withCopyContentToContainer([{ content: propertiesFile(properties), target: PROPERTIES }])
    .withStartupTimeout(options.timeoutMs)
    .start();
}

function nameOf(node: number): string {
  return `broker-${node}`;
}

class DockerBrokers implements StartedKafka {
  readonly source = 'docker';
  readonly pids: readonly null[];
  readonly #down = new Set<number>();
  #stopped: Promise<void> | null = null;

  constructor(
    readonly brokers: readonly string[],
    private readonly started: readonly StartedTestContainer[],
    private readonly network: StartedNetwork,
    private readonly containers: Containers,
    private readonly timeoutMs: number,
  ) {
    this.pids = brokers.map(() => null);
  }

  async untilReady(): Promise<void> {
    await untilReady({
      brokers: this.brokers,
      count: this.brokers.length - this.#down.size,
      timeoutMs: this.timeoutMs,
      check: () => Promise.resolve(),
      late: (reason) => Promise.resolve(didNotStart(`not ready within ${this.timeoutMs} ms: ${reason}`, '', { image: IMAGE })),
    });
  }

  async kill(broker: number): Promise<void> {
    const container = this.#container(broker);
    if (this.#down.has(broker)) return;
    await container.kill({ signal: 'SIGKILL' });
    await container.wait({ condition: 'not-running' });
    this.#down.add(broker);
  }

  async restart(broker: number): Promise<void> {
    await this.kill(broker);
    await this.#container(broker).start();
    this.#down.delete(broker);
    await this.untilReady();
  }

  async pause(broker: number): Promise<void> {
    await this.#container(broker).pause();
  }

  async resume(broker: number): Promise<void> {
    await this.#container(broker).unpause();
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    await Promise.all(this.started.map((one) => one.stop({ timeout: 0 })));
    await this.network.stop();
  }

  #container(broker: number): ReturnType<Containers['getById']> {
    return this.containers.getById(brokerOf(this.started, broker).getId());
  }
}
