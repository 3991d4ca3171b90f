import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row per fine. */
@Entity({ name: 'fines', synchronize: false })
export class FineRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') state!: 'created' | 'sent' | 'notified' | 'penalised' | 'appealed' | 'in collection';
  @Column('numeric', { precision: 12, scale: 2 }) amount!: string;
  @Column('numeric', { precision: 12, scale: 2 }) expense!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
  /** Amount and expense less what was paid; below zero when too much was. */
  @Column('numeric', { precision: 12, scale: 2 }) outstanding!: string;
  @Column('int') payments!: number;
  @Column('text', { name: 'last_event' }) lastEvent!: string;
  @Column('timestamptz', { name: 'last_event_at' }) lastEventAt!: string;
}

/** One row per activity: eleven rows that every event goes to. */
@Entity({ name: 'activity_totals', synchronize: false })
export class ActivityRow {
  @PrimaryColumn('text') activity!: string;
  @Column('int') events!: number;
}

/** One row per month of the date as it was written. */
@Entity({ name: 'monthly_payments', synchronize: false })
export class MonthRow {
  /** `2006-07` */
  @PrimaryColumn('text') month!: string;
  @Column('int') payments!: number;
  @Column('numeric', { precision: 14, scale: 2 }) sum!: string;
}
