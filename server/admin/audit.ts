import { jsonAnswer, onlyValue } from "../api/answer.ts";
import { AUDIT_OUTCOMES, isAuditCursor } from "../observe/audit_event.ts";
import type { AuditPage, AuditQuery } from "../observe/audit_search.ts";
import { OciError } from "../oci/error.ts";
import { parsePage } from "../oci/page.ts";
import {
  type AdminRoute,
  adminRoute,
  COUNT,
  listSchema,
  objectSchema,
  type Schema,
  TEXT,
  TIME,
} from "./route.ts";

/** What the row of the audit log is served from. */
export interface AuditParts {
  readonly audit: { search(query: AuditQuery): Promise<AuditPage> };
}

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1_000;

const OUTCOME: Schema = { enum: AUDIT_OUTCOMES };
const TEXT_OR_NULL: Schema = { type: ["string", "null"] };

const EVENT = objectSchema({
  id: TEXT,
  at: TIME,
  actor: objectSchema({ id: TEXT_OR_NULL, username: TEXT_OR_NULL, address: TEXT }),
  action: TEXT,
  target: TEXT,
  outcome: OUTCOME,
  detail: { type: "object" },
});

/** The row of the audit log. */
export function auditRoutes({ audit }: AuditParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/audit", {
      action: "admin.search-audit",
      summary:
        "Who changed what, the newest first; with `after` what came after an event, the oldest first. A text that ends in * is a beginning",
      query: {
        since: TIME,
        until: TIME,
        actor: TEXT,
        action: TEXT,
        target: TEXT,
        outcome: OUTCOME,
        n: COUNT,
        last: TEXT,
        after: TEXT,
      },
      answer: {
        status: 200,
        schema: objectSchema({ events: listSchema(EVENT), next: TEXT }, { optional: ["next"] }),
      },
      endpoint: async (_, call) => {
        const { events, next } = await audit.search(readQuery(call.query));
        return jsonAnswer({ events, ...(next !== undefined && { next }) });
      },
    }),
  ];
}

function readQuery(query: URLSearchParams): AuditQuery {
  const { limit } = parsePage(query);
  const read = (name: string) => onlyValue(query, name, () => refused(name, "given twice")) || undefined;
  const outcome = read("outcome");
  if (outcome !== undefined && !AUDIT_OUTCOMES.some((known) => known === outcome)) {
    throw refused("outcome", `expected one of ${AUDIT_OUTCOMES.join(", ")}`);
  }
  return {
    limit: Math.min(query.has("n") ? Math.max(1, limit) : PAGE_DEFAULT, PAGE_MAX),
    actor: read("actor"),
    action: read("action"),
    target: read("target"),
    outcome: outcome as AuditQuery["outcome"],
    sinceMs: readTime("since", read("since")),
    untilMs: readTime("until", read("until")),
    last: readCursor("last", read("last")),
    after: readCursor("after", read("after")),
  };
}

function readTime(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\d(?:T|$)/.test(text) ? Date.parse(text) : NaN;
  if (ms >= 0) return ms;
  throw refused(name, "expected a time such as 2026-01-31T14:00:00Z");
}

function readCursor(name: string, text: string | undefined): string | undefined {
  if (text === undefined || isAuditCursor(text)) return text;
  throw refused(name, "expected the id of an event");
}

function refused(name: string, reason: string): OciError {
  return new OciError("UNSUPPORTED", `Cannot read ${name}: ${reason}`, { status: 400 });
}
