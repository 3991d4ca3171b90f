import { roundsOf, type BenchSettings } from '../bench.js';
import { loadGenerated } from '../generated-log/load-generated.js';
import type { RelayPart } from '../generated-log/relay.process.js';
import { runPart } from '../part.js';
import { compared, type BenchResult } from '../result.js';
import type { Servers } from '../servers.js';
import type { EachBatchPart } from './each-batch.process.js';
import { TABLES } from './generated-projections.js';
import { LOADS } from './loads.js';
import { eventsOf } from './log-size.js';
import { rebuildOurs } from './rebuild-ours.js';
import { assertSameRows } from './same-rows.js';
import { rateOf, type RebuildPart, type RebuildReport } from './side.js';
import { truthOf } from './truth.js';

/** From a topic that the relay wrote to a table that is written and indexed, beside reading the topic alone. */
export async function rebuildFromKafka(servers: Servers, settings: BenchSettings): Promise<readonly BenchResult[]> {
  const { database, databaseUrl, brokers } = servers;
  const events = eventsOf(settings);
  const results: BenchResult[] = [];
  for (const { topic, words, streams, spread } of LOADS) {
    await loadGenerated(database, topic, { events, streams, spread });
    await runPart<RelayPart, unknown>(new URL('../generated-log/relay.process.js', import.meta.url), {
      databaseUrl,
      brokers,
      topic,
    });
    const part: RebuildPart = { databaseUrl, brokers, topic, tables: ['things'] };
    // The first build becomes live, and the next are built beside it.
    await rebuildOurs(part);
    const runs = { ours: [] as number[], theirs: [] as number[] };
    for (let round = 0; round < roundsOf(settings); round += 1) {
      const file = new URL('./each-batch.process.js', import.meta.url);
      runs.theirs.push(rateOf(await runPart<EachBatchPart, RebuildReport>(file, { brokers, topic, events })));
      await database.query('checkpoint');
      const ours = await rebuildOurs(part);
      if (ours.events !== events) throw new Error(`${ours.events} of ${events} events were built`);
      await assertSameRows(database, ours.built[0] ?? '', truthOf(topic, events), TABLES.things);
      runs.ours.push(rateOf(ours));
    }
    results.push(
      compared(
        {
          bench: 'rebuild',
          case: `one projection from Kafka, table written and indexed, ${events.toLocaleString('en')} events, ${words}`,
          unit: 'events/s',
          against: 'kafkajs eachBatch reading and JSON.parse in one thread, writing nothing',
          atLeast: 0.8,
          aim: 1.2,
        },
        runs,
      ),
    );
  }
  return results;
}
