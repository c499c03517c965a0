import { assertEquals } from "../support/assert.ts";
import { contentOf, imageOf, startForTests } from "../support/client.ts";

const registry = await startForTests();
const { digest } = contentOf("x");
const UPLOAD = "01234567-89ab-4def-8123-456789abcdef";

const NAMES = [
  "v2",
  "tags",
  "blobs",
  "uploads",
  "manifests",
  "referrers",
  "tags/list",
  "a/tags/list",
  "a/blobs/uploads",
  "a/manifests/latest",
  "a/referrers",
  "blobs/uploads/blobs/uploads",
];

for (const name of NAMES) {
  Deno.test(`A repository may be called ${name}`, async () => {
    const image = await registry.pushImage(name, "list");
    const config = contentOf(`config of ${name}`);
    assertEquals((await registry.get(`/v2/${name}/manifests/list`)).bytes, image.bytes);
    assertEquals((await registry.get(`/v2/${name}/blobs/${config.digest}`)).bytes, config.bytes);
    assertEquals((await registry.get(`/v2/${name}/tags/list`)).json(), { name, tags: ["list"] });
    assertEquals((await registry.get(`/v2/${name}/referrers/${image.digest}`)).json().manifests, []);
    assertEquals((await registry.send("DELETE", `/v2/${name}/manifests/list`)).status, 202);
    assertEquals((await registry.get(`/v2/${name}/tags/list`)).json(), { name, tags: [] });
  });
}

for (const name of ["a__b", "a---b", "a.b_c-d", "0", "0/0", "x".repeat(253), `${"x/".repeat(126)}x`]) {
  Deno.test(`A repository may be called ${name.slice(0, 20)} (${name.length} characters)`, async () => {
    const image = await registry.pushImage(name, "v1");
    assertEquals((await registry.get(`/v2/${name}/manifests/v1`)).bytes, image.bytes);
  });
}

for (const name of ["A", "a___b", "a..b", "a._b", "-a", "a-", "a//b", "_a", "x".repeat(254)]) {
  Deno.test(`No repository may be called ${name.slice(0, 20)} (${name.length} characters)`, async () => {
    for (const [method, path] of [["GET", "tags/list"], ["POST", "blobs/uploads/"]] as const) {
      const answer = await registry.send(method, `/v2/${name}/${path}`);
      assertEquals([answer.status, answer.json().errors[0].code], [400, "NAME_INVALID"]);
    }
  });
}

Deno.test("A tag may have 128 characters, and its case counts", async () => {
  const config = await registry.pushBlob("tagged", contentOf("{}"));
  for (const tag of ["t".repeat(128), "Latest", "latest", "LATEST", "_", "1.0_a-b"]) {
    const image = imageOf(config, [], { annotations: { tag } });
    assertEquals((await registry.putManifest("tagged", tag, image)).status, 201);
  }
  for (const tag of ["t".repeat(128), "Latest", "latest", "LATEST", "_", "1.0_a-b"]) {
    assertEquals((await registry.get(`/v2/tagged/manifests/${tag}`)).json().annotations, { tag });
  }
  const long = await registry.putManifest("tagged", "t".repeat(129), imageOf(config));
  assertEquals([long.status, long.json().errors[0].code], [400, "MANIFEST_INVALID"]);
});

const METHODS: [path: string, allowed: string][] = [
  ["/v2/", "GET, HEAD"],
  ["/v2/_catalog", "GET, HEAD"],
  ["/v2/tags/list", "GET, HEAD"],
  ["/v2/_oci/ext/discover", "GET, HEAD"],
  ["/v2/a/tags/list", "GET, HEAD"],
  [`/v2/a/referrers/${digest}`, "GET, HEAD"],
  ["/v2/a/blobs/uploads/", "POST"],
  [`/v2/a/blobs/uploads/${UPLOAD}`, "GET, HEAD, PATCH, PUT, DELETE"],
  [`/v2/a/blobs/${digest}`, "GET, HEAD, DELETE"],
  ["/v2/a/manifests/latest", "GET, HEAD, PUT, DELETE"],
];

for (const [path, allowed] of METHODS) {
  Deno.test(`${path.replace(digest, "<digest>")} takes ${allowed} only, and says so`, async () => {
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const { status, headers, text } = await registry.send(method, path);
      if (allowed.split(", ").includes(method)) {
        assertEquals([method, status === 405], [method, false]);
        continue;
      }
      assertEquals([method, status, headers.get("Allow")], [method, 405, allowed]);
      if (method !== "HEAD") assertEquals(JSON.parse(text).errors[0].code, "UNSUPPORTED");
    }
  });
}

Deno.test("Queries that the registry does not know change nothing", async () => {
  const image = await registry.pushImage("queried", "v1");
  for (const path of ["manifests/v1", "tags/list", `blobs/${contentOf("config of queried").digest}`]) {
    const plain = await registry.get(`/v2/queried/${path}`);
    const queried = await registry.get(`/v2/queried/${path}?ns=docker.io&unknown=%00&__proto__=1`);
    assertEquals([queried.status, queried.bytes], [200, plain.bytes]);
    assertEquals(queried.headers.get("OCI-Namespace"), null);
  }
  assertEquals((await registry.get("/v2/queried/manifests/v1")).bytes, image.bytes);
});

Deno.test("Locations stay relative, whatever a proxy, or somebody who poses as one, says", async () => {
  const headers = { "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=x" };
  const { status, headers: answered } = await registry.send("POST", "/v2/proxied/blobs/uploads/", {
    headers,
  });
  assertEquals([status, answered.get("Location")!.startsWith("/v2/proxied/blobs/uploads/")], [202, true]);
});

Deno.test("An escaped colon in a digest is a colon", async () => {
  const image = await registry.pushImage("escaped");
  for (const colon of ["%3A", "%3a"]) {
    const { status, bytes } = await registry.get(
      `/v2/escaped/manifests/${image.digest.replace(":", colon)}`,
    );
    assertEquals([status, bytes], [200, image.bytes]);
  }
});
