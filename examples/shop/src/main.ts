import { failShop } from './fail-shop.js';
import { runShop } from './run-shop.js';

runShop().catch(failShop);
