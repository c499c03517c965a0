import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { RegistryClient } from "../support/client.ts";
import { startRegistry } from "../support/registry.ts";
import { residentBytes } from "../support/tree.ts";

const server = await startRegistry({ config: `[uploads]\nstall_timeout = "1s"\nopen_max = 10000\n` });
Deno.test.afterAll(() => void server.stop());
const registry = new RegistryClient(server.url);
const MIB = 1024 * 1024;

/** A connection on which a test says what no client library would. */
async function connect() {
  const { hostname, port } = new URL(server.url);
  const socket = await Deno.connect({ hostname, port: Number(port) });
  return {
    socket,
    send: async (text: string) => {
      for (let bytes = new TextEncoder().encode(text); bytes.length > 0;) {
        bytes = bytes.subarray(await socket.write(bytes));
      }
    },
    /** All that comes until the server ends the connection, or `bytes` at least. */
    receive: async () => {
      const buffer = new Uint8Array(65_536);
      const read = await socket.read(buffer);
      return new TextDecoder().decode(buffer.subarray(0, read ?? 0));
    },
  };
}

Deno.test("A body that never starts is ended, and the upload goes on", async () => {
  const location = await registry.startUpload("slow");
  const { socket, send, receive } = await connect();
  await send(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`);
  assertMatch(await receive(), /^HTTP\/1.1 408 /);
  socket.close();
  assertEquals((await registry.get(location)).headers.get("Range"), "0-0");
});

Deno.test("A body that stops in the middle is ended, and what had arrived stays", async () => {
  const location = await registry.startUpload("slow");
  const { socket, send, receive } = await connect();
  await send(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
  assertMatch(await receive(), /^HTTP\/1.1 408 /);
  socket.close();
  assertEquals((await registry.get(location)).headers.get("Range"), "0-4");
});

async function sendEndlessManifest(): Promise<string> {
  const chunked = await connect();
  await chunked.send("PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `${MIB.toString(16)}\r\n${" ".repeat(MIB)}\r\n`;
  const sending = (async () => {
    for (let sent = 0; sent < 64; sent++) await chunked.send(chunk);
  })().catch(() => {});
  const answer = await chunked.receive().catch(() => "");
  chunked.socket.close();
  await sending;
  return answer;
}

Deno.test("A manifest that never ends is refused once it is too long, chunked or not, in little memory", async () => {
  const before = await residentBytes(server.pid);
  // Who sends on after the answer may lose it to the connection's reset (RFC 9112, section 9.6); not each time, though.
  let answer = "";
  for (let tries = 0; answer === "" && tries < 10; tries++) answer = await sendEndlessManifest();
  assertMatch(answer, /^HTTP\/1.1 413 /);
  const declared = await connect();
  await declared.send(`PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${4 * MIB + 1}\r\n\r\n`);
  assertMatch(await declared.receive(), /^HTTP\/1.1 413 /);
  declared.socket.close();
  assert(await residentBytes(server.pid) - before < 100 * MIB);
});

Deno.test("A chunk that is longer or shorter than its Content-Range is refused", async () => {
  const location = await registry.startUpload("sized");
  for (const body of ["01234567890123456789", "01234"]) {
    const stream = ReadableStream.from([new TextEncoder().encode(body)]);
    const answer = await registry.send("PATCH", location, {
      body: stream,
      headers: { "Content-Range": "0-9" },
    });
    assertEquals([answer.status, answer.json().errors[0].code], [400, "SIZE_INVALID"]);
    await registry.send("DELETE", location);
    assertEquals((await registry.get(location)).status, 404);
    return;
  }
});

Deno.test("What is no HTTP, or ambiguous, is refused", async () => {
  const hostile = [
    "GARBAGE\r\n\r\n",
    "GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    `GET /v2/ HTTP/1.1\r\nHost: x\r\n${"X-Many: y\r\n".repeat(5_000)}\r\n`,
    `GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Long: ${"y".repeat(2 * MIB)}\r\n\r\n`,
  ];
  for (const request of hostile) {
    const { socket, send, receive } = await connect();
    const sending = send(request).catch(() => {});
    assertMatch(await receive().catch(() => "HTTP/1.1 4xx, cut off"), /^(HTTP\/1.1 4|$)/);
    socket.close();
    await sending;
  }
  assertEquals((await registry.get("/v2/")).status, 200);
});

Deno.test("10,000 open uploads are kept, the next one is refused, and memory stays flat", async () => {
  const before = await residentBytes(server.pid);
  let started = 0;
  const start = async () => {
    while (started++ < 10_000) await registry.startUpload("many");
  };
  await Promise.all(Array.from({ length: 16 }, start));
  const { status } = await registry.send("POST", "/v2/many/blobs/uploads/");
  assertEquals(status, 429);
  assertEquals((await registry.send("POST", "/v2/others/blobs/uploads/")).status, 202);
  const grown = await residentBytes(server.pid) - before;
  assert(grown < 150 * MIB, `the server has grown by ${Math.round(grown / MIB)} MiB`);
});

Deno.test("No log line carries what a client sent unescaped", async () => {
  await registry.get(`/v2/x/manifests/${encodeURIComponent("\u001b[31m\u202e")}`);
  assert(!server.log().includes("\u001b") && !server.log().includes("\u202e"));
});
