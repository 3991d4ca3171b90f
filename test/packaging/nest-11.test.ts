import { describe } from 'vitest';
import { worksInAStockApp } from './works-in-a-stock-app.js';

describe('the packed package in a CommonJS application of Nest 11', () => {
  worksInAStockApp('nest-11', async (app) => app.bin('jest'));
});
