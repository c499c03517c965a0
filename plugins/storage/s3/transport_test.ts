import { assert, assertEquals } from "../../../tests/support/assert.ts";
import {
  answering,
  type ScriptedServer,
  startScripted,
  type Step,
  writeAll,
} from "../../../tests/support/scripted_server.ts";
import { S3_OPTIONS } from "../../../tests/support/s3_options.ts";
import type { PluginError } from "../../contract/error.ts";
import { Breaker } from "./breaker.ts";
import { readSettings, type S3Options } from "./settings.ts";
import { createTransport, type S3Answer, type S3Request, Transport } from "./transport.ts";

const PUT: S3Request = { method: "PUT", key: "a/b", body: [new Uint8Array([1, 2, 3])] };

function transportTo({ url }: Pick<ScriptedServer, "url">, options: Partial<S3Options> = {}): Transport {
  return createTransport(readSettings({ ...S3_OPTIONS, endpoint: url, ...options }));
}

async function facts(answering: Promise<S3Answer>) {
  const answer = await answering;
  const { status, code, isRepeated } = answer;
  return { status, code, text: await answer.text(), isRepeated };
}

async function failure(answering: Promise<unknown>): Promise<Pick<PluginError, "code" | "message">> {
  const error = await answering.then(
    () => ({ code: "none", message: "it did not fail" }),
    (error: unknown) => error,
  );
  const { code, message } = error as PluginError;
  return { code, message };
}

function xml(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>the-access-key</Message></Error>`;
}

const vanish: Step = () => "close";

/** Writes something, and no more. */
function writing(text: string): Step {
  return async (_, connection) => {
    await writeAll(connection, text);
    return "close";
  };
}

/** Does nothing until the client goes away. */
const silence: Step = async (_, connection) => {
  await connection.read(new Uint8Array(1));
  return "close";
};

Deno.test("request() sends buffers one after the other, with their length", async () => {
  using store = startScripted([answering(200, "", { ETag: '"e"' })]);
  const body = [new Uint8Array(300_000).fill(65), new Uint8Array(0), new Uint8Array(5).fill(66)];
  const answer = await transportTo(store).request({
    method: "PUT",
    key: "a b/+",
    body,
    query: { "x y": "1/2" },
  });
  assertEquals([answer.status, answer.headers.get("etag"), answer.isRepeated], [200, '"e"', false]);
  const [{ method, target, headers, body: sent }] = store.requests as [typeof store.requests[0]];
  assertEquals([method, target], ["PUT", "/bucket/a%20b/%2B?x%20y=1%2F2"]);
  assertEquals([headers.get("content-length"), headers.get("transfer-encoding")], ["300005", null]);
  assertEquals(new TextDecoder().decode(sent), "A".repeat(300_000) + "B".repeat(5));
});

Deno.test("request() sends much over a connection that has carried little before", async () => {
  using store = startScripted([answering(200)]);
  const transport = transportTo(store, { stall_timeout: 2_000, retry_budget: 0 });
  for (let count = 0; count < 100; count++) await transport.request({ method: "HEAD", key: "a" });
  const { status } = await transport.request({
    method: "PUT",
    key: "a",
    body: [new Uint8Array(10 * 1024 * 1024)],
  });
  assertEquals([status, store.requests.at(-1)!.body.length, store.open()], [200, 10 * 1024 * 1024, 1]);
});

const PASSING: readonly (readonly [what: string, step: Step, isRepeated: boolean])[] = [
  ["500 InternalError", answering(500, xml("InternalError")), true],
  ["502", answering(502, "<html>"), true],
  ["503 SlowDown", answering(503, xml("SlowDown")), true],
  ["504", answering(504), true],
  ["429", answering(429, xml("TooManyRequests")), false],
  ["409 OperationAborted", answering(409, xml("OperationAborted")), false],
  ["409 ConditionalRequestConflict", answering(409, xml("ConditionalRequestConflict")), false],
  ["400 RequestTimeout", answering(400, xml("RequestTimeout")), false],
  ["400 BadDigest", answering(400, xml("BadDigest")), false],
  ["400 IncompleteBody", answering(400, xml("IncompleteBody")), false],
  ["400 XAmzContentSHA256Mismatch", answering(400, xml("XAmzContentSHA256Mismatch")), false],
  ["no answer", vanish, true],
  ["half a head", writing("HTTP/1.1 200 OK\r\nCont"), true],
  ["an answer that is cut", writing("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), true],
  [
    "an answer in chunks that is cut",
    writing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    true,
  ],
  ["what is no HTTP", writing("SSH-2.0-OpenSSH_9.2\r\n\r\n"), true],
];

for (const [what, step, isRepeated] of PASSING) {
  Deno.test(`request() tries again after ${what}`, async () => {
    using store = startScripted([step, step, answering(200, "done")]);
    assertEquals(await facts(transportTo(store).request(PUT)), {
      status: 200,
      code: undefined,
      text: "done",
      isRepeated,
    });
    assertEquals(store.requests.map(({ body }) => [...body]), [[1, 2, 3], [1, 2, 3], [1, 2, 3]]);
  });
}

for (
  const [status, code] of [
    [200, undefined],
    [206, undefined],
    [301, undefined],
    [400, "InvalidPart"],
    [404, "NoSuchKey"],
    [405, "MethodNotAllowed"],
    [409, "BucketNotEmpty"],
    [412, "PreconditionFailed"],
    [416, "InvalidRange"],
    [501, "NotImplemented"],
  ] as const
) {
  Deno.test(`request() answers ${status} ${code ?? "without a code"} at once`, async () => {
    const text = code === undefined ? "text" : xml(code);
    using store = startScripted([answering(status, text)]);
    assertEquals(await facts(transportTo(store).request(PUT)), { status, code, text, isRepeated: false });
    assertEquals(store.requests.length, 1);
  });
}

Deno.test("request() answers HEAD with the length of what it does not send", async () => {
  const step: Step = (_, connection) =>
    writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n");
  using store = startScripted([step]);
  const transport = transportTo(store);
  for (let count = 0; count < 3; count++) {
    const { status, headers, body } = await transport.request({ method: "HEAD", key: "a" });
    await body.cancel();
    assertEquals([status, headers.get("content-length")], [200, "70000"]);
  }
  assertEquals(store.open(), 1, "The connection is kept.");
});

Deno.test("request() fails with unavailable when the budget is spent, and waits longer from try to try", async () => {
  using store = startScripted([answering(500, xml("InternalError"))]);
  const { code, message } = await failure(transportTo(store, { retry_budget: 1_500 }).request(PUT));
  assertEquals(code, "unavailable");
  assertEquals(
    message,
    `Cannot PUT a/b: the store answered 500 InternalError (${store.requests.length} tries)`,
  );
  assert(store.requests.length >= 3 && store.requests.length <= 40, `${store.requests.length} tries`);
});

Deno.test("request() waits as long as Retry-After says, and fails at once where that is too long", async () => {
  using store = startScripted([answering(503, "", { "Retry-After": "1" }), answering(200)]);
  const begunAt = performance.now();
  await transportTo(store).request(PUT);
  assert(performance.now() - begunAt >= 1_000);
  using busy = startScripted([answering(503, "", { "Retry-After": "100" })]);
  assertEquals(await failure(transportTo(busy).request(PUT)), {
    code: "unavailable",
    message: "Cannot PUT a/b: the store answered 503",
  });
});

Deno.test("request() goes on when the store listens again, and knows that nothing was sent", async () => {
  const port = freePort();
  const answer = facts(transportTo({ url: `http://127.0.0.1:${port}` }).request(PUT));
  await new Promise((resolve) => setTimeout(resolve, 100));
  using _store = startScripted([answering(200)], { port });
  assertEquals(await answer, { status: 200, code: undefined, text: "", isRepeated: false });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

Deno.test("request() gives a try up that is not answered in time", async () => {
  using store = startScripted([silence, answering(200)]);
  assertEquals((await facts(transportTo(store, { request_timeout: 100 }).request(PUT))).isRepeated, true);
  using dead = startScripted([silence]);
  assertEquals(await failure(transportTo(dead, { request_timeout: 100, retry_budget: 0 }).request(PUT)), {
    code: "unavailable",
    message: "Cannot PUT a/b: no answer within 100 ms",
  });
});

Deno.test("request() learns at once that a connection has ended which has carried another", async () => {
  for (const method of ["HEAD", "PUT", "DELETE"] as const) {
    using store = startScripted([answering(200), vanish, answering(200)]);
    const transport = transportTo(store);
    await transport.request({ method: "HEAD", key: "a" });
    const beganAt = performance.now();
    const { status, isRepeated } = await transport.request({ method, key: "a" });
    assertEquals([status, isRepeated, store.requests.length], [200, true, 3]);
    assert(performance.now() - beganAt < S3_OPTIONS.request_timeout);
  }
});

Deno.test("request() gives a try up when nothing of its body is taken", async () => {
  const parts = Array.from({ length: 16 }, () => new Uint8Array(4 * 1024 * 1024));
  using store = startScripted([() => new Promise(() => {})], { bodyBytesMax: 1 });
  const transport = transportTo(store, { stall_timeout: 200, retry_budget: 0 });
  assertEquals(await failure(transport.request({ method: "PUT", key: "a", body: parts })), {
    code: "unavailable",
    message: "Cannot PUT a: none of the body was taken within 200 ms",
  });
});

Deno.test("request() takes an answer that comes before its body was sent, and sends no more of it", async () => {
  const step: Step = async (_, connection) => {
    await writeAll(
      connection,
      `HTTP/1.1 400 X\r\nContent-Length: ${xml("EntityTooLarge").length}\r\n\r\n${xml("EntityTooLarge")}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    return "close";
  };
  using store = startScripted([step, answering(200)], { bodyBytesMax: 1_000 });
  const body = Array.from({ length: 16 }, () => new Uint8Array(4 * 1024 * 1024));
  const transport = transportTo(store);
  const { status, code, isRepeated } = await transport.request({ method: "PUT", key: "a", body });
  assertEquals({ status, code, isRepeated }, { status: 400, code: "EntityTooLarge", isRepeated: false });
  assertEquals((await facts(transport.request({ method: "GET", key: "a" }))).status, 200);
});

Deno.test("a body fails with unavailable", async (t) => {
  const head = "HTTP/1.1 200 OK\r\n";
  const part = "x".repeat(100_000);
  const cuts: readonly (readonly [string, Step])[] = [
    ["where it is cut", writing(`${head}Content-Length: 200000\r\n\r\n${part}`)],
    ["where its last byte is missing", writing(`${head}Content-Length: 100001\r\n\r\n${part}`)],
    ["where its chunks are cut", writing(`${head}Transfer-Encoding: chunked\r\n\r\n186a0\r\n${part}\r\n`)],
    ["where it stands still", async (_, connection) => {
      await writeAll(connection, `${head}Content-Length: 200000\r\n\r\n${part}`);
      await silence(_, connection);
    }],
  ];
  for (const [what, step] of cuts) {
    await t.step(what, async () => {
      using store = startScripted([step]);
      const answer = await transportTo(store, { stall_timeout: 200 }).request({ method: "GET", key: "a" });
      const { code, message } = await failure(answer.text());
      assertEquals(code, "unavailable");
      assert(message.startsWith("Cannot read the store's answer: it was cut after 100000"), message);
    });
  }
});

Deno.test("a short body that is cut is asked for again", async () => {
  using store = startScripted([
    writing("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"),
    answering(200, "abcd"),
  ]);
  assertEquals((await facts(transportTo(store).request({ method: "GET", key: "a" }))).text, "abcd");
});

Deno.test("a body that is cancelled frees its connection", async () => {
  const endless: Step = async (_, connection) => {
    await writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
    for (;;) await writeAll(connection, "x".repeat(65_536));
  };
  using store = startScripted([endless]);
  const transport = transportTo(store);
  for (let count = 0; count < 3; count++) {
    const { body } = await transport.request({ method: "GET", key: "a" });
    const reader = body.getReader();
    await reader.read();
    await reader.cancel();
  }
  while (store.open() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("request() asks whether it is still worthwhile before it is tried again, once an answer was lost", async () => {
  using store = startScripted([vanish, answering(500), answering(200)]);
  const verdicts = [true, false];
  const asked: number[] = [];
  const isWorthwhile = () => {
    asked.push(store.requests.length);
    return Promise.resolve(verdicts.shift()!);
  };
  const { code } = await failure(transportTo(store).request({ ...PUT, isWorthwhile }));
  assertEquals([code, store.requests.length], ["conflict", 2]);
  assertEquals(asked, [1, 2]);
});

Deno.test("request() fails with what the store refuses, and says nothing of the keys", async () => {
  using store = startScripted([answering(403, xml("SignatureDoesNotMatch")), answering(401)]);
  const transport = transportTo(store);
  assertEquals(await failure(transport.request(PUT)), {
    code: "failed",
    message: "Cannot PUT a/b: the store refused it: 403 SignatureDoesNotMatch",
  });
  assertEquals(await failure(transport.request({ method: "GET" })), {
    code: "failed",
    message: "Cannot GET the bucket: the store refused it: 401",
  });
});

Deno.test("request() takes the store's time where ours is refused, once", async () => {
  const Date_ = new Date(Date.now() + 3_600_000).toUTCString();
  const refusal = answering(403, xml("RequestTimeTooSkewed"), { Date: Date_ });
  using store = startScripted([refusal, answering(200, "", { Date: Date_ })]);
  const transport = transportTo(store);
  assertEquals((await facts(transport.request(PUT))).isRepeated, false);
  assert(Math.abs(transport.clockOffsetMs - 3_600_000) < 2_000, `${transport.clockOffsetMs}`);
  const [before, after] = store.requests.map(({ headers }) => headers.get("x-amz-date")) as [string, string];
  assert(before < after, `${before} ${after}`);
  using strange = startScripted([refusal]);
  assertEquals((await failure(transportTo(strange).request(PUT))).code, "failed");
  assertEquals(strange.requests.length, 2);
});

Deno.test("request() has the store refuse what comes too late", async () => {
  using store = startScripted([answering(200), answering(403, xml("AccessDenied"))]);
  const transport = transportTo(store);
  const begunAt = Math.floor(Date.now() / 1_000);
  await transport.request({ ...PUT, headers: { "if-match": '"e"' }, withinMs: 5_000 });
  const query = new URLSearchParams(store.requests[0]!.target.split("?")[1]);
  const [signedAt, lifetime] = [query.get("X-Amz-Date")!, Number(query.get("X-Amz-Expires"))];
  assertEquals(query.get("X-Amz-SignedHeaders"), "host;if-match");
  const date = signedAt.replace(/(....)(..)(..T..)(..)/, "$1-$2-$3:$4:");
  const endsAt = Date.parse(date) / 1_000 + lifetime;
  assert(endsAt >= begunAt + 4 && endsAt <= Date.now() / 1_000 + 5, `${signedAt} ${lifetime}`);
  assertEquals(await failure(transport.request({ ...PUT, withinMs: 5_000 })), {
    code: "unavailable",
    message: "Cannot PUT a/b: the store refused it: 403 AccessDenied",
  });
  assertEquals(await failure(transport.request({ ...PUT, withinMs: 0 })), {
    code: "unavailable",
    message: "Cannot PUT a/b: its time is over",
  });
});

Deno.test("request() borrows keys, and others when the store says that those have ended", async () => {
  const lent = (key: string) =>
    answering(
      200,
      `<R><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>` +
        `<Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration></R>`,
    );
  using sts = startScripted([answering(503), vanish, lent("first"), lent("second")]);
  using store = startScripted([
    answering(403, xml("ExpiredToken")),
    answering(200),
    answering(400, xml("ExpiredToken")),
  ]);
  const { access_key_id: _, secret_key: __, ...rest } = S3_OPTIONS;
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  try {
    const web_identity_token_file = `${folder}/token`;
    await Deno.writeTextFile(web_identity_token_file, "the-token");
    const lender = { role_arn: "role", web_identity_token_file, sts_endpoint: sts.url };
    const settings = { ...rest, endpoint: store.url, credentials: "web-identity", ...lender } as const;
    const transport = createTransport(readSettings(settings));
    assertEquals((await facts(transport.request(PUT))).isRepeated, false);
    assertEquals(
      store.requests.map(({ headers }) => /Credential=(\w+)/.exec(headers.get("authorization")!)![1]),
      ["first", "second"],
    );
    assertEquals(await failure(transport.request(PUT)), {
      code: "failed",
      message: "Cannot PUT a/b: the store refused it: 400 ExpiredToken (2 tries)",
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("request() does not ask a store that has failed for long, but once in a while", async () => {
  const down = answering(503, xml("SlowDown"));
  using store = startScripted([down, down, answering(400, xml("InvalidPart")), answering(200)]);
  let now = 0;
  const breaker = new Breaker({ failures: 2, spanMs: 0, probeMs: 1_000 }, () => now);
  const transport = new Transport(
    readSettings({ ...S3_OPTIONS, endpoint: store.url, retry_budget: 0 }),
    breaker,
  );
  const ask = async () => [(await failure(transport.request(PUT))).message, store.requests.length];
  const asleep = "Cannot PUT a/b: the store has failed for some time, and is asked once a second only";
  assertEquals(await ask(), ["Cannot PUT a/b: the store answered 503 SlowDown", 1]);
  now += 10_000;
  assertEquals(await ask(), ["Cannot PUT a/b: the store answered 503 SlowDown", 2]);
  breaker.admit();
  assertEquals(await ask(), [asleep, 2]);
  now += 1_000;
  assertEquals((await facts(transport.request(PUT))).code, "InvalidPart", "Any answer is a sign of life.");
  assertEquals((await facts(transport.request(PUT))).status, 200);
});

Deno.test("request() keeps few connections for many requests, and all of them get their turn", async () => {
  using store = startScripted([answering(200)]);
  const transport = transportTo(store);
  const answers = await Promise.all(Array.from({ length: 500 }, () => transport.request(PUT)));
  assertEquals(answers.every(({ status }) => status === 200), true);
  assert(store.open() <= 64, `${store.open()} connections`);
});
