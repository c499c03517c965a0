import type { StoredAccess } from "./access/access_store.ts";
import type { ReadConfig } from "./config/mod.ts";
import { KeyedMutex } from "./registry/mutex.ts";
import { createSetup, retire, type Setup, type SetupParts, tell } from "./setup.ts";

/** The setup in force, and its turns. */
export class Setups {
  readonly #parts: SetupParts;
  readonly #turns = new KeyedMutex();
  #current: Setup;
  #loadedAtMs = Date.now();

  private constructor(current: Setup, parts: SetupParts) {
    this.#current = current;
    this.#parts = parts;
  }

  /** The first one. Fails where its configuration cannot be used. */
  static async start(read: ReadConfig, parts: SetupParts): Promise<Setups> {
    return new Setups(await createSetup(read, parts), parts);
  }

  /** The one in force. */
  get current(): Setup {
    return this.#current;
  }

  /** When its configuration was taken over, in milliseconds since 1970. */
  get loadedAtMs(): number {
    return this.#loadedAtMs;
  }

  /** Goes on with another configuration: see `Server.replace`. */
  async replace(read: ReadConfig, commit: () => void): Promise<void> {
    await this.#turns.run("setup", () => this.#replace(read, commit));
    this.#loadedAtMs = Date.now();
  }

  /** Goes by what the store says of access now. */
  async takeStored(stored: StoredAccess): Promise<void> {
    this.#parts.stored = stored;
    await tell(this.#current, this.#parts);
    if (this.#current.chain.suffices(stored)) return;
    // The first identity needs somebody to check its password, the first binding somebody to listen to it.
    await this.#turns.run("setup", async () => {
      if (!this.#current.chain.suffices(stored)) await this.#replace(this.#current.read, () => {});
    });
  }

  /** Fails where a configuration could not be used. */
  async check(read: ReadConfig): Promise<void> {
    const { chain } = await createSetup(read, this.#parts);
    await chain.close();
  }

  /** Ends the one in force. No request may be under way. */
  async close(): Promise<void> {
    await this.#turns.run("setup", () => this.#current.chain.close());
  }

  async #replace(read: ReadConfig, commit: () => void): Promise<void> {
    const created = await createSetup(read, this.#parts);
    try {
      // What changed meanwhile was told to the setup before.
      while (created.stored !== this.#parts.stored) await tell(created, this.#parts);
      commit();
    } catch (error) {
      await created.chain.close();
      throw error;
    }
    const last = this.#current;
    this.#current = created;
    retire(last);
  }
}
