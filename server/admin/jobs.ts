import type { JsonObject } from "../../plugins/contract/identity.ts";
import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import type { JobRecord, Jobs, Started } from "../jobs/mod.ts";
import { OciError } from "../oci/error.ts";
import { parsePage } from "../oci/page.ts";
import { readFields } from "./body.ts";
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

/** What the rows of jobs are served from. */
export interface JobParts {
  readonly jobs: Jobs;
}

const PROGRESS = objectSchema(
  { phase: TEXT, done: COUNT, total: COUNT, unit: TEXT, bytes: COUNT },
  { optional: ["total", "bytes"] },
);

const TEXT_OR_NULL: Schema = { type: ["string", "null"] };

const STARTER: Schema = {
  anyOf: [objectSchema({ id: TEXT_OR_NULL, username: TEXT_OR_NULL }), { type: "null" }],
};

const ANY_OBJECT: Schema = { type: "object" };

const JOB_MEMBERS = {
  id: TEXT,
  kind: TEXT,
  options: ANY_OBJECT,
  state: { enum: ["running", "done", "failed", "cancelled", "interrupted"] },
  started_by: STARTER,
  started_at: TIME,
  ended_at: TIME,
  replica: TEXT,
  progress: PROGRESS,
  lines: COUNT,
  error: TEXT,
};

const OPTIONAL = ["ended_at", "progress", "error"];

const JOB = objectSchema({ ...JOB_MEMBERS, report: ANY_OBJECT }, { optional: [...OPTIONAL, "report"] });

const JOBS = objectSchema(
  { jobs: listSchema(objectSchema(JOB_MEMBERS, { optional: OPTIONAL })), next: TEXT },
  { optional: ["next"] },
);

const LINES = objectSchema({ lines: listSchema({}), next: TEXT }, { optional: ["next"] });

const PAGE = { n: COUNT, last: TEXT };

const STARTED = { status: 202, schema: objectSchema({ job: TEXT }) };

/** The rows of jobs. */
export function jobRoutes(parts: JobParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/jobs", {
      action: "admin.list-jobs",
      summary: "The jobs, newest first, without their reports",
      query: PAGE,
      answer: { status: 200, schema: JOBS },
      endpoint: (_, call) => list(parts, call),
    }),
    adminRoute("POST", "/admin/v1/jobs", {
      action: "admin.start-job",
      summary: "Start a job: gc, retention or scrub. 409 where one runs, on whatever replica",
      body: objectSchema({ kind: TEXT, options: ANY_OBJECT }, { optional: ["options"] }),
      answer: STARTED,
      endpoint: (_, call) => start(parts, call),
    }),
    adminRoute("GET HEAD", "/admin/v1/jobs/<job>", {
      action: "admin.list-jobs",
      summary: "A job: how far it is, and its report when it is done",
      answer: { status: 200, schema: JOB },
      endpoint: (_, call) => show(parts, call),
    }),
    adminRoute("GET HEAD", "/admin/v1/jobs/<job>/lines", {
      action: "admin.list-jobs",
      summary: "What a job found, one entry after the other, in the order in which it found them",
      query: PAGE,
      answer: { status: 200, schema: LINES },
      endpoint: (_, call) => lines(parts, call),
    }),
    adminRoute("POST", "/admin/v1/jobs/<job>/cancel", {
      action: "admin.cancel-job",
      summary: "Ask a job to stop at the next good place, on whatever replica it runs",
      answer: STARTED,
      endpoint: (_, call) => cancel(parts, call),
    }),
    adminRoute("POST", "/admin/v1/jobs/<job>/resume", {
      action: "admin.start-job",
      summary: "Go on with a job that was interrupted or cancelled",
      answer: STARTED,
      endpoint: (_, call) => resume(parts, call),
    }),
  ];
}

async function list({ jobs }: JobParts, { query }: Call): Promise<Response> {
  const { entries, more } = await jobs.list(parsePage(query));
  const last = entries.at(-1);
  return jsonAnswer({ jobs: entries.map(describe), ...(more && last && { next: last.id }) });
}

async function start({ jobs }: JobParts, call: Call): Promise<Response> {
  const fields = await readFields(call, ["kind", "options"]);
  const { id, username } = call.caller.identity;
  const started = await jobs.start({
    kind: fields.required("kind", (value) => typeof value === "string" ? value : undefined),
    options: fields.optional("options", readObject) ?? {},
    startedBy: { id, username },
  });
  return startedAnswer(started, { problemStatus: 400 });
}

function readObject(value: unknown): JsonObject | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value as JsonObject : undefined;
}

async function show({ jobs }: JobParts, { words }: Call<"job">): Promise<Response> {
  const found = await jobs.get(words.job);
  if (!found) throw unknownJob();
  const { record, report } = found;
  return jsonAnswer({ ...describe(record), ...(report && { report }) });
}

async function lines({ jobs }: JobParts, { words, query }: Call<"job">): Promise<Response> {
  const { limit, last } = parsePage(query);
  const page = await jobs.lines(words.job, { limit, ...(last !== undefined && { last: readLine(last) }) });
  if (!page) throw unknownJob();
  return jsonAnswer({ lines: page.lines, ...(page.next !== undefined && { next: String(page.next) }) });
}

function readLine(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw refused("Cannot read last: expected the number of a line", 400);
}

async function cancel({ jobs }: JobParts, { words: { job } }: Call<"job">): Promise<Response> {
  const isAsked = await jobs.cancel(job);
  if (isAsked === undefined) throw unknownJob();
  if (!isAsked) throw refused("Cannot cancel the job: it does not run", 409);
  return jsonAnswer({ job }, { status: 202 });
}

async function resume({ jobs }: JobParts, { words: { job } }: Call<"job">): Promise<Response> {
  return startedAnswer(await jobs.resume(job), { problemStatus: 409 });
}

function startedAnswer(started: Started, { problemStatus }: { readonly problemStatus: number }): Response {
  if ("job" in started) return jsonAnswer({ job: started.job.id }, { status: 202 });
  if ("unknown" in started) throw unknownJob();
  if ("problem" in started) throw refused(`Cannot start the job: ${started.problem}`, problemStatus);
  const { running } = started;
  throw new OciError("UNSUPPORTED", `Cannot start the job: ${running ?? "another one"} runs`, {
    status: 409,
    detail: { running: running ?? null },
  });
}

function describe(record: JobRecord) {
  const { id, kind, options, state, startedBy, startedAtMs, endedAtMs, replica, progress, lines, error } =
    record;
  return {
    id,
    kind,
    options,
    state,
    started_by: startedBy,
    started_at: formatTime(startedAtMs),
    ...(endedAtMs !== undefined && { ended_at: formatTime(endedAtMs) }),
    replica,
    ...(progress && { progress }),
    lines,
    ...(error !== undefined && { error }),
  };
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

function unknownJob(): OciError {
  return refused("Cannot find the job: there is none with this id", 404);
}

function refused(message: string, status: number): OciError {
  return new OciError("UNSUPPORTED", message, { status });
}
