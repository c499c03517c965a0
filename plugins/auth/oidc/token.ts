/** Verifies a token (RFC 7519), by the rules of RFC 8725. */

import { PluginError } from "@sreg/contract/error.ts";
import type { JsonObject } from "@sreg/contract/identity.ts";
import { decodeJwt, decodeProtectedHeader, errors, type JWTHeaderParameters, jwtVerify } from "jose";
import { checkShape, quote, TokenRefusal } from "./claims.ts";
import type { ProviderKeys } from "./provider_keys.ts";
import type { OidcSettings } from "./settings.ts";

/** Longest token that is verified, in characters. */
export const TOKEN_LENGTH_MAX = 65_536;

/** What a token must be. */
export type TokenRules = Pick<OidcSettings, "issuer" | "audience" | "clockSkewMs" | "algorithms">;

/** What a token is verified by. */
export interface VerifyOptions {
  readonly rules: TokenRules;
  readonly keys: Pick<ProviderKeys, "find">;
  /** What the time is, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** The parts of a token; the last one is empty where nobody signed it. */
const THREE_PARTS = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Tokens of other kinds, such as those that tell of a logout, are signed by the same keys, but prove nothing. */
const TOKEN_TYPE = /^(?:application\/)?(?:at\+)?jwt$/i;

/** The issuer that a token names, which proves nothing; `undefined` where the text is no token, or names none. */
export function readIssuer(text: string): string | undefined {
  if (!THREE_PARTS.test(text)) return undefined;
  try {
    return decodeJwt(text).iss;
  } catch {
    return undefined;
  }
}

/**
 * The claims of a good token of the issuer. Throws a `TokenRefusal` where it is not good, and a `PluginError` where that
 * could not be found out.
 */
export async function verifyToken(
  token: string,
  { rules, keys, nowMs }: VerifyOptions,
): Promise<JsonObject & { readonly exp: number }> {
  if (token.length > TOKEN_LENGTH_MAX) {
    throw new TokenRefusal(`it is longer than ${TOKEN_LENGTH_MAX} characters`);
  }
  try {
    const header = checkHeader(token, rules);
    const candidates = await keys.find(header);
    if (candidates.length === 0) throw new TokenRefusal(noKey(header));
    const claims = await verifyByAny(token, candidates, { rules, nowMs });
    checkIssuedAt(claims, { rules, nowMs });
    checkShape(claims);
    return claims;
  } catch (error) {
    if (error instanceof PluginError || error instanceof TokenRefusal) throw error;
    throw new TokenRefusal(describe(error, rules), { cause: error });
  }
}

/** Says no before any key is looked for; where a header names keys of its own, nobody looks at them. */
function checkHeader(token: string, { algorithms }: TokenRules): JWTHeaderParameters {
  const header = decodeProtectedHeader(token);
  const { alg, kid, typ } = header as Readonly<Record<string, unknown>>;
  if (typeof alg !== "string" || !algorithms.includes(alg)) {
    throw new TokenRefusal(`its algorithm ${quote(alg)} is none of ${algorithms.join(", ")}`);
  }
  if (kid !== undefined && typeof kid !== "string") throw new TokenRefusal('its "kid" is no text');
  if (typ !== undefined && !(typeof typ === "string" && TOKEN_TYPE.test(typ))) {
    throw new TokenRefusal(`its type ${quote(typ)} is none that says who somebody is`);
  }
  return header as JWTHeaderParameters;
}

type Moment = Pick<VerifyOptions, "rules" | "nowMs">;

async function verifyByAny(
  token: string,
  candidates: readonly CryptoKey[],
  { rules: { issuer, audience, algorithms, clockSkewMs }, nowMs }: Moment,
): Promise<JsonObject & { readonly exp: number }> {
  const options = {
    issuer,
    audience: [...audience],
    algorithms: [...algorithms],
    clockTolerance: Math.floor(clockSkewMs / 1_000),
    currentDate: new Date(nowMs),
    requiredClaims: ["exp"],
  };
  for (const [index, key] of candidates.entries()) {
    try {
      const { payload } = await jwtVerify(token, key, options);
      return payload as JsonObject & { readonly exp: number };
    } catch (error) {
      const isLast = index === candidates.length - 1;
      if (isLast || !(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function checkIssuedAt(claims: JsonObject, { rules: { clockSkewMs }, nowMs }: Moment): void {
  const { iat } = claims;
  if (iat === undefined) return;
  if (typeof iat !== "number") throw new TokenRefusal('its claim "iat" is no number');
  if (iat * 1_000 > nowMs + clockSkewMs) {
    throw new TokenRefusal(`it was issued at ${formatTime(iat)}, in the future`);
  }
}

function noKey({ kid, alg }: JWTHeaderParameters): string {
  return kid === undefined
    ? `the provider has no key for ${alg}`
    : `the provider has no key ${quote(kid)} for ${alg}`;
}

/** Why the library refused a token. */
function describe(error: unknown, rules: TokenRules): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is not the provider's";
  if (error instanceof errors.JWTExpired) return `it expired at ${formatTime(error.payload.exp)}`;
  if (error instanceof errors.JWTClaimValidationFailed) return describeClaim(error, rules);
  return `it cannot be verified: ${(error as Error).message}`;
}

function describeClaim(
  { claim, reason, payload }: errors.JWTClaimValidationFailed,
  { audience }: TokenRules,
): string {
  if (reason === "missing") return `it has no claim ${quote(claim)}`;
  if (reason === "invalid") return `its claim ${quote(claim)} is no number`;
  if (claim === "nbf") return `it is not valid before ${formatTime(payload.nbf)}`;
  if (claim === "aud") {
    return `its audience is ${quote(payload.aud)}, expected ${audience.map(quote).join(" or ")}`;
  }
  return `its claim ${quote(claim)} is ${quote(payload[claim])}`;
}

function formatTime(seconds: unknown): string {
  const time = new Date(Number(seconds) * 1_000);
  return Number.isNaN(time.getTime()) ? quote(seconds) : time.toISOString();
}
