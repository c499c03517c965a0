/** Identities for configurations under test. */

import { bcrypt } from "hash-wasm";

/** The hash of a password, as cheap as it can be. */
export async function cheapHash(password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  return await bcrypt({ password, salt, costFactor: 4, outputType: "encoded" });
}

/** The tables of identities whose password is `<username>-password`. */
export async function identityTables(usernames: readonly string[]): Promise<string> {
  const tables = await Promise.all(
    usernames.map(async (username) =>
      `[identity.${username}]\nusername = "${username}"\npassword = "${await cheapHash(
        `${username}-password`,
      )}"\n`
    ),
  );
  return tables.join("");
}
