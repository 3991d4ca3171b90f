import type { TableName } from './generated-projections.js';

/** What a process that builds tables of a generated log is told. */
export interface RebuildPart {
  readonly databaseUrl: string;
  /** Empty where PostgreSQL carries the log. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tables: readonly TableName[];
}

/** What such a process tells. */
export interface RebuildReport {
  readonly events: number;
  readonly seconds: number;
  /** Where each table stands that it built, quoted and qualified; in the order in which they were asked for. */
  readonly built: readonly string[];
}

export function rateOf({ events, seconds }: RebuildReport): number {
  return events / seconds;
}
