import { hash as digest } from "node:crypto";
import type {
  ConfiguredIdentity,
  KnownIdentity,
  RecalledIdentity,
  StoredIdentity,
} from "@sreg/contract/auth.ts";
import { PluginError } from "@sreg/contract/error.ts";
import { parsePasswordHash, type PasswordHash } from "./password_hash.ts";

/** Somebody who may sign in by a password. */
export interface Account {
  readonly id: string;
  readonly username: string;
  readonly groups: readonly string[];
  /** Absent: no password is right. */
  readonly hash?: PasswordHash;
  /** Where it is configured, for people: `identity.bob`. */
  readonly source: string;
  /** Whether it is kept from signing in. */
  readonly disabled?: boolean;
  /** As `StoredIdentity` has it. */
  readonly incarnation?: string;
}

/** All who may sign in: those who were configured at the start, and those of the registry's store as they come and go. */
export class Accounts {
  readonly #configured: readonly Account[];
  #byName: ReadonlyMap<string, Account> = new Map();
  #byId: ReadonlyMap<string, Account> = new Map();
  #decoy: PasswordHash | undefined;

  /** Throws, with all names, where two of `configured` have the same user name or id. */
  constructor(configured: readonly Account[]) {
    const clashes = new Set(findClashes(configured).values());
    if (clashes.size > 0) {
      throw new Error(`Cannot tell identities apart: ${[...clashes].join("; ")}`);
    }
    this.#configured = configured;
    this.#take(configured);
  }

  /** Who has this user name. */
  find(username: string): Account | undefined {
    return this.#byName.get(username);
  }

  /** The identity with this id as it is now. */
  recall(id: string): RecalledIdentity | null {
    const account = this.#byId.get(id);
    if (!account || account.disabled) return null;
    const { hash, incarnation } = account;
    const generation = digest("sha256", `${hash?.text ?? ""}\n${incarnation ?? ""}`, "base64url");
    return {
      identity: identityOf(account),
      generation,
      ...(incarnation !== undefined && { incarnation }),
    };
  }

  /** Those that were configured at the start. */
  listConfigured(): ConfiguredIdentity[] {
    return this.#configured.map(({ id, username, groups }) => ({ id, username, groups }));
  }

  /** The hash to check passwords of unknown users against: one of the cost that most have; none where nobody is known. */
  get decoy(): PasswordHash | undefined {
    return this.#decoy;
  }

  /**
   * Replaces those of the store. One without a usable hash, or whose name or id somebody else has, cannot sign in; the
   * others can, and then an error names those left out.
   */
  replaceStored(identities: readonly StoredIdentity[]): void {
    const problems: string[] = [];
    const readable = identities.flatMap((identity) => {
      try {
        return [readStored(identity)];
      } catch (error) {
        problems.push((error as Error).message);
        return [];
      }
    });
    const clashes = new Map([
      ...findClashes([...this.#configured, ...readable]),
      ...findNamesakes(readable, [...this.#configured, ...readable]),
    ]);
    problems.push(...new Set(clashes.values()));
    const sound = readable.filter((account) => !clashes.has(account));
    this.#take([...this.#configured, ...sound]);
    if (problems.length === 0) return;
    throw new PluginError("failed", `Cannot take all identities of the store: ${problems.join("; ")}`);
  }

  #take(accounts: readonly Account[]): void {
    this.#byName = new Map(accounts.map((account) => [account.username, account]));
    this.#byId = new Map(accounts.map((account) => [account.id, account]));
    this.#decoy = findDecoy(accounts);
  }
}

/** Whom an account belongs to. */
export function identityOf({ id, username, groups }: Account): KnownIdentity {
  return { id, username, groups, claims: {}, provider: null };
}

/** Reads the hash of somebody's password. Throws with who it is. */
export function readHash(text: string, source: string): PasswordHash {
  try {
    return parsePasswordHash(text);
  } catch (error) {
    throw new Error(`${source} has a password that cannot be used: ${(error as Error).message}`);
  }
}

function readStored({ passwordHash, ...identity }: StoredIdentity): Account {
  const source = `the stored identity ${JSON.stringify(identity.id)}`;
  return { ...identity, source, ...(passwordHash !== undefined && { hash: readHash(passwordHash, source) }) };
}

/** Every account whose name or id another has, too, and what to say of it. */
function findClashes(accounts: readonly Account[]): ReadonlyMap<Account, string> {
  const clashes = new Map<Account, string>();
  for (const [key, title] of [["id", "id"], ["username", "user name"]] as const) {
    for (const [value, group] of Map.groupBy(accounts, (account) => account[key])) {
      if (group.length === 1) continue;
      const sources = group.map(({ source }) => source).join(" and ");
      for (const account of group) {
        clashes.set(account, `the ${title} ${JSON.stringify(value)} is that of ${sources}`);
      }
    }
  }
  return clashes;
}

/** Those of `accounts` whose id is another's user name, or the other way round: bindings name people by either. */
function findNamesakes(
  accounts: readonly Account[],
  others: readonly Account[],
): ReadonlyMap<Account, string> {
  const byId = Map.groupBy(others, ({ id }) => id);
  const byName = Map.groupBy(others, ({ username }) => username);
  const namesakes = new Map<Account, string>();
  for (const account of accounts) {
    const { id, username, source } = account;
    const other = [...byName.get(id) ?? [], ...byId.get(username) ?? []]
      .find((found) => found.id !== id && found.username !== username);
    if (other) namesakes.set(account, `${source} is called like ${other.source}`);
  }
  return namesakes;
}

function findDecoy(accounts: readonly Account[]): PasswordHash | undefined {
  const hashes = accounts.flatMap(({ hash }) => hash ? [hash] : []);
  const byCost = [...Map.groupBy(hashes, ({ cost }) => cost).values()];
  return byCost.toSorted((a, b) => b.length - a.length)[0]?.[0];
}
