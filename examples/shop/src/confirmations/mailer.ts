import { Injectable } from '@nestjs/common';

export interface Mail {
  /** The same id is one mail, however often it is handed over: providers know this as an idempotency key. */
  readonly id: string;
  readonly orderId: string;
  readonly subject: string;
}

/** Stands for a mail provider: takes each id once, and remembers the last thousand. */
@Injectable()
export class Mailer {
  readonly #taken = new Set<string>();

  async send({ id }: Mail): Promise<void> {
    this.#taken.add(id);
    const [oldest] = this.#taken;
    if (this.#taken.size > 1_000 && oldest !== undefined) this.#taken.delete(oldest);
  }
}
