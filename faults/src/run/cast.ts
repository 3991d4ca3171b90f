import { TcpProxy } from 'nest-kappa/testing';
import type { Servers } from '../servers/servers.js';
import { BROKERS, OPERATOR, REPLICAS, VISITOR, WRITERS } from '../strikes/schedule.js';
import { Member } from './member.js';

const ROLES: readonly (readonly [name: string, role: string])[] = [
  ...WRITERS.map((name) => [name, 'writer'] as const),
  ...REPLICAS.map((name) => [name, 'replica'] as const),
  [OPERATOR, 'operator'],
  [VISITOR, 'visitor'],
];

/** The processes of a run, each with a wire of its own to PostgreSQL. */
export class Cast {
  readonly #abandon = (): void => {
    for (const member of this.members.values()) member.abandon();
  };

  private constructor(
    readonly servers: Servers,
    private readonly members: ReadonlyMap<string, Member>,
    private readonly wires: ReadonlyMap<string, TcpProxy>,
  ) {}

  static async assemble(seed: number, folder: string, servers: Servers, problem: (text: string) => void): Promise<Cast> {
    const members = new Map<string, Member>();
    const wires = new Map<string, TcpProxy>();
    for (const [name, role] of ROLES) {
      const wire = await TcpProxy.start(servers.databaseUrl);
      wires.set(name, wire);
      const part = { seed, folder, databaseUrl: wire.url, brokers: servers.kafka?.brokers ?? [] };
      members.set(name, new Member(name, role, { part, problem }));
    }
    return new Cast(servers, members, wires);
  }

  async start(): Promise<void> {
    // A stopped process does not notice that the run is gone.
    process.once('exit', this.#abandon);
    await Promise.all([...this.members.values()].map((member) => member.start()));
  }

  member(name: string): Member {
    const member = this.members.get(name);
    if (!member) throw new RangeError(`nobody is called ${name}`);
    return member;
  }

  wire(name: string): TcpProxy {
    const broker = BROKERS.findIndex((each) => each === name);
    const wire = broker < 0 ? this.wires.get(name) : this.servers.kafka?.wire(broker);
    if (!wire) throw new RangeError(`no wire leads to ${name}`);
    return wire;
  }

  /** Whoever is still there is killed. */
  async dismiss(): Promise<void> {
    await Promise.all([...this.members.values()].map((member) => member.kill()));
    process.off('exit', this.#abandon);
    await Promise.all([...this.wires.values()].map((wire) => wire.stop()));
  }
}
