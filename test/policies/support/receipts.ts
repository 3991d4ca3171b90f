import {
  aggregate,
  event,
  policy,
  refuse,
  topic,
  type,
  type InjectService,
  type PolicyDefinition,
  type PolicyStatus,
  type Recorded,
} from '../../../src/index.js';
import { partitionKey, type PartitionKey } from '../../../src/kernel/position.js';
import type { LogRecord } from '../../../src/kernel/record.js';
import type { KappaTest } from '../../../src/testing/start-kappa-test.js';

/** Fines that are paid, and receipts for what was paid: the same in all tests of policies. */
export const FineCreated = event('fine.created', type<{ cents: number }>());
export const PaymentReceived = event('payment.received', type<{ cents: number }>());
export const ReceiptSent = event('receipt.sent', type<{ text: string }>());

export class PayFine {
  constructor(
    readonly fineId: string,
    readonly cents: number,
  ) {}
}
export class CreateFine extends PayFine {}

export class SendReceipt {
  constructor(
    readonly receiptId: string,
    readonly text: string,
  ) {}
}

/** The application on topics of its own: a prefix sets them apart where another one has the same log. */
export function payingApplication(prefix: string) {
  const fines = topic(`${prefix}fines`, { partitions: 4, events: [FineCreated, PaymentReceived] });
  const receipts = topic(`${prefix}receipts`, { partitions: 2, events: [ReceiptSent] });
  const fine = aggregate({ name: 'fine', topic: fines, id: 'fineId', initialState: () => 0, snapshots: false })
    .evolve({ 'fine.created': (state) => state, 'payment.received': (state, e) => state + e.data.cents })
    .decide(CreateFine, ({ cents }) => [FineCreated({ cents })])
    .decide(PayFine, ({ cents }) => [PaymentReceived({ cents })]);
  /** A receipt may be sent any number of times: what a policy sends twice shows. */
  const receipt = aggregate({ name: 'receipt', topic: receipts, id: 'receiptId', initialState: () => 0, snapshots: false })
    .evolve({ 'receipt.sent': (sent) => sent + 1 })
    .decide(SendReceipt, ({ text }) => (text === 'refuse me' ? refuse('receipt.refused') : [ReceiptSent({ text })]));
  const SendReceipts = policy({ name: 'send-receipts', from: [fines], startAt: 'beginning' });
  const sendReceipts = SendReceipts.on(
    PaymentReceived,
    (e) => new SendReceipt(e.stream.id, `${e.data.cents} #${e.stream.version}`),
  );
  return { fines, receipts, fine, receipt, aggregates: [fine, receipt], SendReceipts, sendReceipts };
}

export const { fines, receipts, fine, receipt, aggregates, SendReceipts, sendReceipts } = payingApplication('');

type Payment = Recorded<typeof PaymentReceived>;

/** The policy with another handler of payments. */
export function reacting(react: (event: Payment, inject: InjectService) => unknown, base = SendReceipts): PolicyDefinition {
  return base.on(PaymentReceived, react as (event: Payment) => never);
}

/** What stands in the topic of receipts, partition by partition. */
export async function receiptRecords({ log }: Pick<KappaTest, 'log'>): Promise<readonly LogRecord[]> {
  const from: Record<PartitionKey, number> = {};
  const to: Record<PartitionKey, number> = {};
  for (const { partition, begin, end } of await log.offsets(receipts.name)) {
    if (begin === end) continue;
    from[partitionKey(receipts.name, partition)] = begin;
    to[partitionKey(receipts.name, partition)] = end;
  }
  const records: LogRecord[] = [];
  if (Object.keys(from).length > 0) for await (const batch of log.read({ from, to })) records.push(...batch.records);
  return records;
}

/** What was sent to a receipt, or to all, in order. */
export async function sent(kappa: Pick<KappaTest, 'log'>, receiptId?: string): Promise<readonly string[]> {
  return (await receiptRecords(kappa))
    .filter(({ key }) => receiptId === undefined || key === receiptId)
    .map(({ value }) => (JSON.parse(Buffer.from(value ?? '{}').toString()) as { text: string }).text);
}

export async function pay(kappa: Pick<KappaTest, 'commands'>, fineId: string, ...cents: readonly number[]): Promise<void> {
  for (const each of cents) await kappa.commands.execute(new PayFine(fineId, each));
}

export async function statusOf(kappa: Pick<KappaTest, 'policies'>, name = 'send-receipts'): Promise<PolicyStatus> {
  const [status] = await kappa.policies.status([name]);
  if (!status) throw new Error(`${name} is not known`);
  return status;
}

/** Looks until it is so. */
export async function until<T>(look: () => Promise<T> | T): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A promise that a test settles. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
