import { setTimeout as pause } from 'node:timers/promises';
import type { TcpProxy } from 'nest-kappa/testing';
import type { Member } from '../run/member.js';
import type { Servers } from '../servers/servers.js';
import type { Strike } from './strike.js';

/** What a strike may touch. */
export interface Struck {
  readonly servers: Servers;
  member(name: string): Member;
  /** Between a process and PostgreSQL. */
  wire(name: string): TcpProxy;
  /** `over`: from now on recovery counts. False: it found nothing to strike. */
  over(strike: Strike, struck: boolean): void;
}

/** What the answer is lost of: an append of a writer, the batch of a projection or a swap. */
const LOSES = { writer: 'kappa append', other: 'commit\0' };

/** Carries a strike out and heals what it did. */
export async function strikeDown(strike: Strike, struck: Struck): Promise<void> {
  const { kind, target, forMs, size } = strike;
  if (kind === 'database-kill') {
    await struck.servers.killDatabase();
    await pause(forMs);
    await struck.servers.restartDatabase();
    struck.over(strike, true);
    return;
  }
  const member = struck.member(target);
  const wire = struck.wire(target);
  if (!member.isRunning) {
    struck.over(strike, false);
    return;
  }
  switch (kind) {
    case 'kill':
      await member.kill();
      struck.over(strike, true);
      await pause(forMs);
      await member.start();
      return;
    case 'zombie':
      member.signal('SIGSTOP');
      await pause(forMs);
      member.signal('SIGCONT');
      break;
    case 'cut':
      wire.cut();
      await pause(forMs);
      wire.heal();
      break;
    case 'lost-answer': {
      const lost = wire.loseAnswerTo(
        target.startsWith('writer') ? LOSES.writer : LOSES.other,
        size === 0 ? 'cut' : 'half-open',
      );
      const sprung = await Promise.race([lost.then(() => true), pause(forMs, false)]);
      // Half-open it stays for as long as it would take to be given up.
      if (sprung && size === 1) await pause(forMs);
      wire.heal();
      wire.cutHalfOpen();
      struck.over(strike, sprung);
      return;
    }
    case 'delay':
      wire.delay(size);
      await pause(forMs);
      wire.heal();
      break;
    case 'half-open':
      wire.halfOpen();
      await pause(forMs);
      wire.cutHalfOpen();
      break;
    case 'rebalances': {
      const gone = member.said('gone');
      member.tell({ do: 'come-and-go', times: size });
      await gone;
      break;
    }
    case 'clock-jump':
      member.tell({ do: 'clock', aheadMs: size });
      await pause(forMs);
      member.tell({ do: 'clock', aheadMs: 0 });
  }
  struck.over(strike, true);
}
