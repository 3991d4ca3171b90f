import { KappaError } from './errors.js';
import type { RecordHeaders } from './record.js';

/** An encoded payload: bytes, and the headers that say how to read them. */
export interface EncodedPayload {
  readonly value: Uint8Array;
  readonly headers: RecordHeaders;
}

/** Whose payload is encoded: what a codec needs to choose a key by (an erasable person's, a tenant's). */
export interface CodecContext {
  readonly tenant: string | null;
  readonly type: string;
  readonly streamId: string;
}

/**
 * Turns payloads into bytes and back. A codec that encrypts names its key in a header (`kappa-key-id`); destroying that key
 * then erases the payload without rewriting the log. Both directions are synchronous: keys are fetched beforehand.
 */
export interface Codec {
  encode(data: unknown, context: CodecContext): EncodedPayload;
  /** @throws KAPPA_UNDECODABLE */
  decode(value: Uint8Array, headers: RecordHeaders): unknown;
}

const JSON_HEADERS: RecordHeaders = Object.freeze({ 'content-type': 'application/json' });

/** JSON in UTF-8: the default, readable by any Kafka client. */
export const jsonCodec: Codec = {
  encode: (data) => ({ value: Buffer.from(JSON.stringify(data), 'utf8'), headers: JSON_HEADERS }),
  decode: (value) => {
    const text = (Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)).toString();
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new KappaError('KAPPA_UNDECODABLE', 'the payload is not JSON', {
        facts: { begins: text.slice(0, 40), bytes: value.byteLength },
        nextStep: 'Look at the record with `npx nest-kappa events read`, and at who wrote it.',
        cause: error,
      });
    }
  },
};
