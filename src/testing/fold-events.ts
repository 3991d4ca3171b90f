import { jsonCodec } from '../kernel/codec.js';
import { KappaError } from '../kernel/errors.js';
import type { AnyEvent, NewOf } from '../kernel/event.js';
import type { LogRecord } from '../kernel/record.js';
import type { Data } from '../kernel/types.js';
import { FoldPlan } from '../modules/projections/fold/fold-plan.js';
import { EventFailure } from '../modules/projections/fold/event-failure.js';
import { FoldSteps } from '../modules/projections/fold/fold-steps.js';
import { RowWindow } from '../modules/projections/fold/row-window.js';
import {
  projectionDefinition,
  type ProjectionBuilder,
  type ProjectionDefinition,
  type Row,
} from '../modules/projections/projection.js';
import { createRowCodec } from '../modules/projections/row-codec.js';
import { tableDefinition } from '../modules/projections/table-definition.js';
import { recordsOf, type PlainEvent, type RecordedEvent } from './recorded-events.js';

/**
 * What a projection makes of events, without a database: through the same code as the engines, so that keys, tenants, column
 * types and the check of each row are those of production.
 *
 * ```ts
 * fold(finesV1, recorded('fine-17', FineCreated({ amount: '62.59' }))).row('fine-17'); // { id: 'fine-17', amount: '62.59', … }
 * ```
 *
 * Events that are given plainly belong to the stream `stream-1`.
 * @throws what an engine would stop at: KAPPA_BAD_ROW, KAPPA_BAD_KEY, KAPPA_TENANT_COLUMN_MISSING, what a handler throws;
 *         KAPPA_UNKNOWN_EVENT_TYPE for an event that no topic of the projection declares; KAPPA_RAW_HANDLER for a raw handler
 */
export function fold<R, Es extends AnyEvent>(
  projection: ProjectionBuilder<R, Es>,
  ...events: readonly (NewOf<Es> | RecordedEvent<NewOf<Es>>)[]
): Folded<Data<R>>;
export function fold(
  projection: ProjectionDefinition | (new () => object),
  ...events: readonly (PlainEvent | RecordedEvent)[]
): Folded<Row>;
export function fold(
  projection: ProjectionDefinition | (new () => object),
  ...events: readonly (PlainEvent | RecordedEvent)[]
): Folded<Row> {
  const plan = planOf(projectionDefinition(projection));
  return new Folded(plan, foldRecords(plan, recordsOf(plan.definition, events)));
}

/** The rows that a fold has made. */
export class Folded<R> {
  constructor(
    private readonly plan: FoldPlan,
    private readonly byKey: ReadonlyMap<string, Row>,
  ) {}

  /** By its primary columns, or by the value of the only one. @throws KAPPA_BAD_KEY */
  row(key: string | number | Partial<R>): R | null {
    const { codec, definition } = this.plan;
    const [column = ''] = codec.table.key.filter((name) => name !== definition.tenant);
    const given = typeof key === 'object' ? (key as Row) : { [column]: key };
    const whole = definition.tenant === null ? given : { [definition.tenant]: '', ...given };
    return (this.byKey.get(codec.keyText(whole)) as R | undefined) ?? null;
  }

  /** All, in order of their keys. */
  rows(): readonly R[] {
    return [...this.byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row as R);
  }
}

export function planOf(definition: ProjectionDefinition): FoldPlan {
  const plan = new FoldPlan(definition, createRowCodec(tableDefinition(definition)), jsonCodec, { freeze: true });
  if (plan.hasRaw) {
    throw new KappaError('KAPPA_RAW_HANDLER', `${plan.label} has a raw handler, which needs a database`, {
      facts: { projection: definition.name },
      nextStep: 'Test it with startKappaTest().',
    });
  }
  return plan;
}

/** The rows by key text after the records, in their order. @throws what the failing event threw */
export function foldRecords(plan: FoldPlan, records: readonly LogRecord[]): ReadonlyMap<string, Row> {
  const window = new RowWindow(true);
  const steps = new FoldSteps();
  try {
    for (const record of records) plan.gather(record, window, steps);
    plan.fold(steps, 0, steps.length);
  } catch (error) {
    throw error instanceof EventFailure ? error.cause : error;
  }
  const rows = new Map<string, Row>();
  for (const { text, row } of window.entries.values()) if (row !== null) rows.set(text, row);
  return rows;
}
