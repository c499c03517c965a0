/** Blobs that a real S3 store serves, by addresses that the registry signed. */

import { clientsOf, PROXIED } from "../access/scene.ts";
import { hashArgon2id } from "../password/hashes.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { contentOf, digestOf, RegistryClient } from "../support/client.ts";
import { runCommand } from "../support/command.ts";
import { listLayoutBlobs, writeImageLayout } from "../support/image_layout.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { type RunningS3, S3_PROGRAM, s3Toml, startS3 } from "../support/s3_server.ts";

const WRITER = `
[identity.writer]
username = "writer"
password = "${await hashArgon2id("writer-password")}"
[[binding]]
role = "push"
users = ["writer"]
`;

/** A registry that sends clients to the store, where that is called `localhost`. */
function startOver(server: RunningS3, settings: string): Promise<RunningRegistry> {
  const outside = server.endpoint.replace("127.0.0.1", "localhost");
  const storage = `${s3Toml(server)}public_endpoint = "${outside}"\n${settings}`;
  return startRegistry({ config: PROXIED + storage + WRITER, args: ["--verbose"] });
}

function test(name: string, programs: readonly string[], fn: (server: RunningS3) => Promise<void>): void {
  const needed = [S3_PROGRAM, ...programs];
  Deno.test({
    name: `${name} (${needed.join(", ")})`,
    ignore: !needed.every(hasProgram),
    async fn() {
      await using server = await startS3();
      await fn(server);
    },
  });
}

test("a real store serves what it was signed for, and only that", [], async (server) => {
  await using registry = await startOver(server, "redirect = true\n");
  const client = clientsOf(registry.url).as("writer");
  const layer = contentOf("a layer, kept by a real store");
  await client.pushBlob("team/app", layer);

  const path = `/v2/team/app/blobs/${layer.digest}`;
  assertEquals((await clientsOf(registry.url).nobody.get(path)).status, 401);
  const redirect = await client.get(path);
  const location = redirect.headers.get("Location")!;
  assertEquals([redirect.status, new URL(location).hostname], [307, "localhost"]);

  const anybody = new RegistryClient(registry.url);
  const whole = await anybody.get(location);
  assertEquals([whole.status, digestOf(whole.bytes)], [200, layer.digest]);
  assertEquals(whole.headers.get("Content-Type"), "application/octet-stream");
  const part = await anybody.get(location, { Range: "bytes=2-6" });
  assertEquals([part.status, part.text], [206, "layer"]);
  for (const method of ["PUT", "DELETE"]) assertEquals((await anybody.send(method, location)).status, 403);
  const other = new URL(location);
  other.pathname = other.pathname.replace(/[0-9a-f]$/, (digit) => digit === "0" ? "1" : "0");
  assertEquals((await anybody.get(other.href)).status, 403);
  assert(!registry.log().includes("X-Amz-Signature"));
});

test("a real store refuses an address whose time is over", [], async (server) => {
  await using registry = await startOver(server, 'redirect = true\nurl_lifetime = "1s"\n');
  const client = clientsOf(registry.url).as("writer");
  const layer = contentOf("a layer for a second");
  await client.pushBlob("team/app", layer);
  const redirect = await client.get(`/v2/team/app/blobs/${layer.digest}`);
  const location = redirect.headers.get("Location")!;
  const deadline = performance.now() + 10_000;
  const anybody = new RegistryClient(registry.url);
  let answer = await anybody.get(location);
  while (answer.status === 200 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    answer = await anybody.get(location);
  }
  assertEquals(answer.status, 403);
  assertMatch(answer.text, /expired/i);
});

test("a real store serves only the clients that settings name", [], async (server) => {
  const settings = 'redirect = "external"\nredirect_networks = ["10.1.0.0/16"]\n';
  await using registry = await startOver(server, settings);
  const client = clientsOf(registry.url).as("writer");
  const layer = contentOf("a layer for some");
  await client.pushBlob("team/app", layer);
  const statusFrom = async (address: string) => {
    const path = `/v2/team/app/blobs/${layer.digest}`;
    return (await client.get(path, { "X-Forwarded-For": address })).status;
  };
  assertEquals(await statusFrom("198.51.100.1"), 307);
  assertEquals(await statusFrom("10.1.2.3"), 307);
  assertEquals(await statusFrom("10.2.2.3"), 200);
  assertEquals((await client.get(`/v2/team/app/blobs/${layer.digest}`)).status, 200);
});

test("skopeo pulls an image whose blobs a real store serves", ["skopeo"], async (server) => {
  await using registry = await startOver(server, "redirect = true\n");
  const folder = await Deno.makeTempDir({ prefix: "sreg-redirect-" });
  try {
    const image = await writeImageLayout(`${folder}/image`);
    const remote = `docker://${registry.host}/team/app:v1`;
    const copy = (side: "src" | "dest", from: string, to: string) => {
      const trust = [`--${side}-tls-verify=false`, `--${side}-creds=writer:writer-password`];
      return runCommand("skopeo", ["--insecure-policy", "copy", "--all", ...trust, from, to]);
    };
    await copy("dest", image.reference, remote);
    await copy("src", remote, `oci:${folder}/back:v1`);
    assertEquals(await listLayoutBlobs(`${folder}/back`), await listLayoutBlobs(image.folder));
    const lines = registry.log().split("\n").filter((line) => line.includes(`"status":307`));
    assertEquals(image.layers.filter((digest) => !lines.some((line) => line.includes(digest))), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
