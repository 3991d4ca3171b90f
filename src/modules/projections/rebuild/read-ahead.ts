/** Asks the source for the next items while the last is worked on; order and errors stay as they are. */
export async function* readAhead<T>(source: AsyncIterable<T>, depth: number): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  const pending: Promise<IteratorResult<T>>[] = [];
  const ask = (): void => {
    const next = iterator.next();
    // Whoever awaits it meets the error; until then it must not count as unhandled.
    next.catch(() => undefined);
    pending.push(next);
  };
  try {
    for (let i = 0; i < depth; i++) ask();
    for (;;) {
      const result = await pending.shift();
      if (!result || result.done) return;
      ask();
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}
