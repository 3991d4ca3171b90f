import { randomUUID } from 'node:crypto';
import type { TopicName } from '../../kernel/names.js';
import type { GroupSeat, SeatRequest } from '../groups/group-seat.js';
import type { GroupState } from '../groups/plan-assignment.js';

/** Who sits in a group, and which partition numbers each owns. */
export interface SeatedMember {
  readonly member: string;
  readonly topics: readonly TopicName[];
  readonly numbers: readonly number[];
}

interface Group {
  readonly seats: Map<string, MemorySeat>;
  readonly owners: (string | null)[];
}

const NOBODY: Group = { seats: new Map(), owners: [] };

/** The consumer groups of a memory cluster. Members live in this process, so that no lease ever ends. */
export class MemoryGroups {
  readonly #groups = new Map<string, Group>();

  takeSeat(request: SeatRequest): GroupSeat {
    const group = this.#groups.get(request.group) ?? { seats: new Map<string, MemorySeat>(), owners: [] };
    this.#groups.set(request.group, group);
    while (group.owners.length < request.partitions) group.owners.push(null);
    const seat = new MemorySeat(request, group);
    group.seats.set(seat.member, seat);
    publish(group);
    return seat;
  }

  get names(): readonly string[] {
    return [...this.#groups].filter(([, { seats }]) => seats.size > 0).map(([name]) => name);
  }

  members(name: string): readonly SeatedMember[] {
    const { seats, owners } = this.#groups.get(name) ?? NOBODY;
    return [...seats.values()].map(({ member, request }) => ({
      member,
      topics: request.topics,
      numbers: owners.flatMap((owner, number) => (owner === member ? [number] : [])),
    }));
  }
}

class MemorySeat implements GroupSeat {
  readonly member = randomUUID();
  state: GroupState = { members: [], owners: [] };

  constructor(
    readonly request: SeatRequest,
    private readonly group: Group,
  ) {}

  isFresh(): boolean {
    return true;
  }

  async renew(): Promise<void> {}

  claim(numbers: readonly number[]): Promise<void> {
    return this.#own(numbers, null, this.member);
  }

  release(numbers: readonly number[]): Promise<void> {
    return this.#own(numbers, this.member, null);
  }

  async leave(): Promise<void> {
    this.group.seats.delete(this.member);
    await this.release(this.group.owners.map((_, number) => number));
  }

  async #own(numbers: readonly number[], from: string | null, to: string | null): Promise<void> {
    for (const number of numbers) if (this.group.owners[number] === from) this.group.owners[number] = to;
    publish(this.group);
  }
}

function publish(group: Group): void {
  const state: GroupState = { members: [...group.seats.keys()].sort(), owners: [...group.owners] };
  for (const seat of group.seats.values()) {
    seat.state = state;
    seat.request.changed();
  }
}
