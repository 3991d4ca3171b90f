import type { TcpProxy } from 'nest-kappa/testing';
import type { LoggedEvent } from '../check/evidence.js';

export const DRIVERS = ['postgres', 'kafka'] as const;
export type Driver = (typeof DRIVERS)[number];

/** What a run stands on: made for it, struck in it, thrown away after it. */
export interface Servers {
  readonly driver: Driver;
  /** PostgreSQL itself; processes of the run get it through a wire each. */
  readonly databaseUrl: string;
  /** Null where PostgreSQL carries the log. */
  readonly kafka: KafkaServers | null;
  killDatabase(): Promise<void>;
  restartDatabase(): Promise<void>;
  /** The topics of the log, read committed from begin to end, in the order in which they are read. */
  readTopics(): Promise<readonly LoggedEvent[]>;
  stop(): Promise<void>;
}

export interface KafkaServers {
  /** `host:port` as clients are told: each leads through its broker's wire. */
  readonly brokers: readonly string[];
  /** Between the run's processes and a broker; brokers talk among themselves without it. */
  wire(broker: number): TcpProxy;
  kill(broker: number): Promise<void>;
  restart(broker: number): Promise<void>;
}
