import { ConsoleLogger } from '@nestjs/common';

/** Warnings and errors of all, and what nest-kappa has to say; printed above the picture on the terminal, never into it. */
export class ShopLogger extends ConsoleLogger {
  /** Called before a line is printed. */
  beforeLine: () => void = () => undefined;

  constructor() {
    super({ logLevels: ['log', 'warn', 'error'] });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    if (rest.at(-1) === 'Kappa') super.log(message, ...rest);
  }

  protected override printMessages(...line: Parameters<ConsoleLogger['printMessages']>): void {
    this.beforeLine();
    super.printMessages(...line);
  }
}
