import { hash, randomBytes } from "node:crypto";
import type {
  Auth,
  AuthQuestion,
  Credential,
  KnownIdentity,
  RecalledIdentity,
} from "../../plugins/contract/auth.ts";
import type { Cache } from "../../plugins/contract/cache.ts";
import { ANONYMOUS, type ClientCertificate, type Identity } from "../../plugins/contract/identity.ts";
import { type AccessTokens, isOwnToken, type TokenUse } from "./access_tokens.ts";
import { type Coverage, coverageOfGrants, coverageOfScopes, EVERYTHING } from "./coverage.ts";
import { ExpiringMap } from "./expiring_map.ts";
import {
  isPersonalToken,
  type PersonalTokens,
  type StoredToken,
  type TokenOwner,
} from "./personal_tokens.ts";
import { SignInLimits } from "./sign_in_limits.ts";

/** An auth plugin of the chain. */
export interface NamedAuth {
  /** As the configuration names it: `password`, `oidc.github`. */
  readonly name: string;
  readonly auth: Auth;
}

/** Who is asking, what for, and how that is known. */
export interface Authentication {
  readonly identity: Identity;
  /** What the credential may be used for. */
  readonly coverage: Coverage;
  /** How the client showed who it is. */
  readonly by: "nothing" | "password" | "bearer" | "token";
  /** The auth plugin that vouches for the identity; empty: none. */
  readonly source: string;
  readonly generation: string;
  /** When it ends by itself, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** A credential that is not believed. */
export interface Refusal {
  /** Why, for the log: never for the client. */
  readonly refused: string;
  /** For one who guesses: when to try again, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Where credentials are looked up. */
export interface AuthenticatorParts {
  readonly plugins: readonly NamedAuth[];
  readonly accessTokens: AccessTokens;
  readonly personalTokens: PersonalTokens;
  /** Where servers count together what fails. */
  readonly cache: Cache | undefined;
}

/** What a request shows. */
export interface Shown {
  readonly credential: Credential;
  readonly certificate: ClientCertificate | null;
  readonly clientAddress: string;
}

const CACHED_MAX = 10_000;
const JWT = /^[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}$/;
/** How long a token's check is used again, in milliseconds. */
const TOKEN_CACHE_MS = 60_000;
/** The same of one that was got with a personal token: that may be revoked at another replica, which tells nobody. */
const GOT_BY_TOKEN_CACHE_MS = 1_000;

type UnderWay = Map<string, Promise<Authentication | Refusal>>;

type Verified = Omit<Authentication, "identity"> & { readonly known: KnownIdentity | null };

/** Finds out who is asking: tokens of our own, then the auth plugins in their order. */
export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #limits: SignInLimits;
  readonly #verified = new ExpiringMap<Authentication>(CACHED_MAX);
  readonly #secret = randomBytes(32).toString("hex");
  #underWay = { tokens: new Map() as UnderWay, others: new Map() as UnderWay };

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    this.#limits = new SignInLimits(parts.cache);
  }

  /** Who shows this. A `PluginError` where that cannot be found out now. */
  async authenticate(shown: Shown): Promise<Authentication | Refusal> {
    const { credential, certificate } = shown;
    if (credential.scheme === "none") return { ...NOBODY, identity: withCertificate(null, certificate) };
    const key = this.#keyOf(shown);
    return this.#verified.get(key) ?? await this.#verifyOnce(key, shown);
  }

  /** A refresh token of the token service, as who it was issued to is now. */
  async refresh(token: string, certificate: ClientCertificate | null): Promise<Authentication | Refusal> {
    const verified = await this.#verifyOwn(token, "refresh");
    if ("refused" in verified) return verified;
    const { known, ...rest } = verified;
    return { ...rest, coverage: EVERYTHING, identity: withCertificate(known, certificate) };
  }

  /** What a token is bound to: it changes when the identity's password does. */
  async generationOf({ source, identity }: Authentication): Promise<string> {
    const recalled = identity.id === null ? undefined : await this.#recall(source, identity.id);
    return recalled?.generation ?? "";
  }

  /** Whoever has this id, where an auth plugin can tell of them at any time. */
  async ownerOf(id: string): Promise<TokenOwner | undefined> {
    const recalled = await this.#recallOwner(id);
    if (!recalled) return undefined;
    const { incarnation } = recalled;
    return { owner: id, ...(incarnation !== undefined && { ownerIncarnation: incarnation }) };
  }

  /** Forgets what was verified: identities or tokens have changed. What is being verified is not remembered either. */
  forget(): void {
    this.#verified.clear();
    this.#underWay = { tokens: new Map(), others: new Map() };
  }

  /**
   * The same of what was verified by a personal token. All else stays: whoever may change their own tokens must not have
   * everybody's password checked anew.
   */
  forgetToken(tokenId: string): void {
    this.#verified.deleteWhere(({ source }) => source === TOKEN_SOURCE + tokenId);
    this.#underWay.tokens = new Map();
  }

  /** Requests that arrive together with the same credential are verified once. */
  #verifyOnce(key: string, shown: Shown): Promise<Authentication | Refusal> {
    const kind = isTokenOfOurs(shown.credential) ? "tokens" : "others";
    const allUnderWay = this.#underWay[kind];
    const underWay = allUnderWay.get(key);
    if (underWay) return underWay;
    const verifying = this.#verify(shown).then((verified) => {
      if ("refused" in verified) return verified;
      const { cacheForMs = 0, known, ...rest } = verified;
      const authentication = { ...rest, identity: withCertificate(known, shown.certificate) };
      if (allUnderWay === this.#underWay[kind]) {
        this.#verified.set(key, authentication, Math.min(Date.now() + cacheForMs, rest.expiresAtMs));
      }
      return authentication;
    }).finally(() => allUnderWay.delete(key));
    allUnderWay.set(key, verifying);
    return verifying;
  }

  async #verify(shown: Shown): Promise<(Verified | Refusal) & { readonly cacheForMs?: number }> {
    const { credential, clientAddress } = shown;
    if (credential.scheme === "bearer") return await this.#verifyBearer(credential.token, shown);
    if (credential.scheme === "none") return { ...NOBODY, known: null };
    const { username, password } = credential;
    if (isPersonalToken(password)) return await this.#verifyPersonal(password, clientAddress);
    // What has the form of a token is long, and nothing to be guessed; build machines share addresses and user names.
    if (JWT.test(password)) return await this.#askPlugins(shown);
    const attempt = { username, address: clientAddress };
    const { waitMs, delayMs = 0 } = await this.#limits.begin(attempt);
    if (waitMs !== undefined) return { refused: "too many failures", retryAfterMs: waitMs };
    const verified = await this.#askPlugins(shown).catch(async (error) => {
      await this.#limits.takeBack(attempt);
      throw error;
    });
    if ("refused" in verified) await pause(delayMs);
    else await this.#limits.succeed(attempt);
    return verified;
  }

  async #verifyBearer(token: string, shown: Shown) {
    if (isPersonalToken(token)) return await this.#verifyPersonal(token, shown.clientAddress);
    if (!isOwnToken(token)) return await this.#askPlugins(shown);
    const verified = await this.#verifyOwn(token, "access");
    if ("refused" in verified) return verified;
    const isByToken = verified.source.startsWith(TOKEN_SOURCE);
    return { ...verified, cacheForMs: isByToken ? GOT_BY_TOKEN_CACHE_MS : TOKEN_CACHE_MS };
  }

  async #verifyOwn(token: string, use: TokenUse): Promise<Verified | Refusal> {
    const facts = await this.#parts.accessTokens.read(token, use);
    if (typeof facts === "string") return { refused: facts };
    const { source, generation, expiresAtMs } = facts;
    const coverage = coverageOfGrants(facts.access);
    const verified = {
      known: facts.identity,
      coverage,
      by: "token",
      source,
      generation,
      expiresAtMs,
    } as const;
    if (!facts.identity || facts.identity.id === null) return verified;
    const recalled = await this.#recall(source, facts.identity.id);
    if (recalled === undefined) return verified;
    if (recalled === null || recalled.generation !== generation) {
      return { refused: "its identity has changed" };
    }
    return { ...verified, known: recalled.identity };
  }

  async #verifyPersonal(text: string, clientAddress: string): Promise<Verified | Refusal> {
    const token = await this.#parts.personalTokens.verify(text, clientAddress);
    if (!token) return { refused: "the token is unknown, has ended or was revoked" };
    const known = await this.#bearerOf(token);
    if (!known) return { refused: "the token's owner is no more" };
    return {
      known,
      coverage: coverageOfScopes(token.scopes),
      by: "token",
      source: `${TOKEN_SOURCE}${token.id}`,
      generation: token.secretHash,
      expiresAtMs: token.expiresAtMs ?? Infinity,
    };
  }

  async #askPlugins(shown: Shown): Promise<(Verified | Refusal) & { readonly cacheForMs?: number }> {
    const by = shown.credential.scheme === "basic" ? "password" : "bearer";
    for (const { name: source, auth } of this.#parts.plugins) {
      const answer = await auth.authenticate(shown satisfies AuthQuestion);
      if (answer.outcome === "foreign") continue;
      if (answer.outcome === "refused") return { refused: `${source}: ${answer.reason}` };
      const { identity: known, expiresAtMs = Infinity, cacheForMs = 0 } = answer;
      return { known, coverage: EVERYTHING, by, source, generation: "", expiresAtMs, cacheForMs };
    }
    return { refused: "nobody knows the credential" };
  }

  /** Whom a token stands for. One that was made for somebody who had the id before stands for nobody. */
  async #bearerOf(token: StoredToken): Promise<KnownIdentity | undefined> {
    if (token.owner === undefined) return robotOf(token);
    const recalled = await this.#recallOwner(token.owner);
    return recalled?.incarnation === token.ownerIncarnation ? recalled?.identity : undefined;
  }

  async #recallOwner(id: string): Promise<RecalledIdentity | undefined> {
    for (const { auth } of this.#parts.plugins) {
      const recalled = await auth.recall?.(id);
      if (recalled) return recalled;
    }
    return undefined;
  }

  /** `undefined`: whoever vouches for it cannot say; `null`: it is no more. */
  async #recall(source: string, id: string) {
    if (source.startsWith(TOKEN_SOURCE)) return await this.#recallToken(source.slice(TOKEN_SOURCE.length));
    const plugin = this.#parts.plugins.find(({ name }) => name === source);
    return plugin ? await plugin.auth.recall?.(id) : null;
  }

  async #recallToken(tokenId: string) {
    const token = await this.#parts.personalTokens.get(tokenId);
    if (!token || (token.expiresAtMs !== undefined && token.expiresAtMs <= Date.now())) return null;
    const identity = await this.#bearerOf(token);
    return identity ? { identity, generation: token.secretHash } : null;
  }

  /** No password lies in memory as a key: only what a secret of this process makes of it. */
  #keyOf({ credential, certificate, clientAddress }: Shown): string {
    const text = credential.scheme === "basic"
      ? `${credential.username}\n${credential.password}`
      : credential.scheme === "bearer"
      ? credential.token
      : "";
    const parts =
      `${this.#secret}\n${certificate?.fingerprint}\n${clientAddress}\n${credential.scheme}\n${text}`;
    return hash("sha256", parts, "base64");
  }
}

/** Begins the source of an identity that a personal token stands for. */
export const TOKEN_SOURCE = "token:";

const NOBODY = {
  coverage: EVERYTHING,
  by: "nothing",
  source: "",
  generation: "",
  expiresAtMs: Infinity,
} as const;

function isTokenOfOurs(credential: Credential): boolean {
  if (credential.scheme === "basic") return isPersonalToken(credential.password);
  return credential.scheme === "bearer" &&
    (isPersonalToken(credential.token) || isOwnToken(credential.token));
}

function robotOf({ id, name, groups = [] }: StoredToken): KnownIdentity {
  return { id: `robot:${id}`, username: name, groups, claims: {}, provider: null };
}

function withCertificate(known: KnownIdentity | null, certificate: ClientCertificate | null): Identity {
  return known || certificate ? { ...(known ?? ANONYMOUS), certificate } : ANONYMOUS;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
