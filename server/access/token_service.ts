import type { JWK } from "jose";
import { type AccessTokens, TOKEN_ISSUER } from "./access_tokens.ts";
import { SCOPE_ACTIONS, type ScopeVerb } from "./actions.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Caller } from "./caller.ts";
import { repositoryOf, type ScopeGrant } from "./scopes.ts";
import type { SigningKeys } from "./signing_keys.ts";

/** What the token service is made of. */
export interface TokenServiceParts {
  readonly accessTokens: AccessTokens;
  readonly authenticator: Authenticator;
  readonly keys: SigningKeys;
  readonly tokenLifetimeMs: number;
  readonly refreshTokenLifetimeMs: number;
}

/** Tokens as they are handed out. */
export interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly issuedAtMs: number;
  readonly expiresInS: number;
  readonly granted: readonly ScopeGrant[];
}

/** Gives tokens to callers: for what they asked for and policies grant (distribution, "Token Authentication"). */
export class TokenService {
  readonly #parts: TokenServiceParts;

  constructor(parts: TokenServiceParts) {
    this.#parts = parts;
  }

  /** The issuer of the tokens. */
  readonly issuer = TOKEN_ISSUER;

  /** The keys that verify tokens. */
  publicKeys(): Promise<readonly JWK[]> {
    return this.#parts.keys.publicKeys();
  }

  /** A token for the caller, and one to get more of them with, where that is wanted and the caller is somebody. */
  async issue(
    caller: Caller,
    wanted: readonly ScopeGrant[],
    { offline }: { readonly offline: boolean },
  ): Promise<IssuedTokens> {
    const { accessTokens, authenticator, tokenLifetimeMs, refreshTokenLifetimeMs } = this.#parts;
    const { authentication, identity } = caller;
    const { certificate: _, ...known } = identity;
    const granted = await grant(caller, wanted);
    const issuedAtMs = Date.now();
    const end = (lifetimeMs: number) => Math.min(issuedAtMs + lifetimeMs, authentication.expiresAtMs);
    const facts = {
      identity: identity.id === null ? null : known,
      source: authentication.source,
      generation: await authenticator.generationOf(authentication),
    };
    const expiresAtMs = end(tokenLifetimeMs);
    const accessToken = await accessTokens.issue({ ...facts, use: "access", access: granted, expiresAtMs });
    const expiresInS = Math.max(1, Math.floor((expiresAtMs - issuedAtMs) / 1000));
    const issued = { accessToken, issuedAtMs, expiresInS, granted };
    if (!offline || identity.id === null || authentication.by === "token") return issued;
    const refresh = {
      ...facts,
      use: "refresh",
      access: [],
      expiresAtMs: end(refreshTokenLifetimeMs),
    } as const;
    return { ...issued, refreshToken: await accessTokens.issue(refresh) };
  }
}

/** What of the wanted the caller may have: nothing that policies do not grant, and nothing that its own token lacks. */
async function grant(caller: Caller, wanted: readonly ScopeGrant[]): Promise<ScopeGrant[]> {
  const granted = await Promise.all(wanted.map(async (scope) => {
    if (scope.type === "registry") {
      return await caller.may({ action: "list-catalog", ahead: true }) ? [scope] : [];
    }
    const name = repositoryOf(scope)!;
    const verdicts = await Promise.all(
      scope.actions.map(async (verb) => {
        const actions = SCOPE_ACTIONS[verb as ScopeVerb];
        const may = await Promise.all(actions.map((action) => caller.may({ action, name, ahead: true })));
        return may.includes(true) ? [verb] : [];
      }),
    );
    const actions = verdicts.flat();
    return actions.length > 0 ? [{ ...scope, actions }] : [];
  }));
  return granted.flat();
}
