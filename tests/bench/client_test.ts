import { assertEquals, assertRejects } from "../support/assert.ts";
import { type Answer, Connection, header, prepare, type Target } from "./client.ts";

/** Answers each connection with `pieces`, one write each, after it has read something. */
async function withServer(pieces: readonly string[], use: (target: Target) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using socket = await listener.accept();
    while (await socket.read(new Uint8Array(1024)) !== null) {
      for (const piece of pieces) await socket.write(new TextEncoder().encode(piece));
    }
  })();
  await use({ url: `http://127.0.0.1:${listener.addr.port}` });
  await serving;
}

async function get(target: Target, line = "GET /"): Promise<Answer[]> {
  using connection = await Connection.open(target);
  const request = prepare(target, line, { status: 200 });
  const first = await connection.exchange(request, { keepBody: true });
  return [first, await connection.exchange(request, { keepBody: true })];
}

Deno.test("Connection reads answers of announced length that arrive in pieces, one after the other", () =>
  withServer(
    ["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\nlink: <x>\r\n\r", "\nab", "cde"],
    async (target) => {
      const answers = await get(target);
      assertEquals(answers.map(({ body, bodyBytes }) => [body, bodyBytes]), [["abcde", 5], ["abcde", 5]]);
      assertEquals(header(answers[0]!, "Link"), "<x>");
    },
  ));

Deno.test("Connection reads chunked answers that are cut anywhere", () =>
  withServer(
    [..."HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"],
    async (target) => {
      const answers = await get(target);
      assertEquals(answers.map(({ body, bodyBytes }) => [body, bodyBytes]), [
        ["abc0123456789", 13],
        ["abc0123456789", 13],
      ]);
    },
  ));

Deno.test("Connection awaits no body in the answer to HEAD", () =>
  withServer(["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], async (target) => {
    const answers = await get(target, "HEAD /");
    assertEquals(answers.map(({ bodyBytes }) => bodyBytes), [0, 0]);
  }));

Deno.test("Connection refuses to measure an answer of another status", () =>
  withServer(["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"], async (target) => {
    await assertRejects(get(target), { message: "Cannot measure: wanted 200, got 404 Not Found" });
  }));
