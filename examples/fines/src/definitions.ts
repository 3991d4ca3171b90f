import { fine } from './fine.js';
import { activityTotalsV1, finesV1, monthlyPaymentsV1 } from './projections.js';

/** What this application declares: given to the module and to `kappa.config.ts`. */
export const definitions = { aggregates: [fine], projections: [finesV1, activityTotalsV1, monthlyPaymentsV1] };
