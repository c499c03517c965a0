import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes } from "../../plugins/contract/storage.ts";

/** The bytes of `body`, which a plugin promised to be `length` in all: it fails where they are more or fewer. */
export function exactBytes(body: Bytes, length: number): Bytes {
  const reader = body.getReader();
  let left = length;
  const refuse = (reason: string) => {
    const error = new PluginError(
      "failed",
      `Cannot read an object: the plugin sent ${reason} than it promised`,
    );
    reader.cancel(error).catch(() => {});
    throw error;
  };
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return left > 0 ? refuse("less") : controller.close();
      left -= value.byteLength;
      if (left < 0) refuse("more");
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
