/** Clients that a store serves by itself: who is sent there, with what, and who never learns of it. */

import { hashArgon2id } from "../password/hashes.ts";
import { basic, clientsOf, PROXIED } from "../access/scene.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Answer, digestOf, RegistryClient } from "../support/client.ts";
import { LAYER, LED_ASTRAY, SERVED_HERE, SIGNATURE, startLender, startLendingRegistry } from "./scene.ts";

const lender = startLender();
lender.lend(LAYER.bytes);
const registry = await startLendingRegistry(lender.url, PROXIED);
const client = new RegistryClient(registry.url);
await client.pushBlob("team/app", LAYER);
const BLOB = `/v2/team/app/blobs/${LAYER.digest}`;

Deno.test.afterAll(async () => {
  await registry.stop();
  await lender[Symbol.asyncDispose]();
});

/** The headers of an answer that clients go by. */
function headersOf({ headers }: Answer, ...names: readonly string[]): (string | null)[] {
  return names.map((name) => headers.get(name));
}

/** The address that a client is sent to, and what its store was told of the client. */
function locationOf({ headers }: Answer): URL {
  return new URL(headers.get("Location")!);
}

Deno.test("GET <blob> answers 307 with the store's address, which nobody may keep, and no body", async () => {
  const answer = await client.get(BLOB);
  assertEquals([answer.status, answer.text], [307, ""]);
  assertEquals(headersOf(answer, "Docker-Content-Digest", "Cache-Control", "Content-Length", "ETag"), [
    LAYER.digest,
    "no-store",
    "0",
    null,
  ]);
  const location = locationOf(answer);
  assertEquals(location.origin, lender.url);
  assert(location.href.endsWith(SIGNATURE));
  assertEquals(Object.fromEntries(location.searchParams), {
    client: "127.0.0.1",
    mediaType: "application/octet-stream",
    "X-Amz-Signature": "0123456789abcdef",
  });
});

Deno.test("GET <blob> gives a client that goes on there the bytes, and the part that it asked for", async () => {
  const whole = await fetch(registry.url + BLOB);
  assertEquals(digestOf(new Uint8Array(await whole.arrayBuffer())), LAYER.digest);
  const part = await fetch(registry.url + BLOB, { headers: { Range: "bytes=2-6" } });
  assertEquals([part.status, await part.text()], [206, "layer"]);
});

Deno.test("GET <blob> answers by itself what needs no bytes, or the entity tag that it gave", async () => {
  const known = await client.get(BLOB, { "If-None-Match": `"${LAYER.digest}"` });
  assertEquals([known.status, headersOf(known, "Location")], [304, [null]]);
  const beyond = await client.get(BLOB, { Range: "bytes=1000-" });
  assertEquals([beyond.status, headersOf(beyond, "Location")], [416, [null]]);
  const same = await client.get(BLOB, { Range: "bytes=2-6", "If-Range": `"${LAYER.digest}"` });
  assertEquals([same.status, same.text], [206, "layer"]);
  const other = await client.get(BLOB, { Range: "bytes=2-6", "If-Range": `"other"` });
  assertEquals([other.status, digestOf(other.bytes)], [200, LAYER.digest]);
});

Deno.test("HEAD <blob> answers 200 and sends nobody anywhere", async () => {
  const answer = await client.send("HEAD", BLOB);
  assertEquals(answer.status, 200);
  assertEquals(headersOf(answer, "Docker-Content-Digest", "Content-Length", "Location"), [
    LAYER.digest,
    String(LAYER.bytes.length),
    null,
  ]);
});

Deno.test("GET <manifest> is answered here", async () => {
  const manifest = await client.pushImage("team/app", "v1");
  const answer = await client.get("/v2/team/app/manifests/v1");
  assertEquals([answer.status, digestOf(answer.bytes)], [200, manifest.digest]);
});

Deno.test("GET <blob> answers 404, and no address, where the repository does not have the blob", async () => {
  for (const path of [`/v2/other/blobs/${LAYER.digest}`, `/v2/team/app/blobs/sha256:${"0".repeat(64)}`]) {
    const answer = await client.get(path);
    assertEquals([answer.status, answer.json().errors[0].code], [404, "BLOB_UNKNOWN"]);
    assertEquals(headersOf(answer, "Location"), [null]);
  }
});

Deno.test("GET <blob> tells the store the address that trusted proxies say, and serves whom it refuses", async () => {
  const from = (hops: string) => client.get(BLOB, { "X-Forwarded-For": hops });
  const clientOf = async (hops: string) => locationOf(await from(hops)).searchParams.get("client");
  assertEquals(await clientOf("198.51.100.4"), "198.51.100.4");
  assertEquals(await clientOf("2001:db8::1"), "2001:db8::1");
  assertEquals(await clientOf(`${SERVED_HERE}, 198.51.100.4`), "198.51.100.4");

  const served = await from(`198.51.100.4, ${SERVED_HERE}`);
  assertEquals([served.status, digestOf(served.bytes)], [200, LAYER.digest]);
  assertEquals(headersOf(served, "Location", "Content-Type"), [null, "application/octet-stream"]);
});

Deno.test("GET <blob> believes no X-Forwarded-For but that of a trusted proxy", async () => {
  await using stranger = await startLendingRegistry(lender.url);
  const untrusting = new RegistryClient(stranger.url);
  await untrusting.pushBlob("team/app", LAYER);
  const answer = await untrusting.get(BLOB, { "X-Forwarded-For": SERVED_HERE });
  assertEquals([answer.status, locationOf(answer).searchParams.get("client")], [307, "127.0.0.1"]);
});

Deno.test("GET <blob> answers 500 where the store's address is none, and says of it nothing", async () => {
  const answer = await client.get(BLOB, { "X-Forwarded-For": LED_ASTRAY });
  assertEquals([answer.status, headersOf(answer, "Location")], [500, [null]]);
  assert(!answer.text.includes("javascript"));
});

Deno.test("the log, also where it says everything, holds no address of the store", async () => {
  await client.get(BLOB);
  await client.get(BLOB, { "X-Forwarded-For": LED_ASTRAY });
  const log = registry.log();
  assert(log.includes(BLOB) && log.includes(`"status":307`), log);
  assert(!log.includes("X-Amz-Signature") && !log.includes("/bucket/"), log);
});

Deno.test("who may not read a blob gets no address of it, and who may takes no credentials along", async () => {
  const config = `${PROXIED}
[identity.writer]
username = "writer"
password = "${await hashArgon2id("writer-password")}"
[[binding]]
role = "push"
users = ["writer"]
`;
  await using closed = await startLendingRegistry(lender.url, config);
  const { nobody, as, bearing, tokenOf } = clientsOf(closed.url);
  await as("writer").pushBlob("team/app", LAYER);

  for (const path of [BLOB, `/v2/other/blobs/${LAYER.digest}`]) {
    const anonymous = await nobody.get(path);
    assertEquals([anonymous.status, headersOf(anonymous, "Location")], [401, [null]]);
  }
  const narrow = await bearing(await tokenOf("writer", "repository:other:pull")).get(BLOB);
  assertEquals([narrow.status, headersOf(narrow, "Location")], [401, [null]]);

  const password = await as("writer").get(BLOB);
  const token = await tokenOf("writer", "repository:team/app:pull");
  const bearer = await bearing(token).get(BLOB);
  const secrets = ["writer", basic("writer").replace("Basic ", ""), token];
  for (const answer of [password, bearer]) {
    assertEquals(answer.status, 307);
    const { href } = locationOf(answer);
    assertEquals(secrets.filter((secret) => href.includes(secret)), []);
  }
  const log = closed.log();
  assert(!log.includes("X-Amz-Signature"), log);
});
