import { PluginError } from "../../plugins/contract/error.ts";
import type { Log } from "../observe/log.ts";
import { OciError } from "../oci/error.ts";
import { jsonAnswer } from "./answer.ts";

/** The only place where an error becomes an answer. What is the server's own fault is logged, and told by an id only. */
export function errorAnswer(error: unknown, log: Log): Response {
  if (error instanceof OciError) return clientError(error);
  const id = crypto.randomUUID();
  const message = error instanceof Error ? error.message : String(error);
  log.error("Cannot serve a request", {
    request: id,
    error: message,
    ...(!(error instanceof PluginError) && error instanceof Error && { stack: error.stack }),
  });
  const busy = error instanceof PluginError && error.code === "unavailable";
  return new Response(`The registry cannot serve this request now. Its log has the reason under ${id}.\n`, {
    status: busy ? 503 : 500,
    headers: { "Content-Type": "text/plain", "X-Request-Id": id, ...(busy && { "Retry-After": "5" }) },
  });
}

function clientError({ code, message, detail, status, headers }: OciError): Response {
  const answer = jsonAnswer({ errors: [{ code, message, ...(detail !== undefined && { detail }) }] }, {
    status,
  });
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) answer.headers.append(name, value);
  }
  return answer;
}
