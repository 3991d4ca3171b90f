import { UnknownOutcomeError } from '../kernel/errors.js';
import type { NewRecord } from '../kernel/record.js';
import type { LogSession, PartitionWriter } from './event-log.js';

/** A partition's writer for logs whose sessions cost no more than a write: each write is a transaction. */
export function sessionWriter(session: LogSession): PartitionWriter {
  return {
    write: async (records: readonly NewRecord[]) => {
      const transaction = session.begin();
      transaction.append(records);
      const result = await transaction.commit();
      if (result.outcome === 'aborted') throw result.cause;
      if (result.outcome === 'unknown')
        throw new UnknownOutcomeError('it is not known whether the records were written', { cause: result.cause });
    },
    close: () => session.close(),
  };
}
