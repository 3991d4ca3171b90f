import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TcpProxy } from '../../src/testing/tcp-proxy.js';

let echo: Server;
let proxy: TcpProxy;
let client: Socket;

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await TcpProxy.start(`tcp://127.0.0.1:${(echo.address() as AddressInfo).port}`);
  client = await connected();
});
afterEach(async () => {
  client.destroy();
  await proxy.stop();
  echo.close();
});

async function connected(): Promise<Socket> {
  const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}

async function echoed(length: number): Promise<string> {
  let text = '';
  for await (const chunk of client.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.length >= length) break;
  }
  return text;
}

it('lets no bytes overtake others when a delay ends', async () => {
  proxy.delay(60);
  client.write('first ');
  await new Promise(setImmediate);
  proxy.delay(20);
  client.write('second ');
  await new Promise(setImmediate);
  proxy.heal();
  client.write('third');
  expect(await echoed(18)).toBe('first second third');
});

it('holds what is sent, loses nothing of it, and passes it on in order when it is healed', async () => {
  proxy.delay(30);
  client.write('slow ');
  await new Promise(setImmediate);
  proxy.hold();
  client.write('held ');
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(client.readableLength).toBe(0);
  proxy.heal();
  client.write('after');
  expect(await echoed(15)).toBe('slow held after');
});

it('holds from a message on that a test waits for', async () => {
  client.write('before ');
  expect(await echoed(7)).toBe('before ');
  const held = proxy.holdFrom('begin');
  client.write('begin ');
  await held;
  expect(client.readableLength).toBe(0);
  client.write('more');
  proxy.heal();
  expect(await echoed(10)).toBe('begin more');
});

it('passes nothing on half-open connections until they are cut, and everything on new ones', async () => {
  client.write('before');
  expect(await echoed(6)).toBe('before');
  proxy.halfOpen();
  client.write('lost');
  const old = client;
  client = await connected();
  client.write('anew');
  expect(await echoed(4)).toBe('anew');
  expect(old.readableLength).toBe(0);
  const closed = once(old, 'close');
  proxy.cutHalfOpen();
  await closed;
  client.write('still');
  expect(await echoed(5)).toBe('still');
});
