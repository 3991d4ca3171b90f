import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topicName } from '../../src/kernel/names.js';
import { partitionKey } from '../../src/kernel/position.js';
import { ownGroupPrefix } from '../../src/log/postgres/log-identity.js';
import { PostgresLog } from '../../src/log/postgres/postgres-log.js';
import { appDatabase, type AppDatabase } from './app-database.js';
import { appFolder, json, run } from './run-command.js';

interface Shown {
  readonly group: string;
  readonly reader: string | null;
  readonly progressIn: string;
  readonly members: readonly { readonly member: string }[];
  readonly topics: readonly string[];
  readonly behind: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly next: number | null;
    readonly end: number;
    readonly behind: number | null;
    readonly member: string | null;
  }[];
}
interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly nextStep: string };
}
interface Moved {
  readonly partitions: readonly { readonly partition: number; readonly from: number | null; readonly to: number }[];
}

const FINES = topicName('fines');
const GROUP = 'report';

describe('the command on consumer groups', { timeout: 120_000 }, () => {
  let app: AppDatabase;
  let log: PostgresLog;

  beforeAll(async () => {
    app = await appDatabase(20);
    log = new PostgresLog(app.database, { retentionIntervalMs: 0 });
    const transaction = (await log.openSession('report')).begin();
    transaction.commitOffsets(GROUP, Object.fromEntries((await log.offsets(FINES)).map((line) => [key(line.partition), 1])));
    expect((await transaction.commit()).outcome).toBe('committed');
  });
  afterAll(async () => {
    await log.stop();
    await app.drop();
  });

  const key = (partition: number) => partitionKey(FINES, partition);
  const show = async (group = GROUP): Promise<Shown> =>
    (await json<Shown>(['groups', 'show', group], { env: app.env, cwd: appFolder })).document;
  const seek = (...args: string[]) => json<Moved>(['groups', 'seek', GROUP, 'fines', ...args, '--yes'], { env: app.env });
  const refused = async (...args: string[]): Promise<Failure['error'] & { readonly exit: number | null }> => {
    const { code, document } = await json<Failure>(['groups', ...args], { env: app.env, cwd: appFolder });
    return { ...document.error, exit: code };
  };

  it('shows who reads what, and how far behind', async () => {
    const { document } = await json<{ readonly groups: readonly Shown[] }>(['group', 'ls'], { env: app.env });
    const [listed] = document.groups;
    expect(listed).toMatchObject({ group: GROUP, reader: null, progressIn: 'log', members: [], topics: ['fines'] });
    const shown = await show();
    expect(shown.partitions.map(({ next, end, behind }) => end - (next ?? 0) - (behind ?? 0))).toEqual(
      shown.partitions.map(() => 0),
    );
    expect(listed?.behind).toBe(shown.behind);
    expect((await run(['groups', 'list'], { env: app.env })).stdout).toMatch(/report +fines +0 +\d+ +the log/);
  });

  it('lets an idle group go on at an offset, a time, the begin or the end, in one partition or all', async () => {
    const ends = (await log.offsets(FINES)).map(({ end }) => end);
    const next = async () => {
      const committed = await log.committed(GROUP);
      return ends.map((_, partition) => committed[key(partition)]);
    };
    const moved = await seek('--to-end');
    expect(moved.document.partitions).toEqual(ends.map((end, partition) => ({ partition, from: 1, to: end })));
    expect(await next()).toEqual(ends);
    await seek('--to-begin', '--partition', '1');
    expect(await next()).toEqual(ends.map((end, partition) => (partition === 1 ? 0 : end)));
    await seek('--to-offset', '2');
    expect(await next()).toEqual(ends.map((end) => Math.min(2, end)));
    await seek('--to-time', new Date(Date.now() + 60_000).toISOString());
    expect(await next()).toEqual(ends);
    await seek('--to-time', '2000-01-01');
    expect(await next()).toEqual(ends.map(() => 0));
    await seek('--to-offset', '1000000');
    expect(await next()).toEqual(ends);
  });

  it('asks first, and changes nothing without an answer', async () => {
    const before = await log.committed(GROUP);
    const { exit, code, message } = await refused('seek', GROUP, 'fines', '--to-begin');
    expect([exit, code]).toEqual([2, 'KAPPA_NOT_CONFIRMED']);
    expect(message).toContain('group report will go on elsewhere in fines');
    expect(await log.committed(GROUP)).toEqual(before);
  });

  it('moves no group that has members, and says who they are', async () => {
    const member = await log.join({
      group: GROUP,
      topics: [FINES],
      assigned: async () => ({}),
      revoked: async () => undefined,
    });
    try {
      while (member.assignment.length === 0) await member.poll({ maxWaitMs: 50 });
      const shown = await show();
      expect(shown.members).toHaveLength(1);
      expect(new Set(shown.partitions.map((line) => line.member))).toEqual(new Set([shown.members[0]?.member]));
      expect(await refused('seek', GROUP, 'fines', '--to-begin', '--yes')).toMatchObject({
        exit: 1,
        code: 'KAPPA_GROUP_ACTIVE',
      });
    } finally {
      await member.leave();
    }
  });

  it('shows the group of a build with the progress of its table, and refuses to move it', async () => {
    const rebuilt = await run(['projections', 'rebuild', '--all', '--swap'], { env: app.env, cwd: appFolder });
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    const { rows } = await app.database.query<{ id: number; projection: string }>('select id, projection from builds limit 1');
    const group = `${await ownGroupPrefix(app.database)}.build-${rows[0]?.id}`;
    expect(await show(group)).toMatchObject({ progressIn: 'postgres', topics: ['fines'], behind: 0 });
    const failure = await refused('seek', group, 'fines', '--to-begin', '--yes');
    expect(failure).toMatchObject({ exit: 1, code: 'KAPPA_GROUP_NOT_IN_LOG' });
    expect(failure.nextStep).toContain(`projections rebuild ${rows[0]?.projection}`);
  });

  it.each([
    ['seek report fines', 2, 'KAPPA_USAGE', 'where to is missing'],
    ['seek report fines --to-begin --to-end', 2, 'KAPPA_USAGE', 'more than once'],
    ['seek report fines --to-offset -1', 2, 'KAPPA_USAGE', '--to-offset'],
    ['seek report fines --to-time yesterday', 2, 'KAPPA_USAGE', '--to-time is "yesterday"'],
    ['seek report fines --to-end --partition 99', 2, 'KAPPA_USAGE', '--partition is 99'],
    ['seek reprot fines --to-end', 1, 'KAPPA_UNKNOWN_GROUP', 'did you mean report'],
    ['seek report fynes --to-end', 1, 'KAPPA_UNKNOWN_TOPIC', 'did you mean fines'],
    ['show reprot', 1, 'KAPPA_UNKNOWN_GROUP', 'did you mean report'],
  ])('refuses %s', async (args, exit, code, message) => {
    const failure = await refused(...args.split(' '));
    expect(failure).toMatchObject({ exit, code });
    expect(failure.message).toContain(message);
  });
});
