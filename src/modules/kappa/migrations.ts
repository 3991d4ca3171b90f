import { deadLetterMigrations } from '../../database/dead-letters/migrations.js';
import type { Migration } from '../../database/migration.js';
import { logMigrations } from '../../log/postgres/migrations.js';
import { aggregateMigrations } from '../aggregates/migrations.js';
import { policyMigrations } from '../policies/migrations.js';
import { projectionMigrations } from '../projections/migrations.js';

/** Every step of our schema, in the order in which they are applied; each folder owns its own. */
export const kappaMigrations: readonly Migration[] = [
  ...logMigrations,
  ...aggregateMigrations,
  ...deadLetterMigrations,
  ...projectionMigrations,
  ...policyMigrations,
];
