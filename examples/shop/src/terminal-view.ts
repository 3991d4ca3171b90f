import { clearScreenDown, moveCursor } from 'node:readline';
import type { ProjectionOperations, ProjectionStatus } from 'nest-kappa';

export interface TerminalViewOptions {
  readonly url: string | null;
  /** How the command is called from another terminal. */
  readonly command: string;
  readonly output: NodeJS.WriteStream;
  /** Between two pictures. A terminal is redrawn each second; a file gets a line every ten. */
  readonly everyMs: number;
}

/** A calm picture of what goes on: events a second, lag, where to look and what to try next. */
export class TerminalView {
  #timer: NodeJS.Timeout | null = null;
  #lines = 0;
  #before: { readonly records: number; readonly at: number } | null = null;
  #drawing: Promise<void> = Promise.resolve();

  constructor(
    private readonly operations: ProjectionOperations,
    private readonly options: TerminalViewOptions,
  ) {}

  start(): void {
    const draw = (): void => {
      this.#drawing = this.#drawing.then(() => this.#draw()).catch(() => undefined);
    };
    draw();
    this.#timer = setInterval(draw, this.options.everyMs);
  }

  /** Takes the picture away, so that a line can be printed in its place; the next one is drawn below that. */
  clear(): void {
    const { output } = this.options;
    if (this.#lines === 0) return;
    moveCursor(output, 0, -this.#lines);
    clearScreenDown(output);
    this.#lines = 0;
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    await this.#drawing;
  }

  async #draw(): Promise<void> {
    const { output, url, command } = this.options;
    const projections = await this.operations.status();
    const records = recordsOf(projections);
    const now = Date.now();
    const rate = this.#before ? ((records - this.#before.records) * 1_000) / (now - this.#before.at) : 0;
    this.#before = { records, at: now };
    const lag = projections.flatMap(({ builds }) => builds).reduce((sum, build) => sum + (build.active ? build.behind : 0), 0);
    if (!output.isTTY) {
      output.write(`shop: ${rate.toFixed(1)} events/s, lag ${lag}, ${records.toLocaleString('en')} events projected\n`);
      return;
    }
    const lines = [
      '',
      `  ${rate.toFixed(1)} events/s · lag ${lag} · ${records.toLocaleString('en')} events projected`,
      '',
      ...projections.map((each) => `  ${each.name.padEnd(28)}${describe(each)}`),
      '',
      ...(url
        ? [
            `  read    ${url}/api/orders?sort=-placedAt&limit=5`,
            `          ${url}/api/sales_per_product_per_day?sort=-quantity`,
          ]
        : []),
      `  try     ${command} projections list`,
      `          ${command} events tail orders`,
      `          ${command} projections rebuild orders --swap`,
      '  stop    Ctrl-C; the next start goes on with this data',
      '',
    ];
    this.clear();
    // A line that wraps would be two, and the next picture would not cover it. Some terminals tell no width.
    const width = output.columns > 0 ? output.columns - 1 : Infinity;
    output.write(`${lines.map((line) => line.slice(0, width)).join('\n')}\n`);
    this.#lines = lines.length;
  }
}

function describe(projection: ProjectionStatus): string {
  const live = projection.builds.find(({ active }) => active);
  return live
    ? `v${live.build.version} build ${live.build.number} · ${live.build.state}${live.build.error ? ` · stopped: ${live.build.error.code}` : ''}`
    : 'not built yet';
}

/** Records that the live builds have taken in, each partition of a topic counted once. */
function recordsOf(projections: readonly ProjectionStatus[]): number {
  const reached = new Map<string, number>();
  for (const { builds } of projections) {
    for (const { active, progress } of builds) {
      if (active) for (const { topic, partition, nextOffset } of progress) reached.set(`${topic}/${partition}`, nextOffset);
    }
  }
  return [...reached.values()].reduce((sum, next) => sum + next, 0);
}
