import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { SEAL_KEY } from "./keys.ts";

const KEY_BYTES = 32;
const SEAL_DIGITS = 32;

/**
 * Proofs that the registry itself has said something, which clients carry from one replica to another: 32 hex digits of an HMAC
 * (RFC 2104) by a key that only who has the store can know.
 */
export class Seals {
  readonly #key: Uint8Array;

  private constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Seals by the key that the store has, which is made where there is none. */
  static async open(storage: Storage): Promise<Seals> {
    for (;;) {
      const found = await storage.get(SEAL_KEY);
      if (found?.size === KEY_BYTES) return new Seals(found.bytes);
      const fresh = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
      const condition = found ? { ifMatch: found.etag } : { ifAbsent: true } as const;
      await unlessConflict(storage.put(SEAL_KEY, fresh, condition));
    }
  }

  /** The seal of a text. */
  seal(...parts: readonly string[]): string {
    return createHmac("sha256", this.#key).update(parts.join("\n")).digest("hex").slice(0, SEAL_DIGITS);
  }

  /** Whether a seal is that of the text. */
  isSeal(seal: string, ...parts: readonly string[]): boolean {
    const given = Buffer.from(seal);
    return given.byteLength === SEAL_DIGITS && timingSafeEqual(given, Buffer.from(this.seal(...parts)));
  }
}
