import type { Auth, ConfiguredIdentity } from "../../plugins/contract/auth.ts";
import type { Policy, PolicyProblem } from "../../plugins/contract/policy.ts";
import type { ConfiguredRoles, StoredRoles } from "../../plugins/contract/role.ts";
import { OciError } from "../oci/error.ts";

/** Asks a plugin one question. */
export type Asking<Plugin> = <T>(ask: (plugin: Plugin) => Promise<T>) => Promise<T>;

/** Whom the directory asks. */
export interface DirectoryParts {
  readonly auths: readonly Auth[];
  readonly policies: readonly Policy[];
  /** Asks what checks passwords; it is started for the one question where none of `auths` does. */
  readonly askPasswords: Asking<Auth>;
  /** Asks what knows roles; it is started for the one question where none of `policies` does. */
  readonly askRoles: Asking<Policy>;
}

/** New passwords that wait for their hash; more are sent away. */
const HASHES_WAITING_MAX = 16;

/** What plugins say of identities and roles, for whoever keeps others beside them. */
export class Directory {
  readonly #parts: DirectoryParts;
  #hashing: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  /** The identities that are not the store's. */
  async identities(): Promise<readonly ConfiguredIdentity[]> {
    const lists = await Promise.all(this.#parts.auths.map((auth) => auth.listIdentities?.() ?? []));
    return lists.flat();
  }

  /**
   * A hash of a new password, which is computed in no thread of the core. One at a time: whoever signs in waits for the same
   * thread. TOOMANYREQUESTS where too many wait already.
   */
  async hashPassword(password: string): Promise<string> {
    if (this.#waiting >= HASHES_WAITING_MAX) throw tooManyHashes();
    this.#waiting++;
    const hashing = this.#hashing.then(() =>
      this.#ask(
        this.#parts.auths.find((auth) => auth.hashPassword),
        (auth) => auth.hashPassword!(password),
      )
    );
    this.#hashing = hashing.catch(() => {});
    try {
      return await hashing;
    } finally {
      this.#waiting--;
    }
  }

  /** Why a text cannot be used as a password's hash; `null`: it can. */
  findHashProblem(passwordHash: string): Promise<string | null> {
    return this.#ask(
      this.#parts.auths.find((auth) => auth.findHashProblem),
      (auth) => auth.findHashProblem!(passwordHash),
    );
  }

  /** The roles and bindings that are not the store's. */
  roles(): Promise<ConfiguredRoles> {
    const policy = this.#parts.policies.find((policy) => policy.listRoles);
    return policy ? policy.listRoles!() : this.#parts.askRoles((spare) => spare.listRoles!());
  }

  /** What is wrong with roles and bindings that are to be kept beside those that the store has. */
  async checkRoles(wanted: StoredRoles, stored: StoredRoles): Promise<readonly PolicyProblem[]> {
    const policy = this.#parts.policies.find((policy) => policy.checkRoles);
    if (policy) return await policy.checkRoles!(wanted);
    return await this.#parts.askRoles(async (spare) => {
      await spare.replaceRoles!(stored);
      return await spare.checkRoles!(wanted);
    });
  }

  #ask<T>(auth: Auth | undefined, ask: (auth: Auth) => Promise<T>): Promise<T> {
    return auth ? ask(auth) : this.#parts.askPasswords(ask);
  }
}

function tooManyHashes(): OciError {
  return new OciError("TOOMANYREQUESTS", "Cannot hash the password: too many others wait for that", {
    headers: { "Retry-After": "1" },
  });
}
