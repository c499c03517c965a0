import { assertEquals, assertMatch } from "../support/assert.ts";
import { type Answer, contentOf, startForTests } from "../support/client.ts";
import { startsElse } from "../support/registry.ts";

const CAP = 3;
const registry = await startForTests(`[uploads]\nidle_timeout = "1s"\nopen_max = ${CAP}\n`);

Deno.test("GET /v2/ answers 200 and the API's version", async () => {
  for (const method of ["GET", "HEAD"]) {
    const { status, headers } = await registry.send(method, "/v2/");
    assertEquals([status, headers.get("Docker-Distribution-API-Version")], [200, "registry/2.0"]);
  }
});

Deno.test("GET /v2/_oci/ext/discover answers the extensions", async () => {
  const { status, json } = await registry.get("/v2/_oci/ext/discover");
  assertEquals(status, 200);
  for (const extension of json().extensions) {
    assertEquals(Object.keys(extension).sort(), ["description", "endpoints", "name", "url"]);
  }
});

Deno.test("Every error is an error body of the spec", async () => {
  const { digest } = contentOf("x");
  const paths = [
    "/nowhere",
    "/v2/A/tags/list",
    "/v2/a/tags/list",
    "/v2/a/manifests/v1",
    `/v2/a/blobs/${digest}`,
  ];
  for (const path of paths) {
    const { status, headers, json } = await registry.get(path);
    assertEquals([status >= 400 && status < 500, headers.get("Content-Type")], [true, "application/json"]);
    const { errors } = json();
    assertEquals(errors.length, 1);
    assertMatch(errors[0].code, /^[A-Z_]+$/);
    assertMatch(errors[0].message, /^Cannot /);
  }
});

Deno.test("A method that a path does not take answers 405 and says which it takes", async () => {
  const { status, headers, json } = await registry.send("POST", "/v2/a/tags/list");
  assertEquals([status, headers.get("Allow"), json().errors[0].code], [405, "GET, HEAD", "UNSUPPORTED"]);
});

Deno.test("HEAD of a list answers what GET would, without the body", async () => {
  await registry.pushImage("a", "v1");
  for (const path of ["/v2/_catalog", "/v2/a/tags/list", "/v2/tags/list"]) {
    const [head, get] = [await registry.send("HEAD", path), await registry.get(path)];
    assertEquals([head.status, head.bytes.byteLength], [200, 0]);
    assertEquals(head.headers.get("Content-Length"), get.headers.get("Content-Length"));
  }
});

Deno.test("A body with a Content-Encoding answers 415", async () => {
  const location = await registry.startUpload("encoded");
  const { status } = await registry.send("PATCH", location, {
    body: "x",
    headers: { "Content-Encoding": "gzip" },
  });
  assertEquals(status, 415);
});

/** Begins an upload; over a store that is another machine only the second chunk has it kept. */
async function openUpload(name: string): Promise<Answer> {
  let answer = await registry.send("POST", `/v2/${name}/blobs/uploads/`);
  for (let chunk = 0; startsElse() && chunk < 2 && answer.status === 202; chunk++) {
    answer = await registry.send("PATCH", answer.headers.get("Location")!, { body: "x" });
  }
  return answer;
}

Deno.test("Uploads past the cap of a repository answer 429 with Retry-After; idle ones make room", async () => {
  const more = () => openUpload("capped");
  for (let open = 0; open < CAP; open++) await more();
  let answer = await more();
  // Each of several replicas counts those that it began, and looks for others' before it refuses.
  for (let open = 0; startsElse() && answer.status === 202 && open < 2 * CAP; open++) answer = await more();
  const { status, headers, json } = answer;
  assertEquals([status, json().errors[0].code, headers.get("Retry-After")], [429, "TOOMANYREQUESTS", "60"]);
  await registry.startUpload("not-capped");
  let freed = 429;
  for (let turn = 0; turn < 100 && freed === 429; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    freed = (await more()).status;
  }
  assertEquals(freed, 202);
});

Deno.test("A client that expects 100-continue is told to go on", async () => {
  const location = await registry.startUpload("expecting");
  const { hostname, port } = new URL(registry.url);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const send = (text: string) => socket.write(new TextEncoder().encode(text));
  const receive = async () => {
    const buffer = new Uint8Array(4_096);
    return new TextDecoder().decode(buffer.subarray(0, await socket.read(buffer) ?? 0));
  };
  await send(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
  assertMatch(await receive(), /^HTTP\/1.1 100 /);
  await send("hello");
  assertMatch(await receive(), /^HTTP\/1.1 202 /);
});
