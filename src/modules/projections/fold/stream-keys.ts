import { KappaError } from '../../../kernel/errors.js';
import type { AnyRecorded } from '../../../kernel/event.js';
import type { ProjectionDefinition, RowKey } from '../projection.js';

/** The default key: the stream's id in the one primary column, beside the tenant's. The same object is filled again for every event. */
export class StreamKeys {
  readonly #scratch: Record<string, unknown> = {};
  readonly #column: string;

  constructor(
    private readonly definition: ProjectionDefinition,
    key: readonly string[],
  ) {
    const [column, ...more] = key.filter((name) => name !== definition.tenant);
    if (column === undefined || more.length > 0) {
      const type = definition.handlers.find((handler) => handler.key === null)?.type ?? '';
      throw new KappaError(
        'KAPPA_BAD_PROJECTION',
        `projection ${definition.name} has the key (${key.join(', ')}), which the stream's id alone cannot fill`,
        {
          facts: { projection: definition.name, key, type },
          nextStep: `Give the handler of ${type} its key: { key: (event) => ({ … }) }.`,
        },
      );
    }
    this.#column = column;
  }

  of(event: AnyRecorded): RowKey {
    this.#scratch[this.#column] = event.stream.id;
    if (this.definition.tenant !== null) this.#scratch[this.definition.tenant] = event.tenant ?? '';
    return this.#scratch;
  }
}
