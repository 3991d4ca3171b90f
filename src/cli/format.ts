const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,204` */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** `812 kB`; powers of 1,024. */
export function bytes(value: number | null): string {
  if (value === null) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let rest = value;
  let unit = 0;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? count(rest) : rest.toFixed(1)} ${units[unit]}`;
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 2 h` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return joined(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return joined(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  return joined(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h');
}

/** `1 build`, `2 builds`, `2 policies` */
export function plural(value: number, noun: string, many = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
