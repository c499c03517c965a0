/** Blobs that are pulled again and again, over a real S3 server: what they still ask of it, and what memory they take. */

import { readUsage, resetPeak } from "../bench/process.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { type Answer, type Content, digestOf, randomContent, RegistryClient } from "../support/client.ts";
import { FaultyProxy } from "../support/faulty_proxy.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { S3_PROGRAM, s3Toml, startS3 } from "../support/s3_server.ts";

const MIB = 1024 * 1024;
const NAME = "team/app";
const SLOW_CLIENTS = 64;
const SLOW_BYTES = 48 * MIB;
/** Two copies of what they read: connections have buffers, too. */
const GROWTH_BYTES_MAX = 2 * SLOW_BYTES;

/** A registry over S3, and what it asks of that. */
interface Scene {
  readonly registry: RunningRegistry;
  readonly store: FaultyProxy;
  readonly client: RegistryClient;
  /** What it is configured with. */
  readonly config: string;
  /** The folder in which each object is a file, under its key. */
  readonly folder: string;
}

function test(
  name: string,
  { more = "", programs = [] }: { readonly more?: string; readonly programs?: readonly string[] },
  fn: (scene: Scene) => Promise<void>,
): void {
  const needed = [S3_PROGRAM, ...programs];
  Deno.test({
    name: `${name} (${needed.join(", ")})`,
    ignore: !needed.every(hasProgram),
    async fn() {
      await using s3 = await startS3();
      await using store = new FaultyProxy(s3.endpoint);
      const config = `${s3Toml({ ...s3, endpoint: store.endpoint })}retry_budget = "1s"\n${more}`;
      await using registry = await startRegistry({ config });
      const client = new RegistryClient(registry.url);
      await fn({ registry, store, client, config, folder: s3.bucketFolder });
    },
  });
}

/** Pulls the blob, or a part of it; answers what of its keys was read, too: `links` or `blobs`. */
async function pull({ client, store }: Scene, digest: string, range?: string): Promise<[Answer, string[]]> {
  store.forget();
  const answer = await client.get(`/v2/${NAME}/blobs/${digest}`, range === undefined ? {} : { Range: range });
  const ofBlob = store.requests.filter(({ key }) => key.includes(digest.replace("sha256:", "")));
  return [answer, ofBlob.map(({ operation, key }) => `${operation} ${key.split("/")[0]}`)];
}

/** Pulls the blob until it is in memory. */
async function warm(scene: Scene, { digest }: Content): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const [{ status }, asked] = await pull(scene, digest);
    assertEquals(status, 200);
    if (!asked.includes("GetObject blobs")) return;
    assert(performance.now() < deadline, "the blob is still read from the store");
  }
}

test("A blob that is in memory is asked of the store for its link alone, each time", {}, async (scene) => {
  const content = await scene.client.pushBlob(NAME, randomContent(3 * MIB + 1));
  const { digest, bytes } = content;
  for (let turn = 0; turn < 2; turn++) {
    const [answer, asked] = await pull(scene, digest);
    assertEquals([answer.status, digestOf(answer.bytes)], [200, digest]);
    assert(asked.includes("GetObject blobs"), `${asked}`);
  }
  await warm(scene, content);

  const [whole, asked] = await pull(scene, digest);
  assertEquals([whole.status, digestOf(whole.bytes), asked.length], [200, digest, 1]);
  assert(/ links$/.test(asked[0]!), `${asked}`);
  const [part, askedForPart] = await pull(scene, digest, `bytes=${MIB}-`);
  assertEquals([part.status, digestOf(part.bytes)], [206, digestOf(bytes.subarray(MIB))]);
  assertEquals(askedForPart, asked);
  assertEquals((await scene.client.get(`/v2/${NAME}-other/blobs/${digest}`)).status, 404);

  const outage = scene.store.plan({ fault: { kind: "answer", status: 503, code: "SlowDown" } });
  assertEquals((await pull(scene, digest))[0].status, 503);
  outage.end();
  await scene.client.send("DELETE", `/v2/${NAME}/blobs/${digest}`);
  const [gone] = await pull(scene, digest);
  assertEquals([gone.status, gone.json().errors[0].code], [404, "BLOB_UNKNOWN"]);
});

test(
  "With `cache_size = 0` each pull reads the store",
  { more: "[blobs]\ncache_size = 0\n" },
  async (scene) => {
    const { digest } = await scene.client.pushBlob(NAME, randomContent(MIB));
    for (let turn = 0; turn < 5; turn++) {
      const [{ status }, asked] = await pull(scene, digest);
      assertEquals([status, asked.includes("GetObject blobs")], [200, true]);
    }
  },
);

test("A blob that is damaged in the store is not kept, and the log says so", {}, async (scene) => {
  const content = await scene.client.pushBlob(NAME, randomContent(MIB));
  await pull(scene, content.digest);
  const { key } = scene.store.requests.find(({ operation, key }) =>
    operation === "GetObject" && key.includes("blobs/")
  )!;
  await Deno.writeFile(`${scene.folder}/${key}`, content.bytes.map((byte, at) => at === 7 ? byte + 1 : byte));
  for (let turn = 0; turn < 4; turn++) {
    const [{ status }, asked] = await pull(scene, content.digest);
    assertEquals([status, asked.includes("GetObject blobs")], [200, true]);
  }
  const told = scene.registry.log().split("\n").filter((line) =>
    line.includes("Cannot keep a blob in memory")
  );
  assertEquals(told.map((line) => JSON.parse(line).digest), [content.digest]);
});

/** Reads a little of an answer, and answers the connection. */
async function readSlowly(connection: Deno.Conn, path: string): Promise<Deno.Conn> {
  await connection.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
  const buffer = new Uint8Array(64 * 1024);
  for (let read = 0; read < 256 * 1024;) read += await connection.read(buffer) ?? Infinity;
  return connection;
}

/** Has many clients read the blob, which is in memory; answers by how much the memory of the server has grown. */
async function growthWith(connect: () => Promise<Deno.Conn>, { pid, digest }: {
  readonly pid: number;
  readonly digest: string;
}): Promise<number> {
  resetPeak(pid);
  const before = readUsage(pid).rssPeakBytes;
  const path = `/v2/${NAME}/blobs/${digest}`;
  const slow = Array.from({ length: SLOW_CLIENTS }, async () => readSlowly(await connect(), path));
  const connections = await Promise.all(slow);
  const growth = readUsage(pid).rssPeakBytes - before;
  connections.forEach((connection) => connection.close());
  return growth;
}

test("A blob in memory is there once, however many clients read it slowly", {}, async (scene) => {
  const content = await scene.client.pushBlob(NAME, randomContent(SLOW_BYTES));
  await warm(scene, content);
  const { hostname, port } = new URL(scene.registry.url);
  const connect = () => Deno.connect({ hostname, port: Number(port) });
  const growth = await growthWith(connect, { pid: scene.registry.pid, digest: content.digest });
  assert(growth < GROWTH_BYTES_MAX, `it grew by ${growth} bytes`);
});

const OVER_TLS = "A blob in memory is there once over TLS, too, and comes whole";
test(OVER_TLS, { programs: ["openssl"] }, async ({ client, store, config }) => {
  await using files = await makeFiles();
  const tls =
    `[server.tls]\nserver_certificate_bundle = "${files.certificate}"\nserver_private_key = "${files.key}"\n`;
  await using registry = await startRegistry({ config: tls + config });
  const content = await client.pushBlob(NAME, randomContent(SLOW_BYTES));
  const caCerts = [await Deno.readTextFile(files.authority)];
  using trusting = Deno.createHttpClient({ caCerts });
  const get = async () => {
    store.forget();
    const answer = await fetch(`${registry.url}/v2/${NAME}/blobs/${content.digest}`, { client: trusting });
    assertEquals(digestOf(await answer.bytes()), content.digest);
    return store.requests.some(({ operation, key }) => operation === "GetObject" && /^blobs\//.test(key));
  };
  const deadline = performance.now() + 30_000;
  while (await get()) assert(performance.now() < deadline, "the blob is still read from the store");
  const { hostname, port } = new URL(registry.url);
  const connect = () => Deno.connectTls({ hostname, port: Number(port), caCerts });
  const growth = await growthWith(connect, { pid: registry.pid, digest: content.digest });
  assert(growth < GROWTH_BYTES_MAX, `it grew by ${growth} bytes`);
});

async function makeFiles() {
  const folder = await Deno.makeTempDir({ prefix: "sreg-hot-" });
  const files = await makeCertificate(folder);
  return { ...files, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}
