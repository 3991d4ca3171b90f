import { KappaError } from './errors.js';

declare const brand: unique symbol;

/** `topic/partition` */
export type PartitionKey = `${string}/${number}`;

/**
 * A vector `topic/partition → next offset`, in log offsets whichever driver carries the log. It is what a checkpoint stores,
 * what a command returns and what a read can wait for. A partition that is not named is not spoken of.
 */
export type Position = Readonly<Record<PartitionKey, number>> & { readonly [brand]?: 'position' };

export const NOWHERE: Position = Object.freeze({});

export function partitionKey(topic: string, partition: number): PartitionKey {
  return `${topic}/${partition}`;
}

export function parsePartitionKey(key: PartitionKey): { readonly topic: string; readonly partition: number } {
  const at = key.lastIndexOf('/');
  return { topic: key.slice(0, at), partition: Number(key.slice(at + 1)) };
}

/** True when every partition that `wanted` names is reached or passed by `reached`. */
export function covers(reached: Position, wanted: Position): boolean {
  return Object.entries(wanted).every(([key, next]) => (reached[key as PartitionKey] ?? 0) >= next);
}

/** The partitions that `named` names, where `position` has them; 0 where it does not speak of one. */
export function within(position: Position, named: Position): Position {
  const found: Record<PartitionKey, number> = {};
  for (const key of Object.keys(named) as PartitionKey[]) found[key] = position[key] ?? 0;
  return found;
}

/** The later of both, partition by partition. */
export function latest(...positions: readonly Position[]): Position {
  const merged: Record<PartitionKey, number> = {};
  for (const position of positions) {
    for (const [key, next] of Object.entries(position) as [PartitionKey, number][])
      merged[key] = Math.max(merged[key] ?? 0, next);
  }
  return merged;
}

/** How many offsets `reached` lies behind `wanted`; an upper bound on records, for offsets may have holes. */
export function distance(reached: Position, wanted: Position): number {
  let sum = 0;
  for (const [key, next] of Object.entries(wanted) as [PartitionKey, number][]) sum += Math.max(0, next - (reached[key] ?? 0));
  return sum;
}

/** A position as text for a header, a cursor or a URL. */
export function formatPosition(position: Position): string {
  return Object.entries(position)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, next]) => `${key}:${next}`)
    .join(',');
}

/** @throws KAPPA_BAD_POSITION with the part that is no position. */
export function parsePosition(text: string): Position {
  const position: Record<PartitionKey, number> = {};
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const match = /^([A-Za-z0-9._-]{1,200})\/(\d{1,6}):(\d{1,15})$/.exec(part);
    if (!match) {
      throw new KappaError('KAPPA_BAD_POSITION', `${JSON.stringify(part)} is not a position`, {
        facts: { part },
        nextStep: 'Give topic/partition:offset, separated by commas, as a command returned it.',
      });
    }
    position[partitionKey(match[1] ?? '', Number(match[2]))] = Number(match[3]);
  }
  return position;
}
