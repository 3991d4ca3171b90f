import { setTimeout as pause } from 'node:timers/promises';
import type { TcpProxy } from 'nest-kappa/testing';
import { machineTime } from '../clock.js';
import type { Member } from '../run/member.js';
import type { Servers } from '../servers/servers.js';
import { BROKERS, WRITERS } from './schedule.js';
import type { Strike } from './strike.js';

/** What a strike may touch. */
export interface Struck {
  readonly servers: Servers;
  member(name: string): Member;
  /** Between a process and PostgreSQL, or between all processes and a broker. */
  wire(name: string): TcpProxy;
  /** The process is started anew; no other strike meets it before it works. */
  comesAgain(ready: Promise<void>): void;
  /** From now on recovery counts. False: it found nothing to strike. */
  over(strike: Strike, struck: boolean): void;
}

/** How a process speaks to PostgreSQL when it begins to change something, and when it ends that. */
function wordsOf(target: string): { readonly begins: string; readonly ends: string } {
  const isWriter = WRITERS.some((name) => name === target);
  // An append is one call: its statements are prepared under names that begin so.
  return isWriter ? { begins: 'kappa append', ends: 'kappa append' } : { begins: 'begin\0', ends: 'commit\0' };
}

/** Kafka's numbers of the requests that change something; most of those that are sent here are the first. */
const CHANGING = {
  produce: 0,
  joinGroup: 11,
  syncGroup: 14,
  initProducerId: 22,
  addPartitionsToTransaction: 24,
  endTransaction: 26,
} as const;

const AT_WORK_WITHIN_MS = 700;

/** Carries a strike out and heals what it did. */
export async function strikeDown(strike: Strike, struck: Struck): Promise<void> {
  struck.over(strike, await carriedOut(strike, struck));
}

/** Resolves when the strike is over; false when it found nothing to strike. */
async function carriedOut(strike: Strike, struck: Struck): Promise<boolean> {
  const { kind, target, forMs, size } = strike;
  switch (kind) {
    case 'database-kill':
      await struck.servers.killDatabase();
      await pause(forMs);
      await struck.servers.restartDatabase();
      return true;
    case 'broker-kill': {
      const broker = BROKERS.findIndex((name) => name === target);
      await struck.servers.kafka?.kill(broker);
      await pause(forMs);
      await struck.servers.kafka?.restart(broker);
      return true;
    }
    case 'cut':
    case 'broker-cut':
      return withWire(struck.wire(target), forMs, (wire) => wire.cut());
    case 'delay':
    case 'broker-delay':
      return withWire(struck.wire(target), forMs, (wire) => wire.delay(size));
    case 'stall':
      return withWire(struck.wire(target), forMs, (wire) => void wire.holdFrom(wordsOf(target).begins));
    case 'broker-stall':
      return withWire(struck.wire(target), forMs, (wire) => wire.hold());
    case 'half-open':
    case 'broker-half-open':
      return withWire(struck.wire(target), forMs, (wire) => wire.halfOpen());
    case 'lost-answer':
      return loseAnswer(strike, struck.wire(target));
    case 'broker-lost-answer':
      return loseBrokersAnswers(strike, struck.wire(target));
    case 'kill':
    case 'zombie':
    case 'rebalances':
    case 'clock-jump':
      return struck.member(target).isRunning && strikeMember(strike, struck.member(target), struck);
  }
}

async function strikeMember({ kind, target, forMs, size }: Strike, member: Member, struck: Struck): Promise<boolean> {
  switch (kind) {
    case 'kill':
      await member.kill();
      struck.comesAgain(pause(forMs).then(() => member.start()));
      return true;
    case 'zombie':
      // In the middle of something: what it is about to do arrives when it goes on, perhaps after others took over from it.
      await Promise.race([struck.wire(target).holdFrom(wordsOf(target).begins), pause(AT_WORK_WITHIN_MS)]);
      struck.wire(target).hold();
      member.signal('SIGSTOP');
      await pause(forMs);
      member.signal('SIGCONT');
      struck.wire(target).heal();
      return true;
    case 'rebalances': {
      const gone = member.said('gone');
      member.tell({ do: 'come-and-go', times: size });
      await gone;
      return true;
    }
    default:
      member.tell({ do: 'clock', aheadMs: size });
      await pause(forMs);
      member.tell({ do: 'clock', aheadMs: 0 });
      return true;
  }
}

async function withWire(wire: TcpProxy, forMs: number, strike: (wire: TcpProxy) => void): Promise<true> {
  strike(wire);
  await pause(forMs);
  wire.heal();
  wire.cutHalfOpen();
  return true;
}

async function loseAnswer({ target, forMs, size }: Strike, wire: TcpProxy): Promise<boolean> {
  const lost = wire.loseAnswerTo(wordsOf(target).ends, size === 0 ? 'cut' : 'half-open');
  const sprung = await Promise.race([lost.then(() => true), pause(forMs, false)]);
  // Half-open it stays for as long as it would take to be given up.
  if (sprung && size === 1) await pause(forMs);
  wire.heal();
  wire.cutHalfOpen();
  return sprung;
}

/** So many answers as its size says, one after the other: what is sent again for want of one may meet the same. */
async function loseBrokersAnswers({ forMs, size }: Strike, wire: TcpProxy): Promise<boolean> {
  const until = machineTime() + forMs;
  const faults = size === 0 ? (['half-open'] as const) : (['cut', 'halved', 'cut'] as const).slice(0, size);
  let lost = 0;
  for (const fault of faults) {
    const sprung = wire.loseKafkaAnswerTo(Object.values(CHANGING), fault).then(() => true);
    if (!(await Promise.race([sprung, pause(until - machineTime(), false)]))) break;
    lost += 1;
  }
  // Half-open it stays for as long as it would take to be given up.
  if (lost > 0 && size === 0) await pause(forMs);
  wire.heal();
  wire.cutHalfOpen();
  return lost > 0;
}
