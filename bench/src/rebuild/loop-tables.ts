import type { TableName } from './generated-projections.js';

interface LoopTable {
  readonly create: string;
  readonly upsert: string;
  readonly hasLast: boolean;
}

/** The tables of the hand-written loop, with the columns of the projections, and what brings a page's lines into them. */
export const LOOP_TABLES: Readonly<Record<TableName, LoopTable>> = {
  things: withLast('things'),
  groups: withLast('groups'),
  days: {
    create: 'create table bench.days (day text primary key, n int not null, sum double precision not null);',
    upsert: `
insert into bench.days select * from unnest($1::text[], $2::int[], $3::double precision[])
on conflict (day) do update set n = excluded.n, sum = excluded.sum`,
    hasLast: false,
  },
};

function withLast(name: string): LoopTable {
  return {
    create: `create table bench.${name} (id text primary key, n int not null, last int not null, sum double precision not null);`,
    upsert: `
insert into bench.${name} select id, n, last, sum from unnest($1::text[], $2::int[], $3::double precision[], $4::int[]) as l (id, n, sum, last)
on conflict (id) do update set n = excluded.n, last = excluded.last, sum = excluded.sum`,
    hasLast: true,
  };
}

interface Line {
  n: number;
  last: number;
  sum: number;
}

/** All lines of a table, in memory for good, and those that the page touched. */
export class Lines {
  readonly #lines = new Map<string, Line>();
  readonly #touched = new Map<string, Line>();

  add(key: string, n: number): void {
    let line = this.#lines.get(key);
    if (!line) this.#lines.set(key, (line = { n: 0, last: 0, sum: 0 }));
    line.n += 1;
    line.sum += n;
    if (n > line.last) line.last = n;
    this.#touched.set(key, line);
  }

  /** The parameters of the upsert. */
  takeTouched(hasLast: boolean): unknown[] {
    const lines = [...this.#touched.values()];
    const values = [[...this.#touched.keys()], lines.map(({ n }) => n), lines.map(({ sum }) => sum)];
    if (hasLast) values.push(lines.map(({ last }) => last));
    this.#touched.clear();
    return values;
  }
}
