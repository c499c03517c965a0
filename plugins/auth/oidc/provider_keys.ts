import { PluginError } from "@sreg/contract/error.ts";
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from "jose";

/** Shortest time between two fetches for keys that tokens name and nobody knows, however many those are. */
export const COOLDOWN_MS = 30_000;

/** The same where there are no keys yet. */
export const RETRY_MS = 2_000;

/** Where keys come from, and how long they are good. */
export interface ProviderKeysOptions {
  /** Fetches the keys. Fails with a `PluginError`. */
  readonly load: () => Promise<object>;
  /** How long they are used before they are fetched again; `COOLDOWN_MS` at least. */
  readonly cacheMs: number;
  /** A clock that never goes back, in milliseconds; default: the time since the start. */
  readonly clock?: () => number;
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * A provider's keys. They are fetched when they are needed first, when they have become old, and when a token names one
 * that is not among them: never twice at a time, and for that reason at most once in `COOLDOWN_MS`. Where a fetch fails,
 * the keys that there are go on being used.
 */
export class ProviderKeys {
  readonly #load: () => Promise<object>;
  readonly #cacheMs: number;
  readonly #clock: () => number;
  #keys: KeySet | undefined;
  #loadedAtMs = -Infinity;
  #pausedAtMs = -Infinity;
  #failure: PluginError | undefined;
  #underWay: Promise<void> | undefined;

  constructor({ load, cacheMs, clock = () => performance.now() }: ProviderKeysOptions) {
    this.#load = load;
    this.#cacheMs = Math.max(cacheMs, COOLDOWN_MS);
    this.#clock = clock;
  }

  /**
   * The keys that may have signed a token with this header: none where the provider has no such key. Rejects with a
   * `PluginError` where that could not be found out.
   */
  async find(header: JWTHeaderParameters): Promise<readonly CryptoKey[]> {
    const isOld = this.#clock() - this.#loadedAtMs >= this.#cacheMs;
    if (isOld) await this.#refresh({ pausesAfter: false });
    const keys = this.#keys;
    const found = keys ? await match(keys, header) : [];
    if (found.length > 0) return found;
    // Somebody else may have fetched newer ones meanwhile.
    if (!isOld && this.#keys === keys) await this.#refresh({ pausesAfter: true });
    const renewed = this.#keys && this.#keys !== keys ? await match(this.#keys, header) : [];
    if (renewed.length === 0 && this.#failure) throw this.#failure;
    return renewed;
  }

  #refresh({ pausesAfter }: { readonly pausesAfter: boolean }): Promise<void> {
    if (this.#underWay) return this.#underWay;
    const pauseMs = this.#keys ? COOLDOWN_MS : RETRY_MS;
    if (this.#clock() - this.#pausedAtMs < pauseMs) return Promise.resolve();
    this.#underWay = this.#fetch().finally(() => {
      if (pausesAfter || this.#failure) this.#pausedAtMs = this.#clock();
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #fetch(): Promise<void> {
    try {
      this.#keys = readKeys(await this.#load());
      this.#loadedAtMs = this.#clock();
      this.#failure = undefined;
    } catch (error) {
      if (!(error instanceof PluginError)) throw error;
      this.#failure = error;
    }
  }
}

function readKeys(document: object): KeySet {
  try {
    return createLocalJWKSet(document as JSONWebKeySet);
  } catch (cause) {
    throw new PluginError("unavailable", "Cannot use the provider's keys: they are no set of keys", {
      cause,
    });
  }
}

async function match(keys: KeySet, header: JWTHeaderParameters): Promise<readonly CryptoKey[]> {
  try {
    return [await keys(header)];
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return [];
    // Without a name for its key, a token may be of any that fits.
    if (error instanceof errors.JWKSMultipleMatchingKeys) return await Array.fromAsync(error);
    throw error;
  }
}
