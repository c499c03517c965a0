import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/support/assert.ts";
import { openReplica, openShared } from "../../tests/support/shared_memory.ts";
import type { Digest } from "../oci/digest.ts";
import type { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseUploadSession } from "../oci/upload.ts";
import { digestBytes } from "../registry/hash.ts";
import type { Registry } from "../registry/registry.ts";
import type { Call } from "./endpoint.ts";
import { append, cancel, finish, start, status } from "./uploads.ts";

const NAME = parseRepositoryName("library/app");
const UPLOADS = `/v2/${NAME}/blobs/uploads/`;
const HELD = /^[0-9a-f-]{69}\.5\.[0-9a-f]{64}\.[0-9a-f]{32}$/;

type Endpoint = (registry: Registry, call: Call<"name" | "upload">) => Promise<Response>;

/** A client that asks one replica after the other, and knows no more than they answer. */
function createClient(replicas: readonly Registry[]) {
  let turn = 0;
  return async (endpoint: Endpoint | typeof start, location: string, { query = "", body, headers = {} }: {
    readonly query?: string;
    readonly body?: string;
    readonly headers?: Record<string, string>;
  } = {}): Promise<Response> => {
    const upload = endpoint === start ? undefined : parseUploadSession(location.slice(UPLOADS.length));
    const call = {
      words: { name: NAME, upload },
      headers: new Headers(headers),
      query: new URLSearchParams(query),
      body: body === undefined ? undefined : new Blob([body]).stream(),
      caller: { owner: "" },
    };
    return await (endpoint as Endpoint)(replicas[turn++ % replicas.length]!, call as never);
  };
}

async function openClient(count = 1, storage?: Storage) {
  const store = storage ?? await openShared();
  const replicas = await Promise.all(Array.from({ length: count }, () => openReplica(store)));
  return { ask: createClient(replicas), replicas };
}

function digestOf(text: string): Digest {
  return digestBytes("sha256", new TextEncoder().encode(text));
}

function told(answer: Response): readonly unknown[] {
  const { status, headers } = answer;
  const location = headers.get("Location")?.slice(UPLOADS.length) ?? "";
  const kind = HELD.test(location) ? "held" : location.endsWith(".s") ? "stored" : "new";
  return [status, headers.get("Range"), kind];
}

async function refusalOf(asked: Promise<unknown>): Promise<OciError> {
  let refusal: OciError | undefined;
  await assertRejects(() => asked, (error: OciError) => {
    refusal = error;
    return true;
  });
  return refusal!;
}

Deno.test("An upload in one chunk, then its end, by clients that follow what they are answered", async () => {
  const { ask } = await openClient(3);
  const begun = await ask(start, UPLOADS);
  assertEquals(told(begun), [202, "0-0", "new"]);
  const [location, digest] = [begun.headers.get("Location")!, digestOf("hello")];
  assertEquals(told(await ask(status, location)), [204, "0-0", "new"]);
  const held = await ask(append, location, { body: "hello" });
  assertEquals(told(held), [202, "0-4", "held"]);
  const id = location.slice(UPLOADS.length);
  assertEquals([begun, held].map(({ headers }) => headers.get("Docker-Upload-UUID")), [id, id]);
  const next = held.headers.get("Location")!;
  assertEquals(told(await ask(status, next)), [204, "0-4", "held"]);
  assertEquals(told(await ask(append, next)), [202, "0-4", "held"]);
  const created = await ask(finish, next, { query: `digest=${digest}` });
  assertEquals([
    created.status,
    created.headers.get("Location"),
    created.headers.get("Docker-Content-Digest"),
  ], [
    201,
    `/v2/${NAME}/blobs/${digest}`,
    digest,
  ]);
});

Deno.test("An upload in chunks is refused one out of order, and told where to go on", async () => {
  const { ask } = await openClient();
  const location = (await ask(start, UPLOADS)).headers.get("Location")!;
  const chunk = (body: string, first: number) => ({
    body,
    headers: { "Content-Range": `${first}-${first + body.length - 1}` },
  });
  const first = await ask(append, location, chunk("hello", 0));
  // The answer was lost: the client goes on where it was.
  const lost = await refusalOf(ask(append, location, chunk("hello", 0)));
  assertEquals([lost.status, lost.headers?.Range, lost.headers?.Location], [
    416,
    "0-4",
    first.headers.get("Location"),
  ]);
  const second = await ask(append, String(lost.headers?.Location), chunk(", world", 5));
  assertEquals(told(second), [202, "0-11", "stored"]);
  for (const stale of [location, first.headers.get("Location")!]) {
    const { status, headers } = await refusalOf(ask(append, stale, chunk("hello", 0)));
    assertEquals([status, headers?.Range, headers?.Location], [416, "0-11", second.headers.get("Location")]);
  }
  const query = `digest=${digestOf("hello, world!")}`;
  const wrong = await refusalOf(ask(finish, location, { query, ...chunk("!", 11) }));
  assertEquals([wrong.status, wrong.headers?.Range], [416, "0-11"]);
  assertEquals((await ask(finish, location, { query, ...chunk("!", 12) })).status, 201);
});

Deno.test("An upload that has ended is unknown, whatever is asked of it", async () => {
  const { ask } = await openClient();
  for (const isCancelled of [true, false]) {
    const location = (await ask(start, UPLOADS)).headers.get("Location")!;
    const held = (await ask(append, location, { body: "hello" })).headers.get("Location")!;
    const query = `digest=${digestOf("hello")}`;
    const end = isCancelled ? ask(cancel, held) : ask(finish, held, { query });
    assertEquals((await end).status, isCancelled ? 204 : 201);
    for (const url of [location, held]) {
      const asked = [
        ask(status, url),
        ask(append, url, { body: "x" }),
        ask(append, url),
        ask(finish, url, { query: `digest=${digestOf("x")}` }),
        ask(cancel, url),
      ];
      const refusals = await Promise.all(asked.map(refusalOf));
      assertEquals(
        refusals.map(({ code, status }) => [code, status]),
        asked.map(() => ["BLOB_UPLOAD_UNKNOWN", 404]),
      );
    }
  }
});

Deno.test("start() stores a whole blob, and begins an upload where there are no bytes", async () => {
  const { ask, replicas } = await openClient();
  const query = `digest=${digestOf("hello")}`;
  assertEquals((await ask(start, UPLOADS, { query, body: "hello" })).status, 201);
  assert(await replicas[0]!.blobs.has(NAME, digestOf("hello")));
  assertEquals(told(await ask(start, UPLOADS, { query })), [202, "0-0", "new"]);
  const refusal = await refusalOf(ask(start, UPLOADS, { query, body: "other" }));
  assertEquals([refusal.code, refusal.status], ["DIGEST_INVALID", 400]);
  const wrong = { query, body: "other", headers: { "Content-Range": "1-5" } };
  assertMatch((await refusalOf(ask(start, UPLOADS, wrong))).code, /^BLOB_UPLOAD_UNKNOWN$/);
});

Deno.test("append() passes over a Content-Length that is no number, as HTTP/2 lets clients send", async () => {
  const { ask } = await openClient();
  for (const length of ["5, 5", "", "five", "-5", "5.0", "1e1", "9".repeat(16), "5"]) {
    const location = (await ask(start, UPLOADS)).headers.get("Location")!;
    const held = await ask(append, location, { body: "hello", headers: { "Content-Length": length } });
    assertEquals(told(held), [202, "0-4", "held"], length);
  }
});
