import { randomBytes } from "node:crypto";
import type { StoredBinding, StoredRole } from "../../plugins/contract/role.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { AccessChanges } from "./access_changes.ts";
import { bindingKey, BINDINGS_PREFIX, roleKey, ROLES_PREFIX } from "./keys.ts";
import { listJson, putJson } from "./stored_json.ts";

/** The roles of the registry's store, and who has them, which all replicas share. */
export class Roles {
  readonly #storage: Storage;
  readonly #changes: AccessChanges;

  constructor(storage: Storage, changes: AccessChanges) {
    this.#storage = storage;
    this.#changes = changes;
  }

  /** All roles. */
  list(): Promise<StoredRole[]> {
    return listJson<StoredRole>(this.#storage, ROLES_PREFIX);
  }

  /** Keeps a role, in place of the one with its name. Answers whether there was none. */
  async put(role: StoredRole): Promise<boolean> {
    const key = roleKey(role.name);
    const isNew = await putJson(this.#storage, key, { value: role, ifAbsent: true });
    if (!isNew) await putJson(this.#storage, key, { value: role });
    await this.#changes.announce();
    return isNew;
  }

  /** Forgets a role. Answers whether there was one. */
  async delete(name: string): Promise<boolean> {
    const had = await this.#storage.delete(roleKey(name));
    await this.#changes.announce();
    return had;
  }

  /** All bindings. */
  listBindings(): Promise<StoredBinding[]> {
    return listJson<StoredBinding>(this.#storage, BINDINGS_PREFIX);
  }

  /** Gives a role to somebody. */
  async bind({ role, users, groups }: Omit<StoredBinding, "id">): Promise<StoredBinding> {
    const binding: StoredBinding = { id: randomBytes(10).toString("hex"), role, users, groups };
    await putJson(this.#storage, bindingKey(binding.id), { value: binding, ifAbsent: true });
    await this.#changes.announce();
    return binding;
  }

  /** Takes a role back from those of a binding. Answers whether there was one. */
  async unbind(id: string): Promise<boolean> {
    await this.#changes.note("bindings");
    const had = await this.#storage.delete(bindingKey(id));
    await this.#changes.announce();
    return had;
  }
}
