const ISO_8601 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-](\d{2}):(\d{2}))$/;

/** True for a real date and time in ISO 8601 with an offset. Date accepts 30 February as 2 March: the fields are checked one by one. */
export function isIsoTime(text: unknown): boolean {
  const match = typeof text === 'string' ? ISO_8601.exec(text) : null;
  if (!match) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const lastDay = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  return (
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= lastDay &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59 &&
    offsetHour <= 23 &&
    offsetMinute <= 59
  );
}

const written = { ms: NaN, text: '' };

/** As `toISOString`, of a time that is often the same as the one before: within a millisecond many commands are decided. */
export function isoMillis(time: Date): string {
  const ms = time.getTime();
  if (ms !== written.ms) {
    written.text = time.toISOString();
    written.ms = ms;
  }
  return written.text;
}
