import type { Access } from "../access/access.ts";
import type { Action } from "../access/actions.ts";
import type { Log } from "../observe/log.ts";
import { OciError } from "../oci/error.ts";
import type { Registry } from "../registry/registry.ts";
import {
  type AccessRequest,
  accessRequestReader,
  type Connection,
  type Frontage,
} from "../access/request.ts";
import type { Caller } from "../access/caller.ts";
import type { Call, Word, Words } from "./endpoint.ts";
import { errorAnswer } from "./error_answer.ts";
import { requestBody } from "./request_body.ts";
import type { Route } from "./route.ts";
import { createRouter } from "./router.ts";

/** What a handler is made of. */
export interface HandlerOptions {
  /** The rows that can be reached. */
  readonly routes: readonly Route[];
  readonly registry: Registry;
  readonly access: Access;
  readonly frontage: Frontage;
  readonly log: Log;
  /** How long a request's body may pause, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** Told of each request that a row fits, once it has ended; an answer waits for what this waits for. */
  readonly onEnd?: (exchange: Exchange) => Promise<void> | undefined;
}

/** A request that a row fits, and what became of it, as far as it came. */
export interface Exchange {
  readonly route: Route;
  readonly words: Partial<Words>;
  readonly request: AccessRequest;
  /** Who sent it; absent: that could not be found out. */
  caller?: Caller;
  /** What the endpoint was called with; absent: it was not. */
  call?: Call<Word>;
  answer?: Response;
  /** What ended it, where there is no answer. */
  error?: unknown;
}

/** Serves one request, whatever it is. */
export type Handler = (request: Request, connection: Connection) => Promise<Response>;

/** The registry as HTTP: match a row, find out who asks, ask whether they may, call the endpoint. */
export function createHandler(options: HandlerOptions): Handler {
  const serve = createServe(options);
  return async (request, connection) => {
    const startedAt = performance.now();
    const answer = await serve(request, connection).then(
      // The runtime drops a body, but does not end one that is a stream.
      (answer) => request.method === "HEAD" && answer.body ? new Response(null, answer) : answer,
      (error) => errorAnswer(error, options.log),
    );
    answer.headers.set("Docker-Distribution-API-Version", "registry/2.0");
    answer.headers.set("X-Content-Type-Options", "nosniff");
    options.log.debug("Served a request", {
      method: request.method,
      url: request.url,
      status: answer.status,
      ms: Math.round((performance.now() - startedAt) * 1000) / 1000,
    });
    return answer;
  };
}

function createServe(options: HandlerOptions): Handler {
  const match = createRouter(options.routes);
  const readAccessRequest = accessRequestReader(options.frontage);
  return async (request, connection) => {
    const url = requestUrl(request);
    const { route, words } = match(request.method, url.pathname);
    const exchange: Exchange = { route, words, request: readAccessRequest(request, url, connection) };
    try {
      return exchange.answer = await answerTo(exchange, { ...options, sent: request, url });
    } catch (error) {
      exchange.error = error;
      throw error;
    } finally {
      const told = options.onEnd?.(exchange);
      if (told) await told;
    }
  };
}

/** What is done to uploads, whoever began them; all else only whoever did. */
const OTHERS_UPLOADS: Action = "admin.cancel-upload";

async function answerTo(
  exchange: Exchange,
  { registry, access, stallTimeoutMs, sent, url }: HandlerOptions & {
    readonly sent: Request;
    readonly url: URL;
  },
): Promise<Response> {
  const { route, words, request } = exchange;
  const caller = exchange.caller = await access.identify(request);
  const query = parseQuery(url.search);
  await caller.require({
    action: route.action,
    ...words,
    ...(words.tag && { reference: { tag: words.tag } }),
    ...(route.tags && { tags: route.tags(query, words) }),
  });
  const isOwn = route.action !== OTHERS_UPLOADS;
  if (words.upload && isOwn) registry.uploads.requireOwner(words.name!, words.upload, caller.owner);
  exchange.call = {
    words: words as Words,
    method: sent.method,
    headers: sent.headers,
    path: url.pathname,
    query,
    body: requestBody(sent, stallTimeoutMs),
    caller,
    access,
    request,
  };
  return await route.endpoint(registry, exchange.call);
}

const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;

/** What the URL standard folds in a path: a proxy in front that does not would take it for another one. */
const FOLDED = /^[^?#]*(?:\\|\/(?:\.|%2e){1,2}(?:[/?#]|$))/i;

/** What was asked for. A `Host` that is none would end up in addresses that clients are sent to. */
function requestUrl(request: Request): URL {
  const host = request.headers.get("Host");
  if ((host !== null && !HOST.test(host)) || !URL.canParse(request.url)) throw unreadable("Host is none");
  if (FOLDED.test(request.url)) throw unreadable("path leads elsewhere");
  return new URL(request.url);
}

function unreadable(reason: string): OciError {
  return new OciError("UNSUPPORTED", `Cannot read the request: its ${reason}`, { status: 400 });
}

/** A plus sign means itself, as in `application/vnd.oci.image.config.v1+json`: this is no form. */
function parseQuery(search: string): URLSearchParams {
  return new URLSearchParams(search.replaceAll("+", "%2B"));
}
