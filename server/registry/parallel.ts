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
