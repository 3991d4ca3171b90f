import { expect, it } from 'vitest';
import { lateBound } from '../../src/modules/kappa/late-bound.js';

class Greeter {
  constructor(private readonly name: string) {}

  greet(): string {
    return `I am ${this.name}`;
  }
}

it('asks what stands there now with each use, as a method of that', () => {
  let now: Greeter | null = null;
  const greeter = lateBound(Greeter, () => {
    if (!now) throw new Error('too early');
    return now;
  });
  expect(greeter).toBeInstanceOf(Greeter);
  expect(() => greeter.greet()).toThrow('too early');
  now = new Greeter('one');
  const { greet } = greeter;
  expect([greet(), greeter.greet()]).toEqual(['I am one', 'I am one']);
  now = new Greeter('another');
  expect([greet(), greeter.greet()]).toEqual(['I am one', 'I am another']);
  now.greet = () => 'I am changed';
  expect(greeter.greet()).toBe('I am changed');
});
