import type { Identity } from "../../plugins/contract/identity.ts";
import type { PolicyQuestion } from "../../plugins/contract/policy.ts";

/** The message of a line of the log that says what was decided. */
export const DECIDED = "Decided";

/** A decision as the log has it. */
export interface LoggedDecision {
  readonly question: PolicyQuestion;
  readonly allowed: boolean;
  /** Whether the identity had claims: their values are not logged, and the question lacks them. */
  readonly lacksClaims: boolean;
}

/**
 * All of a question that the log may know, so that it can be asked again. The claims of an identity are there by name
 * only: their values are personal. What is empty is left out.
 */
export function formatDecisionFields(question: PolicyQuestion): Readonly<Record<string, unknown>> {
  const { identity, action, namespace, reference, digest, tags, method, clientAddress, ahead } = question;
  const { id, username, groups, provider, certificate, claims } = identity;
  const claimNames = Object.keys(claims);
  return {
    action,
    namespace,
    reference,
    identity: id,
    ...(username !== null && { username }),
    ...(groups.length > 0 && { groups }),
    ...(provider !== null && { provider }),
    ...(certificate && { certificate }),
    ...(claimNames.length > 0 && { claimNames }),
    ...(digest !== null && { digest }),
    ...(tags.length > 0 && { tags }),
    method,
    clientAddress,
    ...(ahead && { ahead }),
  };
}

/** The decision that a line of the log tells of; `undefined` for every other line, and what is no line of the log. */
export function parseDecisionLine(line: string): LoggedDecision | undefined {
  const fields = parseObject(line);
  if (fields?.message !== DECIDED || typeof fields.allowed !== "boolean") return undefined;
  const { action, time, method, clientAddress } = fields;
  const timeMs = typeof time === "string" ? Date.parse(time) : NaN;
  if (typeof action !== "string" || Number.isNaN(timeMs)) return undefined;
  const question = {
    identity: readIdentity(fields),
    action,
    namespace: text(fields.namespace),
    digest: text(fields.digest),
    reference: text(fields.reference),
    tags: texts(fields.tags),
    method: text(method) ?? "GET",
    clientAddress: text(clientAddress) ?? "",
    timeMs,
    ahead: fields.ahead === true,
  };
  return { question, allowed: fields.allowed, lacksClaims: texts(fields.claimNames).length > 0 };
}

function readIdentity(fields: Record<string, unknown>): Identity {
  const certificate = fields.certificate as Record<string, unknown> | undefined;
  return {
    id: text(fields.identity),
    username: text(fields.username),
    groups: texts(fields.groups),
    claims: {},
    provider: text(fields.provider),
    certificate: certificate
      ? {
        commonNames: texts(certificate.commonNames),
        organizations: texts(certificate.organizations),
        dnsNames: texts(certificate.dnsNames),
        uris: texts(certificate.uris),
        emails: texts(certificate.emails),
        fingerprint: text(certificate.fingerprint) ?? "",
      }
      : null,
  };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
