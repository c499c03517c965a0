import { CAN_MOUNT, mountTmpfs } from "../storage/folders.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { digestOf } from "../support/image_layout.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { type Answer, Connection } from "./connection.ts";
import { Random } from "./random.ts";
import { text } from "./uploads.ts";

const MIB = 1024 * 1024;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** A registry on a small disk, with an image that was pushed while all was well. */
interface Scene {
  readonly server: RunningRegistry;
  readonly connection: Connection;
  readonly disk: Awaited<ReturnType<typeof mountTmpfs>>;
}

const EARLIER = new Random(1).bytes(MIB);
const CONFIG = { mediaType: "application/octet-stream", digest: digestOf(EARLIER), size: EARLIER.length };

function manifestOf(note: string): Uint8Array<ArrayBuffer> {
  const document = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: CONFIG,
    layers: [],
    annotations: { note },
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

function pushManifest({ connection }: Scene, tag: string): Promise<Answer> {
  const headers = { "content-type": MANIFEST };
  return connection.send("PUT", `/v2/small/manifests/${tag}`, { body: manifestOf(tag), headers });
}

function pushBlob({ connection }: Scene, bytes: Uint8Array<ArrayBuffer>): Promise<Answer> {
  return connection.send("POST", `/v2/small/blobs/uploads/?digest=${digestOf(bytes)}`, { body: bytes });
}

async function assertEarlierContent({ connection }: Scene): Promise<void> {
  const blob = await connection.send("GET", `/v2/small/blobs/${digestOf(EARLIER)}`);
  assertEquals([blob.status, digestOf(blob.bytes)], [200, digestOf(EARLIER)]);
  const manifest = await connection.send("GET", "/v2/small/manifests/earlier");
  assertEquals([manifest.status, text(manifest)], [200, new TextDecoder().decode(manifestOf("earlier"))]);
  assertEquals(
    text(await connection.send("GET", "/v2/small/tags/list")),
    '{"name":"small","tags":["earlier"]}',
  );
}

/** The server's own fault: told by an id that its log explains, and by nothing of the log. */
function assertServerError(
  { server }: Scene,
  answer: Answer,
  expected: { status: number; reason: RegExp },
): void {
  assertEquals(answer.status, expected.status, text(answer));
  const id = answer.headers.get("x-request-id");
  assert(id !== null && text(answer).includes(id), text(answer));
  assert(!text(answer).includes(server.dataDir), text(answer));
  const line = server.log().split("\n").find((line) => line.includes(id));
  assert(line !== undefined && expected.reason.test(line), line ?? server.log());
}

async function withSmallDisk(run: (scene: Scene) => Promise<void>): Promise<void> {
  await using disk = await mountTmpfs("size=8m");
  await using server = await startRegistry({ dataDir: `${disk.path}/data` });
  using connection = new Connection(server.url);
  const scene = { server, connection, disk };
  assertEquals((await pushBlob(scene, EARLIER)).status, 201);
  assertEquals((await pushManifest(scene, "earlier")).status, 201);
  await run(scene);
}

const FULL = { status: 503, reason: /No space left on device/ };

Deno.test({
  name: "A disk that fills up during a push (needs mount)",
  ignore: !CAN_MOUNT,
  async fn(t) {
    await withSmallDisk(async (scene) => {
      const { connection, disk } = scene;
      const large = new Random(2).bytes(10 * MIB);
      const begun = await connection.send("POST", "/v2/small/blobs/uploads/");
      const upload = begun.headers.get("location")!;

      await t.step("the push is refused with 503 and when to try again", async () => {
        const answer = await connection.send("PATCH", upload, { body: large });
        assertServerError(scene, answer, FULL);
        assertEquals(answer.headers.get("retry-after"), "5");
      });
      await t.step("a single request and a manifest are refused alike", async () => {
        assertServerError(scene, await pushBlob(scene, large.slice(0, 8 * MIB)), FULL);
        assertServerError(scene, await pushManifest(scene, "later"), FULL);
      });
      await t.step("what was pushed earlier can be read", () => assertEarlierContent(scene));
      await t.step("the upload says what it has, and can be cancelled to make room", async () => {
        const status = await connection.send("GET", upload);
        assertEquals(status.status, 204);
        const end = Number(status.headers.get("range")!.slice(2));
        assert(end > 0 && end < 8 * MIB, `${end}`);
        assertEquals((await connection.send("DELETE", upload)).status, 204);
      });
      await t.step("then pushes work again without a restart", async () => {
        const blob = large.slice(0, 2 * MIB);
        assertEquals((await pushBlob(scene, blob)).status, 201);
        assertEquals((await connection.send("GET", `/v2/small/blobs/${digestOf(blob)}`)).bytes, blob);
        assertEquals((await pushManifest(scene, "earlier")).status, 201);
        await assertEarlierContent(scene);
      });
      await t.step("a single request that fails takes no room, for nobody could give it back", async () => {
        assertServerError(scene, await pushBlob(scene, large), FULL);
        assertEquals((await pushBlob(scene, large.slice(0, 3 * MIB))).status, 201);
      });
      await t.step("no file aside is left over", () => {
        assertEquals([...Deno.readDirSync(`${disk.path}/data/%temp`)], []);
      });
    });
  },
});

Deno.test({
  name: "A disk that becomes read-only (needs mount)",
  ignore: !CAN_MOUNT,
  async fn(t) {
    await withSmallDisk(async (scene) => {
      const { connection, disk } = scene;
      const readOnly = { status: 500, reason: /Read-only file system/ };
      const blob = new Random(3).bytes(1000);
      await disk.remount("ro");

      await t.step("pushes and deletions are refused with 500", async () => {
        assertServerError(scene, await pushBlob(scene, blob), readOnly);
        assertServerError(scene, await pushManifest(scene, "later"), readOnly);
        assertServerError(scene, await connection.send("DELETE", "/v2/small/manifests/earlier"), readOnly);
        const digest = digestOf(manifestOf("earlier"));
        assertServerError(scene, await connection.send("DELETE", `/v2/small/manifests/${digest}`), readOnly);
      });
      await t.step("what was pushed earlier can be read", () => assertEarlierContent(scene));
      await disk.remount("rw");
      await t.step("once it can be written, all works again without a restart", async () => {
        assertEquals((await pushBlob(scene, blob)).status, 201);
        assertEquals((await connection.send("DELETE", "/v2/small/manifests/earlier")).status, 202);
        assertEquals((await connection.send("GET", "/v2/small/manifests/earlier")).status, 404);
      });
    });
  },
});
