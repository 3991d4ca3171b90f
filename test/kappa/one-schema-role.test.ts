import { Column, Entity, PrimaryColumn } from 'typeorm';
import pg from 'pg';
import { expect, it } from 'vitest';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { projection } from '../../src/modules/projections/projection.js';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { createTestDatabase } from '../../src/testing/test-server.js';

const Added = event('item.added', type<{ n: number }>());
const items = topic('items', { partitions: 2, events: [Added] });
class Add {
  constructor(
    readonly itemId: string,
    readonly n: number,
  ) {}
}
const item = aggregate({ name: 'item', topic: items, id: 'itemId', initialState: () => 0 })
  .evolve({ 'item.added': (sum, { data }) => sum + data.n })
  .decide(Add, ({ n }) => [Added({ n })]);

@Entity({ name: 'item_sums', synchronize: false })
class ItemRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') n!: number;
}
const itemsV1 = projection({ name: 'item_sums', version: 1, from: [items], table: ItemRow }).on(
  Added,
  (row, { stream, data }) => ({ id: stream.id, n: (row?.n ?? 0) + data.n }),
);

it('needs no more than CREATE in one schema when tables and views share it', async () => {
  const test = await createTestDatabase();
  const owner = new pg.Client({ connectionString: test.url });
  await owner.connect();
  const role = `${test.name}_app`;
  await owner.query(`create role ${role} login password 'secret'`);
  await owner.query('revoke create on schema public from public');
  await owner.query(`create schema shop; grant usage, create on schema shop to ${role}`);
  const url = new URL(test.url);
  url.username = role;
  url.password = 'secret';
  const kappa = await openKappa(
    { database: { url: url.href, schema: 'shop', viewSchema: 'shop' } },
    { aggregates: [item], projections: [itemsV1] },
  );
  try {
    const { position } = await kappa.commands.execute(new Add('a', 2));
    expect(await kappa.reader(itemsV1).get('a', { at: position })).toEqual({ id: 'a', n: 2 });
    expect((await owner.query<object>('select * from shop.item_sums')).rows).toEqual([{ id: 'a', n: 2 }]);
  } finally {
    await kappa.stop();
  }
  await owner.query(`drop owned by ${role}; drop role ${role}`);
  await owner.end();
  await test.drop();
});
