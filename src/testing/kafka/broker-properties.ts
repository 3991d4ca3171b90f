import { randomBytes } from 'node:crypto';

/** Where a broker listens, and what others are told. */
export interface Listener {
  readonly bind: string;
  readonly advertised: string;
}

/** One more way in for clients: with a login, with TLS. */
export interface Door {
  /** Of the listener, in capitals; properties of its own begin with `listener.name.<name in small letters>.`. */
  readonly name: string;
  readonly protocol: 'SASL_PLAINTEXT' | 'SASL_SSL' | 'SSL';
  /** `host:port` of each broker. */
  readonly addresses: readonly string[];
}

export interface BrokerPlan {
  readonly node: number;
  /** How many there are. */
  readonly brokers: number;
  /** For applications. */
  readonly client: Listener;
  /** For the other brokers: a proxy in front of the clients' listener is not to stand between them as well. */
  readonly broker: Listener;
  readonly controller: Pick<Listener, 'bind'>;
  readonly doors?: readonly Door[];
  /** `0@host:port,…` of all controllers. */
  readonly voters: string;
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * The configuration of one combined broker and controller that is to start fast and to be small: each internal partition costs
 * memory and start-up time, and the defaults of the internal topics (50 partitions, three replicas) suit a large cluster.
 */
export function brokerProperties(plan: BrokerPlan): Readonly<Record<string, string>> {
  const replicas = String(plan.brokers);
  const inSync = String(Math.max(1, plan.brokers - 1));
  const more = plan.doors ?? [];
  const doors = more.map(({ name, addresses }) => `,${name}://${addresses[plan.node] ?? ''}`).join('');
  const protocols = more.map(({ name, protocol }) => `,${name}:${protocol}`).join('');
  return {
    'process.roles': 'broker,controller',
    'node.id': String(plan.node),
    'controller.quorum.voters': plan.voters,
    listeners: `CLIENT://${plan.client.bind},BROKER://${plan.broker.bind},CONTROLLER://${plan.controller.bind}${doors}`,
    'advertised.listeners': `CLIENT://${plan.client.advertised},BROKER://${plan.broker.advertised}${doors}`,
    'listener.security.protocol.map': `CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    // A misspelt topic is an error, as on most clusters in production.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'log.cleaner.dedupe.buffer.size': '2097152',
    // The default of 3 s is for members that start one after another; here it is 3 s of every first join.
    'group.initial.rebalance.delay.ms': '0',
    // A test of a lost member need not wait for six seconds.
    'group.min.session.timeout.ms': '1000',
    // A killed leader is replaced after 3 s, not 9 s.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    ...plan.properties,
  };
}

/** As a file that Kafka reads. */
export function propertiesFile(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}\n`)
    .join('');
}

/** A backslash would begin an escape of Java's, and a line break the next property. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** Sixteen random bytes as Kafka writes them; its command would take one that begins with a dash for an option. */
export function clusterId(): string {
  return `k${randomBytes(16).toString('base64url').slice(1)}`;
}
