import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const index = readFileSync(new URL('../../src/index.ts', import.meta.url), 'utf8');
const names = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
  list
    .split(',')
    .map((name) => name.trim().split(' as ').at(-1) ?? '')
    .filter(Boolean),
);

/** What @nestjs/cqrs 11 exports: an application may use both, and its editor should not have to guess. */
const namesOfCqrs =
  'AggregateRoot AsyncContext Command CommandBus CommandHandler CommandPublisher CqrsModule CqrsModuleOptions EventBus EventPublisher EventsHandler ICommand ICommandBus ICommandHandler ICommandPublisher IEvent IEventBus IEventHandler IEventPublisher IMessageSource IQuery IQueryBus IQueryHandler IQueryPublisher IQueryResult ISaga Query QueryBus QueryHandler QueryPublisher Saga UnhandledExceptionBus UnhandledExceptionInfo UnhandledExceptionPublisher ofType'.split(
    ' ',
  );

describe('the public names', () => {
  it('are none that @nestjs/cqrs exports', () => {
    expect(names).not.toEqual([]);
    expect(names.filter((name) => namesOfCqrs.includes(name))).toEqual([]);
  });

  it('are what an application needs', () => {
    expect(names).toEqual(
      expect.arrayContaining([
        'event',
        'type',
        'topic',
        'aggregate',
        'refuse',
        'Commands',
        'projection',
        'Reader',
        'InjectReader',
        'KappaModule',
      ]),
    );
  });
});
