import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEvent, type EventEnvelope } from '../../src/kernel/envelope.js';
import { jsonCodec, type Codec } from '../../src/kernel/codec.js';
import { partitionKey } from '../../src/kernel/position.js';
import type { LogRecord, RecordHeaders } from '../../src/kernel/record.js';
import { streamKey } from '../../src/kernel/names.js';
import { PostgresLog } from '../../src/log/postgres/postgres-log.js';
import { recordHeaders, storedHeaders } from '../../src/log/postgres/stored-headers.js';
import { Add, counters } from './support/counter.js';
import { WriteSide, type Writer } from './support/write-side.js';

const envelope: EventEnvelope = {
  id: '00000000-0000-4000-8000-000000000001',
  type: 'counter.added',
  eventVersion: 1,
  data: { n: 1 },
  aggregate: 'counter',
  streamId: 'c1',
  streamVersion: 7,
  tenant: null,
  occurredAt: '2026-01-31T12:00:00+01:00',
  correlationId: 'command-1',
  causationId: 'command-1',
  traceparent: null,
};

const withHeaders = (headers: RecordHeaders): Codec => ({
  ...jsonCodec,
  encode: (data, to) => ({ ...jsonCodec.encode(data, to), headers }),
});

describe('the headers that a row keeps of an event', () => {
  it('are those that the row does not tell and that are not as ever', () => {
    const { headers } = encodeEvent(envelope, jsonCodec);
    expect(JSON.parse(storedHeaders(headers, 'c1', 7))).toEqual({
      ce_id: envelope.id,
      ce_type: 'counter.added',
      ce_source: '/counter',
      ce_time: '2026-01-31T12:00:00+01:00',
      ce_correlationid: 'command-1',
    });
  });

  it.each<[string, Partial<EventEnvelope>, Codec?]>([
    ['as ever', {}],
    ['of a tenant', { tenant: 'acme' }],
    ['of a later version of its payload', { eventVersion: 3 }],
    ['caused by another', { causationId: 'event-1' }],
    ['without a cause', { causationId: null }],
    ['without correlation', { correlationId: null }],
    ['without either', { correlationId: null, causationId: null }],
    ['of a caller with odd ids', { id: 'é"\\\u0001', correlationId: '"☕\u007f', causationId: '\\', occurredAt: '"' }],
    ['of an odd stream', { streamId: '"\n' }],
    ['that is traced', { traceparent: '00-1-2-01' }],
    ['of a codec with a key', {}, withHeaders({ 'content-type': 'application/octet-stream', 'kappa-key-id': 'k"1' })],
    [
      'of a codec that has a version of its own',
      {},
      withHeaders({ 'content-type': 'application/json', ce_streamversion: 'x' }),
    ],
    ['of a codec that names no type', {}, withHeaders({})],
    [
      'of a codec with odd names',
      {},
      withHeaders({ 'content-type': 'application/json', toString: 'text', constructor: '', '1': 'one' }),
    ],
    [
      'of a codec that names another specification',
      {},
      withHeaders({ ce_specversion: '2.0', 'content-type': 'application/json' }),
    ],
  ])('give back all of an event %s', (_, changes, codec = jsonCodec) => {
    const event = { ...envelope, ...changes };
    const { headers } = encodeEvent(event, codec);
    const key = streamKey(event.tenant, event.streamId);
    expect(recordHeaders(storedHeaders(headers, key, event.streamVersion), key, event.streamVersion)).toEqual(headers);
    // As a former release wrote them.
    expect(recordHeaders(JSON.stringify(headers), key, event.streamVersion)).toEqual(headers);
  });

  it('are all that a record has that is no event of an aggregate', () => {
    const headers = { ce_id: '1', ce_type: 'other' };
    expect(recordHeaders(JSON.stringify(headers), 'key', null)).toEqual(headers);
  });
});

describe('rows of both forms', () => {
  let side: WriteSide;
  let writer: Writer;
  beforeAll(async () => {
    side = await WriteSide.start();
    writer = await side.writer();
  });
  afterAll(() => side.stop());

  async function records(): Promise<readonly LogRecord[]> {
    const log = new PostgresLog(writer.database);
    const ends = await log.offsets(counters.name);
    const from = Object.fromEntries(ends.map(({ partition, begin }) => [partitionKey(counters.name, partition), begin]));
    const to = Object.fromEntries(ends.map(({ partition, end }) => [partitionKey(counters.name, partition), end]));
    const all: LogRecord[] = [];
    for await (const batch of log.read({ from, to })) all.push(...batch.records);
    await log.stop();
    return all;
  }

  it('are the same to the log and to aggregates', async () => {
    await writer.commands.execute(new Add('both', 1, 3));
    await writer.commands.execute(new Add('both', 2), { tenant: 'acme' });
    const short = await records();
    expect(short.map(({ headers }) => headers['ce_streamversion'])).toEqual(expect.arrayContaining(['1', '2', '3', '1']));
    expect(short).toHaveLength(4);
    for (const { partition, offset, headers } of short)
      await side.database.query('update log_records set headers = $3 where partition = $1 and "offset" = $2', [
        partition,
        offset,
        JSON.stringify(headers),
      ]);
    expect(await records()).toEqual(short);
    const fresh = await side.executor();
    await fresh.execute(new Add('both', 4));
    const versions = (await records()).filter(({ key }) => key === 'both').map(({ headers }) => headers['ce_streamversion']);
    expect(versions).toEqual(['1', '2', '3', '4']);
  });
});
