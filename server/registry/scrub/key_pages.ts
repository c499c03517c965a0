import type { Storage } from "../../../plugins/contract/storage.ts";

/** So many calls to the store are under way at most: pulls and pushes go first. */
const AT_ONCE = 8;

/** `task` of each item, a few at a time; the answers in the items' order. All have ended when it answers or fails. */
export async function mapFew<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    const tasks = items.slice(at, at + AT_ONCE).map(task);
    await Promise.allSettled(tasks);
    answers.push(...await Promise.all(tasks));
  }
  return answers;
}

/** Which keys to walk. */
export interface KeyWalk {
  readonly prefix: string;
  /** Only keys after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** The keys that begin with `prefix`, some at a time, in order. */
export async function* keyPages(
  storage: Storage,
  { prefix, after, limit }: KeyWalk,
): AsyncGenerator<string[]> {
  for (let last = after;;) {
    const keys = await storage.list(prefix, { ...(last !== undefined && { after: last }), limit });
    if (keys.length > 0) yield keys;
    if (keys.length < limit) return;
    last = keys.at(-1)!;
  }
}

/** Keys one by one, with a look at the next. */
export class KeyStream {
  readonly #pages: AsyncGenerator<string[]>;
  #page: readonly string[] = [];
  #at = 0;

  constructor(storage: Storage, walk: KeyWalk) {
    this.#pages = keyPages(storage, walk);
  }

  /** The next key, which stays the next; `undefined` at the end. */
  async peek(): Promise<string | undefined> {
    if (this.#at === this.#page.length) {
      const { value, done } = await this.#pages.next();
      this.#page = done ? [] : value;
      this.#at = 0;
    }
    return this.#page[this.#at];
  }

  /** Goes past the key that `peek` answered. */
  skip(): void {
    this.#at++;
  }
}
