import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settleBuildRequests } from '../../../src/modules/projections/dead-letters/build-lane-owner.js';
import { BuildLetters } from '../../../src/modules/projections/dead-letters/build-letters.js';
import { swapBuilds } from '../../../src/modules/projections/swap/swap-builds.js';
import { recordOf } from './happenings.js';
import { openHouse, type House } from './house.js';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import { accountsV1, flowsV1, Kinds, kindsV1, Paid, PARTITIONS } from './ledger.js';
import { ask, open, opened, others, paid, poison, POISON, poisonedAccount, poisoned, told } from './poison.js';

describe('a failing event', () => {
  let house: House;
  beforeEach(async () => {
    house = await openHouse();
  });
  afterEach(() => house.stop());

  it('that a raw handler takes in at the third try is no dead letter', async () => {
    let tries = 0;
    const moody = Kinds.raw(Paid, async ({ transaction, table }, e) => {
      if (e.data.cents === POISON && ++tries < 3) throw new Error('not now');
      await transaction.query(`insert into ${table} (kind, cents, payments) values ($1, 0, 0) on conflict do nothing`, [e.id]);
    });
    const work = await house.newBuild(moody);
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append([paid('a', 1), poison('a'), paid('a', 2)]));
    expect(tries).toBe(3);
    expect(await house.letters(work)).toEqual([]);
    expect(await house.rows(work)).toHaveLength(3);
  });

  it('without a key is set aside alone', async () => {
    const work = await house.newBuild(poisoned(accountsV1));
    await house.rebuild({ works: [work] });
    house.follow(work);
    const keyless = [opened('b'), poison('b'), paid('b', 1)].map((each, n) => ({ ...recordOf(each, n), key: null }));
    await house.reached(work, await house.appendRecords(keyless));
    expect((await house.letters(work)).map(({ state, key }) => [state, key])).toEqual([['letter', null]]);
    expect(await house.rows(work)).toMatchObject([{ id: 'b', cents: 1n }]);
    await ask(house, work, 'discard');
    await house.waiting(work, 0);
  });

  it('may be bytes that nobody can read, or be refused by the database alone', async () => {
    const kinds = Kinds.on(Paid, { key: (e) => ({ kind: `${e.stream.id} ${e.offset}` }) }, (_, e) => ({
      kind: `${e.stream.id} ${e.offset}`,
      cents: BigInt(e.data.cents),
      payments: 1,
    }));
    const [live, rebuilt] = [await house.newBuild(kinds), await house.newBuild(kinds)];
    await house.rebuild({ works: [live] });
    const refuse = (table: string) => house.database.query(`alter table ${table} add constraint small check (cents <> 666)`);
    await refuse(live.table.qualifiedName);
    await rebuilt.table.create(house.database);
    await refuse(rebuilt.table.qualifiedName);
    house.follow(live);
    const { headers, ...broken } = recordOf(paid('broken', 1), 1);
    await house.append([...others(200, 4), ...poisonedAccount]);
    await house.appendRecords([
      { ...broken, headers, value: Buffer.from('{\0') },
      { ...broken, headers: {} },
    ]);
    await house.reached(live, await house.append([...others(200, 5), paid('broken', 2)]));
    await house.rebuild({ works: [rebuilt], batchRecords: 50 });
    const letters = await house.letters(live);
    expect(letters.map(({ state, reason }) => [state, reason?.code ?? null]).sort()).toEqual([
      ['follower', null],
      ['follower', null],
      ['follower', null],
      ['letter', 'KAPPA_HANDLER_FAILED'],
      ['letter', 'KAPPA_UNDECODABLE'],
    ]);
    expect(letters.find(({ reason }) => reason?.message.includes('SQLSTATE 23514'))).toBeDefined();
    expect((await house.letters(rebuilt)).map(told)).toEqual(letters.map(told));
    for (const work of [live, rebuilt])
      expect(await house.rows(work)).toEqual(await house.cleanFold(kinds, work, undefined, letters));
  });

  it('is a letter also where the transaction that set it aside was rolled back for another event', async () => {
    const [x = '', y = ''] = Array.from({ length: 50 }, (_, n) => `c${n}`).filter((id) => partitionOf(id, PARTITIONS) === 0);
    const work = await house.newBuild({ ...accountsV1, deadLetters: { retries: 0 } });
    await house.rebuild({ works: [work] });
    await house.database.query(`alter table ${work.table.qualifiedName} add constraint small check (cents <> ${POISON})`);
    const broken = { ...recordOf(paid(x, 1), 1), value: Buffer.from('{') };
    const end = await house.appendRecords([broken, ...[opened(y), poison(y), paid(x, 2)].map(recordOf)]);
    house.follow(work);
    await house.reached(work, end);
    expect((await house.letters(work)).map(({ state, key, reason }) => [state, key, reason?.code ?? null])).toEqual([
      ['letter', x, 'KAPPA_UNDECODABLE'],
      ['letter', y, 'KAPPA_HANDLER_FAILED'],
      ['follower', x, null],
    ]);
  });

  it('found late in a batch of a rebuild sets nothing aside twice of what had been looked at behind it', async () => {
    const [x = '', y = ''] = Array.from({ length: 50 }, (_, n) => `c${n}`).filter((id) => partitionOf(id, PARTITIONS) === 0);
    await house.append([opened(x), opened(y), poison(x), paid(y, 1), poison(y), paid(x, 2)]);
    const work = await house.newBuild(poisoned(accountsV1));
    // Three events a batch, and no row is kept from one to the next: rows are read before any event of the second is folded.
    await house.rebuild({ works: [work], batchRecords: 3, memoryMb: 0.000_1 });
    const letters = await house.letters(work);
    expect(letters.map(({ state, key }) => [state, key])).toEqual([
      ['letter', x],
      ['letter', y],
      ['follower', x],
    ]);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work, undefined, letters));
  });

  it('that fails again waits on, and a follower that fails becomes the letter of those behind it', async () => {
    let cured = 0;
    const definition = poisoned(accountsV1, (e) => {
      const { cents } = e.data as { cents?: number };
      return (cents === POISON && cured < 1) || (cents === 667 && cured < 2);
    });
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append([opened('v'), poison('v'), paid('v', 1), paid('v', 667), paid('v', 2)]));
    const states = async () => (await house.letters(work)).map(({ state, attempts }) => `${state} ${attempts}`);
    expect(await states()).toEqual(['letter 2', 'follower 0', 'follower 0', 'follower 0']);
    await ask(house, work, 'retry');
    await house.settled(work);
    expect(await states()).toEqual(['letter 3', 'follower 0', 'follower 0', 'follower 0']);
    cured = 1;
    await ask(house, work, 'retry');
    await house.settled(work);
    expect(await states()).toEqual(['applied 3', 'applied 0', 'letter 1', 'follower 0']);
    expect(await house.rows(work)).toMatchObject([{ id: 'v', payments: 2 }]);
    await house.reached(work, await house.append([paid('v', 3)]));
    expect((await house.letters(work)).at(-1)).toMatchObject({ state: 'follower' });
    cured = 2;
    await ask(house, work, 'retry');
    await house.waiting(work, 0);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('that is discarded is kept with who and why, those behind it go on, and the next build skips it and lists it', async () => {
    const definition = poisoned(accountsV1);
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append([...others(50, 8), ...poisonedAccount, ...others(50, 9)]));
    await ask(house, work, 'discard');
    await house.waiting(work, 0);
    const [letter, ...rest] = await house.letters(work);
    expect(letter).toMatchObject({
      state: 'discarded',
      requestedBy: 'an operator',
      requestedWhy: 'booked twice',
      request: null,
    });
    expect(rest.map(({ state }) => state)).toEqual(['applied', 'applied', 'applied']);
    const next = await house.newBuild(definition);
    await house.rebuild({ works: [next] });
    const [inherited, ...none] = await house.letters(next);
    expect(none).toEqual([]);
    expect(inherited).toMatchObject({
      state: 'discarded',
      requestedBy: 'an operator',
      requestedWhy: 'booked twice',
      inheritedFrom: letter?.id,
      offset: letter?.offset,
    });
    const right = await house.cleanFold(accountsV1, work, undefined, [letter!]);
    for (const each of [work, next]) expect(await house.rows(each)).toEqual(right);
    // What was discarded for a topic that was made anew names other records.
    await house.database.query(`update progress set topic_incarnation = 'another'`);
    expect(await house.letters(await house.newBuild(definition))).toEqual([]);
  });

  it('that retention has removed meanwhile says so when it is retried, and can be discarded', async () => {
    const work = await house.newBuild(poisoned(accountsV1));
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append([opened('v'), poison('v'), paid('v', 1)]));
    const [letter] = await house.letters(work);
    await house.database.query(
      `insert into partition_begins (topic_id, partition, begin_offset) select id, $1, $2 from topics
       on conflict (topic_id, partition) do update set begin_offset = excluded.begin_offset`,
      [letter!.partition, letter!.offset + 1],
    );
    await ask(house, work, 'retry');
    await house.settled(work);
    expect((await house.letters(work))[0]).toMatchObject({ state: 'letter', reason: { code: 'KAPPA_RECORD_GONE' } });
    await ask(house, work, 'discard');
    await house.waiting(work, 0);
    expect(await house.rows(work)).toMatchObject([{ id: 'v', payments: 1 }]);
  });

  it('that cannot be kept stops the build before anything is moved over it', async () => {
    const work = await house.newBuild(poisoned(accountsV1));
    await house.rebuild({ works: [work] });
    await house.database.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no room' using errcode = '22000'; end $$`,
    );
    await house.database.query('create trigger refuse before insert on dead_letters for each row execute function refuse()');
    await house.append([opened('v'), poison('v'), paid('v', 1)]);
    await house.follow(work).done;
    expect(await house.builds.get(work.build.id)).toMatchObject({ error: { code: 'KAPPA_DEAD_LETTER_UNWRITABLE' } });
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work, await house.standsAt(work)));
  });

  it('of a former owner is not settled by it: a retry under a fenced epoch changes nothing', async () => {
    let corrected = false;
    const definition = poisoned(accountsV1, (e) => !corrected && (e.data as { cents?: number }).cents === POISON);
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    const first = house.follow(work);
    await house.reached(work, await house.append(poisonedAccount));
    await first.stop();
    const keys = (await house.builds.progress(work.build.id)).map(({ partition }) => `accounts/${partition}` as const);
    const zombies = await house.builds.claim(work.build.id, keys);
    const letters = new BuildLetters(house, work);
    await letters.load(keys);
    await house.builds.claim(work.build.id, keys);
    corrected = true;
    await ask(house, work, 'retry');
    const before = { rows: await house.rows(work), letters: await house.letters(work) };
    await settleBuildRequests(house, work, letters, (_, partition) => {
      const claim = zombies.find((each) => each.partition === partition);
      return claim ? { epoch: claim.epoch, next: claim.nextOffset } : null;
    });
    expect({ rows: await house.rows(work), letters: await house.letters(work) }).toEqual(before);
    house.follow(work);
    await house.waiting(work, 0);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('keeps its key waiting when its owner has to claim its partitions anew', async () => {
    const work = await house.newBuild(poisoned(accountsV1));
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append([opened('v'), poison('v')]));
    const keys = (await house.builds.progress(work.build.id)).map(({ partition }) => `accounts/${partition}` as const);
    for (let n = 1; n <= 3; n++) {
      await house.builds.claim(work.build.id, keys);
      await house.reached(work, await house.append([paid('v', n)]));
      expect((await house.letters(work)).map(({ state }) => state)).toEqual(['letter', ...Array<string>(n).fill('follower')]);
    }
    expect(await house.rows(work)).toMatchObject([{ id: 'v', payments: 0 }]);
  });

  it('is not retried while its build is held for a comparison', async () => {
    let corrected = false;
    const definition = poisoned(accountsV1, (e) => !corrected && (e.data as { cents?: number }).cents === POISON);
    const work = await house.newBuild(definition);
    await house.rebuild({ works: [work] });
    house.follow(work);
    await house.reached(work, await house.append(poisonedAccount));
    corrected = true;
    await house.database.query(
      `update progress set hold_at = next_offset, hold_until = clock_timestamp() + interval '60 s' where build_id = $1`,
      [work.build.id],
    );
    const before = await house.rows(work);
    await ask(house, work, 'retry');
    await house.looked(3);
    expect(await house.rows(work)).toEqual(before);
    await house.database.query('update progress set hold_at = null, hold_until = null');
    await house.waiting(work, 0);
    expect(await house.rows(work)).toEqual(await house.cleanFold(accountsV1, work));
  });

  it('keeps a build from being swapped to that has more dead letters than the live one, unless that is meant', async () => {
    await house.append(poisonedAccount);
    const live = await house.newBuild(accountsV1);
    await house.rebuild({ works: [live] });
    await swapBuilds(house, [live.build]);
    const candidate = await house.newBuild(poisoned(accountsV1));
    await house.rebuild({ works: [candidate] });
    await expect(swapBuilds(house, [candidate.build])).rejects.toMatchObject({
      code: 'KAPPA_MORE_DEAD_LETTERS',
      facts: { builds: [{ build: candidate.build.id, open: 4, live: live.build.id, openLive: 0 }] },
    });
    expect((await house.builds.active('accounts'))?.id).toBe(live.build.id);
    await swapBuilds(house, [candidate.build], { withDeadLetters: true });
    expect((await house.builds.active('accounts'))?.id).toBe(candidate.build.id);
  });

  it('keeps a rebuild from swapping by itself in the same way, until it is settled', async () => {
    let corrected = false;
    await house.append(poisonedAccount);
    const live = await house.newBuild(accountsV1);
    await house.rebuild({ works: [live] });
    await swapBuilds(house, [live.build]);
    const wrong = (e: { readonly data: unknown }) => !corrected && (e.data as { cents?: number }).cents === POISON;
    const candidate = await house.newBuild(poisoned(accountsV1, wrong), { swapWhenReady: true });
    await expect(house.rebuild({ works: [candidate] })).rejects.toMatchObject({ code: 'KAPPA_MORE_DEAD_LETTERS' });
    expect(await house.builds.get(candidate.build.id)).toMatchObject({ state: 'ready' });
    corrected = true;
    await ask(house, candidate, 'retry');
    const runner = house.follow(candidate);
    await house.waiting(candidate, 0);
    await runner.stop();
    await house.rebuild({ works: [candidate] });
    expect((await house.builds.active('accounts'))?.id).toBe(candidate.build.id);
  });

  it('of rows that several partitions share waits by its own key, and two processes end with the right sums', async () => {
    let corrected = false;
    const wrong = (e: { readonly data: unknown }) => !corrected && (e.data as { cents?: number }).cents === POISON;
    const definitions = [poisoned(kindsV1, wrong), poisoned(flowsV1, wrong)];
    const works = await Promise.all(definitions.map((definition) => house.newBuild(definition)));
    await house.rebuild({ works });
    const other = await house.another();
    for (const process of [house, other])
      for (const [i, definition] of definitions.entries()) process.follow(process.work(works[i]!.build, definition));
    const happenings = Array.from({ length: 10 }, (_, n) => [...others(30, 20 + n), poison(`a${n}`)]).flat();
    const end = await house.append(happenings);
    for (const [i, definition] of definitions.entries()) {
      await house.reached(works[i]!, end);
      const letters = open(await house.letters(works[i]!));
      expect(await house.rows(works[i]!)).toEqual(await house.cleanFold([kindsV1, flowsV1][i]!, works[i]!, undefined, letters));
      expect(definition.name).toBe(works[i]!.build.projection);
    }
    corrected = true;
    for (const [i, work] of works.entries()) {
      await ask(house, work, 'retry');
      await house.waiting(work, 0);
      expect(await house.rows(work)).toEqual(await house.cleanFold([kindsV1, flowsV1][i]!, work));
    }
  });
});
