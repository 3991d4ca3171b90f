import { TALLIES } from './tally.js';

export interface Seen {
  readonly rows: readonly { readonly id: string; readonly label: string; readonly sum: number }[];
  /** Of the answer, where it says so. */
  readonly version: number | null;
}

export interface Watched {
  readonly reads: number;
  readonly failed: number;
  readonly mixed: number;
  /** Rows or counts that an earlier answer had and a later one had not. */
  readonly lost: number;
  /** How often another version answered than before. */
  readonly changes: number;
  readonly firstProblem: string | null;
}

/** Reads a whole table again and again and checks every answer: of one version, and never behind the one before. */
export class Watch {
  #reads = 0;
  #failed = 0;
  #mixed = 0;
  #lost = 0;
  #changes = 0;
  #problem: string | null = null;
  #before: { readonly label: string; readonly sums: ReadonlyMap<string, number> } | null = null;

  constructor(private readonly read: () => Promise<Seen>) {}

  get result(): Watched {
    return {
      reads: this.#reads,
      failed: this.#failed,
      mixed: this.#mixed,
      lost: this.#lost,
      changes: this.#changes,
      firstProblem: this.#problem,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#check(await this.read());
      } catch (error) {
        this.#failed += 1;
        this.#problem ??= `failed: ${String(error)}`;
      }
      this.#reads += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #check({ rows, version }: Seen): void {
    const labels = new Set(rows.map(({ label }) => label));
    const label = rows[0]?.label ?? '';
    if (labels.size > 1 || (version !== null && rows.length > 0 && label !== `v${version}`)) {
      this.#mixed += 1;
      this.#problem ??= `mixed: ${[...labels].join(', ')} as version ${version}`;
    }
    const sums = new Map(rows.map(({ id, sum }) => [id, Number(sum)]));
    for (const [id, sum] of this.#before?.sums ?? []) {
      const now = sums.get(id) ?? -1;
      if (now >= sum) continue;
      this.#lost += 1;
      this.#problem ??= `lost: ${id} went from ${sum} (${this.#before?.label}) to ${now} (${label}); ${rows.length} of ${TALLIES} rows`;
    }
    if (this.#before && this.#before.label !== label) this.#changes += 1;
    this.#before = { label, sums };
  }
}
