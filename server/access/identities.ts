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

/**
 * Which of what an identity is to be called names another one already. Whoever is named is named by id or by user name, so
 * an id must be nobody's user name either, nor a user name anybody's id.
 */
export function findTaken(
  { id, username }: Pick<IdentityOrder, "id" | "username">,
  others: readonly Pick<IdentityOrder, "id" | "username">[],
): "id" | "username" | undefined {
  const ids = new Set(others.map((other) => other.id));
  const usernames = new Set(others.map((other) => other.username));
  if (ids.has(id)) return "id";
  if (usernames.has(username)) return "username";
  if (usernames.has(id)) return "id";
  return ids.has(username) ? "username" : undefined;
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
   * Makes an identity, unless its id or its user name is another one's id or user name: then answers which of them is
   * taken. Of two that are made at once and are called the same at most one stays.
   */
  async create(order: IdentityOrder): Promise<IdentityRecord | "id" | "username"> {
    const { id, username } = order;
    const taken = findTaken(order, await this.list());
    if (taken) return taken;
    const nowMs = Date.now();
    const record: IdentityRecord = {
      ...{ id, username, groups: order.groups },
      ...(order.passwordHash !== undefined && { passwordHash: order.passwordHash }),
      incarnation: crypto.randomUUID(),
      createdAtMs: nowMs,
      passwordChangedAtMs: nowMs,
    };
    if (!await putJson(this.#storage, identityKey(id), { value: record, ifAbsent: true })) return "id";
    const clash = findTaken(order, (await this.list()).filter((other) => other.id !== id));
    if (clash) {
      await this.#storage.delete(identityKey(id));
      await this.#changes.announce();
      return clash;
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
}
