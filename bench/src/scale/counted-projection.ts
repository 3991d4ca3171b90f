import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { generatedTopic, Happened } from '../generated-log/generated-topic.js';

/** One row per stream of a topic: how many events it has had, and the number of the last. */
export function countedProjection(name: string, topic: string) {
  @Entity({ name, synchronize: false })
  class CountedRow {
    @PrimaryColumn('text') id!: string;
    @Column('int') events!: number;
    @Column('int') last!: number;
  }
  return projection({ name, version: 1, from: [generatedTopic(topic)], table: CountedRow }).on(
    Happened,
    (row, { stream, data }) => ({ id: stream.id, events: (row?.events ?? 0) + 1, last: data.n }),
  );
}
