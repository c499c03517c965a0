/**
 * A TLS listener in a process of its own, so that its memory can be measured. It reads each body in 1 MiB, waits after
 * each, and answers its size; a GET is answered with as many bytes as `?bytes=` says. Told in its environment:
 * SREG_TLS, the certificates as JSON. Says its URL on its first line.
 */

import { listen } from "../../server/http/listen.ts";

const PIECE_BYTES = 1024 * 1024;
const PAUSE_MS = 5;

// As the registry does; and the runtime, which listens for signals of its own some time after the start, panics where it
// has no descriptors left for its first listener.
Deno.addSignalListener("SIGTERM", () => void listener.close(0).finally(() => Deno.exit()));

const tls = JSON.parse(Deno.env.get("SREG_TLS") ?? "");
const listener = listen({ hostname: "127.0.0.1", port: 0, tls }, async (request) => {
  if (request.body !== null) return new Response(`${await drain(request.body)}`);
  const bytes = Number(new URL(request.url).searchParams.get("bytes") ?? "0");
  return new Response(produce(bytes), { headers: { "content-length": `${bytes}` } });
});
console.log(listener.url);

async function drain(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  const reader = body.getReader({ mode: "byob" });
  let total = 0;
  for (let buffer = new Uint8Array(PIECE_BYTES);;) {
    const { done, value } = await reader.read(buffer, { min: PIECE_BYTES });
    total += value?.length ?? 0;
    if (done) return total;
    buffer = new Uint8Array(value.buffer);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function produce(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, PIECE_BYTES);
      left -= size;
      if (size > 0) controller.enqueue(new Uint8Array(size));
      if (left === 0) controller.close();
    },
  }, { highWaterMark: 0 });
}
