// deno-lint-ignore-file require-await -- promises are what the contract asks for

/**
 * The storage contract in memory.
 *
 * @module
 */

import { PluginError } from "../../contract/error.ts";
import type { CreatePlugin } from "../../contract/plugin.ts";
import {
  type AppendOptions,
  type Bytes,
  type ByteSpan,
  type ListPage,
  type MoveCondition,
  type ObjectFacts,
  type OpenedObject,
  type PutCondition,
  type Storage,
  type StoredValue,
  VALUE_BYTES_MAX,
} from "../../contract/storage.ts";

type Chunk = Uint8Array<ArrayBuffer>;

interface StoredObject {
  readonly chunks: Chunk[];
  etag: string;
  size: number;
  modifiedAtMs: number;
}

/** An empty store. */
export const create: CreatePlugin<Storage> = () => new MemoryStorage();

class MemoryStorage implements Storage {
  readonly #objects = new Map<string, StoredObject>();
  readonly #keys: string[] = [];
  #etags = 0;

  async stat(key: string): Promise<ObjectFacts | undefined> {
    const object = this.#objects.get(key);
    return object && facts(object);
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const object = this.#objects.get(key);
    if (!object) return undefined;
    if (object.size > VALUE_BYTES_MAX) {
      throw new PluginError("failed", `Cannot get ${key}: it has ${object.size} bytes`);
    }
    return { ...facts(object), bytes: joined(object), etag: object.etag };
  }

  async open(key: string, span?: ByteSpan): Promise<OpenedObject | undefined> {
    const object = this.#objects.get(key);
    if (!object) return undefined;
    const { offset, length } = span ?? { offset: 0, length: object.size };
    const body = ReadableStream.from(spanOf(object, offset, length)) as Bytes;
    return { ...facts(object), body };
  }

  async put(key: string, bytes: Chunk, condition: PutCondition = {}): Promise<{ readonly etag: string }> {
    if (bytes.length > VALUE_BYTES_MAX) {
      throw new PluginError("failed", `Cannot put ${key}: ${bytes.length} bytes are too many`);
    }
    this.#check(key, condition);
    const object = this.#insert(key);
    object.chunks.push(bytes.slice());
    object.size = bytes.length;
    return { etag: object.etag };
  }

  async append(
    key: string,
    offset: number,
    body: Bytes,
    { mustExist }: AppendOptions = {},
  ): Promise<Pick<ObjectFacts, "size" | "etag">> {
    const size = this.#objects.get(key)?.size ?? 0;
    if (size !== offset || (mustExist && !this.#objects.has(key))) {
      await body.cancel().catch(() => {});
      throw new PluginError("conflict", `Cannot append to ${key}: it has ${size} bytes, not ${offset}`);
    }
    const object = this.#objects.get(key) ?? this.#insert(key);
    for await (const chunk of body) {
      object.chunks.push(chunk.slice());
      object.size += chunk.length;
      object.modifiedAtMs = Date.now();
      object.etag = this.#newEtag();
    }
    return { size: object.size, etag: object.etag };
  }

  async move(from: string, to: string, { ifSize, ifMatch }: MoveCondition = {}): Promise<boolean> {
    const object = this.#objects.get(from);
    if (!object) return false;
    this.#check(from, { ...(ifMatch !== undefined && { ifMatch }) });
    if (ifSize !== undefined && object.size !== ifSize) {
      throw new PluginError("conflict", `Cannot move ${from}: it has ${object.size} bytes, not ${ifSize}`);
    }
    this.#remove(from);
    this.#insert(to, object).modifiedAtMs = Date.now();
    return true;
  }

  async delete(key: string, condition: PutCondition = {}): Promise<boolean> {
    if (!this.#objects.has(key)) return false;
    this.#check(key, condition);
    this.#remove(key);
    return true;
  }

  async list(prefix: string, { after = "", limit }: ListPage): Promise<string[]> {
    const keys = [];
    let index = after >= prefix ? this.#indexAfter(after) : this.#indexOf(prefix);
    for (; keys.length < limit && this.#keys[index]?.startsWith(prefix); index++) {
      keys.push(this.#keys[index]!);
    }
    return keys;
  }

  #check(key: string, { ifAbsent, ifMatch }: PutCondition): void {
    const etag = this.#objects.get(key)?.etag;
    if (ifAbsent && etag !== undefined) throw new PluginError("conflict", `Cannot put ${key}: it exists`);
    if (ifMatch !== undefined && etag !== ifMatch) {
      throw new PluginError("conflict", `Cannot change ${key}: its etag is not ${ifMatch}`);
    }
  }

  #insert(key: string, object: StoredObject = this.#newObject()): StoredObject {
    if (!this.#objects.has(key)) this.#keys.splice(this.#indexOf(key), 0, key);
    this.#objects.set(key, object);
    return object;
  }

  #newObject(): StoredObject {
    return { chunks: [], size: 0, modifiedAtMs: Date.now(), etag: this.#newEtag() };
  }

  #newEtag(): string {
    return `${++this.#etags}`;
  }

  #remove(key: string): void {
    this.#objects.delete(key);
    this.#keys.splice(this.#indexOf(key), 1);
  }

  #indexAfter(key: string): number {
    return this.#indexOf(key) + (this.#objects.has(key) ? 1 : 0);
  }

  /** Where `key` is among the keys, or belongs. */
  #indexOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function facts({ size, modifiedAtMs, etag }: StoredObject): ObjectFacts {
  return { size, modifiedAtMs, etag };
}

function joined({ chunks, size }: StoredObject): Chunk {
  const bytes = new Uint8Array(size);
  let length = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes;
}

/** Copies of the span's bytes, since the reader may change or transfer what it gets. */
function* spanOf({ chunks }: StoredObject, offset: number, length: number): Generator<Chunk> {
  let skip = offset;
  let left = length;
  for (const chunk of chunks) {
    const part = chunk.slice(skip, skip + left);
    skip = Math.max(0, skip - chunk.length);
    left -= part.length;
    if (part.length > 0) yield part;
    if (left === 0) return;
  }
}
