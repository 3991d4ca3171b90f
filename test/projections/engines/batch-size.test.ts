import { expect, it } from 'vitest';
import { BatchSize } from '../../../src/modules/projections/runner/batch-size.js';

it('grows while full batches are worked off fast, and no further than it may', () => {
  const size = new BatchSize();
  const sizes = [size.records];
  for (let batch = 0; batch < 5; batch += 1) {
    size.took(size.records, 10);
    sizes.push(size.records);
  }
  expect(sizes).toEqual([5_000, 10_000, 20_000, 40_000, 40_000, 40_000]);
});

it('stays where batches are not full, and shrinks where they take long', () => {
  const size = new BatchSize();
  size.took(5_000, 10);
  size.took(2_000, 10);
  expect(size.records).toBe(10_000);
  size.took(10_000, 200);
  expect(size.records).toBe(10_000);
  size.took(10_000, 1_000);
  size.took(10_000, 1_000);
  expect(size.records).toBe(5_000);
});

it('begins anew once the runner has drawn level', () => {
  const size = new BatchSize();
  size.took(5_000, 10);
  size.reset();
  expect(size.records).toBe(5_000);
});

it('can be fixed', () => {
  const size = new BatchSize(16);
  size.took(16, 1);
  size.reset();
  expect(size.records).toBe(16);
});
