/**
 * The auth contract over user names and passwords: those of the configuration, of an htpasswd file and of the registry's
 * store. It keeps hashes alone, and checks one password at a time.
 *
 * @module
 */

import type {
  Auth,
  AuthAnswer,
  AuthQuestion,
  ConfiguredIdentity,
  RecalledIdentity,
  StoredIdentity,
} from "@sreg/contract/auth.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import { type Account, Accounts, identityOf, readHash } from "./accounts.ts";
import { parseHtpasswd } from "./htpasswd.ts";
import {
  hashPassword,
  parsePasswordHash,
  passwordBytes,
  type PasswordHash,
  verifyPassword,
} from "./password_hash.ts";
import { WaitingLine } from "./waiting_line.ts";

/** The settings of the plugin. */
export interface PasswordOptions {
  /** A list of `{ id, username, password, groups? }`. */
  readonly identities?: unknown;
  /** An htpasswd file. */
  readonly htpasswd_file?: string;
}

/** How long the core may use a good answer again. */
const CACHE_MS = 300_000;

/** A call that waited for longer than its client would is not worth the computation. */
const LINE = { waitingMax: 64, waitMs: 10_000 };

/** Reads the configured identities and the htpasswd file. */
export const create: CreatePlugin<Auth, PasswordOptions> = async ({ identities = [], htpasswd_file }) => {
  const users = htpasswd_file === undefined
    ? []
    : parseHtpasswd(await Deno.readFile(htpasswd_file), htpasswd_file);
  return new PasswordAuth(new Accounts([...readIdentities(identities), ...users]));
};

class PasswordAuth implements Auth {
  readonly #accounts: Accounts;
  readonly #line = new WaitingLine(LINE);

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  async authenticate({ credential }: AuthQuestion): Promise<AuthAnswer> {
    if (credential.scheme !== "basic") return { outcome: "foreign" };
    const { username, password } = credential;
    const account = this.#accounts.find(username);
    const hash = account?.hash ?? this.#accounts.decoy;
    const matches = hash !== undefined && await this.#matches(hash, password);
    if (!account) return { outcome: "foreign" };
    // It may have been changed while the check waited for its turn.
    const current = this.#accounts.find(username);
    const isCurrent = current?.id === account.id && current.hash?.text === account.hash?.text;
    if (!account.hash || !matches || !isCurrent) return { outcome: "refused", reason: "wrong password" };
    if (current.disabled) return { outcome: "refused", reason: "it is disabled" };
    return { outcome: "known", identity: identityOf(current), cacheForMs: CACHE_MS };
  }

  recall(id: string): Promise<RecalledIdentity | null> {
    return Promise.resolve(this.#accounts.recall(id));
  }

  // deno-lint-ignore require-await -- what it throws must arrive as a rejection
  async replaceIdentities(identities: readonly StoredIdentity[]): Promise<void> {
    this.#accounts.replaceStored(identities);
  }

  listIdentities(): Promise<readonly ConfiguredIdentity[]> {
    return Promise.resolve(this.#accounts.listConfigured());
  }

  hashPassword(password: string): Promise<string> {
    return this.#line.run(() => hashPassword(password));
  }

  findHashProblem(passwordHash: string): Promise<string | null> {
    try {
      parsePasswordHash(passwordHash);
      return Promise.resolve(null);
    } catch (error) {
      return Promise.resolve((error as Error).message);
    }
  }

  async #matches(hash: PasswordHash, password: string): Promise<boolean> {
    const bytes = passwordBytes(password);
    return bytes !== undefined && await this.#line.run(() => verifyPassword(hash, bytes));
  }
}

function readIdentities(value: unknown): Account[] {
  if (!Array.isArray(value)) throw new TypeError("identities: expected a list");
  return value.map((item, index) => readIdentity(item, `identities[${index}]`));
}

function readIdentity(item: unknown, at: string): Account {
  const { id, username, password, groups = [] } = Object(item) as Record<string, unknown>;
  const isGroups = Array.isArray(groups) && groups.every((group) => typeof group === "string");
  if (typeof id !== "string" || typeof username !== "string" || typeof password !== "string" || !isGroups) {
    throw new TypeError(
      `${at}: expected texts for id, username and password, and a list of texts for groups`,
    );
  }
  const source = `identity.${id}`;
  return { id, username, groups, source, hash: readHash(password, source) };
}
