/** What comes back: the head of an answer, and what it means where it is no success. */

import type { IncomingMessage } from "node:http";
import { PluginError } from "../../contract/error.ts";
import { bodyOf, readWhole } from "./bodies.ts";
import { LostExchange } from "./exchange.ts";
import type { S3Answer, S3Request } from "./transport.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What one try was answered. */
export type Received = Omit<S3Answer, "isRepeated">;

/** Bodies up to this length are read before they are handed on, and asked for again where they are cut. */
const WHOLE_BYTES_MAX = 64 * 1024;

/** Takes an answer: all of it, unless it is an object of some length. Fails with a `LostExchange`. */
export async function receive(
  incoming: IncomingMessage,
  { method, key }: Pick<S3Request, "method" | "key">,
  stallMs: number,
): Promise<Received> {
  const status = incoming.statusCode ?? 0;
  const body = bodyOf(incoming, { stallMs, isHead: method === "HEAD" });
  const head = { status, headers: headersOf(incoming) };
  const length = Number(incoming.headers["content-length"] ?? NaN);
  const isObject = method === "GET" && key !== undefined && status < 400;
  if (isObject && !(length <= WHOLE_BYTES_MAX)) return { ...head, body, text: () => readText(body) };
  const bytes = await readNow(body);
  const code = status >= 400 ? codeOf(bytes) : undefined;
  const stream = streamOf(bytes);
  return { ...head, ...(code !== undefined && { code }), body: stream, text: () => readText(stream) };
}

async function readNow(body: ReadableStream<Chunk>): Promise<Chunk> {
  try {
    return await readWhole(body);
  } catch (error) {
    if (!(error instanceof PluginError && error.code === "unavailable")) throw error;
    throw new LostExchange(error.message, { isSent: true, cause: error });
  }
}

async function readText(body: ReadableStream<Chunk>): Promise<string> {
  return new TextDecoder().decode(await readWhole(body));
}

/** A body that is there already. */
function streamOf(bytes: Chunk): ReadableStream<Chunk> {
  return new ReadableStream<Chunk>({
    pull(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  }, { highWaterMark: 0 });
}

/** An answer's headers. */
function headersOf({ headers }: IncomingMessage): Headers {
  return new Headers(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** The code of an error's XML: "NoSuchKey". */
function codeOf(bytes: Chunk): string | undefined {
  return /<Code>\s*([A-Za-z0-9.]{1,100})\s*<\/Code>/.exec(new TextDecoder().decode(bytes))?.[1];
}

/** Codes that say that the keys have ended, or are not there yet. */
const STALE_KEYS = [
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidToken",
  "InvalidAccessKeyId",
  "TokenRefreshRequired",
];

/** Why the store would not do it at all, whatever it is. */
export interface Refusal {
  /** Other keys may do, it came too late, or it is so. */
  readonly is: "credentials" | "late" | "final";
  readonly state: string;
}

/** What an answer refuses; `undefined`: it is one that the caller understands. */
export function refusalOf(
  { status, code = "" }: Received,
  { withinMs }: Pick<S3Request, "withinMs">,
): Refusal | undefined {
  const state = `the store refused it: ${status} ${code}`.trim();
  if (STALE_KEYS.includes(code)) return { is: "credentials", state };
  if (status !== 401 && status !== 403) return undefined;
  // Whoever signed it has the right keys: what is refused of it is its time.
  if (withinMs !== undefined && (code === "AccessDenied" || code === "ExpiredPresignRequest")) {
    return { is: "late", state };
  }
  return { is: "final", state };
}
