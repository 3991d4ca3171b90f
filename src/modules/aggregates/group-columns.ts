import { byteaArray, intArray, textArray } from '../../database/binary-arrays.js';
import type { AppendRequest } from './append-request.js';

/** A group's commands and events, column by column, as both functions that append a group take them. */
export function groupColumns(requests: readonly AppendRequest[]): Buffer[] {
  const events = requests.flatMap((request) => request.events);
  const commands: number[] = [];
  const places: number[] = [];
  requests.forEach((request, index) => {
    for (let place = 1; place <= request.events.length; place += 1) {
      commands.push(index + 1);
      places.push(place);
    }
  });
  return [
    textArray(requests.map(({ stream }) => stream)),
    textArray(requests.map(({ key }) => key)),
    textArray(requests.map(({ commandId }) => commandId)),
    textArray(requests.map(({ contentHash }) => contentHash)),
    intArray(requests.map(({ expectedVersion }) => expectedVersion)),
    intArray(requests.map((request) => request.events.length)),
    intArray(commands),
    intArray(places),
    textArray(events.map(({ type }) => type)),
    byteaArray(events.map(({ value }) => value)),
    textArray(events.map(({ storedHeaders }) => storedHeaders)),
  ];
}
