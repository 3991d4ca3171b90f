import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  appendStatements,
  LATER,
  parseOutcomes,
  type AppendStatements,
} from '../../src/modules/aggregates/append-statement.js';
import type { AppendRequest } from '../../src/modules/aggregates/append-request.js';
import { topic } from '../../src/kernel/topic.js';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { requests, type Given } from './support/append-requests.js';
import { Add, Added, counter } from './support/counter.js';
import { WriteSide } from './support/write-side.js';

const twins = topic('twins', { partitions: 8, events: [Added] });
const twin = aggregate({ name: 'twin', topic: twins, id: 'counterId', initialState: () => 0 })
  .evolve({ 'counter.added': (sum, { data }) => sum + data.n })
  .decide(Add, ({ n }) => [Added({ n })]);

/** Two logs of their own: the same groups are appended to one as the appender does it, and judged one by one in the other. */
interface Side {
  readonly side: WriteSide;
  readonly request: (given: OfEither) => AppendRequest;
}

/** An append of a counter's stream or, in a topic of their own, of a twin's. */
type OfEither = Given & { readonly ofTwin?: boolean };

let together: Side;
let judged: Side;

async function start(): Promise<Side> {
  const side = await WriteSide.start();
  await side.executor({ aggregates: [counter] });
  await side.executor({ aggregates: [twin] });
  const [ofCounter, ofTwin] = [await requests(side.database), await requests(side.database, 'twin', twins)];
  return { side, request: ({ ofTwin: isTwin = false, ...given }) => (isTwin ? ofTwin : ofCounter)(given) };
}

beforeAll(async () => {
  together = await start();
  judged = await start();
});
afterAll(async () => {
  await together.side.stop();
  await judged.side.stop();
});

const statements = appendStatements('kappa');

type Way = AppendStatements['group'];

/** Groups that were appended at once, and others. */
let atOnce = 0;
let oneByOne = 0;

/** What became of each command, without the time, which is another in each log. */
async function outcomes({ side, request }: Side, way: Way, group: readonly OfEither[]): Promise<readonly unknown[]> {
  const given = group.map((one) => request(one));
  const { rows } = await side.database.query<{ outcomes: string }>(way(given, null));
  if (rows[0]?.outcomes.startsWith('all;')) atOnce += 1;
  else if (way === statements.group) oneByOne += 1;
  return parseOutcomes(given, rows[0]?.outcomes ?? '').map((outcome) =>
    outcome === LATER ? 'later' : { ...outcome, ...('recordedAtUs' in outcome && { recordedAtUs: 'some time' }) },
  );
}

async function contents({ side }: Side): Promise<readonly unknown[]> {
  const { rows } = await side.database.query(`
    select t.name, "offset", partition, version, key, value, headers::text, event_type, stream
    from log_records r join topics t on t.id = r.topic_id order by t.name, partition, "offset"`);
  const commands = await side.database.query(`
    select c.stream, c.command_id, c.content_hash, c.first_version, c.last_version, c.next_offset,
      c.recorded_at = r.recorded_at as with_its_events
    from commands c
    left join log_records r on r.stream = c.stream and r.version = c.last_version and c.last_version >= c.first_version
    order by c.stream, c.command_id`);
  return [rows, commands.rows];
}

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

/** Few streams and ids, and versions that are right for most, so that everything comes about that can. */
const aCommand = fc.record({
  stream: fc.integer({ min: 0, max: 9 }),
  count: fc.integer({ min: 0, max: 3 }),
  behind: fc.oneof({ weight: 15, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(1, -1) }),
  id: rarely(fc.integer({ min: 0, max: 5 })),
  claims: rarely(fc.constantFrom('a', 'b')),
});

it('appends what judging each command would, to the same places, with the same answers', async () => {
  let made = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(aCommand, { minLength: 2, maxLength: 8 }), { minLength: 1, maxLength: 6 }),
      async (groups) => {
        made += 1;
        const history = made;
        const heads = new Map<number, number>();
        for (const group of groups) {
          const given = group.map(({ stream, count, behind, id, claims }, index): OfEither => {
            const head = heads.get(stream) ?? 0;
            const expectedVersion = Math.max(0, head - behind);
            if (behind === 0) heads.set(stream, head + count);
            const key = `${history}-${stream}`;
            return {
              id: key,
              ofTwin: stream % 3 === 0,
              count,
              expectedVersion,
              commandId: id === null ? `${history}-${groups.indexOf(group)}-${index}` : `${key}-given-${id}`,
              claims: claims === null ? [] : [{ name: 'n', value: `${history}-${claims}` }],
            };
          });
          expect(await outcomes(together, statements.group, given)).toEqual(await outcomes(judged, statements.judged, given));
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(await contents(together)).toEqual(await contents(judged));
  expect(await together.side.contradictions()).toEqual([]);
  // Both ways have been gone.
  expect(atOnce).toBeGreaterThan(10);
  expect(oneByOne).toBeGreaterThan(10);
});

it('goes on where retention has left nothing of a partition but where it ends', async () => {
  for (const { side } of [together, judged]) {
    await side.database.query('truncate log_records, commands, unique_claims');
    await side.database.query(
      'insert into partition_begins (topic_id, partition, begin_offset) select id, p, 70 + p from topics, generate_series(0, 7) p',
    );
    await side.database.query(`insert into stream_heads (stream, version) values ('/counter/outlived', 41)`);
  }
  const group: readonly OfEither[] = [
    { id: 'outlived', expectedVersion: 41 },
    { id: 'a', count: 2 },
    { id: 'b' },
    { id: 'b', ofTwin: true },
    { id: 'c' },
  ].map((given, index) => ({ ...given, commandId: `after-${index}` }));
  const found = await outcomes(together, statements.group, group);
  expect(found).toEqual(await outcomes(judged, statements.judged, group));
  expect(found).toMatchObject(group.map(() => ({ outcome: 'appended' })));
  expect(await contents(together)).toEqual(await contents(judged));
});
