import { fingerprintOf, type Fingerprint } from './fingerprint.js';
import type { ProjectionDefinition } from './projection.js';
import { tableDefinition } from './table-definition.js';

/** A version that code declares, with its fingerprint. Made once and passed on: it takes parsing the code of every handler. */
export interface DeclaredVersion {
  readonly definition: ProjectionDefinition;
  readonly fingerprint: Fingerprint;
}

/** @throws what makes a bad entity */
export function declaredVersion(definition: ProjectionDefinition): DeclaredVersion {
  return { definition, fingerprint: fingerprintOf(definition, tableDefinition(definition)) };
}

/** Of each projection the newest of these versions. */
export function newestVersions(definitions: readonly ProjectionDefinition[]): readonly ProjectionDefinition[] {
  const newest = new Map<string, ProjectionDefinition>();
  for (const definition of definitions) {
    if ((newest.get(definition.name)?.version ?? 0) < definition.version) newest.set(definition.name, definition);
  }
  return [...newest.values()];
}
