import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RetriableError } from '../../../src/kernel/errors.js';
import { topicName } from '../../../src/kernel/names.js';
import {
  joinRecording,
  pollUntil,
  position,
  readAll,
  record,
  textsOf,
  textOf,
} from '../../../src/testing/log-conformance/log-under-test.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const topic = topicName('away');
const QUICK = { sessionTimeoutMs: 600, heartbeatMs: 50 };

let test: LogDatabase;
let client: LogClient;

beforeEach(async () => {
  test = await LogDatabase.create();
  client = await test.client(QUICK);
  await client.log.createTopic({ name: topic, partitions: 2, retention: null });
});

afterEach(() => test.close());

describe('a database that is away', () => {
  it('makes appends and reads an error that says to try again, and they do when it is back', async () => {
    await client.log.append([record(topic, 0, 'before')]);
    client.proxy.cut();
    await expect(client.log.offsets(topic)).rejects.toBeInstanceOf(RetriableError);
    await expect(client.log.append([record(topic, 0, 'away')])).rejects.toBeInstanceOf(RetriableError);
    await expect(client.log.committed('g')).rejects.toBeInstanceOf(RetriableError);
    await expect(client.log.openSession('task')).rejects.toBeInstanceOf(RetriableError);
    const read = client.log.read({ from: position([topic, 0, 0]) })[Symbol.asyncIterator]();
    await expect(read.next()).rejects.toBeInstanceOf(RetriableError);
    client.proxy.heal();
    await client.log.append([record(topic, 0, 'after')]);
    expect((await readAll(client.log, topic)).map(textOf)).toEqual(['before', 'after']);
  });

  it('is waited for by a reader that had nothing to read', async () => {
    const writer = await test.client();
    const stop = new AbortController();
    const seen: string[] = [];
    await client.log.append([record(topic, 0, 'one')]);
    for await (const batch of client.log.read({ from: position([topic, 0, 0]), signal: stop.signal })) {
      seen.push(...textsOf([batch]));
      if (seen.length === 1) {
        // The reader asks again while nothing gets through, and goes on when it does.
        client.proxy.cut();
        setTimeout(() => {
          client.proxy.heal();
          void writer.log.append([record(topic, 0, 'two')]);
        }, 100);
      } else stop.abort();
    }
    expect(seen).toEqual(['one', 'two']);
  });

  it('aborts a commit that was never sent, so that it may be sent again', async () => {
    const session = await client.log.openSession('task');
    const transaction = session.begin();
    transaction.append([record(topic, 0, 'not sent')]);
    await readAll(client.log, topic);
    client.proxy.cut();
    await expect(client.log.offsets(topic)).rejects.toBeInstanceOf(RetriableError);
    expect(await transaction.commit()).toMatchObject({ outcome: 'aborted', cause: { code: 'KAPPA_RETRIABLE' } });
    client.proxy.heal();
    const again = session.begin();
    again.append([record(topic, 0, 'sent')]);
    expect((await again.commit()).outcome).toBe('committed');
    expect((await readAll(client.log, topic)).map(textOf)).toEqual(['sent']);
  });
});

describe('a member that is cut off', () => {
  it('while it joins leaves no seat behind that its process keeps alive', async () => {
    // Its process looks after its seats as long as it has one.
    await joinRecording(client.log, 'another', [topic]);
    const lost = client.proxy.loseAnswerTo('kappa_group_states');
    await expect(joinRecording(client.log, 'g', [topic])).rejects.toBeInstanceOf(RetriableError);
    await lost;
    const other = await joinRecording((await test.client(QUICK)).log, 'g', [topic]);
    await pollUntil([other.member], () => other.member.assignment.length === 2);
  });

  it('learns at its next poll that its partitions are lost, and takes its share again', async () => {
    const cut = await joinRecording(client.log, 'g', [topic]);
    const other = await joinRecording((await test.client(QUICK)).log, 'g', [topic]);
    await pollUntil(
      [cut.member, other.member],
      () => cut.member.assignment.length === 1 && other.member.assignment.length === 1,
    );
    const had = cut.member.assignment;
    client.proxy.cut();
    await pollUntil([other.member], () => other.member.assignment.length === 2);
    client.proxy.heal();
    // It still believes that it owns them: only a poll may tell it otherwise.
    expect(cut.member.assignment).toEqual(had);
    await pollUntil([cut.member, other.member], () => cut.events.some(({ kind }) => kind === 'lost'));
    expect(cut.events.at(-1)).toEqual({ kind: 'lost', partitions: had });
    await pollUntil(
      [cut.member, other.member],
      () => cut.member.assignment.length === 1 && other.member.assignment.length === 1,
    );
  });

  it('loses everything when it cannot renew its lease in time, before it is known whether another has taken it', async () => {
    const { member, events } = await joinRecording(client.log, 'g', [topic]);
    await pollUntil([member], () => member.assignment.length === 2);
    client.proxy.cut();
    while (member.assignment.length > 0) {
      await member.poll({ maxWaitMs: 20 }).catch((error: unknown) => expect(error).toBeInstanceOf(RetriableError));
    }
    expect(events.at(-1)?.kind).toBe('lost');
    client.proxy.heal();
    await pollUntil([member], () => member.assignment.length === 2);
  });

  it('loses its partitions when it lives but does not poll', async () => {
    const silent = await test.client({ ...QUICK, maxMemberSilenceMs: 0 });
    const one = await joinRecording(silent.log, 'g', [topic]);
    await pollUntil([one.member], () => one.member.assignment.length === 2);
    const other = await joinRecording(client.log, 'g', [topic]);
    await pollUntil([other.member], () => other.member.assignment.length === 2);
    await pollUntil([one.member], () => one.events.some(({ kind }) => kind === 'lost'));
    await pollUntil(
      [one.member, other.member],
      () => one.member.assignment.length === 1 && other.member.assignment.length === 1,
    );
  });

  it('keeps them while its work between two polls takes longer than a session', async () => {
    const working = await joinRecording(client.log, 'g', [topic]);
    await pollUntil([working.member], () => working.member.assignment.length === 2);
    const other = await joinRecording((await test.client(QUICK)).log, 'g', [topic]);
    // The other one polls for three sessions; nothing is taken from the one that works.
    const until = performance.now() + 3 * QUICK.sessionTimeoutMs;
    await pollUntil([other.member], () => performance.now() > until);
    expect(other.member.assignment).toEqual([]);
    await pollUntil([working.member, other.member], () => other.member.assignment.length === 1);
    expect(working.events.map(({ kind }) => kind)).toEqual(['assigned', 'rebalance']);
  });
});
