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

  /** @throws KAPPA_BAD_KEY for an event of no stream: all such would fall into one row. */
  of(event: AnyRecorded): RowKey {
    if (event.stream.id === '') throw this.#noStream(event);
    this.#scratch[this.#column] = event.stream.id;
    if (this.definition.tenant !== null) this.#scratch[this.definition.tenant] = event.tenant ?? '';
    return this.#scratch;
  }

  #noStream({ topic, partition, offset, type }: AnyRecorded): KappaError {
    return new KappaError(
      'KAPPA_BAD_KEY',
      `${topic}/${partition} offset ${offset} (${type}) has neither ce_subject nor a key, so ${this.definition.name} has no row for it`,
      {
        facts: { projection: this.definition.name, topic, partition, offset, type },
        nextStep: `Give the handler of ${type} its key, or let decode of topic ${topic} return one.`,
      },
    );
  }
}
