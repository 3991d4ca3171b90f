import { cleanFold, keyOf } from './clean-fold.js';
import type { LoggedEvent, Problem, Row, TableState } from './evidence.js';

/** Every table equals a clean fold of the log up to its position, row by row, and holds rows of its own version only. */
export function checkTables(tables: readonly TableState[], topics: readonly LoggedEvent[]): readonly Problem[] {
  return tables.flatMap((table) => checkTable(table, topics));
}

function checkTable(table: TableState, topics: readonly LoggedEvent[]): readonly Problem[] {
  const { projection, version, build, position } = table;
  const name = `${projection} v${version} (build ${build})`;
  const expected = cleanFold(projection, version, topics, position);
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const row of table.rows) {
    const key = keyOf(projection, row);
    const wanted = expected.get(key);
    if (seen.has(key)) problems.push({ kind: 'doubled', what: `${name} has two rows ${key}` });
    seen.add(key);
    if (row['label'] !== `v${version}`)
      problems.push({ kind: 'mixed', what: `${name} holds ${key} of ${String(row['label'])}` });
    else if (wanted === undefined) problems.push({ kind: 'doubled', what: `${name} holds ${key}, which no event makes` });
    else if (wanted === null) problems.push({ kind: 'lost', what: `${name} holds ${key}, which an event has deleted` });
    else problems.push(...checkRow(`${name} row ${key}`, wanted, row));
  }
  for (const [key, wanted] of expected)
    if (wanted && !seen.has(key)) problems.push({ kind: 'lost', what: `${name} has no row ${key}` });
  return problems;
}

/** Rows count their events: fewer were lost, more were folded twice, as many with another outcome came in another order. */
function checkRow(name: string, wanted: Row, row: Row): readonly Problem[] {
  if (Object.entries(wanted).every(([column, value]) => row[column] === value)) return [];
  const missing = Number(wanted['folded']) - Number(row['folded']);
  const kind = missing > 0 ? 'lost' : missing < 0 ? 'doubled' : 'reordered';
  return [{ kind, what: `${name} is ${JSON.stringify(row)}, a clean fold says ${JSON.stringify(wanted)}` }];
}
