/** What comes back: the head of an answer, and what it means where it is no success. */

import { PluginError } from "../../contract/error.ts";
import { joinChunks } from "./chunks.ts";
import type { Download } from "./downloads.ts";
import type { ShortAnswer } from "./exchange.ts";
import { LostExchange } from "./lost_exchange.ts";
import type { S3Answer, S3Request } from "./transport.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What one try was answered. */
export type Received = Omit<S3Answer, "isRepeated">;

/** Bodies up to this length are read before they are handed on, and asked for again where they are cut. */
const WHOLE_BYTES_MAX = 64 * 1024;
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/** An answer that is there already. */
export function receiveShort({ status, headers, bytes }: ShortAnswer): Received {
  const code = status >= 400 ? codeOf(bytes) : undefined;
  const body = streamOf(bytes);
  return { status, headers, ...(code !== undefined && { code }), body, text: () => readText(body) };
}

/** An answer as it comes, or, where it is short or an error, all of it. Fails with a `LostExchange`. */
export async function receiveDownload({ status, headers, body }: Download): Promise<Received> {
  const length = Number(headers.get("content-length") ?? NaN);
  if (status < 400 && !(length <= WHOLE_BYTES_MAX)) {
    return {
      status,
      headers,
      body,
      text: () => readText(body),
    };
  }
  return receiveShort({ status, headers, bytes: await readNow(body) });
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

async function readWhole(body: ReadableStream<Chunk>): Promise<Chunk> {
  const chunks: Chunk[] = [];
  let length = 0;
  for await (const bytes of body) {
    chunks.push(bytes);
    length += bytes.length;
    if (length > TEXT_BYTES_MAX) {
      throw new PluginError(
        "failed",
        `Cannot read the store's answer: it is longer than ${TEXT_BYTES_MAX} bytes`,
      );
    }
  }
  return joinChunks(chunks);
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
