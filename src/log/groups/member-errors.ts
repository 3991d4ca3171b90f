import { KappaError } from '../../kernel/errors.js';
import type { TopicName } from '../../kernel/names.js';
import type { PartitionKey } from '../../kernel/position.js';

export function memberLeft(group: string): KappaError {
  return new KappaError('KAPPA_MEMBER_LEFT', `this member has left group ${group}`, {
    facts: { group },
    nextStep: 'Join again.',
  });
}

export function pollsTwice(group: string): KappaError {
  return new KappaError('KAPPA_POLL_TWICE', `a member of group ${group} polls while its former poll still runs`, {
    facts: { group },
    nextStep: 'Await each poll; join twice for two loops.',
  });
}

export function notAssigned(
  group: string,
  topic: TopicName,
  partition: number,
  assignment: readonly PartitionKey[],
): KappaError {
  return new KappaError('KAPPA_NOT_ASSIGNED', `${topic}/${partition} is not assigned to this member of ${group}`, {
    facts: { topic, partition, assignment },
    nextStep: 'Seek in what `assignment` lists.',
  });
}
