import { PluginError } from "../../contract/error.ts";
import type { Bytes, ByteSpan } from "../../contract/storage.ts";
import { failure } from "./failure.ts";

const BUFFER_BYTES = 256 * 1024;

/** The span's bytes of a file, which is closed at their end, when reading fails, and when the reader cancels. */
export function readSpan(path: string, { offset, length }: ByteSpan): Bytes {
  const file = Deno.openSync(path);
  let left = length;
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: BUFFER_BYTES,
    start: (controller) => {
      if (offset > 0) file.seekSync(offset, Deno.SeekMode.Start);
      if (left === 0) end(controller);
    },
    pull: async (controller) => {
      const request = controller.byobRequest!;
      const view = request.view as Uint8Array<ArrayBuffer>;
      const count = await read(view.subarray(0, Math.min(left, view.length)));
      left -= count;
      request.respond(count);
      if (left === 0) end(controller);
    },
    cancel: () => file.close(),
  });

  function end(controller: ReadableByteStreamController): void {
    file.close();
    controller.close();
  }

  async function read(view: Uint8Array): Promise<number> {
    try {
      const count = await file.read(view);
      if (count) return count;
      throw new PluginError("failed", `Cannot read ${path}: it has become shorter`);
    } catch (error) {
      file.close();
      throw failure("read on", path, error);
    }
  }
}

/** Writes every chunk of `body` at the end of the file. Whatever fails, the chunks before it stay. */
export async function writeBody(file: Deno.FsFile, body: Bytes): Promise<number> {
  let size = 0;
  for await (const chunk of body) {
    writeWhole(file, chunk);
    size += chunk.length;
  }
  return size;
}

/** Writes all of the bytes, also where the system takes them in parts. */
export function writeWhole(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}
