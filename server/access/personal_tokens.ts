import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { ScopeVerb } from "./actions.ts";
import { ExpiringMap } from "./expiring_map.ts";
import { tokenKey, TOKENS_PREFIX, tokenUseKey } from "./keys.ts";
import { getJson, listJson, putJson } from "./stored_json.ts";

/** What a personal or robot token may be used for: these verbs on repositories that fit the pattern. */
export interface TokenScope {
  /** As in `[repository."…"]`. */
  readonly repositories: string;
  readonly actions: readonly ScopeVerb[];
}

/** Whom a personal token stands for. */
export interface TokenOwner {
  /** The id. */
  readonly owner: string;
  /** Which of those that have had the id one after the other: see `RecalledIdentity`. */
  readonly ownerIncarnation?: string;
}

/** What a new token is to be; without an owner it is a robot's, and an identity of its own. */
export interface TokenOrder extends Partial<TokenOwner> {
  /** What people call it. */
  readonly name: string;
  /** The groups of a robot. */
  readonly groups?: readonly string[];
  /** What it may be used for; absent: all that its identity may. */
  readonly scopes?: readonly TokenScope[];
  /** When it ends, in milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number;
}

/** A token as it is kept: all but its secret. */
export interface StoredToken extends TokenOrder {
  readonly id: string;
  readonly createdAtMs: number;
  /** When its secret was replaced last. */
  readonly rotatedAtMs?: number;
  /** SHA-256 of its secret, hex: the secret is random, and so needs no slow hash. */
  readonly secretHash: string;
}

/** When and from where a token was used last. */
export interface TokenUseNote {
  readonly usedAtMs: number;
  readonly clientAddress: string;
}

/** A token with its text, which is shown once. */
export interface IssuedToken {
  readonly token: StoredToken;
  readonly text: string;
}

/** How long a token is believed to be as it was read, in milliseconds: what a revocation may take at other replicas. */
const FRESH_MS = 1_000;
/** How often a token's use is noted, in milliseconds, at most. */
const NOTE_MS = 60_000;
const CACHED_MAX = 10_000;
const TEXT = /^sreg_([0-9a-f]{20})_([0-9a-f]{64})$/;

/** The personal and robot tokens of the registry's store. */
export class PersonalTokens {
  readonly #storage: Storage;
  readonly #read = new ExpiringMap<StoredToken>(CACHED_MAX);
  readonly #noted = new ExpiringMap<true>(CACHED_MAX);

  readonly #onTaken: (id: string) => void;

  /** `onTaken` is called when a token's secret is worth nothing any more: what was verified by it must be forgotten. */
  constructor(storage: Storage, onTaken: (id: string) => void = () => {}) {
    this.#storage = storage;
    this.#onTaken = onTaken;
  }

  /** Makes a token. */
  async create(order: TokenOrder): Promise<IssuedToken> {
    const id = randomBytes(10).toString("hex");
    const { secretHash, text } = newSecret(id);
    const token: StoredToken = { ...order, id, createdAtMs: Date.now(), secretHash };
    await putJson(this.#storage, tokenKey(id), { value: token, ifAbsent: true });
    return { token, text };
  }

  /** The token with this id. */
  async get(id: string): Promise<StoredToken | undefined> {
    return (await getJson<StoredToken>(this.#storage, tokenKey(id)))?.value;
  }

  /** All tokens, in the order of their ids. */
  list(): Promise<StoredToken[]> {
    return listJson<StoredToken>(this.#storage, TOKENS_PREFIX);
  }

  /** Gives a token another secret; the one before is worth nothing from now on. */
  async rotate(id: string): Promise<IssuedToken | undefined> {
    for (;;) {
      const stored = await getJson<StoredToken>(this.#storage, tokenKey(id));
      if (!stored) return undefined;
      const { secretHash, text } = newSecret(id);
      const token = { ...stored.value, secretHash, rotatedAtMs: Date.now() };
      this.#read.clear();
      if (await putJson(this.#storage, tokenKey(id), { value: token, ifMatch: stored.etag })) {
        this.#onTaken(id);
        return { token, text };
      }
    }
  }

  /** Takes a token back. Answers whether there was one. */
  async revoke(id: string): Promise<boolean> {
    const had = await this.#storage.delete(tokenKey(id));
    this.#read.clear();
    this.#onTaken(id);
    await this.#storage.delete(tokenUseKey(id));
    return had;
  }

  /** Takes all tokens of an identity back. */
  async revokeAllOf(owner: string): Promise<void> {
    const tokens = await this.list();
    await Promise.all(tokens.filter((token) => token.owner === owner).map(({ id }) => this.revoke(id)));
  }

  /** When a token was used last, to within a minute. */
  async lastUse(id: string): Promise<TokenUseNote | undefined> {
    return (await getJson<TokenUseNote>(this.#storage, tokenUseKey(id)))?.value;
  }

  /** The token of a text, where the text is right and its time has not come. */
  async verify(text: string, clientAddress: string): Promise<StoredToken | undefined> {
    const [, id, secret] = TEXT.exec(text) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const token = this.#read.get(id) ?? await this.#fetch(id);
    if (!token || !isEqual(hashSecret(secret), token.secretHash)) return undefined;
    if (token.expiresAtMs !== undefined && token.expiresAtMs <= Date.now()) return undefined;
    this.#note(id, clientAddress);
    return token;
  }

  async #fetch(id: string): Promise<StoredToken | undefined> {
    const token = await this.get(id);
    if (token) this.#read.set(id, token, Date.now() + FRESH_MS);
    return token;
  }

  /** Nobody waits for it, and it may fail: it is a note for people. */
  #note(id: string, clientAddress: string): void {
    if (this.#noted.get(id)) return;
    this.#noted.set(id, true, Date.now() + NOTE_MS);
    const value: TokenUseNote = { usedAtMs: Date.now(), clientAddress };
    putJson(this.#storage, tokenUseKey(id), { value }).catch(() => {});
  }
}

/** Whether a text has the form of a personal token. */
export function isPersonalToken(text: string): boolean {
  return TEXT.test(text);
}

function newSecret(id: string): { readonly secretHash: string; readonly text: string } {
  const secret = randomBytes(32).toString("hex");
  return { secretHash: hashSecret(secret), text: `sreg_${id}_${secret}` };
}

function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(new TextEncoder().encode(a), new TextEncoder().encode(b));
}
