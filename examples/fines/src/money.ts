const MONEY = /^(\d{1,10})(?:\.(\d{1,2}))?$/;

/** What a command's amount must look like: whole euros, or with one or two decimals. */
export const MONEY_PATTERN = MONEY;

/** `'31.3'` → `3130n`. Money is never a float: 0.1 + 0.2 is not 0.3 there. */
export function cents(amount: string): bigint {
  const negative = amount.startsWith('-');
  const match = MONEY.exec(negative ? amount.slice(1) : amount);
  if (!match) throw new Error(`${JSON.stringify(amount)} is no amount of money`);
  const value = BigInt(match[1] ?? '0') * 100n + BigInt((match[2] ?? '').padEnd(2, '0'));
  return negative ? -value : value;
}

/** `3130n` → `'31.30'` */
export function money(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(3, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

export function plus(a: string, b: string): string {
  return money(cents(a) + cents(b));
}
