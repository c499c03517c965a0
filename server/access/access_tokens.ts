import { errors, jwtVerify, SignJWT } from "jose";
import type { KnownIdentity } from "../../plugins/contract/auth.ts";
import type { ScopeGrant } from "./scopes.ts";
import { SIGNING_ALGORITHM, type SigningKeys } from "./signing_keys.ts";

/** Who issues our tokens; nobody else's `iss` is looked at. */
export const TOKEN_ISSUER = "sreg";

/** What a token is for. */
export type TokenUse = "access" | "refresh";

/** What a token says. */
export interface TokenFacts {
  readonly use: TokenUse;
  /** Whose it is; `null`: it was given to somebody anonymous. */
  readonly identity: KnownIdentity | null;
  /** The auth plugin that vouched for the identity. */
  readonly source: string;
  /** Changes with what the identity proves itself by; where it has changed the token is worth nothing. */
  readonly generation: string;
  /** What it may be used for, besides what policies say. */
  readonly access: readonly ScopeGrant[];
  /** When what it was issued for ends by itself, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** Signs the tokens of the token service, and reads them (RFC 7519, RFC 8725). */
export class AccessTokens {
  readonly #keys: SigningKeys;
  readonly #audience: string;

  constructor(keys: SigningKeys, audience: string) {
    this.#keys = keys;
    this.#audience = audience;
  }

  /** A signed token. */
  async issue({ use, identity, source, generation, access, expiresAtMs }: TokenFacts): Promise<string> {
    const { keyId, privateKey } = await this.#keys.current();
    return await new SignJWT({ use, who: identity, source, generation, access })
      .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: "JWT", kid: keyId })
      .setIssuer(TOKEN_ISSUER)
      .setSubject(identity?.id ?? "")
      .setAudience(this.#audience)
      .setIssuedAt()
      .setNotBefore(Math.floor(Date.now() / 1000) - 1)
      .setExpirationTime(Math.floor(expiresAtMs / 1000))
      .setJti(crypto.randomUUID())
      .sign(privateKey);
  }

  /** What a token says; a text says why it is worth nothing. */
  async read(token: string, use: TokenUse): Promise<TokenFacts | string> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.#keyOf(kid), {
        algorithms: [SIGNING_ALGORITHM],
        issuer: TOKEN_ISSUER,
        audience: this.#audience,
        typ: "JWT",
        requiredClaims: ["exp", "iat", "nbf", "jti"],
      });
      if (payload["use"] !== use) return `it is no ${use} token`;
      return {
        use,
        identity: payload["who"] as KnownIdentity | null,
        source: payload["source"] as string,
        generation: payload["generation"] as string,
        access: payload["access"] as ScopeGrant[],
        expiresAtMs: payload.exp! * 1000,
      };
    } catch (error) {
      if (error instanceof errors.JOSEError) return error.message;
      throw error;
    }
  }

  async #keyOf(keyId: string | undefined): Promise<CryptoKey> {
    const key = keyId === undefined ? undefined : await this.#keys.find(keyId);
    if (!key) throw new errors.JWKSNoMatchingKey("it is signed with an unknown key");
    return key.publicKey;
  }
}

/** Whether a text looks like a token of ours, without believing it. */
export function isOwnToken(token: string): boolean {
  const [, payload = "", signature, ...rest] = token.split(".");
  if (signature === undefined || rest.length > 0) return false;
  try {
    const json = new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" }));
    return (JSON.parse(json) as { iss?: unknown }).iss === TOKEN_ISSUER;
  } catch {
    return false;
  }
}
