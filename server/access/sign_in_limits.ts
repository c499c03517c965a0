import { hash } from "node:crypto";
import type { Cache } from "../../plugins/contract/cache.ts";
import { Throttle, type ThrottleOptions, USUAL_LIMITS } from "./throttle.ts";

/** What becomes of an attempt: it is looked at, or not before so many milliseconds are over. */
export type AttemptAnswer =
  | { readonly delayMs: number; readonly waitMs?: never }
  | { readonly waitMs: number; readonly delayMs?: never };

/** Who attempts to sign in, and from where. */
export interface Attempt {
  readonly username: string;
  readonly address: string;
}

/**
 * Counts what fails to sign in, here and, where there is a cache, at all servers that share it: guesses that are spread over servers are as
 * many as at one. What only this server has counted holds in any case.
 */
export class SignInLimits {
  readonly #limits: ThrottleOptions;
  readonly #throttle: Throttle;
  readonly #cache: Cache | undefined;

  constructor(cache: Cache | undefined, limits: Partial<ThrottleOptions> = {}) {
    this.#limits = { ...USUAL_LIMITS, ...limits };
    this.#throttle = new Throttle(this.#limits);
    this.#cache = cache;
  }

  /**
   * Notes an attempt, which counts as a failure until it has succeeded. Answers how long its answer is to be held back if it fails; or
   * that it is not to be looked at, and not counted.
   */
  async begin(attempt: Attempt): Promise<AttemptAnswer> {
    const { username, address } = attempt;
    const waitMs = this.#throttle.waitMs(username, address);
    if (waitMs > 0) return { waitMs };
    const delayMs = this.#throttle.attempt(username, address);
    const [ofName, ofAddress] = await Promise.all(keysOf(attempt).map((key) => this.#add(key, 1)));
    const { failuresMax, addressFailuresMax, windowMs } = this.#limits;
    if (ofName! <= failuresMax && ofAddress! <= addressFailuresMax) return { delayMs };
    await this.takeBack(attempt);
    return { waitMs: windowMs };
  }

  /** It has succeeded: what this name had failed with from there is forgotten. */
  async succeed(attempt: Attempt): Promise<void> {
    this.#throttle.succeed(attempt.username, attempt.address);
    const [ofName, ofAddress] = keysOf(attempt);
    await Promise.all([this.#cache?.delete([ofName]), this.#add(ofAddress, -1)]);
  }

  /** It was none after all: nobody could look at it. */
  async takeBack(attempt: Attempt): Promise<void> {
    this.#throttle.takeBack(attempt.username, attempt.address);
    await Promise.all(keysOf(attempt).map((key) => this.#add(key, -1)));
  }

  async #add(key: string, by: number): Promise<number> {
    return await this.#cache?.count(key, { by, ttlMs: this.#limits.windowMs }) ?? 0;
  }
}

/** No name and no address stands in the cache as it is. */
function keysOf({ username, address }: Attempt): readonly [ofName: string, ofAddress: string] {
  return [`failures:${digestOf([username, address])}`, `failures:${digestOf([address])}`];
}

function digestOf(parts: readonly string[]): string {
  return hash("sha256", JSON.stringify(parts), "base64url");
}
