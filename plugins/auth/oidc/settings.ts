import { parseAddress } from "./addresses.ts";
import { type ClaimNames, isObject, quote, type RequiredClaims, type Scalar } from "./claims.ts";

/** The options of `plugin.toml`. */
export interface OidcOptions {
  readonly name: string;
  readonly provider: ProviderName;
  readonly issuer: string;
  readonly jwks_uri?: string;
  readonly jwks_hosts: readonly string[];
  readonly ca_bundle?: string;
  readonly audience: readonly string[];
  readonly required_claims: unknown;
  /** In milliseconds. */
  readonly clock_skew: number;
  readonly id_claim: string;
  readonly username_claim?: string;
  readonly groups_claim?: string;
  readonly algorithms: readonly string[];
  /** In milliseconds. */
  readonly jwks_cache: number;
}

/** The providers whose claims are known. */
export type ProviderName = "generic" | "github" | "gitlab" | "kubernetes" | "google";

/** The options, checked, with what the provider's preset says. */
export interface OidcSettings {
  readonly name: string;
  readonly issuer: string;
  readonly jwksUri: URL | undefined;
  readonly jwksHosts: readonly string[];
  readonly caBundle: string | undefined;
  readonly audience: readonly string[];
  readonly requiredClaims: RequiredClaims;
  readonly clockSkewMs: number;
  readonly claimNames: ClaimNames;
  readonly algorithms: readonly string[];
  readonly jwksCacheMs: number;
}

type Preset = Pick<ClaimNames, "username" | "groups">;

/**
 * Anybody can have a repository, a project or a namespace called like one of the operator's groups, so those are groups
 * only where the operator says so.
 */
const PRESETS: Readonly<Record<ProviderName, Preset>> = {
  generic: { username: ["preferred_username", "email", "sub"], groups: "groups" },
  github: { username: ["repository", "sub"], groups: undefined },
  gitlab: { username: ["project_path", "sub"], groups: undefined },
  kubernetes: { username: ["sub"], groups: undefined },
  google: { username: ["email", "sub"], groups: undefined },
};

/** What signs with a private key. A secret that both sides know is no proof of who signed. */
const ASYMMETRIC = /^(?:EdDSA|Ed25519|ES(?:256|384|512)|[RP]S(?:256|384|512))$/;

/** Checks options as far as their types do not. Throws with what is wrong with one. */
export function readSettings(options: OidcOptions): OidcSettings {
  const { name, issuer, jwks_uri, username_claim, groups_claim, audience, algorithms } = options;
  // Ids are the name and a claim with a colon between: with one in the name, two identities could have the same id.
  if (name === "" || name.includes(":")) throw refused("name", name, "a text without a colon");
  if (parseAddress(issuer, "issuer").search !== "") throw refused("issuer", issuer, "a URL without a query");
  if (audience.length === 0 || audience.includes("")) throw refused("audience", audience, "one at least");
  const foreign = algorithms.find((algorithm) => !ASYMMETRIC.test(algorithm));
  if (foreign !== undefined) throw refused("algorithms", foreign, "algorithms with a private key");
  if (algorithms.length === 0) throw refused("algorithms", algorithms, "one at least");
  const preset = PRESETS[options.provider];
  return {
    name,
    issuer,
    jwksUri: jwks_uri === undefined ? undefined : parseAddress(jwks_uri, "jwks_uri"),
    jwksHosts: options.jwks_hosts,
    caBundle: options.ca_bundle,
    audience,
    requiredClaims: readRequired(options.required_claims),
    clockSkewMs: options.clock_skew,
    claimNames: {
      id: options.id_claim,
      username: username_claim === undefined ? preset.username : [username_claim],
      groups: groups_claim ?? preset.groups,
    },
    algorithms,
    jwksCacheMs: options.jwks_cache,
  };
}

function readRequired(option: unknown): RequiredClaims {
  if (!isObject(option)) throw refused("required_claims", option, "a table");
  return new Map(
    Object.entries(option).map(([path, value]) => {
      const allowed = Array.isArray(value) ? value : [value];
      if (allowed.length > 0 && allowed.every(isScalar)) return [path, allowed];
      throw refused(
        `required_claims.${path}`,
        value,
        'a value or a list of values; a path with dots is quoted: "realm_access.roles"',
      );
    }),
  );
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function refused(option: string, found: unknown, expected: string): TypeError {
  return new TypeError(`Cannot use ${option} ${quote(found)}: expected ${expected}`);
}
