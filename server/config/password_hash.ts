import { randomBytes } from "node:crypto";
import { NEW_HASH_COST } from "../../plugins/contract/password.ts";

/** The hash of a password as a configuration has it: argon2id in PHC form. Blocks this thread for as long as it takes. */
export async function hashPassword(password: string): Promise<string> {
  const { argon2id } = await import("hash-wasm");
  const { memoryKib, passes, lanes, saltBytes, hashBytes } = NEW_HASH_COST;
  return await argon2id({
    password: new TextEncoder().encode(password),
    salt: randomBytes(saltBytes),
    memorySize: memoryKib,
    iterations: passes,
    parallelism: lanes,
    hashLength: hashBytes,
    outputType: "encoded",
  });
}
