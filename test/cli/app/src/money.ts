export const fromCents = (cents: number): string => (cents / 100).toFixed(2);
