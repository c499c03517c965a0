import { assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { startScripted, type Step, writeAll } from "../../../tests/support/scripted_server.ts";
import { PluginError } from "../../contract/error.ts";
import { createDownloads } from "./downloads.ts";

const LONG_BYTES = 300_000;

/** Says that `length` bytes come, and sends these pieces. */
function sending(length: number, ...pieces: readonly string[]): Step {
  return async (_, connection) => {
    await writeAll(connection, `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
    for (const piece of pieces) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await writeAll(connection, piece);
    }
    return "close";
  };
}

/** The chunks that arrive. */
async function download(step: Step): Promise<Uint8Array<ArrayBuffer>[]> {
  using store = startScripted([step]);
  const begin = createDownloads({ ca: undefined });
  const request = { method: "GET", url: new URL(store.url), headers: {} };
  const { body } = await begin(request, { headMs: 5_000, stallMs: 5_000 });
  return await Array.fromAsync(body);
}

function textOf(chunks: readonly Uint8Array<ArrayBuffer>[]): Promise<string> {
  return new Blob([...chunks]).text();
}

Deno.test("a short answer takes no more memory than it has bytes", async () => {
  const [chunk, ...others] = await download(sending(5, "hello"));
  assertEquals([chunk!.buffer.byteLength, others.length], [5, 0]);
});

Deno.test("an answer arrives whole: short, in pieces, empty, long", async () => {
  assertEquals(await textOf(await download(sending(11, "hello", " ", "world"))), "hello world");
  assertEquals(await download(sending(0)), []);
  const half = "x".repeat(LONG_BYTES / 2);
  assertEquals(await textOf(await download(sending(LONG_BYTES, half, half))) === half + half, true);
});

Deno.test("an answer that is cut fails, short or long", async () => {
  for (const length of [11, LONG_BYTES]) {
    const message = `it was cut after 5 of ${length} bytes`;
    await assertRejects(() => download(sending(length, "hello")), PluginError, message);
  }
});
