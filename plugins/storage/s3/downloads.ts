/** Objects are read with `fetch`: where they are long it brings twice as much as `node:http` in the same time. */

import { PluginError } from "../../contract/error.ts";
import { LostExchange } from "./lost_exchange.ts";
import type { HttpRequest } from "./signing.ts";
import { Watchdog } from "./watchdog.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** An answer whose body is still to be read, or cancelled. */
export interface Download {
  readonly status: number;
  readonly headers: Headers;
  /** Fails with `unavailable` where it is cut, or stands still. */
  readonly body: ReadableStream<Chunk>;
}

/** How a download is waited for. */
export interface DownloadOptions {
  /** For the head of the answer. */
  readonly headMs: number;
  /** From one piece of the body to the next. */
  readonly stallMs: number;
}

/** Begins a download. Fails with a `LostExchange`. */
export type BeginDownload = (request: HttpRequest, options: DownloadOptions) => Promise<Download>;

/** Whoever has opened a body and does not read on for so long has forgotten it. */
const UNREAD_MS = 10 * 60_000;
const IDLE_SOCKETS_MAX = 64;
/** The runtime's own buffers have this length. */
const BUFFER_BYTES = 64 * 1024;

/** What begins downloads, over connections that are kept. `ca`: certificates (PEM) that are trusted. */
export function createDownloads({ ca }: { readonly ca: string | undefined }): BeginDownload {
  const client = Deno.createHttpClient({
    // Over one connection of HTTP/2 each would wait for the slowest of its readers.
    http2: false,
    poolMaxIdlePerHost: IDLE_SOCKETS_MAX,
    ...(ca !== undefined && { caCerts: [ca] }),
  });
  return async ({ method, url, headers }, { headMs, stallMs }) => {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(new Error(`no answer within ${headMs} ms`)), headMs);
    try {
      const response = await fetch(url, {
        method,
        headers: { ...headers, "accept-encoding": "identity" },
        redirect: "manual",
        signal: end.signal,
        client,
      });
      const body = watch(response, stallMs);
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      throw new LostExchange(describe(error), { isSent: true, cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Ended through its reader: what is aborted after the head is there goes on, once the request was collected as garbage. */
function watch({ body, headers }: Response, stallMs: number): ReadableStream<Chunk> {
  const awaited = Number(headers.get("content-length") ?? NaN);
  const reader = body && readerOf(body, awaited);
  let length = 0;
  let stalled: string | undefined;
  const dog = new Watchdog((message) => {
    stalled = message;
    void reader?.cancel().catch(() => {});
  });
  dog.expect("none of it was read", UNREAD_MS);
  return new ReadableStream<Chunk>({
    async pull(controller) {
      if (stalled === undefined) dog.expect("none of it came", stallMs);
      try {
        const bytes = await reader?.read(length);
        const done = bytes === undefined;
        if (done && stalled !== undefined) throw new Error(stalled);
        if (done && length < awaited) throw new Error("it ended");
        if (done) dog.end();
        else dog.expect("none of it was read", UNREAD_MS);
        if (done) return controller.close();
        length += bytes.length;
        controller.enqueue(bytes);
      } catch (error) {
        dog.end();
        controller.error(cutError(length, { awaited, why: describe(error) }));
      }
    },
    async cancel() {
      dog.end();
      await reader?.cancel();
    },
  }, { highWaterMark: 0 });
}

interface BodyReader {
  /** `length`: of what has been read already. `undefined`: the end. */
  read(length: number): Promise<Chunk | undefined>;
  cancel(): Promise<void>;
}

/**
 * Into a buffer of the runtime's for each read, or, where less is to come, into one of just that length: thousands of short answers
 * left 500 MiB of the former.
 */
function readerOf(body: ReadableStream<Chunk>, awaited: number): BodyReader {
  if (!(awaited < BUFFER_BYTES)) {
    const reader = body.getReader();
    return { read: async () => (await reader.read()).value, cancel: () => reader.cancel() };
  }
  const reader = body.getReader({ mode: "byob" });
  return {
    async read(length) {
      // One byte has room for the end.
      const { done, value } = await reader.read(new Uint8Array(Math.max(1, awaited - length)));
      return done ? undefined : value;
    },
    cancel: () => reader.cancel(),
  };
}

function cutError(
  length: number,
  { awaited, why }: { readonly awaited: number; readonly why: string },
): PluginError {
  const whole = Number.isNaN(awaited) ? "" : ` of ${awaited}`;
  return new PluginError(
    "unavailable",
    `Cannot read the store's answer: it was cut after ${length}${whole} bytes: ${why}`,
  );
}

/** The runtime says in causes why, after a URL whose query may be a signature. */
function describe(error: unknown): string {
  let deepest = error as Error;
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest.message.replace(
    /^error sending request (?:from \S* )?for (?:url )?\(?\S*\)?(?: \([\d.:]+\))?:? ?/,
    "",
  );
}
