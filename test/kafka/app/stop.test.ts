import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { kafka } from 'nest-kappa/kafka';
import { startKappaTest, TcpProxy, type KappaTest } from 'nest-kappa/testing';
import { applicationOnKafka, Count } from '../support/counters.js';
import { describeOnKafka } from '../../support/kafka.js';

await describeOnKafka('an application that is stopped while Kafka is away', 1, ([broker]) => {
  let proxy: TcpProxy;
  let sockets: Socket[];
  let app: KappaTest;
  afterEach(() => proxy.stop());

  /** It relays, projects and has seen an event through; every connection of its goes through the proxy. */
  async function running(): Promise<void> {
    proxy = await TcpProxy.start(`tcp://${broker ?? ''}`);
    sockets = [];
    const { hostname, port } = new URL(proxy.url);
    const socketFactory = ({ onConnect }: { readonly onConnect: () => void }): Socket => {
      const socket = connect(Number(port), hostname, onConnect);
      sockets.push(socket);
      return socket;
    };
    const { definitions, Counters } = applicationOnKafka();
    app = await startKappaTest({
      ...definitions,
      // A third of it is what Kafka gets.
      options: { log: kafka({ brokers: [broker ?? ''], socketFactory }), shutdownTimeoutMs: 3_000 },
    });
    const { position } = await app.commands.execute(new Count('a'));
    await app.reader(Counters).waitFor(position, { timeoutMs: 20_000 });
  }

  function expectNothingLeft(): void {
    expect(sockets.filter(({ destroyed }) => !destroyed)).toEqual([]);
    expect(process.getActiveResourcesInfo()).not.toContain('Timeout');
  }

  it('gives up what waits for brokers that answer nothing, within the limit of a stop', async () => {
    await running();
    proxy.hold();
    await app.commands.execute(new Count('a'));
    await expect(app.stop()).resolves.toBeUndefined();
    expectNothingLeft();
  });

  it('gives up what waits for brokers that nobody reaches, within the limit of a stop', async () => {
    await running();
    proxy.cut();
    await app.commands.execute(new Count('a'));
    await expect(app.stop()).resolves.toBeUndefined();
    expectNothingLeft();
  });
});
