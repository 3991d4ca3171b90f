import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { installPeers } from '../install-peers.js';

/** What answers HTTP below Nest. */
export type AdapterName = 'express' | 'fastify';

/** What is used of the package, which is there only once something is measured on it. */
interface Fastify {
  get(
    path: string,
    handler: (
      request: { readonly params: { readonly id: string } },
      reply: { code(status: number): { send(body: object): unknown } },
    ) => Promise<unknown>,
  ): void;
  listen(options: { readonly port: number; readonly host: string }): Promise<string>;
  close(): Promise<void>;
}

export async function nestAdapter(name: AdapterName): Promise<AbstractHttpAdapter> {
  if (name === 'express') return new ExpressAdapter();
  const { FastifyAdapter } = await fastifyPeer<{ FastifyAdapter: new () => AbstractHttpAdapter }>('@nestjs/platform-fastify');
  return new FastifyAdapter();
}

export async function bareFastify(): Promise<Fastify> {
  const { fastify } = await fastifyPeer<{ fastify: () => Fastify }>('fastify');
  return fastify();
}

async function fastifyPeer<Exports>(name: string): Promise<Exports> {
  const folder = await installPeers('fastify');
  return (await import(pathToFileURL(createRequire(folder).resolve(name)).href)) as Exports;
}
