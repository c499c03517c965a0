/**
 * The policy contract: decides what somebody may do. All policy plugins of the chain are asked; an explicit denial by any
 * wins, then an explicit permission by any, then the defaults.
 *
 * @module
 */

import type { Identity } from "./identity.ts";
import type { Retention, RetentionQuestion } from "./retention.ts";
import type { ConfiguredRoles, StoredRoles } from "./role.ts";

/** What somebody wants to do. */
export interface PolicyQuestion {
  /** Who wants to. */
  readonly identity: Identity;
  /** The action: `get-manifest`, `put-manifest`, `list-catalog`, `admin.…`: docs/policies.md lists them. */
  readonly action: string;
  /** The repository; `null` where the action is not about one. */
  readonly namespace: string | null;
  /** The digest that the request names; `null` where it names none. */
  readonly digest: string | null;
  /** The tag or digest of a manifest; `null` where the request names none. */
  readonly reference: string | null;
  /** The tags that a push of a manifest sets. */
  readonly tags: readonly string[];
  /** The HTTP method. */
  readonly method: string;
  /** The client's address, without its port. */
  readonly clientAddress: string;
  /** When, in milliseconds since 1970. */
  readonly timeMs: number;
  /**
   * Asked ahead of the request itself, for a token or a list: digest, reference and tags are not known yet. The answer
   * is `deny` only if nothing of the action may be done, and `allow` if something of it may be.
   */
  readonly ahead: boolean;
}

/** What a policy says. */
export interface PolicyAnswer {
  /** `abstain`: no rule had anything to say. */
  readonly effect: "allow" | "deny" | "abstain";
  /** Beside `abstain`: what the policy wants where no policy has anything to say; absent: that is left to the others. */
  readonly fallback?: "allow" | "deny";
  /** The rule that decided, as the operator knows it: `repository."team/*".access_policy.rules[2]`, `role.push`. */
  readonly rule: string;
  /** Why, in a few words, for the log and for `sregctl policy`: never for a client. */
  readonly reason: string;
  /** Something went wrong while the rule was looked at, and the answer is what is to be then; for the log. */
  readonly warning?: string;
  /** How long the same answer holds for the same question but for its time, in milliseconds; absent: only now. */
  readonly cacheForMs?: number;
}

/** What became of one rule. */
export interface RuleVerdict {
  /** The rule as the operator knows it. */
  readonly rule: string;
  /** Its text, or what it says in short. */
  readonly text: string;
  /** `true`, `false`, or why it could not be evaluated. */
  readonly verdict: string;
}

/** Something wrong in the plugin's settings. */
export interface PolicyProblem {
  /** Where in the configuration: `["repository", "team", "access_policy", "rules", "0"]`. */
  readonly path: readonly string[];
  /** The part of that text that is wrong, in UTF-16 code units. */
  readonly offset: number;
  /** How long that part is; 0: the whole value. */
  readonly length: number;
  /** What is wrong: `unknown variable "identity.usernam", did you mean "identity.username"?` */
  readonly message: string;
}

/**
 * A policy plugin. An error, and no answer before the deadline, is a denial, unless the operator said otherwise in the
 * plugin's own settings.
 */
export interface Policy {
  /** Decides. */
  decide(question: PolicyQuestion): Promise<PolicyAnswer>;
  /** What becomes of each of its rules, those too that `decide` need not look at. */
  explain?(question: PolicyQuestion): Promise<readonly RuleVerdict[]>;
  /**
   * Which images of a repository are to be kept: an answer for each, in their order; none at all where it has nothing to
   * say about the repository. Where it fails, or is silent past its deadline, nothing of the repository is deleted.
   */
  retain?(question: RetentionQuestion): Promise<readonly Retention[]>;
  /** What is wrong with its settings: asked once, at the start; anything stops the start. */
  check?(): Promise<readonly PolicyProblem[]>;
  /**
   * Told of all roles and bindings of the registry's store, at the start and whenever they changed; they replace those that
   * it was told of before. What it let the core remember is forgotten then.
   */
  replaceRoles?(stored: StoredRoles): Promise<void>;
  /** What is wrong with roles and bindings that are to be kept in the store beside those that are there. */
  checkRoles?(wanted: StoredRoles): Promise<readonly PolicyProblem[]>;
  /** The roles and bindings that are not the store's. */
  listRoles?(): Promise<ConfiguredRoles>;
}

/** The names of the contract's methods. */
export const POLICY_METHODS = [
  "decide",
  "explain",
  "retain",
  "check",
  "replaceRoles",
  "checkRoles",
  "listRoles",
] as const;
