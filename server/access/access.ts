import type { Cache } from "../../plugins/contract/cache.ts";
import type { PolicyQuestion } from "../../plugins/contract/policy.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { OciError } from "../oci/error.ts";
import type { StoredAccess } from "./access_store.ts";
import { AccessTokens } from "./access_tokens.ts";
import { type Authentication, Authenticator, type NamedAuth, type Refusal } from "./authenticator.ts";
import { type Caller, createCaller, DecisionMemory } from "./caller.ts";
import { Challenges, type ChallengeScheme } from "./challenges.ts";
import { parseCredential } from "./credentials.ts";
import type { AccessRequest } from "./request.ts";
import { Directory, type DirectoryParts } from "./directory.ts";
import { PersonalTokens, type TokenOwner } from "./personal_tokens.ts";
import type { Decision, NamedPolicy } from "./policies.ts";
import { SigningKeys } from "./signing_keys.ts";
import { TokenService } from "./token_service.ts";

/** How access is set up. */
export interface AccessOptions {
  /** In the order in which they are asked. */
  readonly auths: readonly NamedAuth[];
  readonly policies: readonly NamedPolicy[];
  /** Whom to ask about passwords and roles where no plugin of the chain knows of them. */
  readonly spares: Pick<DirectoryParts, "askPasswords" | "askRoles">;
  /** Whether clients may show certificates. */
  readonly hasCertificates: boolean;
  /** In the order in which they are sent. */
  readonly challenges: readonly ChallengeScheme[];
  /** Who tokens are for: the registry's name among those that may share an identity provider. */
  readonly service: string;
  readonly tokenLifetimeMs: number;
  readonly refreshTokenLifetimeMs: number;
  /** What is shared with other servers besides the store. */
  readonly cache?: Cache | undefined;
  /** Told of every decision, and of credentials that were refused. */
  readonly onDecision: (question: PolicyQuestion, decision: Decision) => void;
  readonly onRefusal: (request: AccessRequest, reason: string) => void;
}

/** Who may do what: the only way to an endpoint leads through a `Caller` of it. */
export interface Access {
  /** Whoever sent a request. UNAUTHORIZED where the credential is bad, TOOMANYREQUESTS for who guesses. */
  identify(request: AccessRequest): Promise<Caller>;
  /** Whoever a refresh token was issued to. UNAUTHORIZED where it is worth nothing. */
  identifyRefresh(token: string, request: AccessRequest): Promise<Caller>;
  /** The chain, and whether there is anybody to be: for whoever asks about others. */
  readonly policies: readonly NamedPolicy[];
  readonly hasAuth: boolean;
  /**
   * Whoever a token of this id would stand for; `undefined` where none can: somebody whom an outside provider vouches for is
   * known only while it does.
   */
  ownerOf(id: string): Promise<TokenOwner | undefined>;
  /** Takes over what the store says. What was verified or decided before counts no more, whatever a plugin says. */
  replaceStored(stored: StoredAccess): Promise<void>;
  readonly directory: Directory;
  readonly tokens: TokenService;
  readonly personalTokens: PersonalTokens;
}

/** Age at which the key that signs tokens is followed by another, in milliseconds. */
const ROTATE_AFTER_MS = 30 * 24 * 3_600_000;

/** Access over the store that holds its tokens and keys. */
export function createAccess(storage: Storage, options: AccessOptions): Access {
  const { auths, policies, service, hasCertificates } = options;
  const hasAuth = auths.length > 0 || hasCertificates;
  const challenges = new Challenges({ schemes: auths.length > 0 ? options.challenges : [], service });
  const keys = new SigningKeys(storage, {
    rotateAfterMs: ROTATE_AFTER_MS,
    verifyForMs: Math.max(options.tokenLifetimeMs, options.refreshTokenLifetimeMs) + 60_000,
  });
  const accessTokens = new AccessTokens(keys, service);
  const personalTokens = new PersonalTokens(storage, (id) => authenticator.forgetToken(id));
  const asked = { plugins: auths, cache: options.cache };
  const authenticator: Authenticator = new Authenticator({ ...asked, accessTokens, personalTokens });
  const memory = new DecisionMemory();
  const parts = { policies, memory, challenges, hasAuth, onDecision: options.onDecision };
  const refuse = (request: AccessRequest, { refused, retryAfterMs }: Refusal): never => {
    options.onRefusal(request, refused);
    if (retryAfterMs !== undefined) throw tooManyFailures(retryAfterMs);
    const { origin } = request;
    throw challenges.unauthorized("The credentials are not accepted", { origin, scope: undefined });
  };
  const callerOf = (found: Authentication | Refusal, request: AccessRequest) =>
    "refused" in found ? refuse(request, found) : createCaller(found, request, parts);
  return {
    policies,
    hasAuth,
    personalTokens,
    directory: new Directory({
      ...options.spares,
      auths: auths.map(({ auth }) => auth),
      policies: policies.map(({ policy }) => policy),
    }),
    ownerOf: (id) => authenticator.ownerOf(id),
    async replaceStored(stored) {
      const told = await Promise.allSettled([
        ...auths.map(({ auth }) => auth.replaceIdentities?.(stored.identities)),
        ...policies.map(({ policy }) =>
          policy.replaceRoles?.({ roles: stored.roles, bindings: stored.bindings })
        ),
      ]);
      authenticator.forget();
      memory.forget();
      const refused = told.find((result) => result.status === "rejected");
      if (refused) throw refused.reason;
    },
    tokens: new TokenService({ ...options, accessTokens, authenticator, keys }),
    async identifyRefresh(token, request) {
      return callerOf(await authenticator.refresh(token, request.certificate), request);
    },
    async identify(request) {
      // Where nobody can be anybody a credential says nothing: everybody is as anonymous as those without one.
      const credential = parseCredential(auths.length > 0 ? request.authorization : null);
      if (!credential) return refuse(request, { refused: "the Authorization header is malformed" });
      const { certificate, clientAddress } = request;
      return callerOf(await authenticator.authenticate({ credential, certificate, clientAddress }), request);
    },
  };
}

function tooManyFailures(retryAfterMs: number): OciError {
  return new OciError("TOOMANYREQUESTS", "The credentials are not looked at: too many before were wrong", {
    headers: { "Retry-After": String(Math.ceil(retryAfterMs / 1000)) },
  });
}
