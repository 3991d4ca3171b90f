import { createHash } from 'node:crypto';
import { isBoundedText } from '../../kernel/bounded-text.js';
import type { Codec } from '../../kernel/codec.js';
import { codeFingerprint } from '../../kernel/code-fingerprint.js';
import { deepFreeze } from '../../kernel/deep-freeze.js';
import { EventDecoder } from '../../kernel/event-decoder.js';
import { KappaError } from '../../kernel/errors.js';
import type { AnyEvent, AnyRecorded } from '../../kernel/event.js';
import { streamKey, streamName, type StreamName } from '../../kernel/names.js';
import { partitionOf } from '../../kernel/partitioner.js';
import { partitionKey, type PartitionKey } from '../../kernel/position.js';
import type { LogRecord } from '../../kernel/record.js';
import type { AggregateDefinition } from './aggregate.js';

/** One instance of an aggregate: its stream, and where its records go. */
export class StreamAddress {
  constructor(
    readonly stream: StreamName,
    readonly tenant: string | null,
    readonly id: string,
    readonly key: string,
    readonly partition: number,
    readonly partitionKey: PartitionKey,
  ) {}
}

/** A definition made ready to run: its events decoded, its states folded, its code fingerprinted. No I/O. */
export class AggregateModel {
  readonly decoder: EventDecoder;
  /** Another value when states made by the former code may no longer be trusted. */
  readonly fingerprint: string;
  readonly events: ReadonlyMap<string, AnyEvent>;
  readonly hasClaims: boolean;
  /** How often somebody has asked where an event is recorded before the append could tell. */
  guessedPlaces = 0;
  readonly #freeze: <T>(value: T) => T;
  /** Of the partitions that were written to: a text for each command would have to be looked up by its content each time. */
  readonly #partitionKeys: PartitionKey[] = [];

  constructor(
    readonly definition: AggregateDefinition,
    codec: Codec,
    /** Freezes states and events, so that a decide or evolve that mutates fails. Off in production, for it costs time. */
    private readonly freeze: boolean,
  ) {
    this.decoder = new EventDecoder([definition.topic], codec);
    this.fingerprint = fingerprintOf(definition);
    this.events = new Map(definition.topic.events.map((event) => [event.type, event]));
    this.hasClaims = Object.keys(definition.unique).length > 0;
    this.#freeze = freeze ? deepFreeze : (value) => value;
  }

  /** @throws KAPPA_BAD_NAME */
  address(tenant: string | null, id: string): StreamAddress {
    const { name, topic } = this.definition;
    const key = streamKey(tenant, id);
    const partition = partitionOf(key, topic.partitions);
    const inPartition = (this.#partitionKeys[partition] ??= partitionKey(topic.name, partition));
    return new StreamAddress(streamName({ tenant, aggregate: name, id }), tenant, id, key, partition, inPartition);
  }

  initialState(): unknown {
    return this.#freeze(this.definition.initialState());
  }

  /** Frozen where states and events are to be. */
  frozen<T>(value: T): T {
    return this.#freeze(value);
  }

  /** Frozen where states and events are to be, but not what it refers to. */
  frozenItself<T>(value: T): T {
    return this.freeze ? Object.freeze(value) : value;
  }

  decode(record: LogRecord): AnyRecorded {
    return this.#freeze(this.decoder.decode(record));
  }

  /** @throws KAPPA_EVOLVE_FAILED with the event's place */
  evolve(state: unknown, event: AnyRecorded): unknown {
    const evolve = this.definition.evolve[event.type];
    // An event of the topic that another aggregate declares for itself means nothing to this one.
    if (!evolve) return state;
    try {
      return this.#freeze(evolve(state, event));
    } catch (error) {
      throw new KappaError(
        'KAPPA_EVOLVE_FAILED',
        `aggregate ${this.definition.name} failed on ${event.type}, version ${event.stream.version} of ${event.stream.id}: ${messageOf(error)}`,
        {
          facts: { aggregate: this.definition.name, stream: event.stream.id, version: event.stream.version, type: event.type },
          nextStep: 'Correct evolve; it is pure and may neither throw nor change the state it is given.',
          cause: error,
        },
      );
    }
  }

  /** What the state claims of each unique name; null claims nothing. @throws KAPPA_BAD_UNIQUE_VALUE */
  claims(state: unknown): Readonly<Record<string, string | null>> {
    const claims: Record<string, string | null> = {};
    for (const [name, valueOf] of Object.entries(this.definition.unique))
      claims[name] = checkedClaim(name, (valueOf as (state: unknown) => unknown)(state));
    return claims;
  }
}

/** What an index row can hold with room to spare. */
const MAX_CLAIM_BYTES = 800;

function checkedClaim(name: string, value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (isBoundedText(value, MAX_CLAIM_BYTES)) return value;
  throw new KappaError(
    'KAPPA_BAD_UNIQUE_VALUE',
    `${name} claims ${typeof value === 'string' ? 'a text that is empty, too long or not well-formed' : `a ${typeof value}`}`,
    {
      facts: { name },
      nextStep: `Return 1 to ${MAX_CLAIM_BYTES} bytes of text, or null to claim nothing.`,
    },
  );
}

/** Everything that turns records into a state: evolve, the initial state, the events' versions and their upcasters. */
function fingerprintOf({ evolve, initialState, topic }: AggregateDefinition): string {
  const events = topic.events.map((event) =>
    [event.type, event.version, ...event.versions.map(({ upcast }) => (upcast ? codeFingerprint(upcast) : ''))].join(':'),
  );
  const folds = Object.entries(evolve).map(([type, fold]) => `${type}=${codeFingerprint(fold)}`);
  const parts = [...events.sort(), ...folds.sort(), codeFingerprint(initialState), JSON.stringify(initialState())];
  return createHash('sha256').update(parts.join('\n')).digest('base64url').slice(0, 22);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
