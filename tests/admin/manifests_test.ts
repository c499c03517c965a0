import { assertEquals } from "../support/assert.ts";
import {
  type Content,
  contentOf,
  descriptorOf,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  type RegistryClient,
} from "../support/client.ts";
import { type OwnImage, partOf, pushOwn, testStores } from "./content_scene.ts";

const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar";
const BASE = "/admin/v1/repositories/team/app/_manifests";
const ESCAPE = "\x1b[31mred\x1b]0;title\x07\u202e";

/** The tree of an image that stands alone. */
function treeOf({ manifest, config, layer, size }: OwnImage, more: object = {}) {
  return {
    ...partOf(manifest, OCI_MANIFEST),
    tags: [],
    artifact_type: CONFIG,
    config: partOf(config, CONFIG),
    layers: [partOf(layer, LAYER)],
    manifests: [],
    referrers: [],
    total_size: size,
    ...more,
  };
}

async function pushIndex(
  client: RegistryClient,
  children: readonly object[],
  reference?: string,
): Promise<Content> {
  const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: children });
  const answer = await client.putManifest("team/app", reference ?? index.digest, index, OCI_INDEX);
  if (answer.status !== 201) throw new Error(answer.text);
  return index;
}

async function treeAt(client: RegistryClient, reference: string) {
  const answer = await client.get(`${BASE}/${reference}`);
  assertEquals([answer.status, answer.headers.get("Content-Type")], [200, "application/json"]);
  return answer.json();
}

testStores("A manifest is shown with all that belongs to it", {}, async ({ as }, t) => {
  const admin = as("admin");
  const annotations = { title: ESCAPE };
  const one = await pushOwn(admin, "team/app", { text: "1", tag: "v1", changes: { annotations } });
  const two = await pushOwn(admin, "team/app", { text: "2" });
  const platform = { os: "linux", architecture: "arm64", variant: "v8", "os.features": ["a"] };
  const index = await pushIndex(admin, [
    { ...descriptorOf(one.manifest, OCI_MANIFEST), platform },
    descriptorOf(two.manifest, OCI_MANIFEST),
    descriptorOf(one.layer, LAYER),
  ], "all");
  await admin.putManifest("team/app", "latest", index, OCI_INDEX);
  const attach = (subject: Content, mediaType: string, text: string) =>
    pushOwn(admin, "team/app", {
      text,
      changes: { subject: descriptorOf(subject, mediaType), artifactType: `application/${text}` },
    });
  const signature = await attach(index, OCI_INDEX, "signature");
  const inner = await attach(signature.manifest, OCI_MANIFEST, "signature-of-it");
  const list = await attach(one.manifest, OCI_MANIFEST, "sbom");

  await t.step("an image: escapes of terminals arrive as they were pushed", async () => {
    const answer = await admin.get(`${BASE}/v1`);
    assertEquals(answer.text.includes("\x1b"), false);
    assertEquals(
      answer.json(),
      treeOf(one, {
        tags: ["v1"],
        annotations,
        referrers: [treeOf(list, { artifact_type: "application/sbom" })],
      }),
    );
    assertEquals(await treeAt(admin, one.manifest.digest.replace(":", "%3A")), answer.json());
  });
  await t.step("an index: platforms, children, and what is attached to any of them", async () => {
    assertEquals(await treeAt(admin, "latest"), {
      ...partOf(index, OCI_INDEX),
      tags: ["all", "latest"],
      layers: [],
      manifests: [
        {
          ...partOf(one.manifest, OCI_MANIFEST),
          platform: { os: "linux", architecture: "arm64", variant: "v8" },
          manifest: await treeAt(admin, "v1"),
        },
        { ...partOf(two.manifest, OCI_MANIFEST), manifest: treeOf(two) },
        partOf(one.layer, LAYER),
      ],
      referrers: [
        treeOf(signature, {
          artifact_type: "application/signature",
          referrers: [treeOf(inner, { artifact_type: "application/signature-of-it" })],
        }),
      ],
      total_size: index.bytes.byteLength + one.size + two.size,
    });
  });
});

testStores("A manifest is shown though parts of it are not there", {}, async ({ as }, t) => {
  const admin = as("admin");
  const one = await pushOwn(admin, "team/app", { text: "1", tag: "v1" });

  await t.step("a child", async () => {
    const two = await pushOwn(admin, "team/app", { text: "2" });
    const children = [one, two].map(({ manifest }) => descriptorOf(manifest, OCI_MANIFEST));
    await pushIndex(admin, children, "latest");
    await admin.send("DELETE", `/v2/team/app/manifests/${two.manifest.digest}`);
    const { manifests } = await treeAt(admin, "latest");
    assertEquals(manifests[1], { ...partOf(two.manifest, OCI_MANIFEST), missing: true });
  });
  await t.step("a layer that is to be had elsewhere", async () => {
    const foreign = {
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
      digest: contentOf("elsewhere").digest,
      size: 9,
    };
    const image = imageOf(one.config, [], { layers: [foreign] });
    await admin.putManifest("team/app", image.digest, image);
    const { digest, size, mediaType } = foreign;
    assertEquals((await treeAt(admin, image.digest)).layers, [{ digest, size, media_type: mediaType }]);
  });
  await t.step("but not one that the repository does not have", async () => {
    const { digest } = (await pushOwn(admin, "secret/app", { text: "elsewhere", tag: "v1" })).manifest;
    for (const reference of ["none", digest, contentOf("none").digest]) {
      const answer = await admin.get(`${BASE}/${reference}`);
      assertEquals([answer.status, answer.json().errors[0].code], [404, "MANIFEST_UNKNOWN"]);
    }
    assertEquals((await admin.get(`${BASE}/sha256:ab`)).json().errors[0].code, "DIGEST_INVALID");
  });
});

testStores("A tree ends where it would have no end, or none in sight", {}, async ({ as }, t) => {
  const admin = as("admin");
  const image = await pushOwn(admin, "team/app", { text: "1", tag: "v1" });

  await t.step("an index that is attached to what it lists", async () => {
    const index = contentOf({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [descriptorOf(image.manifest, OCI_MANIFEST)],
      subject: descriptorOf(image.manifest, OCI_MANIFEST),
    });
    await admin.putManifest("team/app", index.digest, index, OCI_INDEX);
    const { referrers } = await treeAt(admin, "v1");
    assertEquals(referrers[0].manifests, [{ ...partOf(image.manifest, OCI_MANIFEST), cut: "cycle" }]);
  });
  await t.step("indexes within indexes", async () => {
    let index = await pushIndex(admin, [descriptorOf(image.manifest, OCI_MANIFEST)]);
    for (let depth = 0; depth < 10; depth++) index = await pushIndex(admin, [descriptorOf(index, OCI_INDEX)]);
    let tree = await treeAt(admin, index.digest);
    let depth = 1;
    while (tree.manifests[0].manifest) [tree, depth] = [tree.manifests[0].manifest, depth + 1];
    assertEquals([depth, tree.manifests[0].cut], [8, "depth"]);
  });
  await t.step("a few manifests that are listed again and again", async () => {
    let index = await pushIndex(admin, [descriptorOf(image.manifest, OCI_MANIFEST)]);
    for (let depth = 0; depth < 6; depth++) {
      index = await pushIndex(admin, Array.from({ length: 8 }, () => descriptorOf(index, OCI_INDEX)));
    }
    const answer = await admin.get(`${BASE}/${index.digest}`);
    assertEquals([answer.status, answer.text.includes('"cut":"size"')], [200, true]);
    assertEquals(answer.text.split('"total_size"').length - 1, 1_000);
  });
  await t.step("many referrers", async () => {
    const subject = descriptorOf(image.manifest, OCI_MANIFEST);
    for (let count = 0; count < 101; count++) {
      const referrer = imageOf(image.config, [], { subject, annotations: { count: `${count}` } });
      await admin.putManifest("team/app", referrer.digest, referrer);
    }
    const tree = await treeAt(admin, "v1");
    assertEquals([tree.referrers.length, tree.more_referrers], [100, true]);
  });
});
