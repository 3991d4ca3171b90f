import {
  Module,
  type DynamicModule,
  type InjectionToken,
  type ModuleMetadata,
  type OptionalFactoryDependency,
  type Provider,
} from '@nestjs/common';
import { Database } from '../database/database.js';
import { KappaError } from '../kernel/errors.js';
import { Commands } from './aggregates/command.js';
import { RelayOperations } from './aggregates/relay/relay-operations.js';
import { KappaFeature, KappaHost, KappaSettings } from './kappa/kappa-host.js';
import type { KappaDefinitions, KappaOptions } from './kappa/kappa-options.js';
import { lateBound } from './kappa/late-bound.js';
import { OperationsModule } from './operations/operations.module.js';
import { PolicyOperations } from './policies/operations.js';
import { ProjectionOperations } from './projections/operations.js';
import { projectionDefinition, type ProjectionDefinition } from './projections/projection.js';
import { readerToken } from './serving/inject-reader.js';
import { Readers } from './serving/readers.js';
import { ServingModule } from './serving/serving.module.js';

export interface KappaAsyncOptions {
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly inject?: readonly (InjectionToken | OptionalFactoryDependency)[];
  /** Gives the options, from what `inject` names. */
  readonly useFactory: (...dependencies: never[]) => KappaOptions | Promise<KappaOptions>;
}

/** One of each in an application, whichever module imports it: Nest makes one instance of a static module. */
@Module({
  imports: [ServingModule, OperationsModule],
  providers: [
    KappaHost,
    {
      provide: Commands,
      useFactory: (host: KappaHost) => lateBound(Commands, () => host.runtime.commands),
      inject: [KappaHost],
    },
    {
      provide: ProjectionOperations,
      useFactory: (host: KappaHost) => lateBound(ProjectionOperations, () => host.runtime.operations),
      inject: [KappaHost],
    },
    {
      provide: RelayOperations,
      useFactory: (host: KappaHost) => lateBound(RelayOperations, () => host.runtime.relays),
      inject: [KappaHost],
    },
    {
      provide: PolicyOperations,
      useFactory: (host: KappaHost) => lateBound(PolicyOperations, () => host.runtime.policies),
      inject: [KappaHost],
    },
    {
      provide: Database,
      useFactory: (host: KappaHost) => lateBound(Database, () => host.runtime.database),
      inject: [KappaHost],
    },
  ],
  exports: [Commands, ProjectionOperations, PolicyOperations, RelayOperations, Database, ServingModule, OperationsModule],
})
class KappaHostModule {}

/**
 * Event sourcing in a Nest application: `KappaModule.forRoot()` once, in the AppModule; `KappaModule.forFeature({ aggregates,
 * projections, policies })` in each module that declares some. Both give `Commands`, `ProjectionOperations`, `PolicyOperations`,
 * `RelayOperations`, `DeadLetters`, `Health` and `Database`; forFeature gives the readers of its projections
 * (`@InjectReader(Fines)`).
 *
 * Call `app.enableShutdownHooks()`, so that a signal ends the work in order: engines finish their batch, commands under way end,
 * then connections close.
 */
@Module({})
export class KappaModule {
  /** Without options: an embedded PostgreSQL in `./.kappa`, unless DATABASE_URL or KAPPA_DATA_DIR names another place. */
  static forRoot(options: KappaOptions = {}): DynamicModule {
    return {
      module: KappaModule,
      imports: [KappaHostModule],
      providers: [{ provide: KappaSettings, useValue: new KappaSettings(options) }],
      exports: [KappaHostModule],
    };
  }

  /** Options that other providers know: `forRootAsync({ inject: [ConfigService], useFactory: (config) => ({ … }) })`. */
  static forRootAsync(options: KappaAsyncOptions): DynamicModule {
    const settings: Provider = {
      provide: KappaSettings,
      useFactory: async (...dependencies: never[]) => new KappaSettings(await options.useFactory(...dependencies)),
      inject: [...(options.inject ?? [])],
    };
    return {
      module: KappaModule,
      imports: [...(options.imports ?? []), KappaHostModule],
      providers: [settings],
      exports: [KappaHostModule],
    };
  }

  /** Declares what belongs to a module. Several versions of a projection are listed together. */
  static forFeature(definitions: KappaDefinitions): DynamicModule {
    const tokens = readable(definitions).map((projection) => ({ token: readerToken(projection), projection }));
    return {
      module: KappaModule,
      imports: [KappaHostModule],
      providers: [
        { provide: KappaFeature, useValue: new KappaFeature(definitions) },
        ...tokens.map(({ token, projection }): Provider => ({
          provide: token,
          useFactory: (readers: Readers) => readers.of(projection),
          inject: [Readers],
        })),
      ],
      exports: [KappaHostModule, ...tokens.map(({ token }) => token)],
    };
  }
}

/** The projections that can be read; what is wrong with the others is told at the start, together with all else. */
function readable(definitions: KappaDefinitions): readonly ProjectionDefinition[] {
  return (definitions.projections ?? []).flatMap((entry) => {
    try {
      const definition: Partial<ProjectionDefinition> | undefined = projectionDefinition(entry);
      return definition?.kind === 'projection' ? [definition as ProjectionDefinition] : [];
    } catch (error) {
      if (error instanceof KappaError) return [];
      throw error;
    }
  });
}
