/**
 * How clauses are tried.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { PluginErrorCode } from "../error.ts";
import type { Bytes, PutCondition, Storage } from "../storage.ts";

/** One sentence of the contract, and how to try whether it holds. */
export interface StorageClause {
  /** The sentence: "put() replaces an object". */
  readonly name: string;
  /** Tries it on a store without objects; throws where it does not hold. */
  readonly run: (storage: Storage, options: TrialOptions) => Promise<void>;
}

/** How much to try. */
export interface TrialOptions {
  /** Size of the object that must pass in constant memory, in bytes. */
  readonly largeBytes: number;
}

/** Bytes that a trial puts or gets. */
export type Chunk = Uint8Array<ArrayBuffer>;

/** A mebibyte, in bytes. */
export const MIB: number = 1024 * 1024;

/** How far the memory of this process grows: `look` often. */
export class MemoryWatch {
  readonly #start = Deno.memoryUsage().rss;
  #peak = this.#start;
  #looks = 0;

  /** Takes note of the memory now, and now and then leaves the runtime a moment to tidy up. */
  async look(): Promise<void> {
    if (++this.#looks % 8 === 0) await new Promise((resolve) => setTimeout(resolve));
    this.#peak = Math.max(this.#peak, Deno.memoryUsage().rss);
  }

  /** The most by which it has grown since the start, in bytes. */
  growth(): number {
    return this.#peak - this.#start;
  }
}

/** Puts a text. */
export function put(
  storage: Storage,
  key: string,
  value: string,
  condition: PutCondition = {},
): Promise<{ etag: string }> {
  return storage.put(key, encode(value), condition);
}

/** Puts empty objects, all at once. */
export async function putAll(storage: Storage, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => put(storage, key, "")));
}

/** The text of a value. */
export async function getText(storage: Storage, key: string): Promise<string | undefined> {
  const value = await storage.get(key);
  return value && text(value.bytes);
}

/** The text of an object, read as a stream. */
export async function openText(storage: Storage, key: string): Promise<string | undefined> {
  const opened = await storage.open(key);
  return opened && text(await collect(opened.body));
}

/** All keys of a small store. */
export function all(storage: Storage): Promise<string[]> {
  return storage.list("", { limit: 10_000 });
}

/** Fails unless the call is refused with this code. */
export async function rejects(promise: Promise<unknown>, code: PluginErrorCode): Promise<void> {
  await assert.rejects(promise, { name: "PluginError", code });
}

/** The index of the one call that succeeded; every other one must have met a conflict. */
export function onlyWinner(results: readonly PromiseSettledResult<unknown>[]): number {
  const losers = results.flatMap((result) => result.status === "rejected" ? [result.reason.code] : []);
  assert.deepEqual(losers, results.slice(1).map(() => "conflict"));
  return results.findIndex((result) => result.status === "fulfilled");
}

/** A stream of these chunks. */
export function bytesOf(...chunks: Chunk[]): Bytes {
  return ReadableStream.from(chunks) as Bytes;
}

/** All bytes of a stream. */
export async function collect(body: Bytes): Promise<Chunk> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** Whether these are the same bytes. */
export function equal(a: Chunk | undefined, b: Chunk): boolean {
  return a?.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** The bytes of a text. */
export function encode(value: string): Chunk {
  return new TextEncoder().encode(value);
}

/** The text of bytes. */
export function text(bytes: Chunk): string {
  return new TextDecoder().decode(bytes);
}

/** So many bytes of one value. */
export function filled(value: number, size: number): Chunk {
  return new Uint8Array(size).fill(value);
}

/** So many bytes like no others. */
export function random(size: number): Chunk {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += 65_536) {
    crypto.getRandomValues(bytes.subarray(offset, Math.min(size, offset + 65_536)));
  }
  return bytes;
}

/** What `make` makes of 0 to `count - 1`. */
export function times<Value>(count: number, make: (index: number) => Value): Value[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** In another order, the same every time. */
export function shuffled(keys: readonly string[]): string[] {
  return keys.map((_, index) => keys[index * 7 % keys.length]!);
}
