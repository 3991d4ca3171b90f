import { findCoordinator } from './api/coordinators.js';
import { fetchRecords } from './api/fetch.js';
import { commitOffsets, describeGroup, listGroups } from './api/group-admin.js';
import { heartbeat, joinGroup, leaveGroup, offsetFetch, syncGroup } from './api/groups.js';
import { listOffsets } from './api/list-offsets.js';
import { metadata } from './api/metadata.js';
import { produce } from './api/produce.js';
import { createTopic, describeConfigs } from './api/topics.js';
import {
  addOffsetsToTransaction,
  addPartitionsToTransaction,
  commitOffsetsInTransaction,
  endTransaction,
  initProducerId,
} from './api/transactions.js';
import type { Api } from './connection.js';

/** All that is asked of brokers, each in one version: what they have in common decides which Kafka will do (3.1 to 4.x). */
export const APIS: readonly Api<never, unknown>[] = [
  metadata,
  fetchRecords,
  listOffsets,
  produce,
  initProducerId,
  addPartitionsToTransaction,
  addOffsetsToTransaction,
  commitOffsetsInTransaction,
  endTransaction,
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  offsetFetch,
  listGroups,
  describeGroup,
  commitOffsets,
  createTopic,
  describeConfigs,
];
