/** What came back: the head of an answer, its body as a stream, and S3's word for what went wrong. */

import type { IncomingMessage } from "node:http";
import { PluginError } from "../../contract/error.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** Largest answer that is read whole. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/** The body of an answer: ends in an error where it is cut, or stands still. Cancelled or left, it frees its connection. */
export function bodyOf(
  incoming: IncomingMessage,
  { stallMs }: { readonly stallMs: number },
): ReadableStream<Chunk> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const awaited = Number(incoming.headers["content-length"] ?? NaN);
  let length = 0;
  const fail = (message: string) => incoming.destroy(new Error(message));
  const settle = () => clearTimeout(timer);
  return new ReadableStream<Chunk>({
    start(controller) {
      incoming.pause();
      incoming.on("data", (bytes: Chunk) => {
        settle();
        length += bytes.length;
        controller.enqueue(bytes);
        incoming.pause();
      });
      incoming.once("end", () => {
        settle();
        controller.close();
      });
      incoming.once("error", (error) => {
        settle();
        controller.error(unavailable(`it was cut after ${length} of ${awaited} bytes: ${error.message}`));
      });
    },
    pull() {
      timer = setTimeout(() => fail(`no byte within ${stallMs} ms`), stallMs);
      incoming.resume();
    },
    cancel() {
      settle();
      incoming.destroy();
    },
  }, { highWaterMark: 0 });
}

/** The whole of a body that must be short. */
export async function readText(body: ReadableStream<Chunk>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const bytes of body) {
    length += bytes.length;
    if (length > TEXT_BYTES_MAX) throw unavailable(`it is larger than ${TEXT_BYTES_MAX} bytes`);
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode();
}

/** The code of an error's XML: "NoSuchKey". */
export function codeOf(text: string): string | undefined {
  return /<Code>([A-Za-z0-9.]{1,100})<\/Code>/.exec(text)?.[1];
}

function unavailable(state: string): PluginError {
  return new PluginError("unavailable", `Cannot read an answer of the store: ${state}`);
}
