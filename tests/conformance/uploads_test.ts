import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Answer, contentOf, digestOf, randomContent, startForTests } from "../support/client.ts";

const registry = await startForTests();
const CONTENT = contentOf("0123456789");
/** And, where who began it must be told, or proved, a mark. */
const UPLOAD =
  /^\/v2\/up\/blobs\/uploads\/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9a-f]{32})?$/;

function refused(answer: Answer, status: number, code: string): void {
  assertEquals([answer.status, answer.json().errors[0].code], [status, code]);
}

function patch(location: string, range: string | undefined, body: string): Promise<Answer> {
  return registry.send("PATCH", location, {
    body,
    headers: range === undefined ? {} : { "Content-Range": range },
  });
}

function put(
  location: string,
  digest: string,
  sent: { body?: string; range?: string } = {},
): Promise<Answer> {
  return registry.send("PUT", `${location}?digest=${digest}`, {
    ...(sent.body !== undefined && { body: sent.body }),
    headers: sent.range === undefined ? {} : { "Content-Range": sent.range },
  });
}

/** A body of which nobody knows the length before its end. */
function streamed(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.byteLength) controller.enqueue(bytes.slice(at, at += 10_000));
      else controller.close();
    },
  });
}

async function assertBlob(name: string, bytes: Uint8Array, digest: string): Promise<void> {
  const answer = await registry.get(`/v2/${name}/blobs/${digest}`);
  assertEquals([answer.status, digestOf(answer.bytes)], [200, digestOf(bytes)]);
}

Deno.test("POST <uploads> answers 202 with a relative Location that ends in a UUID, and perhaps a mark", async () => {
  const { status, headers, bytes } = await registry.send("POST", "/v2/up/blobs/uploads/");
  assertEquals([status, bytes.byteLength, headers.get("Content-Length")], [202, 0, "0"]);
  assertMatch(headers.get("Location")!, UPLOAD);
  assertEquals(headers.get("Range"), "0-0");
});

Deno.test("POST <uploads>, then PUT with the body, answers 201 with the blob's Location", async () => {
  const location = await registry.startUpload("up");
  const { status, headers } = await put(location, CONTENT.digest, { body: "0123456789" });
  assertEquals(status, 201);
  assertEquals(headers.get("Location"), `/v2/up/blobs/${CONTENT.digest}`);
  assertEquals(headers.get("Docker-Content-Digest"), CONTENT.digest);
  await assertBlob("up", CONTENT.bytes, CONTENT.digest);
});

Deno.test("POST <uploads>?digest= with the body answers 201", async () => {
  const content = randomContent(300_000);
  const { status, headers } = await registry.send("POST", `/v2/up/blobs/uploads/?digest=${content.digest}`, {
    body: content.bytes,
  });
  assertEquals([status, headers.get("Location")], [201, `/v2/up/blobs/${content.digest}`]);
  await assertBlob("up", content.bytes, content.digest);
});

Deno.test("POST <uploads>?digest= without a body answers 202", async () => {
  const { digest } = contentOf("not there yet");
  assertEquals((await registry.send("POST", `/v2/up/blobs/uploads/?digest=${digest}`)).status, 202);
});

Deno.test("A chunked upload answers 202 to each chunk with what there is, 204 to a question, 201 to its end", async () => {
  let location = await registry.startUpload("up");
  for (const [range, body, there] of [["0-3", "0123", "0-3"], ["4-6", "456", "0-6"]] as const) {
    const { status, headers } = await patch(location, range, body);
    assertEquals([status, headers.get("Range")], [202, there]);
    location = headers.get("Location")!;
    const state = await registry.get(location);
    assertEquals([state.status, state.headers.get("Range"), state.headers.get("Location")], [
      204,
      there,
      location,
    ]);
  }
  const { status } = await put(location, CONTENT.digest, { body: "789", range: "7-9" });
  assertEquals(status, 201);
  refused(await registry.get(location), 404, "BLOB_UPLOAD_UNKNOWN");
});

Deno.test("A chunked upload may end with an empty PUT", async () => {
  const location = await registry.startUpload("up");
  await patch(location, "0-9", "0123456789");
  assertEquals((await put(location, CONTENT.digest)).status, 201);
});

Deno.test("PATCH without Content-Range appends whatever comes, of unknown length too", async () => {
  const content = randomContent(1_500_000);
  const location = await registry.startUpload("up");
  const first = await registry.send("PATCH", location, { body: streamed(content.bytes.slice(0, 700_000)) });
  assertEquals([first.status, first.headers.get("Range")], [202, "0-699999"]);
  assertEquals(
    (await registry.send("PATCH", location, { body: streamed(content.bytes.slice(700_000)) })).status,
    202,
  );
  assertEquals((await put(location, content.digest)).status, 201);
  await assertBlob("up", content.bytes, content.digest);
});

Deno.test("PUT takes a whole body of unknown length", async () => {
  const content = randomContent(200_000);
  const location = await registry.startUpload("up");
  const body = streamed(content.bytes);
  assertEquals((await registry.send("PUT", `${location}?digest=${content.digest}`, { body })).status, 201);
  await assertBlob("up", content.bytes, content.digest);
});

Deno.test("An empty PATCH changes nothing", async () => {
  const location = await registry.startUpload("up");
  const { status, headers } = await registry.send("PATCH", location, { body: "" });
  assertEquals([status, headers.get("Range")], [202, "0-0"]);
  assertEquals((await put(location, CONTENT.digest, { body: "0123456789" })).status, 201);
});

Deno.test("PATCH <upload> answers 416 to a chunk out of order, and the upload goes on", async () => {
  const location = await registry.startUpload("up");
  const next = (await patch(location, "0-3", "0123")).headers.get("Location");
  for (const [range, body] of [["5-6", "56"], ["0-3", "0123"], ["3-4", "34"]] as const) {
    const answer = await patch(location, range, body);
    refused(answer, 416, "BLOB_UPLOAD_INVALID");
    assertEquals([answer.headers.get("Range"), answer.headers.get("Location")], ["0-3", next]);
  }
  assertEquals((await patch(location, "4-9", "456789")).status, 202);
  assertEquals((await put(location, CONTENT.digest)).status, 201);
});

Deno.test("PUT <upload> answers 416 to a last chunk out of order, and the upload goes on", async () => {
  const location = await registry.startUpload("up");
  await patch(location, "0-3", "0123");
  refused(await put(location, CONTENT.digest, { body: "56789", range: "5-9" }), 416, "BLOB_UPLOAD_INVALID");
  assertEquals((await put(location, CONTENT.digest, { body: "456789", range: "4-9" })).status, 201);
});

Deno.test("A chunk whose Content-Range disagrees with its length is refused before anything is written", async () => {
  const location = await registry.startUpload("up");
  refused(await patch(location, "0-5", "0123"), 400, "SIZE_INVALID");
  refused(await patch(location, "0-2", "0123"), 400, "SIZE_INVALID");
  refused(await patch(location, "x", "0123"), 400, "BLOB_UPLOAD_INVALID");
  assertEquals((await registry.get(location)).headers.get("Range"), "0-0");
  assertEquals((await patch(location, "0-9", "0123456789")).status, 202);
});

const WRONG = contentOf("something else").digest;

Deno.test("A wrong digest answers 400 by every way of uploading, and leaves nothing behind", async () => {
  const single = await registry.send("POST", `/v2/up/blobs/uploads/?digest=${WRONG}`, { body: "x" });
  refused(single, 400, "DIGEST_INVALID");
  const whole = await registry.startUpload("up");
  refused(await put(whole, WRONG, { body: "x" }), 400, "DIGEST_INVALID");
  const chunked = await registry.startUpload("up");
  await patch(chunked, "0-0", "x");
  refused(await put(chunked, WRONG), 400, "DIGEST_INVALID");
  const stream = await registry.startUpload("up");
  await registry.send("PATCH", stream, { body: streamed(new Uint8Array(50_000)) });
  refused(await put(stream, WRONG), 400, "DIGEST_INVALID");
  for (const location of [whole, chunked, stream]) {
    refused(await registry.get(location), 404, "BLOB_UPLOAD_UNKNOWN");
  }
  assertEquals((await registry.get(`/v2/up/blobs/${WRONG}`)).status, 404);
});

Deno.test("PUT <upload> without a digest, or with one that is none, answers 400, and the upload goes on", async () => {
  const location = await registry.startUpload("up");
  await patch(location, undefined, "0123456789");
  refused(await registry.send("PUT", location), 400, "DIGEST_INVALID");
  for (
    const bad of ["", "sha256:baddigeststring", "md5:d41d8cd98f00b204e9800998ecf8427e", WRONG.toUpperCase()]
  ) {
    refused(await put(location, bad), 400, "DIGEST_INVALID");
  }
  refused(await registry.send("PUT", `${location}?digest=${WRONG}&digest=${WRONG}`), 400, "DIGEST_INVALID");
  assertEquals((await put(location, CONTENT.digest)).status, 201);
});

Deno.test("sha512 content is taken on an upload that was begun for it, and on one that was not", async () => {
  const content = contentOf("sha512 content", "sha512");
  for (const query of ["?digest-algorithm=sha512", ""]) {
    const location = await registry.startUpload("up", query);
    await patch(location, undefined, "sha512 ");
    assertEquals((await put(location, content.digest, { body: "content" })).status, 201);
    const { status, text } = await registry.get(`/v2/up/blobs/${content.digest}`);
    assertEquals([status, text], [200, "sha512 content"]);
  }
  refused(await registry.send("POST", "/v2/up/blobs/uploads/?digest-algorithm=md5"), 400, "DIGEST_INVALID");
});

Deno.test("An empty blob can be pushed in every way", async () => {
  const empty = contentOf("");
  const single = await registry.send("POST", `/v2/empty/blobs/uploads/?digest=${empty.digest}`);
  assertEquals([201, 202].includes(single.status), true);
  const location = await registry.startUpload("empty");
  assertEquals((await put(location, empty.digest)).status, 201);
  const { status, headers, bytes } = await registry.get(`/v2/empty/blobs/${empty.digest}`);
  assertEquals([status, headers.get("Content-Length"), bytes.byteLength], [200, "0", 0]);
});

Deno.test("DELETE <upload> answers 204, and the upload is gone", async () => {
  const location = await registry.startUpload("up");
  assertEquals((await registry.send("DELETE", location)).status, 204);
  refused(await registry.send("DELETE", location), 404, "BLOB_UPLOAD_UNKNOWN");
  refused(await patch(location, undefined, "x"), 404, "BLOB_UPLOAD_UNKNOWN");
  refused(await put(location, CONTENT.digest), 404, "BLOB_UPLOAD_UNKNOWN");
});

Deno.test("An upload belongs to its repository", async () => {
  const location = await registry.startUpload("up");
  const elsewhere = location.replace("/v2/up/", "/v2/other/");
  for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
    const query = method === "PUT" ? `?digest=${CONTENT.digest}` : "";
    refused(await registry.send(method, elsewhere + query), 404, "BLOB_UPLOAD_UNKNOWN");
  }
  assertEquals((await registry.get(location)).status, 204);
});

Deno.test("A PUT whose 201 was lost may be sent again", async () => {
  const location = await registry.startUpload("up");
  assertEquals((await put(location, CONTENT.digest, { body: "0123456789" })).status, 201);
  assertEquals((await put(location, CONTENT.digest, { body: "0123456789" })).status, 201);
});

Deno.test("An upload goes on where it was after the client broke off in the middle of a chunk", async () => {
  const content = randomContent(2_000_000);
  const location = await registry.startUpload("up");
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(registry.url).port) });
  const head = `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: ${content.bytes.byteLength}\r\n\r\n`;
  await socket.write(new TextEncoder().encode(head));
  const writer = socket.writable.getWriter();
  await writer.write(content.bytes.slice(0, 1_000_000));
  await writer.close().catch(() => {});
  let there = 0;
  for (let turn = 0; turn < 200 && there < 1_000_000; turn++) {
    const { headers } = await registry.get(location);
    there = Number(headers.get("Range")!.split("-")[1]) + 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert(there > 1, "nothing of the chunk has stayed");
  const rest = await registry.send("PATCH", location, {
    body: content.bytes.slice(there),
    headers: { "Content-Range": `${there}-${content.bytes.byteLength - 1}` },
  });
  assertEquals(rest.status, 202);
  assertEquals((await put(location, content.digest)).status, 201);
  await assertBlob("up", content.bytes, content.digest);
});
