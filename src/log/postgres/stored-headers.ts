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
  // Written by hand: as an object for JSON.stringify it took twice as long, more than all else that is written of an event.
  let text = `{"ce_id":${quoted(ce_id)}`;
  if (ce_type !== undefined) text += `,"ce_type":${quoted(ce_type)}`;
  if (ce_source !== undefined) text += `,"ce_source":${quoted(ce_source)}`;
  if (ce_subject !== key) text += `,"ce_subject":${quoted(ce_subject)}`;
  if (ce_time !== undefined) text += `,"ce_time":${quoted(ce_time)}`;
  if (ce_eventversion !== LIKELY.eventVersion) text += `,"ce_eventversion":${quoted(ce_eventversion)}`;
  if (contentType !== LIKELY.contentType) text += `,"content-type":${quoted(contentType)}`;
  if (ce_correlationid !== undefined) text += `,"ce_correlationid":${quoted(ce_correlationid)}`;
  if (ce_causationid !== undefined && ce_causationid !== ce_correlationid)
    text += `,"ce_causationid":${quoted(ce_causationid)}`;
  return `${text}${others(headers)}}`;
}

const WITH_NAMES_OF_THEIR_OWN: ReadonlySet<string> = new Set([
  'ce_specversion',
  'ce_id',
  'ce_type',
  'ce_source',
  'ce_subject',
  'ce_time',
  'ce_eventversion',
  'ce_streamversion',
  'content-type',
  'ce_correlationid',
  'ce_causationid',
]);

/** Of tenants, of traces, of codecs: most events have none. */
function others(headers: RecordHeaders): string {
  let text = '';
  for (const name in headers) if (!WITH_NAMES_OF_THEIR_OWN.has(name)) text += `,${quoted(name)}:${quoted(headers[name] ?? '')}`;
  return text;
}

/** ASCII without controls, quotes and backslashes. */
const AS_IT_IS = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return AS_IT_IS.test(text) ? `"${text}"` : JSON.stringify(text);
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
