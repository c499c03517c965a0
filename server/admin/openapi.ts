import { jsonAnswer } from "../api/answer.ts";
import { type AdminRoute, adminRoute, listSchema, objectSchema, type Schema, TEXT } from "./route.ts";

/** What the document is served from. */
export interface OpenapiParts {
  /** The version of the registry. */
  readonly version: string;
}

type Json = Readonly<Record<string, unknown>>;

const ERRORS = objectSchema({
  errors: listSchema(objectSchema({ code: TEXT, message: TEXT, detail: {} }, { optional: ["detail"] })),
});

const DIGEST = "[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+";
const TAG = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";

/** What stands in angle brackets in paths. */
const WORDS: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>> = {
  name: { description: "A repository. Its slashes are written as they are.", schema: TEXT },
  reference: {
    description: "A tag or a digest.",
    schema: { type: "string", pattern: `^(?:${TAG}|${DIGEST})$` },
  },
  digest: { description: "A digest.", schema: { type: "string", pattern: `^${DIGEST}$` } },
  tag: { description: "A tag.", schema: { type: "string", pattern: `^${TAG}$` } },
  upload: { description: "The id of an upload.", schema: TEXT },
  token: { description: "The id of a token.", schema: { type: "string", pattern: "^[0-9a-f]{20}$" } },
  id: { description: "The id of an identity.", schema: TEXT },
  role: { description: "The name of a role.", schema: TEXT },
  binding: { description: "The id of a binding.", schema: TEXT },
  job: { description: "The id of a job.", schema: TEXT },
  plugin: { description: "The name of a plugin, such as `fs` or `oidc.github`.", schema: TEXT },
};

/** The row that describes all rows, itself too. */
export function openapiRoutes(
  { version }: OpenapiParts,
  rows: () => readonly AdminRoute[],
): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/openapi.json", {
      action: "own-identity",
      summary: "This document: OpenAPI 3.1",
      answer: {
        status: 200,
        schema: {
          type: "object",
          properties: { openapi: TEXT, info: { type: "object" }, paths: { type: "object" } },
          required: ["openapi", "info", "paths"],
        },
      },
      endpoint: () => Promise.resolve(jsonAnswer(describeApi(rows(), version))),
    }),
  ];
}

/** The OpenAPI 3.1 document of rows. HEAD is not in it: it is GET without a body. */
export function describeApi(rows: readonly AdminRoute[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const row of rows) {
    const path = row.path.replaceAll(/<(\w+)>/g, "{$1}");
    for (const method of row.methods.filter((method) => method !== "HEAD")) {
      paths[path] = { ...paths[path], [method.toLowerCase()]: describeRow(row, method) };
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "sreg administration",
      version,
      description:
        "The administration of an sreg registry. What a caller may do, policies decide by the action of each " +
        "operation (x-action).",
    },
    servers: [{ url: "/" }],
    security: [{ basic: [] }, { bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        basic: { type: "http", scheme: "basic" },
        bearer: { type: "http", scheme: "bearer", description: "A personal token, or a robot's." },
      },
      schemas: { Errors: ERRORS },
      responses: {
        Refused: {
          description: "The request cannot be served: the reason, in the codes of the distribution spec",
          content: jsonContent({ $ref: "#/components/schemas/Errors" }),
        },
        Unavailable: {
          description: "The registry's own fault: its log has the reason under the id in X-Request-Id",
          content: { "text/plain": { schema: TEXT } },
        },
      },
    },
  };
}

function describeRow({ path, action, doc }: AdminRoute, method: string): Json {
  const { summary, query = {}, body, answer } = doc;
  const words = [...path.matchAll(/<(\w+)>/g)].map(([, word]) => word!);
  const parameters = [
    ...words.map((word) => ({ name: word, in: "path", required: true, ...WORDS[word]! })),
    ...Object.entries(query).map(([name, schema]) => ({ name, in: "query", schema })),
  ];
  return {
    operationId: operationId(method, path),
    tags: [path.split("/")[3]!.replace(/\.json$/, "")],
    summary,
    "x-action": action,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: jsonContent(body) } }),
    responses: {
      [answer.status]: {
        description: summary,
        ...(answer.schema && { content: jsonContent(answer.schema) }),
      },
      "4XX": { $ref: "#/components/responses/Refused" },
      "5XX": { $ref: "#/components/responses/Unavailable" },
    },
  };
}

function jsonContent(schema: Schema): Json {
  return { "application/json": { schema } };
}

/** `POST /admin/v1/jobs/<job>/cancel`: `post_jobs_job_cancel`. */
function operationId(method: string, path: string): string {
  const words = path.split("/").slice(3).map((word) => word.replaceAll(/[<>_]|\.json$/g, ""));
  return [method.toLowerCase(), ...words].join("_");
}
