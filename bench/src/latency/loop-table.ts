/** The table of the bare loops, and what brings a batch into it: rows and checkpoint in one statement, which commits by itself. */
export const CREATE_ROWS = `
create schema if not exists bench;
create table if not exists bench.things (id text primary key, n int not null, last int not null, sum int not null);
create table if not exists bench.checkpoint (run text, partition int, next text not null, primary key (run, partition))`;

export const ROWS = 'bench.things';

export const UPSERT = `
with checkpoint as (
  insert into bench.checkpoint values ($1, $2, $3) on conflict (run, partition) do update set next = excluded.next)
insert into bench.things select * from unnest($4::text[], $5::int[], $6::int[], $7::int[])
on conflict (id) do update set n = things.n + excluded.n, last = greatest(things.last, excluded.last), sum = things.sum + excluded.sum`;

export interface Counted {
  readonly id: string;
  readonly seq: number;
}

/** The parameters of {@link UPSERT} for a batch of events. */
export function upsertOf(run: string, partition: number, next: string, events: readonly Counted[]): readonly unknown[] {
  const rows = new Map<string, { n: number; last: number; sum: number }>();
  for (const { id, seq } of events) {
    const row = rows.get(id) ?? { n: 0, last: 0, sum: 0 };
    rows.set(id, { n: row.n + 1, last: Math.max(row.last, seq), sum: row.sum + seq });
  }
  const values = [...rows.values()];
  return [
    run,
    partition,
    next,
    [...rows.keys()],
    values.map(({ n }) => n),
    values.map(({ last }) => last),
    values.map(({ sum }) => sum),
  ];
}
