import type { Identity } from "../../plugins/contract/identity.ts";
import type { PolicyQuestion } from "../../plugins/contract/policy.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import { formatReference, type Reference, type Tag } from "../oci/reference.ts";
import { type Action, scopeVerbOf } from "./actions.ts";
import type { Authentication } from "./authenticator.ts";
import { type Challenges, scopeOf } from "./challenges.ts";
import { ExpiringMap } from "./expiring_map.ts";
import { decide, type Decision, type NamedPolicy } from "./policies.ts";

/** A question of access. */
export interface AccessQuestion {
  readonly action: Action;
  /** The repository; `undefined` where the action is not about one. */
  readonly name?: RepositoryName;
  readonly digest?: Digest;
  readonly reference?: Reference;
  /** The tags that a push of a manifest sets. */
  readonly tags?: readonly Tag[];
  /** Asked before the request is known: see `PolicyQuestion.ahead`. */
  readonly ahead?: boolean;
}

/** Whoever sent a request, and what they may do. */
export interface Caller {
  readonly identity: Identity;
  readonly authentication: Authentication;
  /** What binds an upload to whoever began it; empty for the anonymous. */
  readonly owner: string;
  /** Ends the request, with 401 or 403, unless this may be done. */
  require(question: AccessQuestion): Promise<void>;
  /** What ends a request that only somebody can make: 401 for the anonymous, where they can say who they are. */
  refuse(message: string): OciError;
  /** Whether this may be done too. */
  may(question: AccessQuestion): Promise<boolean>;
  /** Whether the repository may stand in a list for them; absent: every one may. */
  readonly sees?: (name: RepositoryName) => Promise<boolean>;
}

/** What decisions are made from. */
export interface CallerParts {
  readonly policies: readonly NamedPolicy[];
  readonly memory: DecisionMemory;
  readonly challenges: Challenges;
  /** Whether there is anybody to be: auth plugins, client certificates. */
  readonly hasAuth: boolean;
  /** Told of each decision. */
  readonly onDecision: (question: PolicyQuestion, decision: Decision) => void;
}

/** What of a request decisions depend on. */
export interface RequestFacts {
  readonly method: string;
  readonly clientAddress: string;
  /** The scheme and host that the client used: `https://registry.example`. */
  readonly origin: string;
}

const DECISIONS_MAX = 5_000;

/** Decisions that hold for a while, by identity: when an identity goes, so do they. */
export class DecisionMemory {
  #decisions = new WeakMap<Identity, ExpiringMap<Decision>>();

  /** Those about an identity. */
  of(identity: Identity): ExpiringMap<Decision> {
    const decisions = this.#decisions.get(identity) ?? new ExpiringMap<Decision>(DECISIONS_MAX);
    this.#decisions.set(identity, decisions);
    return decisions;
  }

  /** Forgets all of them: what they were made from has changed. One that is being made is not remembered either. */
  forget(): void {
    this.#decisions = new WeakMap();
  }
}

/** The caller of one request. */
export function createCaller(
  authentication: Authentication,
  request: RequestFacts,
  parts: CallerParts,
): Caller {
  const { identity, coverage } = authentication;
  const isKnown = !parts.hasAuth || identity.id !== null || identity.certificate !== null;
  const ask = async (question: AccessQuestion): Promise<Decision> => {
    const asked = policyQuestion(identity, question, request);
    const decision = await decideOnce(asked, parts, isKnown);
    parts.onDecision(asked, decision);
    return decision;
  };
  const isAllowed = async (question: AccessQuestion) => (await ask(question)).allowed;
  const sees = async (name: RepositoryName) =>
    coverage.shows(name) && await isAllowed({ action: "list-tags", name, ahead: true });
  return {
    identity,
    authentication,
    owner: identity.id ?? identity.certificate?.fingerprint ?? "",
    refuse: (message) =>
      identity.id === null && parts.challenges.any
        ? parts.challenges.unauthorized(message, { origin: request.origin, scope: undefined })
        : new OciError("DENIED", message),
    may: async (question) => coverage.covers(question.action, question.name) && await isAllowed(question),
    ...(parts.hasAuth || parts.policies.length > 0 ? { sees } : {}),
    async require(question) {
      // Whoever asks for a token gets one that is good for what policies grant them, be it nothing.
      if (question.action === "get-token") return;
      const { allowed } = await ask(question);
      const covered = coverage.covers(question.action, question.name);
      const challenge = { origin: request.origin, scope: scopeOf(question.action, question.name) };
      if (allowed && covered && !parts.challenges.invites(question.action, authentication)) return;
      if (allowed && covered) throw parts.challenges.unauthorized("who are you?", challenge);
      if (allowed) throw parts.challenges.insufficient(question.action, challenge);
      if (identity.id === null && parts.challenges.any) {
        throw parts.challenges.unauthorized(
          `Cannot ${question.action}: authentication is required`,
          challenge,
        );
      }
      throw new OciError("DENIED", `Cannot ${question.action}: access is denied`);
    },
  };
}

function policyQuestion(identity: Identity, question: AccessQuestion, request: RequestFacts): PolicyQuestion {
  const { action, name, digest, reference, tags, ahead = false } = question;
  return {
    identity,
    action,
    namespace: name ?? null,
    digest: digest ?? reference?.digest ?? null,
    reference: reference ? formatReference(reference) : null,
    tags: tags ?? (reference?.tag && scopeVerbOf(action) === "push" ? [reference.tag] : []),
    method: request.method,
    clientAddress: request.clientAddress,
    timeMs: Date.now(),
    ahead,
  };
}

async function decideOnce(
  question: PolicyQuestion,
  { policies, memory }: Pick<CallerParts, "policies" | "memory">,
  isKnown: boolean,
): Promise<Decision> {
  if (policies.length === 0) return await decide(policies, question, { isKnown });
  const { action, namespace, digest, reference, tags, method, clientAddress, ahead } = question;
  const decisions = memory.of(question.identity);
  const key =
    `${action}\n${namespace}\n${digest}\n${reference}\n${tags}\n${method}\n${clientAddress}\n${ahead}`;
  const known = decisions.get(key);
  if (known) return known;
  const decision = await decide(policies, question, { isKnown });
  decisions.set(key, decision, Date.now() + decision.cacheForMs);
  return decision;
}
