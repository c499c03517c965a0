import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import type { Handler } from "../../server/http/listen.ts";
import { readToEnd, send, tlsTest, until } from "./scene.ts";

/** Counts the descriptors of this process. */
function countDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

const echo: Handler = async (request) => {
  const { byteLength } = await request.arrayBuffer().catch(() => new ArrayBuffer(0));
  return new Response(`${request.method} ${new URL(request.url).pathname} ${byteLength};`);
};

tlsTest(
  "TLS answers pipelined requests in their order, on their own connection",
  { handler: echo },
  async (scene) => {
    const connection = await scene.connect();
    const requests = Array.from(
      { length: 20 },
      (_, i) => `POST /${i} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab`,
    );
    await send(connection, requests.join("") + "GET /end HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    const bodies = (await readToEnd(connection)).match(/(?:POST|GET) \/\w+ \d+;/g);
    connection.close();
    assertEquals(bodies, [...requests.map((_, i) => `POST /${i} 2;`), "GET /end 0;"]);
  },
);

tlsTest(
  "TLS answers a small GET on a kept connection in at most 5 ms, in the median",
  { handler: echo },
  async (scene) => {
    const connection = await scene.connect();
    const buffer = new Uint8Array(65536);
    const times: number[] = [];
    for (let i = 0; i < 200; i++) {
      const start = performance.now();
      await send(connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      await connection.read(buffer);
      times.push(performance.now() - start);
    }
    connection.close();
    const median = times.sort((a, b) => a - b)[100]!;
    assert(median <= 5, `the median is ${median} ms`);
  },
);

tlsTest("TLS passes bodies on whole, in both directions", {
  handler: (request) => Promise.resolve(new Response(request.body)),
}, async (scene) => {
  const bytes = new Uint8Array(8 * 1024 * 1024).map((_, i) => (i * 31 + (i >> 8)) % 251);
  const client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(scene.files.authority)] });
  for (let round = 0; round < 3; round++) {
    const response = await fetch(scene.front.url, { method: "POST", body: bytes, client });
    const echoed = new Uint8Array(await response.arrayBuffer());
    assert(echoed.length === bytes.length && echoed.every((byte, i) => byte === bytes[i]), "bytes differ");
  }
  client.close();
});

tlsTest("TLS leaves nothing behind of connections that end in any way", { handler: echo }, async (scene) => {
  const before = countDescriptors();
  const half = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc";
  for (let round = 0; round < 20; round++) {
    const closed = await scene.connect();
    const halfClosed = await scene.connect();
    const midBody = await scene.connect();
    const answered = await scene.connect();
    const raw = await Deno.connect({ hostname: "127.0.0.1", port: scene.port });
    closed.close();
    raw.close();
    await send(midBody, half);
    midBody.close();
    await send(halfClosed, half);
    await halfClosed.closeWrite();
    await readToEnd(halfClosed);
    halfClosed.close();
    // Closed with its answer unread: the kernel resets the connection.
    await send(answered, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    answered.close();
  }
  await until("no connection is left", () => scene.front.connections === 0);
  await until("no descriptor is left", () => countDescriptors() <= before);
});

tlsTest("TLS gives a refused upload its answer, though the client still sends", {
  handler: () => Promise.resolve(new Response("too much", { status: 413, headers: { connection: "close" } })),
}, async (scene) => {
  const connection = await scene.connect();
  await send(connection, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n");
  const sending = (async () => {
    const bytes = new Uint8Array(65536);
    for (let i = 0; i < 100; i++) await connection.write(bytes);
  })().catch(() => {});
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer);
  assert(new TextDecoder().decode(buffer.subarray(0, count ?? 0)).startsWith("HTTP/1.1 413 "));
  connection.close();
  await sending;
});

tlsTest("TLS tells the handler that its client went away", {
  handler: async (request) => {
    begun.resolve();
    await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
    aborted = true;
    return new Response();
  },
}, async (scene) => {
  const connection = await scene.connect();
  await send(connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await begun.promise;
  connection.close();
  await until("the request was aborted", () => aborted);
});

const begun = Promise.withResolvers<void>();
let aborted = false;

const gate = Promise.withResolvers<void>();
const entered = Promise.withResolvers<void>();

tlsTest("close() lets the request under way end, and closes idle connections", {
  handler: async () => {
    entered.resolve();
    await gate.promise;
    return new Response("done");
  },
}, async (scene) => {
  const idle = await scene.connect();
  const answer = scene.get("/");
  await entered.promise;
  const closing = scene.front.close(5000);
  assertEquals(await readToEnd(idle), "");
  idle.close();
  await assertRejects(Deno.connect({ hostname: "127.0.0.1", port: scene.port }));
  gate.resolve();
  assertEquals(await answer, { status: 200, body: "done" });
  await closing;
  assertEquals(scene.front.connections, 0);
});

tlsTest("close() cuts off what does not end in time", {
  handler: (request) =>
    new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(new Response()))),
}, async (scene) => {
  const connection = await scene.connect();
  await send(connection, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const start = performance.now();
  await scene.front.close(200);
  assert(performance.now() - start < 2000);
  assertEquals(await readToEnd(connection), "");
  connection.close();
});
