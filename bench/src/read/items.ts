import { aggregate, event, projection, topic, type } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';

interface ItemData {
  readonly state: string;
  readonly amount: string;
  readonly payments: number;
  readonly text: string;
  /** ISO 8601, in milliseconds. */
  readonly changedAt: string;
}

const Changed = event('item.changed', type<ItemData>());
const topics = topic('read-items', { partitions: 8, events: [Changed] });

export class ChangeItem {
  constructor(
    readonly itemId: string,
    readonly data: ItemData,
  ) {}
}

export const item = aggregate({ name: 'read-item', topic: topics, id: 'itemId', initialState: () => 0 })
  .evolve({ 'item.changed': (count) => count + 1 })
  .decide(ChangeItem, ({ data }) => [Changed(data)]);

@Entity({ name: 'items', synchronize: false })
class ItemRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') state!: string;
  @Column('numeric', { precision: 12, scale: 2 }) amount!: string;
  @Column('int') payments!: number;
  @Column('text') text!: string;
  @Column('timestamptz') changedAt!: Date;
}

/** `public.items` */
export const items = projection({ name: 'items', version: 1, from: [topics], table: ItemRow }).on(
  Changed,
  (_, { stream, data }) => ({ id: stream.id, ...data, changedAt: new Date(data.changedAt) }),
);

export function itemId(number: number): string {
  return `item-${number}`;
}

export function itemData(number: number): ItemData {
  return {
    state: number % 3 === 0 ? 'open' : 'paid',
    amount: `${number % 10_000}.25`,
    payments: number % 7,
    text: 'x'.repeat(80),
    changedAt: new Date(Date.UTC(2024, 0, 1) + number * 1_000).toISOString(),
  };
}
