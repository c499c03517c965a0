import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import type { Storage } from "../../plugins/contract/storage.ts";
import { SIGNING_PREFIX, signingKey } from "./keys.ts";
import { listJson, putJson } from "./stored_json.ts";

/** The algorithm that tokens are signed with (RFC 7518, section 3.4). */
export const SIGNING_ALGORITHM = "ES256";

/** A key that signs tokens. */
export interface SigningKey {
  /** The thumbprint of its public half (RFC 7638). */
  readonly keyId: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  /** The public half, as others may know it (RFC 7517). */
  readonly publicJwk: JWK;
  readonly createdAtMs: number;
}

interface StoredKey {
  readonly keyId: string;
  readonly privateJwk: JWK;
  readonly publicJwk: JWK;
  readonly createdAtMs: number;
}

/** How keys come and go. */
export interface SigningKeysOptions {
  /** Age at which a key is followed by a new one, in milliseconds. */
  readonly rotateAfterMs: number;
  /** How long a key that was followed still verifies, in milliseconds: longer than any token lasts. */
  readonly verifyForMs: number;
}

/** How often keys that another replica may have made are looked for, in milliseconds, at most. */
const RELOAD_MS = 10_000;

/**
 * The keys that sign tokens. They are kept in the registry's store, so that all replicas have the same; made when there
 * is none yet, and followed by a new one when they are old.
 */
export class SigningKeys {
  readonly #storage: Storage;
  readonly #options: SigningKeysOptions;
  #keys: readonly SigningKey[] = [];
  #loadedAtMs = 0;
  #loading: Promise<void> | undefined;

  constructor(storage: Storage, options: SigningKeysOptions) {
    this.#storage = storage;
    this.#options = options;
  }

  /** The key to sign with now. */
  async current(): Promise<SigningKey> {
    if (Date.now() - this.#loadedAtMs > RELOAD_MS) await this.#load();
    const newest = this.#keys[0];
    if (newest && Date.now() - newest.createdAtMs < this.#options.rotateAfterMs) return newest;
    await this.#create();
    await this.#load();
    return this.#keys[0]!;
  }

  /** The key of an id, if it still verifies. An unknown id makes the store be asked, but not for each who invents one. */
  async find(keyId: string): Promise<SigningKey | undefined> {
    const known = this.#keys.find((key) => key.keyId === keyId);
    if (known || Date.now() - this.#loadedAtMs < RELOAD_MS) return known;
    await this.#load();
    return this.#keys.find((key) => key.keyId === keyId);
  }

  /** The public halves of all keys that verify (RFC 7517, section 5). */
  async publicKeys(): Promise<readonly JWK[]> {
    await this.current();
    return this.#keys.map(({ publicJwk }) => publicJwk);
  }

  #load(): Promise<void> {
    return this.#loading ??= this.#read().finally(() => this.#loading = undefined);
  }

  async #read(): Promise<void> {
    const stored = await listJson<StoredKey>(this.#storage, SIGNING_PREFIX);
    const sorted = stored.toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.keyId < b.keyId ? -1 : 1));
    const kept = sorted.filter((_, index) => this.#verifies(sorted[index - 1]));
    const known = new Map(this.#keys.map((key) => [key.keyId, key]));
    this.#keys = await Promise.all(kept.map((key) => known.get(key.keyId) ?? importKey(key)));
    this.#loadedAtMs = Date.now();
  }

  /** Whether a key verifies that was followed by `successor`. */
  #verifies(successor: StoredKey | undefined): boolean {
    return !successor || Date.now() - successor.createdAtMs < this.#options.verifyForMs;
  }

  async #create(): Promise<void> {
    const pair = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true });
    const publicJwk = await exportJWK(pair.publicKey);
    const keyId = await calculateJwkThumbprint(publicJwk);
    const stored: StoredKey = {
      keyId,
      privateJwk: await exportJWK(pair.privateKey),
      publicJwk: { ...publicJwk, kid: keyId, alg: SIGNING_ALGORITHM, use: "sig" },
      createdAtMs: Date.now(),
    };
    await putJson(this.#storage, signingKey(keyId), { value: stored, ifAbsent: true });
  }
}

async function importKey({ keyId, privateJwk, publicJwk, createdAtMs }: StoredKey): Promise<SigningKey> {
  const [privateKey, publicKey] = await Promise.all([
    importJWK(privateJwk, SIGNING_ALGORITHM),
    importJWK(publicJwk, SIGNING_ALGORITHM),
  ]) as [CryptoKey, CryptoKey];
  return { keyId, privateKey, publicKey, publicJwk, createdAtMs };
}
