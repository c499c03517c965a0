/** The body of an answer, as a stream or whole. */

import type { IncomingMessage } from "node:http";
import { PluginError } from "../../contract/error.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** An answer's body as it arrives. */
export interface BodyOptions {
  /** From one piece of the body to the next. */
  readonly stallMs: number;
  /** HEAD's answer tells the length of a body that it has not. */
  readonly isHead?: boolean;
}

/** Largest answer that is read whole. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;
/** Whoever has opened a body and does not read on for so long has forgotten it. */
const UNREAD_MS = 10 * 60_000;

/** The body of an answer: fails with `unavailable` where it is cut, or stands still. Cancelled, or left unread, it ends its connection. */
export function bodyOf(incoming: IncomingMessage, options: BodyOptions): ReadableStream<Chunk> {
  const awaited = options.isHead ? 0 : Number(incoming.headers["content-length"] ?? NaN);
  let length = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expect = (what: string, ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => incoming.destroy(new Error(`${what} within ${ms} ms`)), ms);
  };
  const unread = () => expect("none of it was read", UNREAD_MS);
  return new ReadableStream<Chunk>({
    start(controller) {
      let isOver = false;
      const end = (finish: () => void) => {
        clearTimeout(timer);
        if (!isOver) finish();
        isOver = true;
      };
      const cut = (why: string) => end(() => controller.error(cutError(length, { awaited, why })));
      incoming.pause();
      unread();
      incoming.on("data", (bytes: Chunk) => {
        if (isOver) return;
        length += bytes.length;
        incoming.pause();
        unread();
        controller.enqueue(bytes);
      });
      incoming.once("end", () => {
        if (length < awaited) cut("it ended");
        else end(() => controller.close());
      });
      incoming.once("error", (error) => cut(error.message));
      incoming.once("close", () => cut("the connection was closed"));
    },
    pull() {
      expect("none of it came", options.stallMs);
      incoming.resume();
    },
    cancel() {
      clearTimeout(timer);
      incoming.destroy();
    },
  }, { highWaterMark: 0 });
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

/** The whole of a body that must be short. */
export async function readWhole(body: ReadableStream<Chunk>): Promise<Chunk> {
  const chunks: Chunk[] = [];
  let length = 0;
  for await (const bytes of body) {
    length += bytes.length;
    if (length > TEXT_BYTES_MAX) {
      throw new PluginError(
        "failed",
        `Cannot read the store's answer: it is larger than ${TEXT_BYTES_MAX} bytes`,
      );
    }
    chunks.push(bytes);
  }
  const [only] = chunks;
  return chunks.length === 1 ? only! : joined(chunks, length);
}

function joined(chunks: readonly Chunk[], length: number): Chunk {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const bytes of chunks) {
    whole.set(bytes, offset);
    offset += bytes.length;
  }
  return whole;
}
