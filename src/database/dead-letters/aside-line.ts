import { HEADER } from '../../kernel/envelope.js';
import type { LogRecord } from '../../kernel/record.js';
import { placeOf, placeText } from './dead-letter.js';

/** What is logged of an event that was set aside. `by`: whose it is. */
export function asideLine(by: string, record: LogRecord, attempts: number, reason: { readonly message: string }): string {
  const what = record.headers[HEADER.type] ?? 'no type';
  const why = /[.!?]$/.test(reason.message) ? reason.message : `${reason.message}.`;
  return `${by} set ${placeText(placeOf(record))} aside (${what}), tried ${attempts} times: ${why} Events of its key wait behind it; see \`npx nest-kappa dead-letters list\`.`;
}
