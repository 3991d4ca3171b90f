import type { RecordHeaders } from '../../kernel/record.js';

/** What nearly all events have alike. */
const LIKELY = { specVersion: '1.0', eventVersion: '1', contentType: 'application/json' } as const;

/**
 * The headers of an event as its row, which has this key and version, keeps them, a JSON object: without those that the row tells
 * anyway, and without what nearly all events have alike, which is half of their bytes. That `ce_specversion` is missing means that
 * some are left out; where that could not be undone, none are.
 */
export function storedHeaders(headers: RecordHeaders, key: string | null, version: number): string {
  // Names as they stand in HEADER: computed ones would make each an object of another shape.
  const { ce_specversion, ce_id, ce_type, ce_source, ce_subject, ce_time, ce_eventversion, ce_streamversion } = headers;
  const { 'content-type': contentType, ce_correlationid, ce_causationid } = headers;
  const all =
    ce_specversion === LIKELY.specVersion &&
    ce_id &&
    ce_subject &&
    ce_eventversion &&
    ce_streamversion === String(version) &&
    contentType;
  if (!all || (ce_correlationid !== undefined && ce_causationid === undefined)) return JSON.stringify(headers);
  const stored: Record<string, string | undefined> = {
    ce_specversion: undefined,
    ce_id,
    ce_type,
    ce_source,
    ce_subject: ce_subject === key ? undefined : ce_subject,
    ce_time,
    ce_eventversion: ce_eventversion === LIKELY.eventVersion ? undefined : ce_eventversion,
    ce_streamversion: undefined,
    'content-type': contentType === LIKELY.contentType ? undefined : contentType,
    ce_correlationid,
    ce_causationid: ce_causationid === ce_correlationid ? undefined : ce_causationid,
  };
  for (const name in headers) if (!Object.hasOwn(stored, name)) stored[name] = headers[name];
  return JSON.stringify(stored);
}

/** All headers of a record whose row has this key and, where it is an aggregate's event, this version in its stream. */
export function recordHeaders(stored: string, key: string | null, version: number | null): RecordHeaders {
  const headers = JSON.parse(stored) as Record<string, string>;
  if (version === null || headers['ce_specversion'] !== undefined) return headers;
  headers['ce_specversion'] = LIKELY.specVersion;
  if (key !== null) headers['ce_subject'] ??= key;
  headers['ce_eventversion'] ??= LIKELY.eventVersion;
  headers['ce_streamversion'] = String(version);
  headers['content-type'] ??= LIKELY.contentType;
  const correlation = headers['ce_correlationid'];
  if (correlation !== undefined) headers['ce_causationid'] ??= correlation;
  return headers;
}
