import { Health, type LiveReport, type ReadyReport } from './health.js';

/** The health of one Nest application: injected before there is anything to ask, and not ready until then. */
export class ConnectedHealth extends Health {
  #health: Health | null = null;

  /** From now on the started application answers. */
  connect(health: Health): void {
    this.#health = health;
  }

  live(): LiveReport {
    return this.#health?.live() ?? { live: true, eventLoopDelayMs: 0, reasons: [] };
  }

  async ready(): Promise<ReadyReport> {
    return this.#health?.ready() ?? { ready: false, reasons: ['it has not started yet'] };
  }
}
