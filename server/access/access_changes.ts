import type { Storage } from "../../plugins/contract/storage.ts";
import { CHANGES_KEY, type Closing, hadKey } from "./keys.ts";
import { putJson } from "./stored_json.ts";

/** Tells all replicas that identities, roles or bindings have changed. */
export class AccessChanges {
  readonly #storage: Storage;
  readonly #onChange: () => Promise<void>;

  /** `onChange` is awaited after each change that was made here: what it was made for is in force then. */
  constructor(storage: Storage, onChange: () => Promise<void> = () => Promise.resolve()) {
    this.#storage = storage;
    this.#onChange = onChange;
  }

  /** Something else after each change: one small read tells whether there is anything to read. */
  async version(): Promise<string> {
    return (await this.#storage.get(CHANGES_KEY))?.etag ?? "";
  }

  /** Something was written. */
  async announce(): Promise<void> {
    await putJson(this.#storage, CHANGES_KEY, { value: crypto.randomUUID() });
    await this.#onChange();
  }

  /** Notes, before one is deleted, which may be the last, that there has been one. */
  async note(what: Closing): Promise<void> {
    await putJson(this.#storage, hadKey(what), { value: true, ifAbsent: true });
  }

  /** Whether there has ever been one. */
  async hadAny(what: Closing): Promise<boolean> {
    return await this.#storage.stat(hadKey(what)) !== undefined;
  }
}
