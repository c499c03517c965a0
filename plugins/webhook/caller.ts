/** Asks a service over HTTP, and believes nothing but what the protocol knows. */

import { chunksWithin } from "@sreg/contract/chunks.ts";
import type { JsonObject } from "@sreg/contract/identity.ts";
import type { WebhookSettings } from "./settings.ts";
import { SIGNATURE_HEADER, signBody } from "./signature.ts";
import { Silence } from "./silence.ts";

/** What a service said. */
export type Reply =
  | { readonly status: 200; readonly content: unknown; readonly bytes: number }
  /** `bytes` of a 200 without content is 0, like that of the others, whose content is not looked at. */
  | { readonly status: 200 | 401 | 403 | 404; readonly content?: undefined; readonly bytes: 0 };

/** Longest answer. */
const ANSWER_BYTES_MAX = 64 * 1_024;

/** What asks. Each question fails with `Silence` where there is no answer. */
export type Ask = (question: JsonObject) => Promise<Reply>;

/** What asks the service of these settings. */
export function createCaller(settings: WebhookSettings): Ask {
  let underWay = 0;
  const { callsMax, url, timeoutMs } = settings;
  const title = `Cannot ask ${url.origin}${url.pathname}`;
  return async (question) => {
    // A service that has stopped answering must not make every request of the registry wait for it.
    if (underWay >= callsMax) throw new Silence(`${title}: ${callsMax} questions are under way already`);
    underWay++;
    try {
      return await post(JSON.stringify(question), settings);
    } catch (error) {
      throw new Silence(`${title}: ${describe(error, timeoutMs)}`, { cause: error });
    } finally {
      underWay--;
    }
  };
}

async function post(body: string, settings: WebhookSettings): Promise<Reply> {
  const { url, timeoutMs, client } = settings;
  const deadline = performance.now() + timeoutMs;
  const response = await fetch(url, {
    method: "POST",
    headers: headersOf(body, settings),
    body,
    // Who could answer with a redirect could have questions, and the passwords in them, sent elsewhere.
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
    ...(client && { client }),
  });
  const { status } = response;
  if (status === 200) return await readReply(response, deadline);
  await response.body?.cancel();
  if (status === 401 || status === 403 || status === 404) return { status, bytes: 0 };
  throw new TypeError(
    status >= 300 && status < 400
      ? `it answered ${status}, and redirects are not followed`
      : `it answered ${status}`,
  );
}

function headersOf(body: string, { secret, authorization }: WebhookSettings): Headers {
  const headers = new Headers({ "Content-Type": "application/json", "Accept": "application/json" });
  if (authorization !== undefined) headers.set("Authorization", authorization);
  if (secret !== undefined) headers.set(SIGNATURE_HEADER, signBody(body, { secret, nowMs: Date.now() }));
  return headers;
}

async function readReply({ headers, body }: Response, deadline: number): Promise<Reply> {
  // An answer that was cut off can look empty, too: only one that says so is.
  if (headers.get("Content-Length") === "0") {
    await body?.cancel();
    return { status: 200, bytes: 0 };
  }
  const type = headers.get("Content-Type") ?? "no Content-Type";
  if (!/^application\/json *(?:;|$)/i.test(type)) {
    await body?.cancel();
    throw new TypeError(`expected application/json, found ${JSON.stringify(type.slice(0, 100))}`);
  }
  const bytes = body ? await readBytes(body, deadline) : new Uint8Array(0);
  return { status: 200, content: parse(bytes), bytes: bytes.length };
}

async function readBytes(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  deadline: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(ANSWER_BYTES_MAX);
  let length = 0;
  for await (const chunk of chunksWithin(body, () => deadline - performance.now())) {
    if (length + chunk.length > bytes.length) {
      throw new TypeError(`its answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    }
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes.slice(0, length);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new TypeError("its answer is no JSON", { cause: error });
  }
}

/** The runtime says of a connection that failed only in the error's cause why, after a URL whose query may be secret. */
function describe(error: unknown, timeoutMs: number): string {
  const { name, message, cause } = error as Error;
  if (name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  const { message: why } = message === "fetch failed" && cause instanceof Error ? cause : { message };
  return why.replace(/^error sending request for url \(\S*\)(?:: client error \(\w+\))?: /, "");
}
