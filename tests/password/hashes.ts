/** Hashes for tests, made by another implementation than the one that checks them. */

import { argon2id, bcrypt } from "hash-wasm";

/** What an argon2id hash is made with. */
export interface Argon2idCost {
  readonly memoryKib?: number;
  readonly passes?: number;
  readonly lanes?: number;
}

const SALT = new TextEncoder().encode("salt of sixteen!");

/** An argon2id hash, cheap unless told otherwise. */
export function hashArgon2id(password: string, cost: Argon2idCost = {}): Promise<string> {
  return argon2id({
    password,
    salt: SALT,
    memorySize: cost.memoryKib ?? 64,
    iterations: cost.passes ?? 1,
    parallelism: cost.lanes ?? 1,
    hashLength: 32,
    outputType: "encoded",
  });
}

/** A bcrypt hash. */
export function hashBcrypt(password: string, cost = 4): Promise<string> {
  return bcrypt({ password, salt: SALT, costFactor: cost, outputType: "encoded" });
}
