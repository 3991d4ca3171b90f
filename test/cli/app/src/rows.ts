import { Column, Entity, PrimaryColumn } from 'typeorm';

/** No column names its type but one: the others have it from the metadata that the compiler emits. */
@Entity({ name: 'fines', synchronize: false })
export class FineRow {
  @PrimaryColumn() id!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: string;
  @Column() open!: boolean;
}

@Entity({ name: 'payments_per_fine', synchronize: false })
export class PaymentsRow {
  @PrimaryColumn() fineId!: string;
  @Column('integer') payments!: number;
}
