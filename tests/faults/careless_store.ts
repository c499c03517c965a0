/** An S3 store without conditional writes, or deletions: a proxy that takes the conditions from requests, or refuses those that have one. */

import { type HttpRequest, signHeaders, signQuery } from "../../plugins/storage/s3/signing.ts";
import type { Ground } from "../support/cluster.ts";
import type { RunningS3 } from "../support/s3_server.ts";

/** What it does about `If-Match` and `If-None-Match`. */
export type Carelessness = "ignores" | "ignores with deletions" | "refuses";

const REFUSAL = "<Error><Code>NotImplemented</Code><Message>A header is not implemented.</Message></Error>";
/** What goes on, and is signed anew: the server knows itself by another name than the proxy's. */
const KEPT = /^(?:x-amz-(?!date|content-sha256)|content-type$|range$)/;
const CONDITION = /^if-(?:none-)?match$/;

/** The same ground, but for its store; it ends the proxy alone. */
export function withoutConditions(ground: Ground, carelessness: Carelessness): Ground {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const isConditional = [...request.headers.keys()].some((name) => CONDITION.test(name));
    if (isConditional && carelessness === "refuses") {
      return new Response(REFUSAL, { status: 501, headers: { "content-type": "application/xml" } });
    }
    const isHeld = carelessness === "ignores with deletions" && request.method !== "DELETE";
    return pass(request, ground.s3, isHeld);
  });
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  return {
    s3: { ...ground.s3, endpoint },
    redis: ground.redis,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** `isHeld`: to its conditions. */
async function pass(request: Request, s3: RunningS3, isHeld: boolean): Promise<Response> {
  const { method } = request;
  const { pathname, search } = new URL(request.url);
  const body = await request.bytes();
  const isKept = (name: string) => KEPT.test(name) || isHeld && CONDITION.test(name);
  const headers = Object.fromEntries([...request.headers].filter(([name]) => isKept(name)));
  const plain = { method, url: new URL(`${s3.endpoint}${pathname}${search}`), headers };
  const signed = search.includes("X-Amz-Expires=") ? signUntil(plain, s3) : signNow(plain, s3, body);
  return await fetch(signed.url, { method, headers: signed.headers, ...(body.length > 0 && { body }) });
}

function signNow(request: HttpRequest, s3: RunningS3, body: Uint8Array): HttpRequest {
  return signHeaders(request, { ...signerOf(s3), nowMs: Date.now(), body: [body] });
}

/** As long as it was signed for, and no longer. */
function signUntil({ url, ...request }: HttpRequest, s3: RunningS3): HttpRequest {
  const pairs = url.search.slice(1).split("&");
  const own = new URL(url);
  own.search = pairs.filter((pair) => !pair.startsWith("X-Amz-")).join("&");
  const lifetimeS = Number(url.searchParams.get("X-Amz-Expires"));
  const time = url.searchParams.get("X-Amz-Date")!;
  const nowMs = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, "$1-$2-$3:$4:$5"));
  return signQuery({ ...request, url: own }, { ...signerOf(s3), nowMs, lifetimeS });
}

function signerOf({ accessKey: accessKeyId, secretKey, region }: RunningS3) {
  return { credentials: { accessKeyId, secretKey }, region };
}
