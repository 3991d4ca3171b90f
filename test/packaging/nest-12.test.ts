import { describe } from 'vitest';
import { worksInAStockApp } from './works-in-a-stock-app.js';

describe('the packed package in an ES module application of Nest 12', () => {
  worksInAStockApp('nest-12', async (app) => app.bin('vitest', 'run'));
});
