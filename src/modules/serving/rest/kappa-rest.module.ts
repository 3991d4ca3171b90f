import { Module, type DynamicModule } from '@nestjs/common';
import { KappaError } from '../../../kernel/errors.js';
import type { ProjectionDefinition } from '../../projections/projection.js';
import type { ReadableProjection } from '../projection-reader.js';
import { ServingModule } from '../serving.module.js';
import { projectionController } from './projection.controller.js';

export interface KappaRestOptions {
  /** Before each projection's name in the URL. Default `api`. */
  readonly path?: string;
  /**
   * Whose rows a request may see, from a claim that was verified before (never from a parameter); null for rows of no tenant.
   * Needed for projections with a tenant column.
   */
  readonly tenant?: (request: never) => string | null;
}

/**
 * Serves projections over HTTP: `KappaRestModule.forFeature([Fines], { path: 'api' })` answers
 *
 * - `GET /api/fines/<key>` → `{ data, version, position }`, or 404; a composite key is its parts separated by commas;
 * - `GET /api/fines?state=open&sort=-amount,id&limit=20&cursor=…` → `{ data: […], cursor, version, position }`.
 *
 * `at=<position>`, as a command returned it, makes either wait until the projection has reached it. An unknown field or bad value
 * is 400 and named.
 */
@Module({})
export class KappaRestModule {
  /** @throws KAPPA_BAD_TENANT for a projection with tenants when `tenant` is not given. */
  static forFeature(
    projections: readonly Omit<ProjectionDefinition, 'handlers'>[],
    options: KappaRestOptions = {},
  ): DynamicModule {
    const withoutTenant = projections.find((projection) => projection.tenant !== null && options.tenant === undefined);
    if (withoutTenant) {
      throw new KappaError(
        'KAPPA_BAD_TENANT',
        `projection ${withoutTenant.name} is kept by tenant, and KappaRestModule does not know whose rows a request may see`,
        {
          facts: { projection: withoutTenant.name },
          nextStep: 'Give tenant: (request) => … to KappaRestModule.forFeature.',
        },
      );
    }
    const tenant = (options.tenant ?? null) as ((request: object) => string | null) | null;
    return {
      module: KappaRestModule,
      imports: [ServingModule],
      controllers: projections.map((projection) =>
        projectionController(projection as unknown as ReadableProjection<object>, { path: options.path ?? 'api', tenant }),
      ),
    };
  }
}
