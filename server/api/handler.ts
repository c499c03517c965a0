import type { AccessQuestion, Action, Guard } from "../access/guard.ts";
import type { Log } from "../observe/log.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Registry } from "../registry/registry.ts";
import type { Words } from "./endpoint.ts";
import { errorAnswer } from "./error_answer.ts";
import { requestBody } from "./request_body.ts";
import { matchRoute } from "./router.ts";

/** What a handler is made of. */
export interface HandlerOptions {
  readonly registry: Registry;
  readonly guard: Guard;
  readonly log: Log;
  /** How long a request's body may pause, in milliseconds. */
  readonly stallTimeoutMs: number;
}

/** Serves one request, whatever it is. */
export type Handler = (request: Request) => Promise<Response>;

/** The registry as HTTP: match a row, ask the guard, call the endpoint. */
export function createHandler(options: HandlerOptions): Handler {
  return async (request) => {
    const startedAt = performance.now();
    const answer = await serve(request, options).catch((error) => errorAnswer(error, options.log));
    answer.headers.set("Docker-Distribution-API-Version", "registry/2.0");
    answer.headers.set("X-Content-Type-Options", "nosniff");
    options.log.debug("Served a request", {
      method: request.method,
      url: request.url,
      status: answer.status,
      ms: Math.round((performance.now() - startedAt) * 1000) / 1000,
    });
    return request.method === "HEAD" && answer.body ? new Response(null, answer) : answer;
  };
}

async function serve(request: Request, options: HandlerOptions): Promise<Response> {
  const { registry, guard, stallTimeoutMs } = options;
  const url = new URL(request.url);
  const { route, words } = matchRoute(request.method, url.pathname);
  await requireAccess(guard, { action: route.action, ...words });
  return await route.endpoint(registry, {
    words: words as Words,
    method: request.method,
    headers: request.headers,
    path: url.pathname,
    query: parseQuery(url.search),
    body: requestBody(request, stallTimeoutMs),
    may: async (action: Action, name: RepositoryName) => (await guard({ action, name })).allowed,
  });
}

async function requireAccess(guard: Guard, question: AccessQuestion): Promise<void> {
  const decision = await guard(question);
  if (!decision.allowed) throw new OciError("DENIED", `Cannot ${question.action}: access is denied`);
}

/** A plus sign means itself, as in `application/vnd.oci.image.config.v1+json`: this is no form. */
function parseQuery(search: string): URLSearchParams {
  return new URLSearchParams(search.replaceAll("+", "%2B"));
}
