/** How many calls to the store one request has under way at most. */
const AT_ONCE = 64;

/** `task` of each item, `AT_ONCE` at a time; the answers in the items' order. The first failure ends it. */
export async function mapParallel<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    answers.push(...await Promise.all(items.slice(at, at + AT_ONCE).map(task)));
  }
  return answers;
}

/** `Promise.all` that waits for all, whichever fails. */
export async function whole<T extends readonly unknown[]>(
  tasks: { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  await Promise.allSettled(tasks);
  return await Promise.all(tasks) as unknown as T;
}
