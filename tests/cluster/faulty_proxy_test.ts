/** The proxy that stands for a bad network has to be a good proxy otherwise, and bad in the way that it is told. */

import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { randomContent } from "../support/client.ts";
import { FaultyProxy, type Rule } from "../support/faulty_proxy.ts";
import { FaultyTcp } from "../support/faulty_tcp.ts";
import { hasProgram } from "../support/programs.ts";
import { askS3, type RunningS3, S3_PROGRAM, startS3 } from "../support/s3_server.ts";

const MIB = 1024 * 1024;
const BYTES = randomContent(3 * MIB).bytes;

/** A store, the proxy before it, and ways to ask the one and the other. */
interface Scene extends AsyncDisposable {
  readonly s3: RunningS3;
  readonly proxy: FaultyProxy;
  ask(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response>;
  askStore(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response>;
}

async function setScene(): Promise<Scene> {
  const s3 = await startS3();
  const proxy = new FaultyProxy(s3.endpoint);
  const asker = (endpoint: string) => (method: string, path: string, body?: Uint8Array<ArrayBuffer>) =>
    askS3({ ...s3, endpoint }, {
      method,
      target: `/${s3.bucket}${path}`,
      ...(body !== undefined && { body }),
    });
  return {
    s3,
    proxy,
    ask: asker(proxy.endpoint),
    askStore: asker(s3.endpoint),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await s3.stop();
    },
  };
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  const { status, body } = await answer;
  await body?.cancel();
  return status;
}

function testProxy(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name: `The faulty proxy ${name} (${S3_PROGRAM})`,
    ignore: !hasProgram(S3_PROGRAM),
    async fn() {
      await using scene = await setScene();
      await run(scene);
    },
  });
}

/** Has one request meet a fault, and the next one pass. */
function once(proxy: FaultyProxy, fault: Rule["fault"], rule: Omit<Rule, "fault"> = {}) {
  return proxy.plan({ fault, times: 1, ...rule });
}

async function uploadParts({ ask }: Scene): Promise<string> {
  const begun = await (await ask("POST", "/parts?uploads=")).text();
  const id = /<UploadId>(.*?)<\/UploadId>/.exec(begun)![1]!;
  const part = await ask("PUT", `/parts?partNumber=1&uploadId=${id}`, BYTES);
  assertEquals(part.status, 200);
  await part.body?.cancel();
  const parts = `<Part><PartNumber>1</PartNumber><ETag>${part.headers.get("etag")}</ETag></Part>`;
  const document = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
  const ended = await ask("POST", `/parts?uploadId=${id}`, new TextEncoder().encode(document));
  assertMatch(await ended.text(), /<CompleteMultipartUploadResult/);
  return id;
}

testProxy("hands signed requests and streams through, and counts them by operation", async (scene) => {
  const { ask, proxy } = scene;
  assertEquals(await statusOf(ask("PUT", "/a/b", BYTES)), 200);
  assertEquals(await (await ask("GET", "/a/b")).bytes(), BYTES);
  const head = await ask("HEAD", "/a/b");
  assertEquals([head.status, head.headers.get("content-length")], [200, `${BYTES.length}`]);
  assertEquals(await statusOf(ask("HEAD", "/none")), 404);
  await uploadParts(scene);
  const listed = await (await ask("GET", "/?list-type=2&prefix=a")).text();
  assertMatch(listed, /<Key>a\/b<\/Key>/);
  assertEquals(await statusOf(ask("DELETE", "/a/b")), 204);
  assertEquals(proxy.counts(), {
    PutObject: 1,
    GetObject: 1,
    HeadObject: 2,
    CreateMultipartUpload: 1,
    UploadPart: 1,
    CompleteMultipartUpload: 1,
    ListObjectsV2: 1,
    DeleteObject: 1,
  });
  assertEquals(proxy.requests.slice(0, 2).map(({ key }) => key), ["a/b", "a/b"]);
  proxy.forget();
  assertEquals(proxy.counts(), {});
});

testProxy("hands a body on whose length nobody knows before its end", async ({ proxy }) => {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const bytes = await request.bytes();
    return new Response(ReadableStream.from([bytes.subarray(0, 10), bytes.subarray(10)]));
  });
  await using streaming = new FaultyProxy(`http://127.0.0.1:${server.addr.port}`);
  const body = ReadableStream.from([BYTES.subarray(0, 100), BYTES.subarray(100)]);
  const answer = await fetch(`${streaming.endpoint}/b/k`, { method: "PUT", body });
  assertEquals(answer.headers.get("content-length"), null);
  assertEquals(await answer.bytes(), BYTES);
  assertEquals(proxy.requests, []);
});

testProxy("refuses connections, and takes them again at the same address", async ({ proxy, ask }) => {
  proxy.refuse();
  await assertRejects(ask("HEAD", "/a"), TypeError);
  proxy.accept();
  assertEquals(await statusOf(ask("HEAD", "/a")), 404);
});

testProxy("ends a connection in the middle of a request: the store keeps nothing", async (scene) => {
  const { proxy, ask, askStore } = scene;
  const cut = once(proxy, { kind: "cut request", after: MIB }, { operations: ["PutObject"] });
  await assertRejects(ask("PUT", "/a", BYTES), TypeError);
  assertEquals([cut.hits, await statusOf(askStore("HEAD", "/a"))], [1, 404]);
  assertEquals(await statusOf(ask("PUT", "/a", BYTES)), 200);
});

testProxy("ends a connection in the middle of an answer", async ({ proxy, ask, askStore }) => {
  await statusOf(askStore("PUT", "/a", BYTES));
  once(proxy, { kind: "cut answer", after: MIB });
  const answer = await ask("GET", "/a");
  assertEquals(answer.headers.get("content-length"), `${BYTES.length}`);
  await assertRejects(answer.bytes(), TypeError);
  assertEquals(await (await ask("GET", "/a")).bytes(), BYTES);
});

testProxy("loses the answer to what was carried out", async ({ proxy, ask, askStore }) => {
  once(proxy, { kind: "lose answer" });
  await assertRejects(ask("PUT", "/a", BYTES), TypeError);
  assertEquals(await (await askStore("GET", "/a")).bytes(), BYTES);
});

testProxy("has the store take half of a body for the whole, but where the whole is signed", async (scene) => {
  const { proxy, ask, askStore } = scene;
  once(proxy, { kind: "halve request" });
  const answer = await ask("PUT", "/a", BYTES);
  assertMatch(await answer.text(), /<Code>XAmzContentSHA256Mismatch<\/Code>/);
  assertEquals([answer.status, await statusOf(askStore("HEAD", "/a"))], [400, 404]);
});

testProxy("says a wrong length, too great or too small", async ({ proxy, ask, askStore }) => {
  await statusOf(askStore("PUT", "/a", BYTES));
  once(proxy, { kind: "wrong length", by: 5 });
  await assertRejects(ask("GET", "/a").then((answer) => answer.bytes()), TypeError);
  once(proxy, { kind: "wrong length", by: -5 });
  assertEquals((await (await ask("GET", "/a")).bytes()).length, BYTES.length - 5);
});

testProxy(
  "answers errors of the store's own, as often as it is told, for the keys it is told",
  async (scene) => {
    const { proxy, ask, askStore } = scene;
    const fault = { kind: "answer", status: 503, code: "SlowDown", retryAfter: 2 } as const;
    const slow = proxy.plan({ fault, operations: ["PutObject"], key: /^slow\//, skip: 1, times: 2 });
    const statuses = [];
    for (let index = 0; index < 4; index++) {
      statuses.push(
        await statusOf(ask("PUT", `/slow/${index}`, BYTES)),
      );
    }
    assertEquals(statuses, [200, 503, 503, 200]);
    assertEquals([slow.hits, await statusOf(ask("PUT", "/other", BYTES))], [2, 200]);
    assertEquals(await statusOf(askStore("HEAD", "/slow/1")), 404);
    proxy.plan({ fault });
    const answer = await ask("GET", "/slow/0");
    assertEquals([answer.status, answer.headers.get("retry-after")], [503, "2"]);
    assertMatch(await answer.text(), /<Error><Code>SlowDown<\/Code>/);
    proxy.clear();
    assertEquals(await statusOf(ask("GET", "/slow/0")), 200);
  },
);

testProxy("holds requests back for a while, or for ever", async ({ proxy, ask }) => {
  const delayMs = 300;
  once(proxy, { kind: "delay", ms: delayMs });
  const startedMs = performance.now();
  assertEquals(await statusOf(ask("HEAD", "/a")), 404);
  assert(performance.now() - startedMs >= delayMs);
  const hang = once(proxy, { kind: "hang" });
  const asked = ask("HEAD", "/a");
  const outcome = asked.then(() => "answered", () => "ended");
  while (hang.hits === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(
    await Promise.race([outcome, new Promise((resolve) => setTimeout(resolve, delayMs))]),
    undefined,
  );
  proxy.refuse();
  assertEquals(await outcome, "ended");
});

Deno.test("The faulty proxy of TCP passes, delays, holds, cuts and refuses", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("here"),
  );
  await using proxy = new FaultyTcp(server.addr.port);
  // A connection that was used before would be tried again, on a new one.
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const ask = async () => await (await fetch(`http://127.0.0.1:${proxy.port}`, { client })).text();
  assertEquals(await ask(), "here");
  proxy.delay(150);
  const startedMs = performance.now();
  assertEquals(await ask(), "here");
  assert(performance.now() - startedMs >= 300);
  proxy.pass();
  proxy.blackHole();
  const held = ask();
  assertEquals(await Promise.race([held, new Promise((resolve) => setTimeout(resolve, 200))]), undefined);
  proxy.pass();
  assertEquals(await held, "here");
  proxy.blackHole();
  const lost = ask();
  lost.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  proxy.cut();
  const tooLate = new Promise((resolve) => setTimeout(resolve, 10_000));
  await assertRejects(() => Promise.race([lost, tooLate]), TypeError);
  proxy.pass();
  proxy.refuse();
  await assertRejects(ask(), TypeError);
  proxy.accept();
  assertEquals(await ask(), "here");
});
