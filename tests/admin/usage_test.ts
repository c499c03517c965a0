import { usageRoutes } from "../../server/admin/usage.ts";
import type { Call, Word } from "../../server/api/endpoint.ts";
import { OciError } from "../../server/oci/error.ts";
import type { Registry } from "../../server/registry/registry.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { contentOf, type RegistryClient } from "../support/client.ts";
import { pushOwn, testStores, withoutTimes } from "./content_scene.ts";

const CHUNK = "some bytes";

async function beginUpload(client: RegistryClient, name: string): Promise<string> {
  const location = await client.startUpload(name);
  await client.send("PATCH", location, { body: CHUNK });
  return location.slice(location.lastIndexOf("/") + 1);
}

testStores("Uploads under way are listed, whoever began them, and ended", {}, async ({ as }, t) => {
  const [admin, writer] = [as("admin"), as("writer")];
  const begun = [
    ["a/b", await beginUpload(admin, "a/b")],
    ["team/app", await beginUpload(writer, "team/app")],
    ["team/app-x", await beginUpload(admin, "team/app-x")],
  ] as const;
  const listed = begun.map(([repository, id]) => ({ repository, id, size: CHUNK.length }));
  const list = async (query = "") => {
    const { uploads, ...rest } = (await admin.get(`/admin/v1/uploads${query}`)).json();
    return { uploads: uploads.map(withoutTimes), ...rest };
  };
  await t.step("all", async () => assertEquals(await list(), { uploads: listed }));
  await t.step("those of a repository", async () => {
    assertEquals(await list("?repository=team/app"), { uploads: [listed[1]] });
    assertEquals(await list("?repository=team"), { uploads: [] });
    assertEquals((await admin.get("/admin/v1/uploads?repository=Team")).status, 400);
  });
  await t.step("in pages", async () => {
    const next = `team/app/${begun[1][1]}`;
    assertEquals(await list("?n=2"), { uploads: listed.slice(0, 2), next });
    assertEquals(await list(`?n=2&last=${next}`), { uploads: listed.slice(2) });
    assertEquals((await list("?n=1&last=none")).uploads, [listed[1]]);
  });
  await t.step("another's is ended by the administration, by no other path", async () => {
    const [name, id] = begun[1];
    const base = `/admin/v1/repositories/${name}/_uploads`;
    assertEquals((await admin.send("DELETE", `/v2/${name}/blobs/uploads/${id}`)).status, 404);
    assertEquals((await writer.send("DELETE", `${base}/${id}`)).status, 403);
    assertEquals((await admin.send("DELETE", `/admin/v1/repositories/a/b/_uploads/${id}`)).status, 404);
    assertEquals((await admin.send("DELETE", `${base}/${id}`)).status, 204);
    const again = await admin.send("DELETE", `${base}/${id}`);
    assertEquals([again.status, again.json().errors[0].code], [404, "BLOB_UPLOAD_UNKNOWN"]);
    assertEquals(
      (await writer.send("PATCH", `/v2/${name}/blobs/uploads/${id}`, { body: "more" })).status,
      404,
    );
    assertEquals((await list()).uploads, [listed[0], listed[2]]);
  });
});

testStores("What takes the space is counted, shared and not", {}, async ({ as }) => {
  const admin = as("admin");
  const sizeOf = (...texts: string[]) =>
    texts.reduce((sum, text) => sum + contentOf(text).bytes.byteLength, 0);
  const shared = ["config shared", "layer shared"];
  for (const name of ["team/app", "team/app/sub", "a_b"]) await pushOwn(admin, name, { text: "shared" });
  await pushOwn(admin, "team/app", { text: "only here" });
  await admin.pushBlob("team/app", contentOf("for nothing"));
  await admin.pushBlob("a_b", contentOf("deleted"));
  await admin.send("DELETE", `/v2/a_b/blobs/${contentOf("deleted").digest}`);
  await beginUpload(admin, "team/app");
  const own = ["config only here", "layer only here", "for nothing"];

  const usage = (await admin.get("/admin/v1/usage")).json();
  assert("counted_at" in usage);
  assertEquals(withoutTimes(usage), {
    repositories: [
      { name: "a_b", bytes: sizeOf(...shared), unique_bytes: 0, blobs: 2 },
      { name: "team/app", bytes: sizeOf(...shared, ...own), unique_bytes: sizeOf(...own), blobs: 5 },
      { name: "team/app/sub", bytes: sizeOf(...shared), unique_bytes: 0, blobs: 2 },
    ],
    total: {
      bytes: sizeOf(...shared, ...own),
      bytes_not_deduplicated: 3 * sizeOf(...shared) + sizeOf(...own),
      blobs: 5,
      uploads_bytes: CHUNK.length,
      garbage_bytes: sizeOf("deleted"),
    },
  });
  const page = (await admin.get("/admin/v1/usage?n=1&last=a_b")).json();
  assertEquals([page.repositories[0].name, page.repositories.length, page.next], ["team/app", 1, "team/app"]);
});

Deno.test("GET /admin/v1/usage answers 503 to who would have to wait too long, and nothing is lost", async () => {
  const { promise, resolve } = Promise.withResolvers<object>();
  const registry = { usage: { get: () => promise } } as unknown as Registry;
  const call = { query: new URLSearchParams(), caller: {} } as unknown as Call<Word>;
  const [row] = usageRoutes({ waitMs: 5 });
  await assertRejects(
    () => row!.endpoint(registry, call),
    (error) => error instanceof OciError && error.status === 503 && error.headers["Retry-After"] === "10",
  );
  resolve({ repositories: new Map(), countedAtMs: 0 });
  assertEquals((await row!.endpoint(registry, call)).status, 200);
});
