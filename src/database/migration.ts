/**
 * One step of our schema. Steps are applied once, in the order of the list, each in a transaction of its own; a step that was
 * released never changes. Every folder owns its own steps (`log/postgres/migrations.ts`, …); the composition root puts them in
 * one list.
 */
export interface Migration {
  /** Unique and stable, like `log-0001-records`. */
  readonly id: string;
  /** The DDL. `schema` and `viewSchema` are quoted already. */
  up(names: { readonly schema: string; readonly viewSchema: string }): string;
}

/** What `npx nest-kappa database status` shows of a step. */
export interface MigrationStatus {
  readonly id: string;
  /** ISO 8601, or null when it is still to be applied. */
  readonly appliedAt: string | null;
}
