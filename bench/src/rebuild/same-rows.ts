import type { Queryable } from 'nest-kappa';

/** A time counts only when what was built is right. @throws when a row of either table is missing in the other */
export async function assertSameRows(
  database: Pick<Queryable, 'query'>,
  ours: string,
  theirs: string,
  columns: readonly string[],
): Promise<void> {
  const list = columns.map((name) => `"${name}"`).join(', ');
  const { rows } = await database.query<{ differences: number; total: number }>(
    `select count(*)::int as differences, (select count(*)::int from ${ours}) as total
     from ((select ${list} from ${ours} except all select ${list} from ${theirs})
       union all (select ${list} from ${theirs} except all select ${list} from ${ours})) d`,
  );
  const [{ differences, total } = { differences: Number.NaN, total: 0 }] = rows;
  if (differences !== 0 || total === 0)
    throw new Error(`${differences} rows differ between ${ours} (${total} rows) and ${theirs}`);
}
