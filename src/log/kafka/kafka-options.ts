import type { ConnectionOptions } from 'node:tls';
import { KappaError } from '../../kernel/errors.js';
import { DEFAULT_MAX_RECORD_BYTES } from '../event-log.js';
import type { LogDriver } from '../log-driver.js';
import { KafkaLog } from './kafka-log.js';
import type { BrokerAddress } from './wire/connection.js';
import type { SASLOptions, SocketFactory } from './wire/kafkajs.js';

export interface KafkaOptions {
  /** Where to begin to ask: `['kafka-1:9092', 'kafka-2:9092']`, or the same as one text with commas. */
  readonly brokers: readonly string[] | string;
  /** TLS: true, or the options of Node's `tls.connect` (`ca`, `cert`, `key` …). Default: none. */
  readonly ssl?: boolean | ConnectionOptions;
  /** `{ mechanism: 'scram-sha-512', username, password }`, or what else kafkajs knows. Default: none. */
  readonly sasl?: SASLOptions;
  /** Shown to the brokers. Default: the application's name. */
  readonly clientId?: string;
  /** Copies of each partition of topics that are created. Default 3, or as many as there are brokers. */
  readonly replicationFactor?: number;
  /** Larger records are refused before anything is written. Default 921,600 (900 KB). */
  readonly maxRecordBytes?: number;
  /** How long a start waits for a cluster that is away, in milliseconds. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** For how long what passes by itself is tried again (a leader that moves, a broker that restarts), in milliseconds. Default 30,000. */
  readonly retryMs?: number;
  /** A broker that does not answer for so long is away, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** A member of a group that is not heard of for so long loses its partitions, in milliseconds. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** Between two heartbeats, which is how fast a change of a group is seen, in milliseconds. Default 1,000. */
  readonly heartbeatMs?: number;
  /** A member that does not poll for so long, though its process lives, loses its partitions, in milliseconds. Default 300,000. */
  readonly maxMemberSilenceMs?: number;
  /**
   * A read up to a known end that does not come nearer to it for so long is given up, with a diagnosis, in milliseconds.
   * Default 120,000: longer than the timeout of our transactions, which the broker ends by itself.
   */
  readonly stallTimeoutMs?: number;
  /** Opens sockets, for a tunnel or a proxy. Default: Node's `net` and `tls`. */
  readonly socketFactory?: SocketFactory;
}

export interface ResolvedKafkaOptions {
  readonly brokers: readonly BrokerAddress[];
  readonly ssl: ConnectionOptions | null;
  readonly sasl: SASLOptions | null;
  readonly clientId: string | null;
  readonly replicationFactor: number | null;
  readonly maxRecordBytes: number;
  readonly connectTimeoutMs: number;
  readonly retryMs: number;
  readonly requestTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly maxMemberSilenceMs: number;
  readonly stallTimeoutMs: number;
  readonly socketFactory: SocketFactory | null;
}

const DEFAULT_PORT = 9092;

/**
 * Lets Kafka carry the log: `KappaModule.forRoot({ log: kafka({ brokers: ['localhost:9092'] }) })`.
 * @throws KAPPA_BAD_OPTIONS with everything that is wrong
 */
export function kafka(options: KafkaOptions): LogDriver {
  const resolved = resolveKafkaOptions(options);
  return Object.freeze({
    driver: 'kafka',
    maxRecordBytes: resolved.maxRecordBytes,
    open: (context) =>
      new KafkaLog(resolved, {
        clientId: resolved.clientId ?? context.clientId,
        logger: context.logger,
        relayed: (topic) => context.relayed(topic),
      }),
  } satisfies LogDriver);
}

/** @throws KAPPA_BAD_OPTIONS */
export function resolveKafkaOptions(options: KafkaOptions): ResolvedKafkaOptions {
  const problems: string[] = [];
  const whole = (name: keyof KafkaOptions, byDefault: number, least: number): number => {
    const value = options[name] ?? byDefault;
    if (Number.isInteger(value) && Number(value) >= least) return Number(value);
    problems.push(`${name} is ${JSON.stringify(value)}; must be a whole number from ${least}`);
    return byDefault;
  };
  const resolved: ResolvedKafkaOptions = {
    brokers: addressesOf(options.brokers, problems),
    ssl: options.ssl === true ? {} : options.ssl || null,
    sasl: options.sasl ?? null,
    clientId: options.clientId ?? null,
    replicationFactor: options.replicationFactor === undefined ? null : whole('replicationFactor', 1, 1),
    maxRecordBytes: whole('maxRecordBytes', DEFAULT_MAX_RECORD_BYTES, 1_024),
    connectTimeoutMs: whole('connectTimeoutMs', 30_000, 0),
    retryMs: whole('retryMs', 30_000, 0),
    requestTimeoutMs: whole('requestTimeoutMs', 30_000, 100),
    sessionTimeoutMs: whole('sessionTimeoutMs', 10_000, 100),
    heartbeatMs: whole('heartbeatMs', 1_000, 10),
    maxMemberSilenceMs: whole('maxMemberSilenceMs', 300_000, 100),
    stallTimeoutMs: whole('stallTimeoutMs', 120_000, 100),
    socketFactory: options.socketFactory ?? null,
  };
  if (resolved.heartbeatMs * 2 > resolved.sessionTimeoutMs)
    problems.push(
      `heartbeatMs is ${resolved.heartbeatMs}; must be at most half of sessionTimeoutMs (${resolved.sessionTimeoutMs})`,
    );
  if (problems.length === 0) return Object.freeze(resolved);
  throw new KappaError('KAPPA_BAD_OPTIONS', `the options of kafka(…):${problems.map((each) => `\n  - ${each}`).join('')}.`, {
    facts: { problems },
    nextStep: 'Correct what is named.',
  });
}

function addressesOf(brokers: unknown, problems: string[]): BrokerAddress[] {
  const named = typeof brokers === 'string' ? brokers.split(',') : Array.isArray(brokers) ? (brokers as unknown[]) : [];
  if (named.length === 0) problems.push("brokers is empty; must name at least one, as ['localhost:9092']");
  return named.flatMap((name) => {
    const match = typeof name === 'string' ? /^(?:\[([0-9a-f:]+)\]|([^\s:/]+))(?::(\d{1,5}))?$/i.exec(name.trim()) : null;
    const port = Number(match?.[3] ?? DEFAULT_PORT);
    if (match && port > 0 && port < 65_536) return [{ host: match[1] ?? match[2] ?? '', port }];
    problems.push(`brokers names ${JSON.stringify(name)}; must be host:port`);
    return [];
  });
}
