import { Inject } from '@nestjs/common';
import type { ReadableProjection } from './projection-reader.js';

/**
 * The token of a projection's reader. A symbol by name and version, the same wherever the version is declared; providers belong
 * to a Nest container, so two applications in one process never meet in it.
 */
export function readerToken(projection: Pick<ReadableProjection<unknown>, 'name' | 'version'>): symbol {
  return Symbol.for(`nest-kappa reader of ${projection.name} v${projection.version}`);
}

/** `constructor(@InjectReader(Fines) private readonly fines: Reader<FineRow>)`, in a module that imports the projection by `KappaModule.forFeature`. */
export function InjectReader(
  projection: Pick<ReadableProjection<unknown>, 'name' | 'version'>,
): ParameterDecorator & PropertyDecorator {
  return Inject(readerToken(projection));
}
