/** UTF-8 takes up to three bytes for what a string counts as one. */
export const MOST_BYTES_PER_UNIT = 3;

/**
 * 1 to `maxBytes` bytes of text that every log keeps as it is: PostgreSQL cannot store a NUL as text, and a lone surrogate would
 * change on its way through UTF-8.
 */
export function isBoundedText(value: unknown, maxBytes: number): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= maxBytes &&
    !value.includes('\0') &&
    value.isWellFormed() &&
    (value.length * MOST_BYTES_PER_UNIT <= maxBytes || Buffer.byteLength(value) <= maxBytes)
  );
}
