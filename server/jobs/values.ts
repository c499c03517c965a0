import { unlessConflict } from "../../plugins/contract/error.ts";
import type { DeleteCondition, PutCondition, Storage } from "../../plugins/contract/storage.ts";

/** A JSON value of the store, and the etag to change it by. */
export interface Stored<T> {
  /** `undefined` where the bytes are no JSON. */
  readonly value: T | undefined;
  readonly etag: string;
}

/** The value under a key, `undefined` where there is none. */
export async function getValue<T>(storage: Storage, key: string): Promise<Stored<T> | undefined> {
  const found = await storage.get(key);
  return found && { value: parseValue(found.bytes) as T | undefined, etag: found.etag };
}

function parseValue(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Writes a value. Answers its etag, `undefined` where the condition does not hold. */
export async function putValue(
  storage: Storage,
  key: string,
  { value, ...condition }: PutCondition & { readonly value: unknown },
): Promise<string | undefined> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return (await unlessConflict(storage.put(key, bytes, condition)))?.etag;
}

/** Removes a value. Answers `false` where there was none, or the condition does not hold. */
export async function deleteValue(
  storage: Storage,
  key: string,
  condition?: DeleteCondition,
): Promise<boolean> {
  return await unlessConflict(storage.delete(key, condition)) ?? false;
}

/** Sets a mark: an empty object. */
export async function putMark(storage: Storage, key: string): Promise<void> {
  await storage.put(key, new Uint8Array());
}

const LIST_PAGE = 10_000;

/** Every key that begins with `prefix`, in order. */
export async function listKeys(storage: Storage, prefix: string): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const keys = await storage.list(prefix, { after: all.at(-1) ?? "", limit: LIST_PAGE });
    all.push(...keys);
    if (keys.length < LIST_PAGE) return all;
  }
}
