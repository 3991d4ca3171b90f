const DAY_S = 86_400;
const TWO_DIGITS = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));

/**
 * {@link isoMicros} for times of one source, which mostly come in order: what is written of a day and of a second is kept. `Date`
 * would be most of the work, 1 µs a time against 0.1.
 */
export class MicrosClock {
  #day = NaN;
  /** `2010-01-01T` */
  #date = '';
  #second = NaN;
  /** `2010-01-01T12:34:56.` */
  #written = '';
  /** The time before, and its text: what is appended together has one. */
  #us = NaN;
  #iso = '';

  iso(timestampUs: number): string {
    if (timestampUs === this.#us) return this.#iso;
    const second = Math.floor(timestampUs / 1_000_000);
    if (second !== this.#second) this.#write(second);
    this.#us = timestampUs;
    return (this.#iso = `${this.#written}${String(timestampUs - second * 1_000_000).padStart(6, '0')}Z`);
  }

  #write(second: number): void {
    this.#second = second;
    const day = Math.floor(second / DAY_S);
    if (day !== this.#day) {
      this.#day = day;
      this.#date = new Date(day * DAY_S * 1_000).toISOString().slice(0, -'00:00:00.000Z'.length);
    }
    const at = second - day * DAY_S;
    const [hours, minutes, seconds] = [Math.floor(at / 3_600), Math.floor(at / 60) % 60, at % 60];
    this.#written = `${this.#date}${TWO_DIGITS[hours]}:${TWO_DIGITS[minutes]}:${TWO_DIGITS[seconds]}.`;
  }
}

const shared = new MicrosClock();

/** Microseconds since 1970 as ISO 8601 in UTC, without losing any. */
export function isoMicros(timestampUs: number): string {
  return shared.iso(timestampUs);
}
