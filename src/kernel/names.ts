import { isBoundedText } from './bounded-text.js';
import { KappaError } from './errors.js';

declare const brand: unique symbol;

/** A topic's name: 1 to 200 of `A–Z a–z 0–9 . _ -`, as Kafka allows. */
export type TopicName = string & { readonly [brand]: 'topic' };
/** Where a record stands in its partition: 0, 1, 2 … increasing, with holes allowed. Never count by offsets. */
export type Offset = number & { readonly [brand]: 'offset' };
/** The identity of a stream as one string: `tenant/aggregate/id`, the tenant empty where there is none. */
export type StreamName = string & { readonly [brand]: 'stream' };

const TOPIC = /^[A-Za-z0-9._-]{1,200}$/;
const NAME = /^[A-Za-z0-9_.-]{1,100}$/;
const MAX_STREAM_ID_BYTES = 400;

/** @throws KAPPA_BAD_NAME when the text cannot be a topic's name. */
export function topicName(text: string): TopicName {
  if (!TOPIC.test(text) || text === '.' || text === '..') {
    throw badName('topic', text, 'Use 1 to 200 letters, digits, dots, hyphens or underscores.');
  }
  return text as TopicName;
}

/** @throws KAPPA_BAD_OFFSET when the number is no offset. */
export function offset(value: number): Offset {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new KappaError('KAPPA_BAD_OFFSET', `${value} is not an offset`, {
      facts: { value },
      nextStep: 'Give a whole number from 0.',
    });
  }
  return value as Offset;
}

/** Checks the name of an aggregate, a projection or a consumer group's part of one. */
export function checkedName(kind: string, text: string): string {
  if (typeof text !== 'string' || !NAME.test(text)) {
    throw badName(kind, text, 'Use 1 to 100 letters, digits, dots, hyphens or underscores.');
  }
  return text;
}

/** The tenant as part of identities: the empty string where there is none. @throws KAPPA_BAD_NAME */
export function tenantPart(tenant: string | null | undefined): string {
  return tenant === null || tenant === undefined ? '' : checkedName('tenant', tenant);
}

export interface StreamIdentity {
  readonly tenant: string | null;
  readonly aggregate: string;
  readonly id: string;
}

/** @throws KAPPA_BAD_NAME for a tenant or aggregate with other characters, an id that is empty, too long or not text. */
export function streamName(identity: StreamIdentity): StreamName {
  return `${tenantPart(identity.tenant)}/${checkedName('aggregate', identity.aggregate)}/${checkedStreamId(identity.id)}` as StreamName;
}

/** The parts of a stream's name; the id may itself contain slashes. */
export function parseStreamName(name: StreamName): StreamIdentity {
  const first = name.indexOf('/');
  const second = name.indexOf('/', first + 1);
  return {
    tenant: first === 0 ? null : name.slice(0, first),
    aggregate: name.slice(first + 1, second),
    id: name.slice(second + 1),
  };
}

/** The record key of a stream's events: the id, or `tenant/id`. The same key means the same partition and the same order. */
export function streamKey(tenant: string | null, id: string): string {
  return tenant === null ? id : `${tenantPart(tenant)}/${id}`;
}

/** Whether a stream can have this id: 1 to 400 bytes of well-formed text. */
export function isStreamId(id: unknown): id is string {
  return isBoundedText(id, MAX_STREAM_ID_BYTES);
}

function checkedStreamId(id: string): string {
  if (!isStreamId(id)) throw badName('stream id', id, `Use 1 to ${MAX_STREAM_ID_BYTES} bytes of well-formed text.`);
  return id;
}

function badName(kind: string, text: unknown, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_NAME', `${JSON.stringify(text)} cannot be a ${kind}`, { facts: { kind, text }, nextStep });
}
