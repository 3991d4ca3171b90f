import type { Codec } from '../../kernel/codec.js';
import type { Build } from './build.js';
import { createBuildTable } from './build-table.js';
import { FoldPlan } from './fold/fold-plan.js';
import type { ProjectionDefinition } from './projection.js';
import type { BuildWork } from './runner/fold-batch.js';
import { tableDefinition } from './table-definition.js';

/** All it takes to project a build, from its definition. @throws what makes a bad definition or entity. */
export function buildWork(schema: string, build: Build, definition: ProjectionDefinition, payloads: Codec): BuildWork {
  const table = createBuildTable(schema, build.tableName, tableDefinition(definition));
  return { build, table, plan: new FoldPlan(definition, table.codec, payloads) };
}
