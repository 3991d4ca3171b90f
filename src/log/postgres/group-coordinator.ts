import { randomUUID } from 'node:crypto';
import { textArray } from '../../database/binary-arrays.js';
import { asRetriable } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import type { GroupSeat, SeatRequest } from '../groups/group-seat.js';
import { untilTogether } from '../../kernel/timing.js';
import type { GroupState } from '../groups/plan-assignment.js';

export interface GroupTimes {
  /** A member that is not heard of for so long loses its partitions. */
  readonly sessionTimeoutMs: number;
  /** How often the groups of this process are looked at. */
  readonly heartbeatMs: number;
}

const TAKE_SEAT = `
  with gone as (
    delete from group_members where group_name = $1 and lease_until < clock_timestamp() - $4 * interval '1 ms'
  ), member as (
    insert into group_members (group_name, member, partitions, topics, lease_until)
    values ($1, $2, $3, $5, clock_timestamp() + $4 * interval '1 ms')
    on conflict (group_name, member) do update set partitions = excluded.partitions, lease_until = excluded.lease_until
  )
  insert into group_partitions (group_name, partition)
  select $1, n from generate_series(0, $3 - 1) n
  on conflict do nothing`;

const CLAIM = `
  update group_partitions p set owner = $2
  where p.group_name = $1 and p.partition = any ($3)
    and not exists (
      select 1 from group_members m
      where m.group_name = $1 and m.member = p.owner and m.lease_until > clock_timestamp()
    )`;

const RELEASE = 'update group_partitions set owner = null where group_name = $1 and owner = $2 and partition = any ($3)';

const LEAVE = `
  with freed as (
    update group_partitions set owner = null where group_name = $1 and owner = $2
  )
  delete from group_members where group_name = $1 and member = $2`;

/** What was owned by a group that has shrunk to fewer partitions is left out: nobody would read it. */
const STATES = `
  select g.name,
         (
           select string_agg(',' || m.member::text, '' order by m.member::text) from group_members m
           where m.group_name = g.name and m.lease_until > clock_timestamp()
         ) as members,
         (
           select string_agg(',' || coalesce(p.owner::text, ''), '' order by p.partition) from group_partitions p
           where p.group_name = g.name
             and p.partition < (
               select max(m.partitions) from group_members m
               where m.group_name = g.name and m.lease_until > clock_timestamp()
             )
         ) as owners
  from unnest($1::text[]) as g (name)`;

/** Renews leases as well; shown are those before. */
const RENEW_AND_LOOK = `
  with renewed as (
    update group_members set lease_until = clock_timestamp() + $3 * interval '1 ms'
    where member = any ($2::text[]::uuid[])
  )${STATES}`;

const NOBODY: GroupState = { members: [], owners: [] };

/** At rest a renewal each quarter of the session timeout leaves room for some that fail: after one the groups are not at rest. */
const RENEWALS_PER_SESSION = 4;
/** A look renews what is half as old as that: each look at rest does, also one that comes early. */
const DUE = 1 / (2 * RENEWALS_PER_SESSION);
/** After so many heartbeats without a change the groups are at rest, and looked at when a renewal is due, */
const BEATS_TO_REST = 15;
/** but no less often than with every third. */
const BEATS_OF_REST = 3;

/**
 * The groups that this process has members in: one query looks at all of them, on a timer that the caller's work does not
 * block. What one member of this process changes, the others learn at once; other processes within a heartbeat, or some of them at
 * rest.
 */
export class GroupCoordinator {
  readonly #seats = new Set<Seat>();
  #queue: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #isBeating = false;
  #changedAt = performance.now();

  constructor(
    private readonly database: Database,
    private readonly times: GroupTimes,
  ) {}

  async takeSeat(request: SeatRequest): Promise<GroupSeat> {
    const seat = new Seat(request, this);
    try {
      await this.change(seat, TAKE_SEAT, this.#seatValues(seat), () => this.#seats.add(seat));
    } catch (error) {
      // It may stand in the table: who asked has no seat, so nobody may renew it.
      this.#seats.delete(seat);
      throw error;
    }
    this.#beatLater();
    return seat;
  }

  /** Changes the group, then looks at all groups again. One after the other, so that no look is older than a change. */
  change(seat: Seat, statement: string, values: readonly unknown[], done: () => void = () => undefined): Promise<void> {
    return this.#exclusively(async () => {
      const at = performance.now();
      await this.database.query(statement, values);
      done();
      if (statement === TAKE_SEAT) seat.renewedAt = at;
      await this.#look();
    });
  }

  renew(seat: Seat): Promise<void> {
    return this.change(seat, TAKE_SEAT, this.#seatValues(seat));
  }

  claim(seat: Seat, numbers: readonly number[]): Promise<void> {
    return this.change(seat, CLAIM, [seat.request.group, seat.member, numbers]);
  }

  release(seat: Seat, numbers: readonly number[]): Promise<void> {
    return this.change(seat, RELEASE, [seat.request.group, seat.member, numbers]);
  }

  leave(seat: Seat): Promise<void> {
    return this.change(seat, LEAVE, [seat.request.group, seat.member], () => this.#seats.delete(seat));
  }

  isFresh(seat: Seat): boolean {
    return performance.now() - seat.renewedAt < this.times.sessionTimeoutMs;
  }

  /** Ends the heartbeat; leases that are still held end by themselves. */
  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#seats.clear();
  }

  #seatValues({ member, request: { group, partitions, topics } }: Seat): readonly unknown[] {
    return [group, member, partitions, this.times.sessionTimeoutMs, topics];
  }

  #beatLater(): void {
    if (this.#timer || this.#isBeating || this.#seats.size === 0) return;
    this.#timer = setTimeout(() => void this.#beat(), this.#intervalMs);
    this.#timer.unref();
  }

  /** What has changed goes on to change: the next look is not that of groups at rest. */
  #stir(): void {
    this.#changedAt = performance.now();
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#beatLater();
  }

  get #intervalMs(): number {
    const { heartbeatMs, sessionTimeoutMs } = this.times;
    if (performance.now() - this.#changedAt < heartbeatMs * BEATS_TO_REST) return heartbeatMs;
    return Math.max(heartbeatMs, untilTogether(Math.min(heartbeatMs * BEATS_OF_REST, sessionTimeoutMs / RENEWALS_PER_SESSION)));
  }

  async #beat(): Promise<void> {
    this.#timer = null;
    this.#isBeating = true;
    try {
      await this.#exclusively(() => this.#renewAndLook());
    } catch {
      // The database is away. Members learn it from their own reads, and lose their seats when it stays away.
      this.#changedAt = performance.now();
    }
    this.#isBeating = false;
    this.#beatLater();
  }

  async #renewAndLook(): Promise<void> {
    const at = performance.now();
    const due = [...this.#seats].filter(
      (seat) => at - seat.renewedAt >= this.times.sessionTimeoutMs * DUE && seat.request.isPolling(),
    );
    await this.#look(due);
    for (const seat of due) seat.renewedAt = at;
  }

  /** Renews these seats on the way. */
  async #look(due: readonly Seat[] = []): Promise<void> {
    const groups = [...new Set([...this.#seats].map(({ request }) => request.group))];
    if (groups.length === 0) return;
    const members = due.map(({ member }) => member);
    const rows = await this.database.texts(
      members.length === 0
        ? { name: 'kappa_group_states', text: STATES, values: [textArray(groups)] }
        : {
            name: 'kappa_group_renew',
            text: RENEW_AND_LOOK,
            values: [textArray(groups), textArray(members), String(this.times.sessionTimeoutMs)],
          },
    );
    const states = new Map(
      rows.map(([name, members, owners]) => [
        name,
        { members: listed(members), owners: listed(owners).map((owner) => owner || null) },
      ]),
    );
    let changed = false;
    for (const seat of this.#seats) changed = seat.see(states.get(seat.request.group) ?? NOBODY) || changed;
    if (changed) this.#stir();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    try {
      await done;
    } catch (error) {
      throw asRetriable(error, 'the change of a consumer group');
    }
  }
}

/** A member's place as rows: its lease, and the partition numbers that name it as owner. */
class Seat implements GroupSeat {
  readonly member = randomUUID();
  state: GroupState = NOBODY;
  renewedAt = -Infinity;

  constructor(
    readonly request: SeatRequest,
    private readonly coordinator: GroupCoordinator,
  ) {}

  isFresh(): boolean {
    return this.coordinator.isFresh(this);
  }

  renew(): Promise<void> {
    return this.coordinator.renew(this);
  }

  claim(numbers: readonly number[]): Promise<void> {
    return this.coordinator.claim(this, numbers);
  }

  release(numbers: readonly number[]): Promise<void> {
    return this.coordinator.release(this, numbers);
  }

  leave(): Promise<void> {
    return this.coordinator.leave(this);
  }

  /** True when that was news. */
  see(state: GroupState): boolean {
    if (isSame(state, this.state)) return false;
    this.state = state;
    this.request.changed();
    return true;
  }
}

/** What the look lists, each after a comma: an owner may be an empty text. */
function listed(text: string | null | undefined): readonly string[] {
  return text ? text.slice(1).split(',') : [];
}

function isSame(a: GroupState, b: GroupState): boolean {
  const same = (left: readonly (string | null)[], right: readonly (string | null)[]) =>
    left.length === right.length && left.every((item, index) => item === right[index]);
  return same(a.members, b.members) && same(a.owners, b.owners);
}
