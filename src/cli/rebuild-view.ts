import cliProgress from 'cli-progress';
import type { RebuildProgress } from '../modules/projections/operations.js';
import { count, duration } from './format.js';
import type { Output } from './output.js';

/** Shows the steps of a rebuild as they come. */
export interface RebuildView {
  show(step: RebuildProgress): Promise<void>;
  /** Leaves the terminal as it was found. May be called twice. */
  end(): void;
}

/** Objects a line with `--json`, bars on a terminal, else a line whenever a phase begins. */
export function rebuildView(out: Output): RebuildView {
  if (out.json) return { show: (step) => out.line(step, () => ''), end: () => undefined };
  return out.interactive ? new Bars(out) : new Lines(out);
}

class Lines implements RebuildView {
  readonly #phases = new Map<string, string>();

  constructor(private readonly out: Output) {}

  async show(step: RebuildProgress): Promise<void> {
    const label = labelOf(step);
    if (this.#phases.get(label) === step.phase) return;
    this.#phases.set(label, step.phase);
    this.out.note(`${label}  ${step.phase}  ${count(step.events)} of ${count(step.eventsTotal)} events`);
    return Promise.resolve();
  }

  end(): void {
    this.#phases.clear();
  }
}

class Bars implements RebuildView {
  readonly #bars: cliProgress.MultiBar;
  readonly #lines = new Map<string, cliProgress.SingleBar>();

  constructor(out: Output) {
    const { color } = out;
    this.#bars = new cliProgress.MultiBar(
      {
        format: `{label}  ${color.cyan('{bar}')}  {percentage}%  {phase}  {events} events  {rate}/s  {left}`,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        barsize: 24,
        hideCursor: true,
        clearOnComplete: false,
        stopOnComplete: false,
        // Ctrl-C is ours: the work ends first, then the bars.
        gracefulExit: false,
        stream: process.stderr,
      },
      cliProgress.Presets.shades_classic,
    );
  }

  async show(step: RebuildProgress): Promise<void> {
    const label = labelOf(step);
    const bar = this.#lines.get(label) ?? this.#bars.create(1, 0, payloadOf(step));
    this.#lines.set(label, bar);
    const total = Math.max(step.eventsTotal, step.events, 1);
    bar.setTotal(total);
    bar.update(isDone(step) ? total : step.events, payloadOf(step));
    return Promise.resolve();
  }

  end(): void {
    this.#bars.stop();
  }
}

function payloadOf(step: RebuildProgress): Record<string, string> {
  return {
    label: labelOf(step),
    phase: step.phase,
    events: count(step.events),
    rate: count(step.eventsPerSecond),
    left: leftText(step),
  };
}

function leftText(step: RebuildProgress): string {
  if (step.error !== null) return step.error;
  return isDone(step) || step.secondsLeft === null ? '' : `${duration(step.secondsLeft)} left`;
}

function isDone(step: RebuildProgress): boolean {
  return step.phase === 'ready' || step.phase === 'swapped';
}

function labelOf(step: RebuildProgress): string {
  return `${step.projection} v${step.version} build ${step.number}`;
}
