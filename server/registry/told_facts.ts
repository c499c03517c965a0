import type { Cache } from "../../plugins/contract/cache.ts";
import type { Seals } from "./seals.ts";

/** How long something is told. */
export interface Telling {
  /** By the cache's clock, from before it is told, in milliseconds. */
  readonly ttlMs: number;
  /** By the replicas' clocks, which may differ, in milliseconds: in case a cache takes long to take it. */
  readonly ageMaxMs: number;
}

/**
 * What replicas have seen, as they tell each other by the cache for a short time, by the cache's clock. Nobody believes it but under
 * the registry's seal: others may be able to write there. Nothing is wrong where it is lost.
 */
export class ToldFacts {
  readonly #cache: Cache | undefined;
  readonly #seals: Seals | undefined;

  /** Without either nothing is told. */
  constructor(cache: Cache | undefined, seals: Seals | undefined) {
    this.#cache = cache;
    this.#seals = seals;
  }

  /** Tells the fact that `words` say. */
  async tell({ ttlMs }: Telling, ...words: readonly string[]): Promise<void> {
    if (!this.#cache || !this.#seals) return;
    const time = String(Date.now());
    const text = `${time} ${this.#seals.seal("told", time, ...words)}`;
    await this.#cache.put(keyOf(words), new TextEncoder().encode(text), { ttlMs });
  }

  /** Whether the fact is told. */
  async has({ ageMaxMs }: Telling, ...words: readonly string[]): Promise<boolean> {
    const found = this.#seals && await this.#cache?.get(keyOf(words));
    if (!found) return false;
    const [time = "", seal = ""] = new TextDecoder().decode(found.bytes).split(" ");
    if (!this.#seals!.isSeal(seal, "told", time, ...words)) return false;
    return Math.abs(Date.now() - Number(time)) < ageMaxMs;
  }
}

function keyOf(words: readonly string[]): string {
  return `told:${words.join(",")}`;
}
