import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import type { Handler } from "../../server/http/listen.ts";
import { readToEnd, type Scene, send, tlsTest, until } from "./scene.ts";

const REQUEST = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const TIMEOUT_MS = 1_500;

/** How long `connection` stays open, and what it says meanwhile. */
async function measureEnd(connection: Deno.Conn): Promise<{ ms: number; text: string }> {
  const start = performance.now();
  const text = await readToEnd(connection);
  connection.close();
  return { ms: performance.now() - start, text };
}

/** Others are answered before `slow`, of which there may be many, comes to its end. */
async function assertServesOthers(scene: Scene, slow: Promise<unknown>): Promise<void> {
  const first = await Promise.race([slow, scene.get("/")]);
  assertEquals((first as { status?: number }).status, 200, "others had to wait");
}

/** Not before its time, and long before any deadline that was not set. */
function assertInTime(ms: number): void {
  assert(ms > TIMEOUT_MS * 0.5 && ms < TIMEOUT_MS * 8, `closed after ${ms} ms`);
}

tlsTest("TLS closes a connection that does not get through its handshake", {
  handshakeTimeoutMs: TIMEOUT_MS,
}, async (scene) => {
  const silent = await Deno.connect({ hostname: "127.0.0.1", port: scene.port });
  const slow = await Deno.connect({ hostname: "127.0.0.1", port: scene.port });
  await slow.write(new Uint8Array([0x16, 3, 1, 0, 200, 1]));
  const ends = Promise.all([measureEnd(silent), measureEnd(slow)]);
  await assertServesOthers(scene, ends);
  for (const { ms } of await ends) assertInTime(ms);
  await until("no connection is left", () => scene.front.connections === 0);
});

for (const [what, text] of [["no request", ""], ["half a header", "GET / HTTP/1.1\r\nhost: loc"]] as const) {
  tlsTest(`TLS closes a connection that sends ${what}`, { headerTimeoutMs: TIMEOUT_MS }, async (scene) => {
    const connection = await scene.connect();
    if (text !== "") await send(connection, text);
    const end = measureEnd(connection);
    await assertServesOthers(scene, end);
    assertInTime((await end).ms);
  });
}

tlsTest(
  "TLS gives a trickle of header bytes no more time",
  { headerTimeoutMs: TIMEOUT_MS },
  async (scene) => {
    const connection = await scene.connect();
    await send(connection, "GET / HTTP/1.1\r\n");
    const trickle = setInterval(() => send(connection, "x: y\r\n").catch(() => {}), 50);
    assertInTime((await measureEnd(connection)).ms);
    clearInterval(trickle);
  },
);

tlsTest("TLS closes a kept connection that stays idle", { idleTimeoutMs: TIMEOUT_MS }, async (scene) => {
  const connection = await scene.connect();
  await send(connection, REQUEST);
  const { ms, text } = await measureEnd(connection);
  assertInTime(ms);
  assert(text.startsWith("HTTP/1.1 200 "));
});

tlsTest("TLS closes a kept connection that begins a request and does not end its headers", {
  idleTimeoutMs: 60_000,
  headerTimeoutMs: TIMEOUT_MS,
}, async (scene) => {
  const connection = await scene.connect();
  await send(connection, REQUEST);
  await connection.read(new Uint8Array(4096));
  const end = measureEnd(connection);
  const late = setTimeout(() => send(connection, "GET / HT"), TIMEOUT_MS);
  const { ms } = await end;
  clearTimeout(late);
  assert(ms > TIMEOUT_MS * 1.9 && ms < TIMEOUT_MS * 8, `closed after ${ms} ms`);
});

const slow: Handler = async () => {
  await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS * 3));
  return new Response("late");
};

tlsTest("TLS leaves a request that takes its time alone", {
  handler: slow,
  handshakeTimeoutMs: TIMEOUT_MS,
  headerTimeoutMs: TIMEOUT_MS,
  idleTimeoutMs: TIMEOUT_MS,
}, async (scene) => {
  assertEquals(await scene.get("/"), { status: 200, body: "late" });
});

const endless: Handler = () => {
  const chunk = new Uint8Array(65536);
  return Promise.resolve(
    new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }, { highWaterMark: 0 }),
    ),
  );
};

tlsTest("TLS closes the connection of a client that does not read its answer", {
  handler: endless,
  idleTimeoutMs: TIMEOUT_MS,
}, async (scene) => {
  const connection = await scene.connect();
  await send(connection, REQUEST);
  await until("the connection is gone", () => scene.front.connections === 0);
  connection.close();
});

tlsTest("TLS accepts no more than the most connections, and the rest when there is room", {
  connectionsMax: 2,
  handshakeTimeoutMs: TIMEOUT_MS,
}, async (scene) => {
  const first = await scene.connect();
  const second = await scene.connect();
  const third = scene.get("/");
  const early = await Promise.race([third, new Promise((resolve) => setTimeout(resolve, 200, "waits"))]);
  assertEquals(early, "waits");
  first.close();
  assertEquals((await third).status, 200);
  second.close();
});

tlsTest("TLS refuses what is not TLS", {}, async (scene) => {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: scene.port });
  await send(connection, REQUEST);
  assertEquals((await measureEnd(connection)).text, "");
  await assertRejects(fetch(`http://127.0.0.1:${scene.port}/`));
});
