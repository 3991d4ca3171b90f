import { isoMillis } from '../../kernel/iso-time.js';
import { plain } from '../../kernel/plain.js';
import { AppendFate } from './append-fate.js';
import type { AppendRequest, UniqueClaim } from './append-request.js';
import { decideCommand } from './decision.js';
import type { RunParts, RunTarget } from './run-target.js';
import { LoadedStream } from './state-cache.js';
import type { CommandIdentity } from './stream-loader.js';
import { writeEvents, type WrittenEvent } from './write-events.js';

/** A command decided on a state, and what is to be appended for it. */
export class Decided {
  constructor(
    readonly before: LoadedStream,
    readonly after: LoadedStream,
    /** Something asked where an event is recorded while that was not known: `after` holds only once it is folded again. */
    readonly guessed: boolean,
    readonly written: readonly WrittenEvent[],
    readonly request: AppendRequest,
  ) {}
}

const NO_CLAIMS: readonly UniqueClaim[] = [];

/**
 * Decides a command on a state and writes its events as bytes; no I/O. `facts` are what prepare found, `ahead` is the append that
 * will bring the state about, null where it is committed.
 * @throws what decide throws; KAPPA_BAD_DECISION, KAPPA_INVALID_PAYLOAD, KAPPA_NOT_JSON, KAPPA_RECORD_TOO_LARGE, KAPPA_EVOLVE_FAILED
 */
export function decideOn(
  parts: RunParts,
  target: RunTarget,
  identity: CommandIdentity,
  before: LoadedStream,
  facts: unknown,
  ahead: AppendFate | null,
): Decided {
  const { model, handler, command, options, address } = target;
  const { commandId } = identity;
  const { guessedPlaces } = model;
  const now = parts.clock();
  const nowIso = isoMillis(now);
  const decided = decideCommand(model, handler, command, before.state, {
    now: nowIso,
    newId: parts.newId,
    facts,
    tenant: options.tenant ?? null,
    principal: options.principal ?? null,
  });
  const written = writeEvents(model, parts.codec, parts.maxRecordBytes, decided, {
    address,
    version: before.version,
    nowMs: now.getTime(),
    occurredAt: options.occurredAt ?? nowIso,
    correlationId: options.correlationId ?? commandId,
    causationId: options.causationId ?? commandId,
    traceparent: options.traceparent ?? null,
    newId: parts.newId,
  });
  const state = written.reduce<unknown>((folded, { recorded }) => model.evolve(folded, recorded), before.state);
  const claims = model.hasClaims ? changedClaims(model.claims(before.state), model.claims(state)) : NO_CLAIMS;
  const version = before.version + written.length;
  const every = model.definition.snapshotEvery;
  const isDue = every !== null && version - before.snapshotVersion >= every;
  const after = new LoadedStream(version, state, isDue ? version : before.snapshotVersion);
  const request = new DecidedAppend(target, identity, before.version, written, claims, new AppendFate(ahead));
  return new Decided(before, after, model.guessedPlaces !== guessedPlaces, written, request);
}

type AppendValues = [
  target: RunTarget,
  identity: CommandIdentity,
  expectedVersion: number,
  written: readonly WrittenEvent[],
  claims: readonly UniqueClaim[],
  fate: AppendFate,
];

/** What a decided command asks the appender for. */
const DecidedAppend = plain<AppendRequest, AppendValues>(function (
  { address, model, topicId },
  { commandId, contentHash },
  expectedVersion,
  written,
  claims,
  fate,
) {
  this.stream = address.stream;
  this.key = address.key;
  this.tenant = address.tenant;
  this.topic = model.definition.topic.name;
  this.topicId = topicId;
  this.partition = address.partition;
  this.partitionKey = address.partitionKey;
  this.commandId = commandId;
  this.contentHash = contentHash;
  this.expectedVersion = expectedVersion;
  this.events = written.map(({ encoded }) => encoded);
  this.claims = claims;
  this.bytes = this.events.reduce((sum, { value, storedHeaders }) => sum + value.byteLength + storedHeaders.length, 0);
  this.fate = fate;
});

/** Only what changes is claimed or given back. */
function changedClaims(
  before: Readonly<Record<string, string | null>>,
  after: Readonly<Record<string, string | null>>,
): readonly UniqueClaim[] {
  return Object.entries(after).flatMap(([name, value]) => (value === (before[name] ?? null) ? [] : [{ name, value }]));
}
