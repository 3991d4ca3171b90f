import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { aggregate, Commands, Database, event, KappaModule, topic, type } from 'nest-kappa';
import type { AppendSide, BenchEvent } from './side.js';

const Happened = event('thing.happened', type<BenchEvent>());
/** What {@link ours} appends to. */
export const APPEND_TOPIC = 'append-things';

const things = topic(APPEND_TOPIC, { partitions: 8, events: [Happened] });

class Happen {
  constructor(
    readonly thingId: string,
    readonly events: readonly BenchEvent[],
  ) {}
}

const thing = aggregate({ name: 'append-thing', topic: things, id: 'thingId', initialState: () => 0 })
  .evolve({ 'thing.happened': (count) => count + 1 })
  .decide(Happen, ({ events }) => events.map((data) => Happened(data)));

/** Commands of an application that does nothing else, with its default settings. */
export async function ours(url: string): Promise<AppendSide> {
  @Module({
    imports: [
      KappaModule.forRoot({ name: 'bench-append', database: { url }, run: { commands: true } }),
      KappaModule.forFeature({ aggregates: [thing] }),
    ],
  })
  class AppendModule {}
  const app = await NestFactory.createApplicationContext(AppendModule, { logger: ['warn', 'error'], abortOnError: false });
  const commands = app.get(Commands, { strict: false });
  const database = app.get(Database, { strict: false });
  return {
    append: (stream, events) => commands.execute(new Happen(stream, events)),
    count: async () => {
      const { rows } = await database.query<{ n: number }>(
        'select count(*) as n from log_records r join topics t on t.id = r.topic_id where t.name = $1',
        [things.name],
      );
      return rows[0]?.n ?? 0;
    },
    close: () => app.close(),
  };
}
