import type { StoredIdentity } from "../../plugins/contract/auth.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { AccessChanges } from "./access_changes.ts";
import { IDENTITIES_PREFIX, identityKey } from "./keys.ts";
import { getJson, listJson, putJson } from "./stored_json.ts";

/** What a new identity is to be. */
export type IdentityOrder = Pick<StoredIdentity, "id" | "username" | "passwordHash" | "groups">;

/** An identity of the store, and what is known of it besides. */
export interface IdentityRecord extends StoredIdentity {
  readonly incarnation: string;
  readonly createdAtMs: number;
  readonly passwordChangedAtMs: number;
}

/** What may be changed of an identity. */
export interface IdentityChange {
  readonly disabled?: boolean;
  readonly groups?: readonly string[];
  readonly passwordHash?: string;
  /** Whether all that was got as this identity dies, its personal tokens too. */
  readonly endsTokens: boolean;
}

/** The identities of the registry's store, which all replicas share. */
export class Identities {
  readonly #storage: Storage;
  readonly #changes: AccessChanges;

  constructor(storage: Storage, changes: AccessChanges) {
    this.#storage = storage;
    this.#changes = changes;
  }

  /** All of them. */
  list(): Promise<IdentityRecord[]> {
    return listJson<IdentityRecord>(this.#storage, IDENTITIES_PREFIX);
  }

  /** The one with this id. */
  async get(id: string): Promise<IdentityRecord | undefined> {
    return (await getJson<IdentityRecord>(this.#storage, identityKey(id)))?.value;
  }

  /**
   * Makes an identity, unless another one has its id or its user name: then answers which of them is taken. Of two
   * that are made at once with the same user name at most one stays.
   */
  async create(order: IdentityOrder): Promise<IdentityRecord | "id" | "username"> {
    const { id, username } = order;
    if (await this.#hasOther(order)) return "username";
    const nowMs = Date.now();
    const record: IdentityRecord = {
      ...{ id, username, groups: order.groups },
      ...(order.passwordHash !== undefined && { passwordHash: order.passwordHash }),
      incarnation: crypto.randomUUID(),
      createdAtMs: nowMs,
      passwordChangedAtMs: nowMs,
    };
    if (!await putJson(this.#storage, identityKey(id), { value: record, ifAbsent: true })) return "id";
    if (await this.#hasOther(order)) {
      await this.#storage.delete(identityKey(id));
      await this.#changes.announce();
      return "username";
    }
    await this.#changes.announce();
    return record;
  }

  /** Changes an identity. Answers what it is then; `undefined`: there is none. */
  async change(
    id: string,
    { endsTokens, ...change }: IdentityChange,
  ): Promise<IdentityRecord | undefined> {
    for (;;) {
      const stored = await getJson<IdentityRecord>(this.#storage, identityKey(id));
      if (!stored) return undefined;
      const record: IdentityRecord = {
        ...stored.value,
        ...change,
        ...(endsTokens && { incarnation: crypto.randomUUID() }),
        ...(change.passwordHash !== undefined && { passwordChangedAtMs: Date.now() }),
      };
      if (!await putJson(this.#storage, identityKey(id), { value: record, ifMatch: stored.etag })) continue;
      await this.#changes.announce();
      return record;
    }
  }

  /** Forgets an identity. Answers whether there was one. */
  async delete(id: string): Promise<boolean> {
    await this.#changes.note("identities");
    const had = await this.#storage.delete(identityKey(id));
    await this.#changes.announce();
    return had;
  }

  async #hasOther({ id, username }: IdentityOrder): Promise<boolean> {
    return (await this.list()).some((other) => other.username === username && other.id !== id);
  }
}
