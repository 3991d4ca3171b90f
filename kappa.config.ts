/** In this repository the command speaks of the shop unless `--config` names another. */
export { default } from './examples/shop/kappa.config.js';
