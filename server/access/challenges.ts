import { type ErrorHeaders, OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import { type Action, SCOPE_ACTIONS, scopeVerbOf } from "./actions.ts";
import type { Authentication } from "./authenticator.ts";
import { formatScope } from "./scopes.ts";

/** How clients are asked who they are. */
export type ChallengeScheme = "bearer" | "basic";

/** Where the token service is, by its path. */
export const TOKEN_PATH = "/token";

/** What a challenge is about. */
export interface ChallengeFacts {
  /** The scheme and host that the client used. */
  readonly origin: string;
  /** What a token would need. */
  readonly scope: string | undefined;
}

/** What challenges are made of. */
export interface ChallengesOptions {
  /** In the order in which they are sent; none: nobody can say who they are. */
  readonly schemes: readonly ChallengeScheme[];
  /** Who tokens are for (RFC 7519, `aud`). */
  readonly service: string;
}

/** The `WWW-Authenticate` headers (RFC 9110, 11.6.1) of answers with 401. */
export class Challenges {
  readonly #options: ChallengesOptions;

  constructor(options: ChallengesOptions) {
    this.#options = options;
  }

  /** Whether there is any way to say who one is. */
  get any(): boolean {
    return this.#options.schemes.length > 0;
  }

  /**
   * Whether `/v2/` asks who is there though the anonymous may see it: clients ask there first, and show no credentials
   * later if they were not asked. Those that have none get an anonymous token; with Basic alone some of them give up.
   */
  invites(action: Action, { by, identity }: Authentication): boolean {
    return action === "get-api-version" && by === "nothing" && identity.certificate === null &&
      this.any;
  }

  /** 401: the client did not show who it is, or not so that it is believed. */
  unauthorized(message: string, facts: ChallengeFacts): OciError {
    return new OciError("UNAUTHORIZED", message, { headers: this.#headers(facts) });
  }

  /** 401: the client's token does not cover the action; another one may. */
  insufficient(action: Action, facts: ChallengeFacts): OciError {
    const headers = this.#headers(facts, ',error="insufficient_scope"');
    return new OciError("UNAUTHORIZED", `Cannot ${action}: the token does not cover it`, { headers });
  }

  #headers({ origin, scope }: ChallengeFacts, error = ""): ErrorHeaders {
    const { schemes, service } = this.#options;
    if (schemes.length === 0) return {};
    const wanted = scope === undefined ? "" : `,scope="${scope}"`;
    const texts = {
      bearer: `Bearer realm="${origin}${TOKEN_PATH}",service="${service}"${wanted}${error}`,
      basic: 'Basic realm="sreg", charset="UTF-8"',
    };
    return { "WWW-Authenticate": schemes.map((scheme) => texts[scheme]) };
  }
}

/** The scope of a token that covers an action: with pull where it pushes, as clients read what they wrote. */
export function scopeOf(action: Action, name: RepositoryName | undefined): string | undefined {
  if (action === "list-catalog") return "registry:catalog:*";
  const verb = scopeVerbOf(action);
  if (name === undefined || verb === undefined) return undefined;
  const actions: (keyof typeof SCOPE_ACTIONS)[] = verb === "push" ? ["pull", "push"] : [verb];
  return formatScope({ type: "repository", name, actions });
}
