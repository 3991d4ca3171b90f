import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as api from 'nest-kappa';

/** What @nestjs/cqrs 11 exports: an application may import both. */
const CQRS = `AggregateRoot AsyncContext Command CommandBus CommandHandler CommandHandlerNotFoundException CqrsModule
  CqrsModuleOptions DefaultCommandPubSub DefaultPubSub DefaultQueryPubSub DefaultUnhandledExceptionPubSub Event EventBus
  EventPublisher EventsHandler ICommand ICommandBus ICommandHandler ICommandPublisher IEvent IEventBus IEventHandler
  IEventPublisher IMessageSource IQuery IQueryBus IQueryHandler IQueryPublisher IQueryResult ISaga IUnhandledExceptionPublisher
  InvalidCommandHandlerException InvalidEventsHandlerException InvalidQueryHandlerException InvalidSagaException ObservableBus
  Query QueryBus QueryHandler QueryHandlerNotFoundException Saga UnhandledExceptionBus UnhandledExceptionInfo
  UnsupportedSagaScopeException ofType`.split(/\s+/);

const source = readFileSync(new URL('../../src/index.ts', import.meta.url), 'utf8');
const names = [...source.matchAll(/export (?:type )?\{([^}]*)\}/g)]
  .flatMap(([, list = '']) => list.split(',').map((name) => name.trim()))
  .filter((name) => name !== '');

describe('the public API', () => {
  it('exports no name that @nestjs/cqrs exports', () => {
    expect(names.filter((name) => CQRS.includes(name))).toEqual([]);
  });

  it('lists each name by hand, once', () => {
    expect(source).not.toContain('export *');
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(Object.keys(api).filter((name) => !names.includes(name))).toEqual([]);
  });
});
