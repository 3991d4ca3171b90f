import { event, projection, topic, type } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';

const Happened = event('swap.happened', type<{ text: string }>());
const happenings = topic('swap-happenings', { partitions: 8, events: [Happened] });

/** One table for each size. Nothing happens in the log: rows are put into the tables as they are. */
export const SIZES = ['small', 'large'] as const;
export type Size = (typeof SIZES)[number];

/** `public.swap_small`, `public.swap_large` */
export function viewOf(size: Size): string {
  return `swap_${size}`;
}

/** Projections of both sizes; `build` tells a reader whose row it is. */
export const sizedProjections = SIZES.map((size) => {
  @Entity({ name: viewOf(size), synchronize: false })
  class SizedRow {
    @PrimaryColumn('text') id!: string;
    @Column('int') build!: number;
    @Column('text') text!: string;
  }
  return projection({ name: viewOf(size), version: 1, from: [happenings], table: SizedRow }).on(
    Happened,
    (row, { stream, data }) => ({ id: stream.id, build: row?.build ?? 0, text: data.text }),
  );
});

/** The key of a row; both builds of a projection have the same. */
export function rowKey(number: number): string {
  return `item-${String(number).padStart(8, '0')}`;
}
