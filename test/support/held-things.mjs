/** What the scripts that hold events and commands over a sweep share: an aggregate, of the package as it is built. */
export const built = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href);
const { aggregate, event, topic, type } = await built('index.js');

export const Happened = event('thing.happened', type());
export const things = topic('held-things', { partitions: 8, events: [Happened] });

export class Happen {
  constructor(thingId, data) {
    this.thingId = thingId;
    this.data = data;
  }
}

export const thing = aggregate({ name: 'held-thing', topic: things, id: 'thingId', initialState: () => 0 })
  .evolve({ 'thing.happened': (count) => count + 1 })
  .decide(Happen, ({ data }) => [Happened(data)]);
