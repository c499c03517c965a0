import type { StoredIdentity } from "../../plugins/contract/auth.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { CHANGES_KEY, IDENTITIES_PREFIX, identityKey } from "./keys.ts";
import { listJson, putJson } from "./stored_json.ts";

/** The identities of the registry's store, which all replicas share. */
export class Identities {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** All of them, in the order of their ids. */
  list(): Promise<StoredIdentity[]> {
    return listJson<StoredIdentity>(this.#storage, IDENTITIES_PREFIX);
  }

  /** Keeps an identity, in place of the one with the same id. */
  async put(identity: StoredIdentity): Promise<void> {
    await putJson(this.#storage, identityKey(identity.id), { value: identity });
    await this.#announce();
  }

  /** Forgets an identity. Answers whether there was one. */
  async delete(id: string): Promise<boolean> {
    const had = await this.#storage.delete(identityKey(id));
    await this.#announce();
    return had;
  }

  /** Something else after each change: one small read tells whether there is anything to read. */
  async version(): Promise<string> {
    return (await this.#storage.get(CHANGES_KEY))?.etag ?? "";
  }

  async #announce(): Promise<void> {
    await putJson(this.#storage, CHANGES_KEY, { value: crypto.randomUUID() });
  }
}
