import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pause } from '../../../src/database/backoff.js';
import { partitionKey } from '../../../src/kernel/position.js';
import { LOG_OFFSET_HEADER } from '../../../src/kernel/record.js';
import { relayedRecord, relayTask } from '../../../src/modules/aggregates/relay/relay-record.js';
import { relayReasons } from '../../../src/modules/kappa/readiness-checks.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';
import { Add, counters } from '../support/counter.js';
import { idIn } from '../support/append-requests.js';
import { RelayHouse } from './relay-house.js';

const ONE = idIn(3, 'one');

describe('a relay when something goes wrong', () => {
  let house: RelayHouse;
  beforeEach(async () => {
    house = await RelayHouse.start();
  });
  afterEach(() => house.stop());

  const add = async (count: number, id = ONE): Promise<void> => {
    for (let n = 0; n < count; n += 1) await house.writer.commands.execute(new Add(id, n));
  };
  /** Every row once, in order. */
  const expectOnce = async (): Promise<void> => {
    const [rows, records] = [await house.rows(), await house.records()];
    expect(records.map(({ partition, headers }) => `${partition}:${headers[LOG_OFFSET_HEADER]} ${headers['ce_id']}`)).toEqual(
      rows.map(({ partition, offset, headers }) => `${partition}:${offset} ${headers['ce_id']}`),
    );
  };

  it.each(['before', 'after'] as const)(
    'repeats and loses nothing when a commit has no answer and the connection was lost %s it took effect',
    async (moment) => {
      const { log } = await house.relay();
      await add(2);
      await house.relayed();
      let strike = false;
      log.faults = {
        commit: (task) => {
          const struck = strike && task.includes('counters.3');
          if (struck) strike = false;
          return struck ? moment : null;
        },
      };
      for (let round = 0; round < 5; round += 1) {
        strike = true;
        await add(3);
        await house.relayed();
      }
      await add(1);
      await house.relayed();
      await expectOnce();
      // Opened anew after each, so that what was pending is settled before the position is read.
      expect(log.opened.filter((task) => task.includes('counters.3'))).toHaveLength(1 + 5);
    },
  );

  it('waits for a log that is away, says so once, and goes on', async () => {
    const { relay, log } = await house.relay();
    await add(1);
    await house.relayed();
    let away = true;
    log.faults = {
      open: () => {
        if (away) throw new Error('connect ECONNREFUSED');
      },
      commit: () => (away ? 'before' : null),
    };
    await add(3);
    await house.logger.said(/relay of counters\/3: .*ECONNREFUSED; nothing is lost, trying again/);
    expect(relay.health).toMatchObject({
      state: 'waiting-for-log',
      text: expect.stringMatching(/^waiting for memory since .*ECONNREFUSED/) as string,
    });
    expect(relay.health.partitions[3]).toMatchObject({ state: 'waiting', next: 1 });
    away = false;
    await house.relayed();
    await house.logger.said(/relay of counters\/3: goes on at 1/);
    await expectOnce();
    expect(relay.health.state).toBe('relaying');
  });

  it('leaves other partitions alone while one cannot go on', async () => {
    const { log } = await house.relay();
    await add(1);
    await house.relayed();
    log.faults = { commit: (task) => (task.includes('counters.3') ? 'before' : null) };
    await add(2);
    const other = idIn(5, 'other');
    await add(3, other);
    await house.reached(counters.name, { [partitionKey(counters.name, 5)]: 3 });
    log.faults = {};
    await house.relayed();
    await expectOnce();
  });

  it('waits for a database that is away, and goes on', async () => {
    const proxy = await TcpProxy.start(house.side.url);
    const { relay, stop } = await house.relay({ url: proxy.url, topicsIntervalMs: 200 });
    await add(2);
    await house.relayed();
    proxy.cut();
    await house.logger.said(/^relay: .*nothing is lost, trying again/);
    expect(relay.health.state).toBe('waiting-for-database');
    await add(2);
    proxy.heal();
    await house.relayed();
    await house.logger.said(/the database answers again/);
    await expectOnce();
    await stop();
    await proxy.stop();
  });

  it('of two that share the partitions sends each event once, while one comes and goes', async () => {
    const writing = { done: false };
    const write = async (): Promise<void> => {
      for (let n = 0; !writing.done; n += 1) await house.writer.commands.execute(new Add(`counter-${n % 40}`, n));
    };
    const writers = [write(), write(), write()];
    const first = await house.relay();
    await house.relayed();
    for (let round = 0; round < 3; round += 1) {
      const second = await house.relay();
      await house.relayed();
      await second.stop();
    }
    await first.stop();
    writing.done = true;
    await Promise.all(writers);
    await house.relay();
    await house.relayed();
    await expectOnce();
  });

  it('is fenced where another has opened its writer, and goes on while the partition is still its own', async () => {
    await house.relay();
    await add(3);
    await house.relayed();
    // A process that was stopped while it opened, and wakes too late.
    const zombie = await house.log.openWriter(relayTask('kappa', counters.name, 3));
    await add(3);
    await house.relayed();
    await expectOnce();
    await expect(zombie.write([])).rejects.toMatchObject({ code: 'KAPPA_FENCED' });
  });

  it('lets the partition go when it is fenced and another owns it', async () => {
    const first = await house.relay({ outboxOptions: { sessionTimeoutMs: 60_000, heartbeatMs: 60_000 } });
    await add(1);
    await house.relayed();
    // Its lease ends without its knowledge: its heartbeat comes once a minute.
    await house.side.database.query(
      `update group_members set lease_until = clock_timestamp() - interval '1 s' where group_name = 'relay'`,
    );
    const second = await house.relay();
    const ofKey = (tasks: readonly string[]): readonly string[] => tasks.filter((task) => task.includes('counters.3'));
    await vi.waitFor(() => expect(ofKey(second.log.opened)).toHaveLength(1), { timeout: 10_000 });
    // The first still reads the row, meets the fence, and finds in the database that the partition is another's.
    await new Promise<void>((fenced) => {
      first.log.faults = {
        commit: (task) => {
          if (ofKey([task]).length > 0) fenced();
          return null;
        },
      };
      void add(1);
    });
    for (let round = 0; round < 5; round += 1) {
      await add(1);
      await house.relayed();
      // Beyond the first waits of one that would open anew.
      await pause(60, new AbortController().signal);
    }
    await expectOnce();
    expect(ofKey(first.log.opened)).toHaveLength(1);
    expect(ofKey(second.log.opened)).toHaveLength(1);
    await first.stop();
    await add(5);
    await house.relayed();
    await expectOnce();
  });

  it('gives a partition up only after its write has ended, however long it takes', async () => {
    const ids = Array.from({ length: counters.partitions }, (_, partition) => idIn(partition, 'one'));
    const first = await house.relay();
    for (const id of ids) await add(1, id);
    await house.relayed();
    const committing = new Set<string>();
    let end = (): void => undefined;
    const ended = new Promise<null>((resolve) => (end = () => resolve(null)));
    first.log.faults = {
      commit: (task) => {
        committing.add(task);
        return ended;
      },
    };
    for (const id of ids) await add(1, id);
    await vi.waitFor(() => expect(committing.size).toBe(counters.partitions), { timeout: 10_000 });
    const second = await house.relay();
    try {
      // The first is to give half of them up, and has begun to.
      await vi.waitFor(() => expect(first.relay.health.partitions).toHaveLength(counters.partitions / 2), { timeout: 10_000 });
      // Longer than a heartbeat of both, after which the second would have what was given up.
      for (let turn = 0; turn < 10; turn += 1) {
        await pause(50, new AbortController().signal);
        expect(second.log.opened).toEqual([]);
      }
    } finally {
      end();
    }
    await vi.waitFor(() => expect(second.log.opened).toHaveLength(counters.partitions / 2), { timeout: 10_000 });
    for (const id of ids) await add(1, id);
    await house.relayed();
    await expectOnce();
    // None was fenced in the middle of its work.
    expect(first.log.opened).toHaveLength(counters.partitions);
  });

  it('finds a lost position again from what was relayed, and says so', async () => {
    const first = await house.relay();
    await add(4);
    await house.relayed();
    await first.stop();
    house.forgetPositions();
    await add(2);
    await house.relay();
    await house.logger.said(/relay of counters\/3: its position was lost; set to 4/);
    await house.relayed();
    await expectOnce();
    // Where nothing was relayed yet, nothing is missed.
    expect(house.logger.lines.filter((line) => line.includes('was lost'))).toHaveLength(1);
  });

  it('refuses to go on from a position that its topic does not bear out', async () => {
    const first = await house.relay();
    await add(4);
    await house.relayed();
    await first.stop();
    house.forget(counters.name);
    const { relay } = await house.relay();
    await house.logger.said(/relay of counters\/3 stopped\. KAPPA_RELAY_TOPIC_CHANGED/);
    expect(relay.health).toMatchObject({ state: 'failed', text: expect.stringContaining('relay restart counters') as string });
    expect(await house.records()).toEqual([]);
  });

  it('refuses what another outbox has relayed', async () => {
    const first = await house.relay();
    await add(4);
    await house.relayed();
    await first.stop();
    await house.side.database.query('update log_identity set cluster = default');
    const { relay } = await house.relay();
    await house.logger.said(/relay of counters\/3 stopped\. KAPPA_RELAY_OTHER_OUTBOX/);
    await vi.waitFor(() =>
      expect(relayReasons(relay.health)).toEqual([
        expect.stringMatching(/^the relay: counters\/\d failed at .*: KAPPA_RELAY_OTHER_OUTBOX/),
      ]),
    );
    // Nor is it taken for its own where the position is gone.
    house.forgetPositions();
    await house.side.database.query(`update log_records set headers = '{"ce_id":"other"}'`);
    await house.relay();
    await house.logger.said(/relay of counters\/3 stopped\. KAPPA_RELAY_OTHER_OUTBOX: .*holds other records/);
  });

  it('refuses an outbox that ends before what was relayed, or begins after it', async () => {
    const first = await house.relay();
    await add(4);
    await house.relayed();
    await first.stop();
    await house.side.database.query('delete from log_records where "offset" >= 2');
    const second = await house.relay();
    await house.logger.said(/relay of counters\/3 stopped\. KAPPA_RELAY_BEYOND_OUTBOX: .* up to 4, but its outbox ends at 2/);
    await second.stop();
    await house.side.database.query('delete from log_records');
    await house.side.database.query(
      `insert into partition_begins (topic_id, partition, begin_offset) select id, 3, 9 from topics where name = 'counters'`,
    );
    await house.relay();
    await house.logger.said(
      /relay of counters\/3 stopped\. KAPPA_RELAY_OUTBOX_TRUNCATED: .* up to 4, but its outbox begins at 9/,
    );
  });

  it('stops a partition whose rows have a gap, and tells where', async () => {
    await add(6);
    await house.side.database.query('delete from log_records where "offset" = 3');
    await house.relay();
    await house.logger.said(
      /relay of counters\/3 stopped\. KAPPA_RELAY_GAP: the outbox of counters\/3 has no rows from 3 to 3/,
    );
    expect((await house.records()).map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  it('looks at the end of the topic only after it has fenced whoever wrote before', async () => {
    await add(4);
    const rows = await house.rows();
    await house.log.createTopic(counters);
    const task = relayTask('kappa', counters.name, 3);
    const earlier = await house.log.openWriter(task);
    const write = (from: number, next: number): Promise<void> => earlier.write(rows.slice(from, next).map(relayedRecord));
    await write(0, 2);
    let left = 1;
    await house.relay({
      faults: {
        // The last that an earlier owner commits before it is fenced.
        open: async (opened) => {
          if (opened === task && left-- > 0) await write(2, 3);
        },
      },
    });
    await Promise.race([house.relayed(), house.logger.said(/stopped/)]);
    await expectOnce();
    expect(house.logger.lines.filter((line) => line.includes('stopped'))).toEqual([]);
  });
});
