import { createHash } from 'node:crypto';

/** Command ids are 1 to 255 bytes of well-formed text. */
const MAX_ID_BYTES = 255;

/**
 * The id of a command that a policy makes of an event: policy, event and command's name, and a number from the second command
 * of one name on. Whoever handles the event again, after a kill or beside a slow owner, gives the same id, and the command
 * takes effect once. The name stands in it so that a command which is only sometimes there moves no other's number.
 */
export function commandId(policy: string, eventId: string, commandName: string, number: number): string {
  const id = `${policy}:${eventId}:${commandName}${number > 1 ? `:${number}` : ''}`;
  if (Buffer.byteLength(id) <= MAX_ID_BYTES && id.isWellFormed() && !id.includes('\0')) return id;
  // Ids of events that others wrote may be of any length.
  return `${policy}:sha256:${createHash('sha256').update(id).digest('base64url')}`;
}
