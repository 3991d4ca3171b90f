import { describe, expect, it } from 'vitest';
import { commandId } from '../../src/modules/policies/command-id.js';

describe('the id of a command', () => {
  it('is policy, event and command, and a number from the second of one name on', () => {
    expect(commandId('receipts', 'e-1', 'SendReceipt', 1)).toBe('receipts:e-1:SendReceipt');
    expect(commandId('receipts', 'e-1', 'SendReceipt', 2)).toBe('receipts:e-1:SendReceipt:2');
  });

  it.each(['x'.repeat(300), 'a\0b', '\uD800'])('can be made of an event id that no command may have', (eventId) => {
    const id = commandId('receipts', eventId, 'SendReceipt', 1);
    expect(id).toMatch(/^receipts:sha256:[\w-]{43}$/);
    expect(id).not.toBe(commandId('receipts', `${eventId}!`, 'SendReceipt', 1));
  });
});
