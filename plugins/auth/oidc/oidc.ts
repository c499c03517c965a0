/**
 * An auth plugin that knows whom an OpenID provider vouches for: by a token of its, shown as Bearer or as the password of
 * Basic, whose user name does not matter.
 *
 * @module
 */

import type { Auth, AuthAnswer, Credential } from "@sreg/contract/auth.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import { checkRequired, readIdentity, TokenRefusal } from "./claims.ts";
import { createKeysLoader } from "./documents.ts";
import { ProviderKeys } from "./provider_keys.ts";
import { type OidcOptions, type OidcSettings, readSettings } from "./settings.ts";
import { readIssuer, verifyToken } from "./token.ts";

/** Longest use of an answer without asking again. */
const CACHE_MS_MAX = 60_000;

/** The latest point in time that there is a date for. */
const TIME_MS_MAX = 8.64e15;

const FOREIGN: AuthAnswer = { outcome: "foreign" };

/** Serves the auth contract for one issuer. */
export const create: CreatePlugin<Auth, OidcOptions> = (options) => {
  const settings = readSettings(options);
  const keys = new ProviderKeys({ load: createKeysLoader(settings), cacheMs: settings.jwksCacheMs });
  return {
    authenticate: async ({ credential }) => {
      const token = tokenOf(credential);
      if (token === undefined || readIssuer(token) !== settings.issuer) return FOREIGN;
      try {
        return await identify(token, { settings, keys });
      } catch (error) {
        if (error instanceof TokenRefusal) return { outcome: "refused", reason: error.message };
        throw error;
      }
    },
  };
};

function tokenOf(credential: Credential): string | undefined {
  if (credential.scheme === "bearer") return credential.token;
  return credential.scheme === "basic" ? credential.password : undefined;
}

async function identify(
  token: string,
  { settings, keys }: { readonly settings: OidcSettings; readonly keys: ProviderKeys },
): Promise<AuthAnswer> {
  const { name, requiredClaims, claimNames } = settings;
  const nowMs = Date.now();
  const claims = await verifyToken(token, { rules: settings, keys, nowMs });
  checkRequired(claims, requiredClaims);
  const { id, username, groups } = readIdentity(claims, claimNames);
  const expiresAtMs = Math.min(Math.floor(claims.exp * 1_000), TIME_MS_MAX);
  return {
    outcome: "known",
    identity: { id: `oidc:${name}:${id}`, username, groups, claims, provider: name },
    expiresAtMs,
    cacheForMs: Math.max(0, Math.min(CACHE_MS_MAX, expiresAtMs - nowMs)),
  };
}
