import type { TopicName } from '../../../kernel/names.js';
import { parsePartitionKey, partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { topicsOf } from '../../groups/described-topics.js';
import { groupActive, type GroupDescription, type LogGroups, type MemberDescription } from '../../log-groups.js';
import { assertPartition } from '../../record-groups.js';
import type { LogTopics } from '../log-topic.js';
import { OffsetTranslation } from '../reading/offset-translation.js';
import { commitOffsets, describeGroup, listGroups, type DescribedMember } from '../wire/api/group-admin.js';
import type { Cluster } from '../wire/cluster.js';
import { assertNoError, ERROR, isError } from '../wire/kafka-error.js';
import { committedPlaces, LOG_OFFSETS, type CommittedPlace } from './committed-offsets.js';
import { decodeAssignment, decodeTopics } from './group-protocol.js';

/** What is asked of a member that is not known to the group, or of no member while there are some. */
const HAS_MEMBERS = [ERROR.unknownMember, ERROR.illegalGeneration, ERROR.rebalanceInProgress];

/** Whoever looks at groups does not wait for longer on a transaction of one that is open, which may be so for minutes. */
const LOOK_MS = 2_000;

/** Of clients that join groups as consumers do, and of those that only commit. */
const CONSUMERS = ['consumer', ''];

/**
 * The groups of the cluster, those of other clients included. These commit Kafka's own offsets, in relayed topics as well; they
 * are shown in log offsets, and sought to where the record of a log offset lies.
 */
export class KafkaGroups implements LogGroups {
  constructor(
    private readonly cluster: Cluster,
    private readonly topics: LogTopics,
  ) {}

  async list(): Promise<readonly GroupDescription[]> {
    const names = await this.#names();
    const translation = new OffsetTranslation(this.cluster);
    const described = await Promise.all(names.map((name) => this.#describe(name, translation)));
    return described.filter((one) => one !== null);
  }

  describe(group: string): Promise<GroupDescription | null> {
    return this.#describe(group, new OffsetTranslation(this.cluster));
  }

  async seek(group: string, position: Position): Promise<void> {
    const places = (Object.entries(position) as [PartitionKey, number][]).map(([key, next]) => {
      const { topic, partition } = parsePartitionKey(key);
      return { topic: topic as TopicName, partition, next };
    });
    if (places.length === 0) return;
    const topics = await this.topics.resolve(places.map(({ topic }) => topic));
    for (const { topic, partition } of places) assertPartition(topic, partition, topics.get(topic)?.partitions ?? 0);
    const members = await this.#members(group);
    if (members.length > 0) throw groupActive(group, members.length);
    const inLogOffsets = (await committedPlaces(this.cluster, group)).some((place) => place.inLogOffsets);
    const translation = new OffsetTranslation(this.cluster);
    const offsets = await Promise.all(
      places.map(async ({ topic, partition, next }) => {
        const found = topics.get(topic);
        const translated = found?.relayed && !inLogOffsets ? await translation.toKafka(found, partition, next) : next;
        return { topic, partition, next: translated };
      }),
    );
    await this.#commit(group, offsets, inLogOffsets ? LOG_OFFSETS : null);
  }

  async #commit(
    group: string,
    offsets: readonly { readonly topic: TopicName; readonly partition: number; readonly next: number }[],
    metadata: string | null,
  ): Promise<void> {
    try {
      await this.cluster.retry(`moving group ${group}`, async () => {
        const answers = await this.cluster.sendToCoordinator('group', group, 'main', commitOffsets, {
          group,
          offsets,
          metadata,
        });
        for (const { topic, partition, error } of answers)
          assertNoError(error, `moving group ${group} in ${topic}/${partition}`);
      });
    } catch (error) {
      // Somebody has joined since it was looked at.
      throw isError(error, ...HAS_MEMBERS) ? groupActive(group, null) : error;
    }
  }

  #names(): Promise<readonly string[]> {
    return this.cluster.retry('listing the consumer groups', async () => {
      await this.cluster.metadata([]);
      const names: string[] = [];
      for (const nodeId of this.cluster.nodeIds) {
        const { error, groups } = await this.cluster.send(nodeId, 'main', listGroups, undefined);
        assertNoError(error, 'listing the consumer groups');
        names.push(...groups.filter(({ protocolType }) => CONSUMERS.includes(protocolType)).map(({ group }) => group));
      }
      return [...new Set(names)].sort();
    });
  }

  async #describe(group: string, translation: OffsetTranslation): Promise<GroupDescription | null> {
    const [members, places] = await Promise.all([this.#members(group), committedPlaces(this.cluster, group, LOOK_MS)]);
    if (members.length === 0 && places.length === 0) return null;
    const committed: Record<PartitionKey, number> = {};
    for (const place of places)
      committed[partitionKey(place.topic, place.partition)] = await this.#logOffset(place, translation);
    return { group, members, topics: topicsOf(members, committed), committed };
  }

  async #logOffset({ topic, partition, next, inLogOffsets }: CommittedPlace, translation: OffsetTranslation): Promise<number> {
    if (inLogOffsets) return next;
    const found = await this.topics.get(topic as TopicName);
    return found.relayed ? translation.toLog(found, partition, next) : next;
  }

  #members(group: string): Promise<readonly MemberDescription[]> {
    return this.cluster.retry(`describing group ${group}`, async () => {
      const answers = await this.cluster.sendToCoordinator('group', group, 'main', describeGroup, { group });
      return answers.flatMap(({ error, protocolType, members }) => {
        assertNoError(error, `describing group ${group}`);
        return CONSUMERS.includes(protocolType) ? members.map(memberOf) : [];
      });
    });
  }
}

function memberOf({ member, client, metadata, assignment }: DescribedMember): MemberDescription {
  const partitions = decodeAssignment(assignment).flatMap(({ topic, partitions: numbers }) =>
    numbers.map((number) => partitionKey(topic, number)),
  );
  return { member, client, topics: decodeTopics(metadata), partitions };
}
