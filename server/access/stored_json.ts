import type { Storage } from "../../plugins/contract/storage.ts";
import { unlessConflict } from "../../plugins/contract/error.ts";

/** A JSON value of the store, and the etag to change it by. */
export interface StoredJson<T> {
  readonly value: T;
  readonly etag: string;
}

/** The JSON value under a key. Whoever wrote it was sreg itself, so its shape is believed. */
export async function getJson<T>(storage: Storage, key: string): Promise<StoredJson<T> | undefined> {
  const found = await storage.get(key);
  return found && { value: JSON.parse(new TextDecoder().decode(found.bytes)) as T, etag: found.etag };
}

/** Writes a JSON value. Answers `false` where the condition does not hold. */
export async function putJson(
  storage: Storage,
  key: string,
  { value, ...condition }: {
    readonly value: unknown;
    readonly ifAbsent?: true;
    readonly ifMatch?: string;
  },
): Promise<boolean> {
  const put = storage.put(key, new TextEncoder().encode(JSON.stringify(value)), condition);
  return await unlessConflict(put) !== undefined;
}

/** Every JSON value under a prefix. */
export async function listJson<T>(storage: Storage, prefix: string): Promise<T[]> {
  const values: T[] = [];
  let after = prefix;
  for (;;) {
    const keys = await storage.list(prefix, { after, limit: LIST_PAGE });
    const found = await Promise.all(keys.map((key) => getJson<T>(storage, key)));
    values.push(...found.flatMap((item) => item ? [item.value] : []));
    if (keys.length < LIST_PAGE) return values;
    after = keys.at(-1)!;
  }
}

const LIST_PAGE = 1_000;
