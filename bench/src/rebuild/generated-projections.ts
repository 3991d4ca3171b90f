import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { generatedTopic, Happened } from '../generated-log/generated-topic.js';

/** Sums are exact up to 2^53, which they stay below. */
@Entity({ name: 'things', synchronize: false })
class ThingRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') n!: number;
  @Column('int') last!: number;
  @Column('double precision') sum!: number;
}

@Entity({ name: 'groups', synchronize: false })
class GroupRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') n!: number;
  @Column('int') last!: number;
  @Column('double precision') sum!: number;
}

@Entity({ name: 'days', synchronize: false })
class DayRow {
  @PrimaryColumn('text') day!: string;
  @Column('int') n!: number;
  @Column('double precision') sum!: number;
}

/** What is built from a generated log: a row per stream, a row per hundredth of the streams, a row per day. */
export type TableName = 'things' | 'groups' | 'days';

export const TABLES: Readonly<Record<TableName, readonly string[]>> = {
  things: ['id', 'n', 'last', 'sum'],
  groups: ['id', 'n', 'last', 'sum'],
  days: ['day', 'n', 'sum'],
};

/** The group of a stream: the last two digits of its id. */
export function groupOf(streamId: string): string {
  return streamId.slice(-2);
}

/** A projection of a generated log; logs of one database keep theirs apart by their topics' names. */
export function projectionOf(topicName: string, table: TableName, name = projectionName(topicName, table)) {
  const from = [generatedTopic(topicName)];
  if (table === 'things')
    return projection({ name, version: 1, from, table: ThingRow }).on(Happened, (row, { stream, data }) => ({
      id: stream.id,
      n: (row?.n ?? 0) + 1,
      last: data.n,
      sum: (row?.sum ?? 0) + data.n,
    }));
  if (table === 'groups')
    return projection({ name, version: 1, from, table: GroupRow }).on(
      Happened,
      { key: ({ stream }) => ({ id: groupOf(stream.id) }) },
      (row, { data }, { id }) => ({
        id,
        n: (row?.n ?? 0) + 1,
        last: Math.max(row?.last ?? 0, data.n),
        sum: (row?.sum ?? 0) + data.n,
      }),
    );
  return projection({ name, version: 1, from, table: DayRow }).on(
    Happened,
    { key: ({ occurredAt }) => ({ day: occurredAt.slice(0, 10) }) },
    (row, { data }, { day }) => ({ day, n: (row?.n ?? 0) + 1, sum: (row?.sum ?? 0) + data.n }),
  );
}

export function projectionName(topicName: string, table: TableName): string {
  return `${topicName}-${table}`;
}
