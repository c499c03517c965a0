import { assertEquals } from "../support/assert.ts";
import {
  type Answer,
  contentOf,
  descriptorOf,
  imageOf,
  nextOf,
  OCI_INDEX,
  OCI_MANIFEST,
  type RegistryClient,
} from "../support/client.ts";
import { identitiesOf, startScene, storeOf } from "./scene.ts";

const OTHER = `${await identitiesOf({ other: "other-password" })}
[[binding]]
role = "write"
users = ["other"]
`;

const scene = await startScene({ config: OTHER });
Deno.test.afterAll(() => void scene.registry.stop());
const admin = scene.as("admin");
const [reader, writer, other] = [scene.as("reader"), scene.as("writer"), scene.as("other")];

/** In byte order; those that say so are hidden from all but the admin. */
const NAMES = [
  "a-secret/app",
  "public/app",
  "public/lib",
  "q-secret/app",
  "secret/app",
  "team/app",
  "z-secret/app",
];
for (const name of NAMES) {
  for (const tag of ["v1", "v2"]) await admin.pushImage(name, tag, { annotations: { tag } });
}

/** An answer without what differs from request to request. */
function shapeOf({ status, headers, text }: Answer, digest: string) {
  const shape = (value: string) =>
    value.replaceAll(digest, "<digest>").replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>");
  const kept = [...headers].filter(([name]) => name !== "date").map(([name, value]) => [name, shape(value)]);
  return { status, headers: kept, text: shape(text) };
}

type Ask = readonly [name: string, ask: (digest: string) => Promise<Answer>];

const UPLOADS = "/v2/team/app/blobs/uploads/";

const BLOB_REQUESTS: readonly Ask[] = [
  ["GET of a blob", (digest) => writer.get(`/v2/team/app/blobs/${digest}`)],
  ["GET of a part", (digest) => writer.get(`/v2/team/app/blobs/${digest}`, { Range: "bytes=0-1" })],
  [
    "GET if it changed",
    (digest) => writer.get(`/v2/team/app/blobs/${digest}`, { "If-None-Match": `"${digest}"` }),
  ],
  ["HEAD of a blob", (digest) => writer.send("HEAD", `/v2/team/app/blobs/${digest}`)],
  ["a mount", (digest) => writer.send("POST", `${UPLOADS}?mount=${digest}`)],
  ["a mount from there", (digest) => writer.send("POST", `${UPLOADS}?mount=${digest}&from=secret/app`)],
  ["a mount from itself", (digest) => writer.send("POST", `${UPLOADS}?mount=${digest}&from=team/app`)],
  ["a manifest that refers to it", (digest) => {
    const config = descriptorOf(contentOf("config of team/app"));
    const layers = [{ mediaType: "x/y", digest, size: 1 }];
    return put({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }, OCI_MANIFEST);
  }],
];

const MANIFEST_REQUESTS: readonly Ask[] = [
  ["GET of a manifest", (digest) => writer.get(`/v2/team/app/manifests/${digest}`)],
  ["HEAD of a manifest", (digest) => writer.send("HEAD", `/v2/team/app/manifests/${digest}`)],
  ["its referrers", (digest) => writer.get(`/v2/team/app/referrers/${digest}`)],
  ["an index that lists it", (digest) => {
    const manifests = [{ mediaType: OCI_MANIFEST, digest, size: 1 }];
    return put({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, OCI_INDEX);
  }],
];

function put(manifest: object, type: string): Promise<Answer> {
  return writer.putManifest("team/app", "v3", contentOf(manifest), type);
}

Deno.test("What exists only where the caller may not read is as if it did not exist:", async (t) => {
  const layer = await admin.pushBlob("secret/app", contentOf("a layer that is hidden"));
  const hidden = imageOf(layer, [layer]);
  const referrer = imageOf(layer, [], { subject: descriptorOf(hidden, OCI_MANIFEST) });
  for (const [tag, manifest] of [["hidden", hidden], ["of-hidden", referrer]] as const) {
    assertEquals((await admin.putManifest("secret/app", tag, manifest)).status, 201);
  }
  const before = await storeOf(scene.registry.dataDir);
  for (const [requests, { digest }] of [[BLOB_REQUESTS, layer], [MANIFEST_REQUESTS, hidden]] as const) {
    for (const [name, ask] of requests) {
      await t.step(name, async () => {
        const missing = contentOf(`nothing like ${digest}`).digest;
        assertEquals(shapeOf(await ask(digest), digest), shapeOf(await ask(missing), missing));
      });
    }
  }
  await t.step("and nothing but begun uploads came of it", async () => {
    const after = Object.entries(await storeOf(scene.registry.dataDir));
    assertEquals(Object.fromEntries(after.filter(([key]) => !key.startsWith("uploads/"))), before);
  });
});

Deno.test("A repository that is hidden answers as one that does not exist", async (t) => {
  const paths = [
    "tags/list",
    "manifests/v1",
    "manifests/v9",
    `blobs/${contentOf("x").digest}`,
    `referrers/${contentOf("x").digest}`,
  ];
  for (const [name, client] of [["nobody", scene.nobody], ["the reader", reader]] as const) {
    await t.step(`to ${name}`, async () => {
      for (const path of paths) {
        for (const method of ["GET", "HEAD"]) {
          const [hidden, missing] = await Promise.all(["secret/app", "nowhere/at"].map(async (repository) => {
            const answer = await client.send(method, `/v2/${repository}/${path}`);
            return shapeOf(answer, repository);
          }));
          assertEquals(hidden, missing);
        }
      }
    });
  }
});

/** Follows a list to its end; answers each page with its link. */
async function pagesOf(client: RegistryClient, path: string, key: string): Promise<unknown[]> {
  const pages: unknown[] = [];
  for (let next: string | undefined = path; next !== undefined && pages.length < 50;) {
    const answer = await client.get(next);
    next = nextOf(answer);
    pages.push([answer.json()[key], next ?? null]);
  }
  return pages;
}

Deno.test("The catalog shows only what the caller may read:", async (t) => {
  const list = (client: RegistryClient, query = "") =>
    pagesOf(client, `/v2/_catalog${query}`, "repositories");
  const PUBLIC = ["public/app", "public/lib"];
  await t.step("all of it to the admin", async () => assertEquals(await list(admin), [[NAMES, null]]));
  await t.step(
    "what is public to nobody",
    async () => assertEquals(await list(scene.nobody), [[PUBLIC, null]]),
  );
  await t.step("what is the team's to the reader", async () => {
    assertEquals(await list(reader), [[[...PUBLIC, "team/app"], null]]);
  });
  await t.step("page by page, without a trace of what lies between and behind", async () => {
    assertEquals(await list(reader, "?n=1"), [
      [["public/app"], "/v2/_catalog?n=1&last=public%2Fapp"],
      [["public/lib"], "/v2/_catalog?n=1&last=public%2Flib"],
      [["team/app"], null],
    ]);
    assertEquals(await list(scene.nobody, "?n=2"), [[PUBLIC, null]]);
  });
  await t.step("after a name that is hidden as after one that does not exist", async () => {
    for (const last of ["q-secret/app", "secret/app", "secret/apq", "r"]) {
      assertEquals(await list(reader, `?n=1&last=${last}`), [[["team/app"], null]]);
    }
    assertEquals(await list(reader, "?last=team/app"), [[[], null]]);
  });
  await t.step("no count of the rest", async () => {
    const [hidden, none] = [
      await reader.get("/v2/_catalog?n=1&last=team/app"),
      await reader.get("/v2/_catalog?n=1&last=zz"),
    ];
    assertEquals(shapeOf(hidden, "-"), shapeOf(none, "-"));
  });
  await t.step("to a personal token what is its own", async () => {
    const body = JSON.stringify({ name: "ci", scopes: [{ repositories: "team/*", actions: ["pull"] }] });
    const headers = { "Content-Type": "application/json" };
    const { token } = (await reader.send("POST", "/admin/v1/me/tokens", { headers, body })).json();
    assertEquals(await list(scene.bearing(token)), [[["team/app"], null]]);
  });
  await t.step("to a token of the token service what its holder may read", async () => {
    const token = await scene.tokenOf("reader", "registry:catalog:*");
    assertEquals(await list(scene.bearing(token)), [[[...PUBLIC, "team/app"], null]]);
  });
});

Deno.test("The list of all tags shows only what the caller may read:", async (t) => {
  const list = (client: RegistryClient, query = "") => pagesOf(client, `/v2/tags/list${query}`, "tags");
  const all = (names: readonly string[]) => names.flatMap((name) => [`${name}:v1`, `${name}:v2`]);
  await t.step("what is public to nobody", async () => {
    assertEquals(await list(scene.nobody), [[all(["public/app", "public/lib"]), null]]);
  });
  await t.step("page by page, without a trace of what lies between and behind", async () => {
    const link = (last: string) => `/v2/tags/list?n=3&last=${encodeURIComponent(last)}`;
    assertEquals(await list(reader, "?n=3"), [
      [["public/app:v1", "public/app:v2", "public/lib:v1"], link("public/lib:v1")],
      [["public/lib:v2", "team/app:v1", "team/app:v2"], null],
    ]);
  });
  await t.step("after a tag that is hidden as after one that does not exist", async () => {
    for (const last of ["secret/app:v1", "secret/app:v0", "secret/app", "r:v1", "q-secret/app:v1"]) {
      assertEquals(await list(reader, `?n=5&last=${last}`), [[all(["team/app"]), null]]);
    }
  });
});

Deno.test("An upload is unknown to whoever did not begin it, and elsewhere:", async (t) => {
  const location = await writer.startUpload("team/app");
  await writer.send("PATCH", location, { body: "ab" });
  const id = location.slice(location.lastIndexOf("/") + 1);
  const [uuid, mark] = [id.slice(0, 36), id.slice(37)];
  const otherId = (await other.startUpload("team/app")).split("/").at(-1)!;
  const unknown = {
    errors: [{
      code: "BLOB_UPLOAD_UNKNOWN",
      message: "Cannot find the upload: it has ended, expired, or never began",
    }],
  };
  const { digest } = contentOf("abc");
  const cases: [name: string, client: RegistryClient, path: string][] = [
    ["another writer", other, location],
    ["the admin", admin, location],
    ["the writer, in another repository", writer, location.replace("team/app", "team/lib")],
    [
      "another writer, by the name of their own",
      other,
      `/v2/team/app/blobs/uploads/${uuid}-${otherId.slice(37)}`,
    ],
    ["another writer, by no name", other, `/v2/team/app/blobs/uploads/${uuid}`],
    ["the writer, by no name", writer, `/v2/team/app/blobs/uploads/${uuid}`],
    [
      "the writer, by one that never began",
      writer,
      `/v2/team/app/blobs/uploads/${crypto.randomUUID()}-${mark}`,
    ],
  ];
  for (const [name, client, path] of cases) {
    await t.step(name, async () => {
      for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
        const query = method === "PUT" ? `?digest=${digest}` : "";
        const body = method === "PATCH" || method === "PUT" ? { body: "c" } : {};
        const answer = await client.send(method, path + query, body);
        assertEquals([method, answer.status, answer.json()], [method, 404, unknown]);
      }
      assertEquals((await client.send("HEAD", path)).status, 404);
    });
  }
  await t.step("and who began it goes on, by a token too", async () => {
    const token = scene.bearing(await scene.tokenOf("writer", "repository:team/app:push"));
    const facts = await token.get(location);
    assertEquals([facts.status, facts.headers.get("Range")], [204, "0-1"]);
    assertEquals((await token.send("PUT", `${location}?digest=${digest}`, { body: "c" })).status, 201);
  });
});

Deno.test("A token is unknown to whoever does not own it", async () => {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: "laptop" });
  const path = "/admin/v1/me/tokens";
  const { id, token } = (await writer.send("POST", path, { headers, body })).json();
  const unknown = {
    errors: [{ code: "UNSUPPORTED", message: "Cannot find the token: there is none with this id" }],
  };
  for (const [method, at] of [["POST", `${path}/${id}/rotate`], ["DELETE", `${path}/${id}`]] as const) {
    const answer = await reader.send(method, at);
    assertEquals([answer.status, answer.json()], [404, unknown]);
  }
  assertEquals((await other.get(path)).json(), { tokens: [] });
  assertEquals((await scene.bearing(token).get("/v2/")).status, 200);
  const extra = JSON.stringify({ name: "x", owner: "admin", is_admin: true });
  assertEquals((await writer.send("POST", path, { headers, body: extra })).status, 400);
});
