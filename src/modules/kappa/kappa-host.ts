import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { KappaError } from '../../kernel/errors.js';
import type { Class } from '../../kernel/types.js';
import { ConnectedHealth } from '../operations/health/connected-health.js';
import { LateDeadLetters } from '../operations/dead-letters/late-dead-letters.js';
import { Readers } from '../serving/readers.js';
import type { KappaDefinitions, KappaOptions } from './kappa-options.js';
import { KappaRuntime } from './kappa-runtime.js';
import { checkOptions } from './options-check.js';
import { withoutStack } from './start-error.js';

/** What `forRoot` was given: found by the host in its own Nest container. */
export class KappaSettings {
  constructor(readonly options: KappaOptions) {}
}

/** What one `forFeature` was given: found by the host in its own Nest container. */
export class KappaFeature {
  constructor(readonly definitions: KappaDefinitions) {}
}

/**
 * Starts and stops the runtime of one Nest application: opened in onModuleInit, so that commands work from
 * onApplicationBootstrap on; engines run from onApplicationBootstrap to onApplicationShutdown. From onModuleDestroy on, while
 * requests under way still end, the application is not ready any more.
 */
@Injectable()
export class KappaHost implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  #runtime: KappaRuntime | null = null;

  constructor(
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
    @Inject(Readers) private readonly readers: Readers,
    @Inject(ConnectedHealth) private readonly health: ConnectedHealth,
    @Inject(LateDeadLetters) private readonly deadLetters: LateDeadLetters,
  ) {}

  /** @throws KAPPA_NOT_STARTED */
  get runtime(): KappaRuntime {
    if (this.#runtime) return this.#runtime;
    throw new KappaError('KAPPA_NOT_STARTED', 'KappaModule has not started yet', {
      nextStep: 'Use it from onApplicationBootstrap on; in a test, call app.init() first.',
    });
  }

  async onModuleInit(): Promise<void> {
    try {
      const options = checkOptions({ options: this.#settings().options, ...this.#definitions() });
      const runtime = new KappaRuntime(options, {
        inject: <T>(token: Class<T>): T => this.moduleRef.get<unknown, T>(token, { strict: false }),
        logger: new Logger('Kappa'),
      });
      await runtime.start({ engines: false });
      this.#runtime = runtime;
      this.readers.connect(runtime);
      this.health.connect(runtime.health);
      this.deadLetters.connect(runtime);
    } catch (error) {
      throw withoutStack(error);
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.#runtime?.startEngines();
    } catch (error) {
      await this.#runtime?.stop();
      throw withoutStack(error);
    }
  }

  onModuleDestroy(): void {
    this.#runtime?.leave();
  }

  /** @throws KAPPA_STOP_TIMEOUT */
  async onApplicationShutdown(): Promise<void> {
    try {
      await this.#runtime?.stop();
    } catch (error) {
      throw withoutStack(error);
    }
  }

  #settings(): KappaSettings {
    const [settings, another] = this.#all(KappaSettings);
    if (!settings) {
      throw new KappaError('KAPPA_NO_ROOT', 'KappaModule.forFeature is imported, but KappaModule.forRoot is not', {
        nextStep: 'Import KappaModule.forRoot() once, in the AppModule.',
      });
    }
    if (another)
      throw new KappaError('KAPPA_TWO_ROOTS', 'KappaModule.forRoot is imported more than once', {
        nextStep: 'Import it once, in the AppModule.',
      });
    return settings;
  }

  #definitions(): KappaDefinitions {
    const features = this.#all(KappaFeature).map(({ definitions }) => definitions);
    return {
      aggregates: features.flatMap(({ aggregates }) => aggregates ?? []),
      projections: features.flatMap(({ projections }) => projections ?? []),
      policies: features.flatMap(({ policies }) => policies ?? []),
    };
  }

  /** All of this container, whichever module provides them; Nest throws where there is none. */
  #all<T>(token: Type<T> | (new (...args: never[]) => T)): readonly T[] {
    try {
      return this.moduleRef.get<T, T>(token, { strict: false, each: true });
    } catch (error) {
      if (error instanceof Error && error.constructor.name === 'UnknownElementException') return [];
      throw error;
    }
  }
}
