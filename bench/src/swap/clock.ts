/** Milliseconds of a clock that all processes of the machine share and that never goes back. */
export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
