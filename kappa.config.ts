/** `npm run -s kappa -- …` in this repository speaks of the shop; `--config examples/fines/kappa.config.ts` of the other. */
export { default } from './examples/shop/kappa.config.js';
