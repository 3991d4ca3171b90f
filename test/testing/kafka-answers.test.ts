import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KafkaAnswers, type KafkaTrap, type LostKafkaAnswer } from '../../src/testing/kafka-answers.js';

const PRODUCE = 0;
const FETCH = 1;

function frame(head: readonly (readonly [bytes: 2 | 4, value: number])[], bodyBytes: number): Buffer {
  const parts = head.map(([bytes, value]) => {
    const part = Buffer.alloc(bytes);
    part.writeIntBE(value, 0, bytes);
    return part;
  });
  const content = Buffer.concat([...parts, Buffer.alloc(bodyBytes, 7)]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length);
  return Buffer.concat([length, content]);
}
const request = (kind: number, number: number, bodyBytes = 20): Buffer =>
  frame(
    [
      [2, kind],
      [2, 9],
      [4, number],
    ],
    bodyBytes,
  );
const answer = (number: number, bodyBytes = 20): Buffer => frame([[4, number]], bodyBytes);

/** A connection with a trap for Produce, and what of the answers comes to the client. */
function connection(fault: LostKafkaAnswer) {
  const answers = new KafkaAnswers();
  let trap: KafkaTrap | null = { requests: new Set([PRODUCE]), fault, sprung: () => undefined };
  const come: Buffer[] = [];
  let isLost = false;
  return {
    ask(piece: Buffer): void {
      answers.asked(piece, (kind) => {
        const taken = trap?.requests.has(kind) ? trap : null;
        if (taken) trap = null;
        return taken;
      });
    },
    answer(piece: Buffer): void {
      if (isLost) return;
      const lost = answers.answered(piece);
      isLost = lost !== null;
      come.push(lost ? piece.subarray(0, lost.passes) : piece);
    },
    forget: () => answers.forget(),
    get come(): Buffer {
      return Buffer.concat(come);
    },
    get isLost(): boolean {
      return isLost;
    },
  };
}

function cutUp(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % bytes.length))].sort((a, b) => a - b);
  return [0, ...places]
    .map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
    .filter(({ length }) => length > 0);
}

describe('the answer to a request of Kafka', () => {
  it('is lost, and none before it, in whatever pieces both come', () => {
    const places = fc.array(fc.nat(1_000), { maxLength: 12 });
    fc.assert(
      fc.property(places, places, (cutsOfRequests, cutsOfAnswers) => {
        const wire = connection('cut');
        const asked = Buffer.concat([
          request(FETCH, 1, 0),
          request(FETCH, 2, 300),
          request(PRODUCE, 3, 100),
          request(PRODUCE, 4),
        ]);
        for (const piece of cutUp(asked, cutsOfRequests)) wire.ask(piece);
        const before = Buffer.concat([answer(1, 0), answer(2, 200)]);
        for (const piece of cutUp(Buffer.concat([before, answer(3, 50), answer(4)]), cutsOfAnswers)) wire.answer(piece);
        expect(wire.isLost).toBe(true);
        // Of its eight bytes of head some may have come in a piece of their own.
        expect(wire.come.length - before.length).toBeGreaterThanOrEqual(0);
        expect(wire.come.length - before.length).toBeLessThan(8);
      }),
    );
  });

  it('comes in half where that is wanted', () => {
    const wire = connection('halved');
    wire.ask(request(PRODUCE, 1));
    wire.answer(Buffer.concat([answer(1, 92), answer(2)]));
    expect(wire.come).toEqual(answer(1, 92).subarray(0, 50));
  });

  it('comes when its kind is not meant, and when the trap is forgotten', () => {
    const wire = connection('cut');
    wire.ask(request(FETCH, 1));
    wire.answer(answer(1));
    wire.ask(request(PRODUCE, 2));
    wire.forget();
    wire.answer(answer(2));
    expect(wire.come).toEqual(Buffer.concat([answer(1), answer(2)]));
  });
});
