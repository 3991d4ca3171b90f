import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Commands, InjectReader, KappaModule, KappaRestModule, latest, Reader, type Position } from 'nest-kappa';
import { Watch, type Watched } from './watch.js';
import { Count, Tallies, tally, TALLIES, talliesV1, type TallyRow } from './tally.js';

/** What the process saw while it wrote, read through its Reader and asked its own REST, as fast as it could. */
export interface Served {
  readonly appended: number;
  /** After the last append. */
  readonly position: Position;
  readonly reader: Watched;
  readonly rest: Watched;
}

@Injectable()
class Parts {
  constructor(
    readonly commands: Commands,
    @InjectReader(Tallies) readonly reader: Reader<TallyRow>,
  ) {}
}

@Module({
  providers: [Parts],
  imports: [
    KappaModule.forRoot({ run: { commands: true, rest: true } }),
    KappaModule.forFeature({ aggregates: [tally], projections: [talliesV1] }),
    KappaRestModule.forFeature([Tallies], { path: 'api' }),
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
const url = `${await app.getUrl()}/api/tallies?limit=100`;
const { commands, reader } = app.get(Parts);
const stopping = new AbortController();
let appended = 0;
let position: Position = {};

async function write(): Promise<void> {
  while (!stopping.signal.aborted) {
    const counted = await commands.execute(new Count(`tally-${appended % TALLIES}`, 1));
    position = latest(position, counted.position);
    appended += 1;
    // The writer shares two cores with five other processes: it must not starve what it tests.
    if (appended > TALLIES) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const readerWatch = new Watch(async () => {
  const { rows, stamp } = await reader.list({ limit: 100 });
  return { rows, version: stamp.version };
});

const restWatch = new Watch(async () => {
  const answer = await fetch(url);
  const body = (await answer.json()) as { data: TallyRow[]; version: number };
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
  return { rows: body.data, version: body.version };
});

const writing = write();
await reader.waitFor((await commands.execute(new Count('tally-0', 0))).position, { timeoutMs: 30_000 });
const watching = [readerWatch.run(stopping.signal), restWatch.run(stopping.signal)];
process.once('SIGTERM', () => {
  stopping.abort();
  void Promise.all([writing, ...watching])
    .then(() => app.close())
    .then(() =>
      process.send?.({ appended, position, reader: readerWatch.result, rest: restWatch.result } satisfies Served, () =>
        process.exit(0),
      ),
    );
});
process.send?.('ready');
