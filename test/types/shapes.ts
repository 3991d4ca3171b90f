import { event, projection, topic, type } from 'nest-kappa';
import { z } from 'zod';

/** A payload is a class, any Standard Schema, or a type alone. */
class PaymentDto {
  amount!: string;
  note?: string;
}

const ByClass = event('by.class', PaymentDto);
const BySchema = event('by.schema', z.object({ amount: z.string(), at: z.string().optional() }));
const ByNext = event('by.next', z.object({ cents: z.number() })).next(PaymentDto, (old) => ({ amount: String(old.cents) }));
const ByType = event('by.type', type<{ amount: string }>());

ByClass({ amount: '1' });
ByClass({ amount: '1', note: 'paid in cash' });
BySchema({ amount: '1' });
ByNext({ amount: '1' });
ByType({ amount: '1' });

// @ts-expect-error wrong payload of a class
ByClass({ amount: 1 });
// @ts-expect-error wrong payload of a schema
BySchema({ amount: 1 });
// @ts-expect-error the payload of the version before
ByNext({ cents: 1 });
// @ts-expect-error wrong payload of a type
ByType({ amount: 1 });

const payments = topic('payments', { events: [ByClass, BySchema, ByNext] });

class PaymentRow {
  id!: string;
  amount!: string;
  at!: string | null;
  get shown(): string {
    return this.amount;
  }
  pay(): void {
    this.amount = '0';
  }
}

export const paymentRows = projection({ name: 'payments', version: 1, from: [payments], table: PaymentRow }).on(
  BySchema,
  (row, e) => ({ id: e.stream.id, amount: e.data.amount, at: e.data.at ?? null, shown: '' }),
);
