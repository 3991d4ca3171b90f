/** Where brokers come from, in the order in which they are looked for. */
export type KafkaSource = 'environment' | 'docker' | 'java';

/** Brokers that answer, and the hand that strikes them. Brokers are numbered from 0, as their ids in the cluster are. */
export interface StartedKafka {
  /** `host:port` of each, as clients are told. */
  readonly brokers: readonly string[];
  readonly source: KafkaSource;
  /** The processes of the brokers; null for one that is down, or is no process of this machine's own. */
  readonly pids: readonly (number | null)[];
  /**
   * Ends a broker as a crash does (SIGKILL) and waits until it is gone. One that is down already stays so.
   * @throws KAPPA_KAFKA_NOT_OURS for brokers that KAFKA_BROKERS named
   */
  kill(broker: number): Promise<void>;
  /**
   * Starts a broker again with its port and data (after killing it, if it runs) and waits until it has caught up with the others.
   * None may be paused meanwhile. Where most of three are down, restart them at once: one alone has no majority to join.
   * @throws KAPPA_KAFKA_START, KAPPA_KAFKA_NOT_OURS
   */
  restart(broker: number): Promise<void>;
  /** Stops a broker in the middle of whatever it does (SIGSTOP); its connections stay open and are silent. */
  pause(broker: number): Promise<void>;
  /** Lets a paused broker go on (SIGCONT). */
  resume(broker: number): Promise<void>;
  /** Ends the brokers and removes their data. Leaves those alone that KAFKA_BROKERS named. May be called twice. */
  stop(): Promise<void>;
}

export interface StartKafkaOptions {
  /** Default 1. With 3, topics have three replicas, two of which must have a record before it counts. */
  readonly brokers?: 1 | 3;
  /**
   * Which ways may be gone. Default: all, in this order. `['docker', 'java']` is for a test that kills brokers: it wants its own
   * although KAFKA_BROKERS names some.
   */
  readonly from?: readonly KafkaSource[];
  /** Properties of the brokers beyond ours, e.g. `{ 'offsets.retention.minutes': '1' }`. KAFKA_BROKERS is then not asked. */
  readonly properties?: Readonly<Record<string, string>>;
  /**
   * Called with the address of each broker before it starts; what it returns is the address that clients are told, and that
   * stands in `brokers`. For a proxy between clients and brokers, which talk among themselves without it. KAFKA_BROKERS is then
   * not asked.
   */
  readonly advertise?: (address: string) => Promise<string>;
  /**
   * A folder that keeps the data over starts, with one broker or three as the first time. Default: a temporary folder, removed
   * at the end. Only where the brokers are processes of this machine (Java).
   */
  readonly dataDir?: string;
  /** Default 120,000: a busy machine takes its time. That for downloads (43 MB, once) is not counted. */
  readonly timeoutMs?: number;
}
