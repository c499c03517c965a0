import { parseCredential } from "../access/credentials.ts";
import type { AccessRequest } from "../access/request.ts";
import type { Caller } from "../access/caller.ts";
import type { Exchange } from "../api/handler.ts";
import type { AuditTrail } from "../observe/audit.ts";
import type { AuditActor, AuditEntry, AuditOutcome } from "../observe/audit_event.ts";
import { OciError } from "../oci/error.ts";
import { formatReference } from "../oci/reference.ts";
import { givenFields } from "./body.ts";

const ADMIN_BASE = "/admin/v1/";

/** What changes a registry besides the administration. */
const CHANGES: readonly string[] = ["put-manifest", "delete-manifest", "delete-blob"];

/** Whether a request was about the administration. */
function isAdministrative({ route }: Exchange): boolean {
  return route.path.startsWith(ADMIN_BASE);
}

/** Whether it was there to change something. */
function isChange(exchange: Exchange): boolean {
  const { route, request } = exchange;
  if (request.method === "GET" || request.method === "HEAD") return false;
  return isAdministrative(exchange) || CHANGES.includes(route.action);
}

/** Has the trail take what a request did. A change of the administration is kept before it is answered. */
export function recordExchange(trail: Recorder, exchange: Exchange): Promise<void> | undefined {
  if (!isChange(exchange) && exchange.error === undefined) return undefined;
  return (async () => {
    const entry = await auditEntryOf(exchange);
    if (!entry) return;
    // What the server failed at may have been done in part.
    const isChanged = entry.outcome === "done" || (entry.outcome === "failed" && !isClientsFault(exchange));
    if (!isAdministrative(exchange) || !isChanged) return trail.record(entry);
    await trail.keep(entry);
  })();
}

/** What takes events. */
export type Recorder = Pick<AuditTrail, "record" | "keep">;

/**
 * What the audit log says of a request that has ended; `undefined`: nothing. Each change is said, and who was not allowed to
 * look at what is the administration's, unless they only have to say who they are.
 */
export async function auditEntryOf(exchange: Exchange): Promise<AuditEntry | undefined> {
  const { caller, request, route } = exchange;
  const outcome = outcomeOf(exchange);
  // A credential that is refused is told by whoever refuses it.
  if (!caller || !(isChange(exchange) || isDeniedLook(exchange, outcome))) return undefined;
  const made = await madeId(exchange);
  const target = targetOf(exchange);
  return {
    actor: actorOf(caller, request),
    action: route.action,
    target: shorten(made === undefined ? target : `${target}/${made}`),
    outcome,
    detail: detailOf(exchange),
  };
}

/** The entry of a credential that was refused. The user name that was claimed is told, where it is one. */
export function refusedSignIn(request: AccessRequest, reason: string): AuditEntry {
  const credential = parseCredential(request.authorization);
  const claimed = credential?.scheme === "basic" ? credential.username : "";
  const username = /^[\w.@+-]{1,64}$/.test(claimed) ? claimed : null;
  return {
    actor: { id: null, username, address: request.clientAddress },
    action: "sign-in",
    target: "",
    outcome: "denied",
    detail: { reason },
  };
}

function isDeniedLook(exchange: Exchange, outcome: AuditOutcome): boolean {
  const { id, certificate } = exchange.caller!.identity;
  return outcome === "denied" && isAdministrative(exchange) && (id !== null || certificate !== null);
}

function outcomeOf({ answer, error }: Exchange): AuditOutcome {
  if (answer) return answer.status < 400 ? "done" : "failed";
  return error instanceof OciError && [401, 403].includes(error.status) ? "denied" : "failed";
}

function isClientsFault({ answer, error }: Exchange): boolean {
  const status = answer?.status ?? (error instanceof OciError ? error.status : 500);
  return status < 500;
}

function actorOf({ identity }: Caller, { clientAddress: address }: AccessRequest): AuditActor {
  const { id, username, certificate } = identity;
  return {
    id: id ?? (certificate && `certificate:${certificate.fingerprint}`),
    username: username ?? certificate?.commonNames[0] ?? null,
    address,
  };
}

/** `team/app:v1`, `team/app@sha256:…`; of the administration the path, with its words as they are meant. */
function targetOf(exchange: Exchange): string {
  const { route, words } = exchange;
  if (isAdministrative(exchange)) {
    return route.path.slice(ADMIN_BASE.length).replaceAll(/<(\w+)>/g, (_, word: keyof typeof words) => {
      const value = words[word];
      if (typeof value !== "object") return value ?? "";
      return "id" in value ? value.id : formatReference(value);
    });
  }
  const digest = words.digest ?? words.reference?.digest;
  const tag = words.reference?.tag;
  return `${words.name ?? ""}${tag === undefined ? "" : `:${tag}`}${
    digest === undefined ? "" : `@${digest}`
  }`;
}

const ANSWER_BYTES_MAX = 64 * 1024;

/** The id of what a request has made, as its answer says it: only then was it known. */
async function madeId(exchange: Exchange): Promise<string | undefined> {
  const { answer, route } = exchange;
  if (!answer || ![201, 202].includes(answer.status) || !isAdministrative(exchange)) return undefined;
  const size = Number(answer.headers.get("Content-Length") ?? Infinity);
  if (route.path.includes("<") || size === 0 || size > ANSWER_BYTES_MAX) return undefined;
  const told = await answer.clone().json() as { id?: unknown; job?: unknown };
  const id = told.id ?? told.job;
  return typeof id === "string" ? id : undefined;
}

function detailOf({ answer, error, call, route, words }: Exchange): AuditEntry["detail"] {
  const digest = answer?.headers.get("Docker-Content-Digest");
  const tags = call && route.tags?.(call.query, words);
  const fields = call && givenFields(call);
  const query = call && isAsked(call.query) && Object.fromEntries(call.query);
  return {
    ...(digest && !words.reference?.digest && { digest }),
    ...(tags?.length && words.reference?.digest && { tags }),
    ...(fields && { request: withoutSecrets(fields) }),
    ...(query && route.path.startsWith(ADMIN_BASE) && { query: withoutSecrets(query) }),
    ...(error !== undefined && describeError(error)),
  };
}

function isAsked(query: URLSearchParams): boolean {
  return query.size > 0;
}

/** The code alone: messages may repeat what was sent. */
function describeError(error: unknown): Readonly<Record<string, unknown>> {
  return error instanceof OciError ? { status: error.status, code: error.code } : { status: 500 };
}

const SECRET = /pass|secret|token|hash|credential|private/i;
const TEXT_MAX = 512;
const GIVEN_MAX = 2_000;

/** What a request asked for, short, and without what nobody else may know. */
function withoutSecrets(fields: Readonly<Record<string, unknown>>): unknown {
  const shown = JSON.stringify(fields, (name, value) => SECRET.test(name) ? "***" : value);
  return shown.length <= GIVEN_MAX ? JSON.parse(shown) : { members: Object.keys(fields).sort() };
}

function shorten(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`;
}
