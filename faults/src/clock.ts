/** The machine's time in milliseconds, which no jump of a process's own clock changes: all processes of a run share it. */
export function machineTime(): number {
  return performance.timeOrigin + performance.now();
}

const RealDate = Date;
let aheadMs = 0;

/** `Date` with another idea of now; all else, `instanceof` included, is the real one's. */
const JumpingDate = new Proxy(RealDate, {
  construct: (target, given: unknown[], made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
});

/** From now on `Date` in this process is so much ahead, or behind: what becomes of a clock that is set while work goes on. */
export function setClock(ms: number): void {
  aheadMs = ms;
  globalThis.Date = JumpingDate;
}

function now(): number {
  return RealDate.now() + aheadMs;
}
