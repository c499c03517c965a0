import { assertEquals, assertMatch } from "../support/assert.ts";
import { runCommand, tryCommand } from "../support/command.ts";
import { listLayoutBlobs } from "../support/image_layout.ts";
import { hasProgram } from "../support/programs.ts";
import { canSet, type Scene, sceneName, SCHEMES, setScene } from "./scene.ts";

const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json";

function skopeo(...args: string[]): Promise<string> {
  return runCommand("skopeo", ["--insecure-policy", ...args]);
}

async function pushAndPull(scene: Scene): Promise<void> {
  const { image, folder } = scene;
  const remote = scene.docker("team/app:v1");
  await skopeo("copy", "--all", "--preserve-digests", ...scene.trust("dest-"), image.reference, remote);
  await skopeo(
    "copy",
    "--all",
    "--preserve-digests",
    ...scene.trust("src-"),
    remote,
    `oci:${folder}/back:v1`,
  );
  assertEquals(await listLayoutBlobs(`${folder}/back`), await listLayoutBlobs(image.folder));
  const raw = await skopeo("inspect", "--raw", ...scene.trust(), remote);
  assertEquals(raw, await Deno.readTextFile(`${image.folder}/blobs/${image.digest.replace(":", "/")}`));
}

async function refuseUntrusted(scene: Scene): Promise<void> {
  const result = await tryCommand("skopeo", ["list-tags", scene.docker("team/app")]);
  assertEquals(result.success, false);
  assertMatch(result.stderr, /HTTP response to HTTPS client|certificate signed by unknown authority/);
}

async function pushSchema2(scene: Scene): Promise<void> {
  const { folder } = scene;
  const remote = scene.docker("team/docker:v1");
  const convert = ["copy", "--all", "--format", "v2s2", ...scene.trust("dest-")];
  await skopeo(...convert, scene.image.reference, remote);
  const accept = { headers: { accept: `${LIST}, ${SCHEMA_2}` } };
  const answer = await scene.fetch("/v2/team/docker/manifests/v1", accept);
  assertEquals(answer.headers.get("content-type"), LIST);
  const list = await answer.json() as { manifests: { mediaType: string; digest: string }[] };
  assertEquals(list.manifests.map(({ mediaType }) => mediaType), [SCHEMA_2, SCHEMA_2]);
  for (const { digest } of list.manifests) {
    const child = await scene.fetch(`/v2/team/docker/manifests/${digest}`, accept);
    assertEquals(child.headers.get("content-type"), SCHEMA_2);
    assertEquals((await child.json()).mediaType, SCHEMA_2);
  }
  await skopeo("copy", "--all", "--preserve-digests", ...scene.trust("src-"), remote, `dir:${folder}/docker`);
  assertEquals(
    await Deno.readTextFile(`${folder}/docker/manifest.json`),
    await skopeo("inspect", "--raw", ...scene.trust(), remote),
  );
}

async function copyInside(scene: Scene): Promise<void> {
  const before = scene.served().length;
  const trust = [...scene.trust("src-"), ...scene.trust("dest-")];
  const [from, to] = [scene.docker("team/app:v1"), scene.docker("other/app:v2")];
  await skopeo("copy", "--all", "--preserve-digests", ...trust, from, to);
  const writes = scene.served().slice(before).filter(({ target }) =>
    target.startsWith("/v2/other/app/blobs/")
  );
  const mounted = writes.filter(({ status }) => status === 201).map(({ target }) =>
    new URLSearchParams(target.split("?")[1]).get("mount")
  );
  assertEquals(mounted.filter((digest) => digest !== null).sort(), scene.image.layers);
  // Configs are small: skopeo sends them anew.
  assertEquals(writes.filter(({ method }) => method === "PUT").length, scene.image.manifests.length);
  const original = await scene.fetch("/v2/team/app/manifests/v1");
  const copy = await scene.fetch("/v2/other/app/manifests/v2");
  assertEquals(await copy.text(), await original.text());
}

async function inspect(scene: Scene): Promise<void> {
  const remote = scene.docker("team/app:v1");
  const text = await skopeo("inspect", "--override-arch=arm64", ...scene.trust(), remote);
  const { Name, Digest, RepoTags, Architecture, Labels, Layers } = JSON.parse(text);
  assertEquals({ Name, Digest, RepoTags, Architecture, Labels, layers: Layers.length }, {
    Name: `${scene.registry.host}/team/app`,
    Digest: scene.image.digest,
    RepoTags: ["v1"],
    Architecture: "arm64",
    Labels: { architecture: "arm64" },
    layers: 3,
  });
}

async function listTags(scene: Scene): Promise<void> {
  for (const tag of ["0.1.2", "0.1.20", "latest"]) {
    const trust = [...scene.trust("src-"), ...scene.trust("dest-")];
    await skopeo("copy", "--all", ...trust, scene.docker("team/app:v1"), scene.docker(`team/app:${tag}`));
  }
  assertEquals(JSON.parse(await skopeo("list-tags", ...scene.trust(), scene.docker("team/app"))), {
    Repository: `${scene.registry.host}/team/app`,
    Tags: ["0.1.2", "0.1.20", "latest", "v1"],
  });
}

async function deleteImage(scene: Scene): Promise<void> {
  await skopeo("delete", ...scene.trust(), scene.docker("team/app:v1"));
  assertEquals((await scene.fetch(`/v2/team/app/manifests/${scene.image.digest}`)).status, 404);
  assertEquals(JSON.parse(await skopeo("list-tags", ...scene.trust(), scene.docker("team/app"))).Tags, []);
  const back = `oci:${scene.folder}/survivor:v2`;
  await skopeo("copy", "--all", ...scene.trust("src-"), scene.docker("other/app:v2"), back);
  assertEquals(
    await listLayoutBlobs(`${scene.folder}/survivor`),
    await listLayoutBlobs(scene.image.folder),
  );
}

for (const scheme of SCHEMES) {
  Deno.test({
    name: sceneName("skopeo", scheme),
    ignore: !hasProgram("skopeo") || !canSet(scheme),
    async fn(t) {
      await using scene = await setScene(scheme);
      await t.step("refuses a registry that it has no reason to trust", () => refuseUntrusted(scene));
      await t.step("pushes two architectures and pulls them back, byte for byte", () => pushAndPull(scene));
      await t.step("pushes them as Docker schema 2, list and images", () => pushSchema2(scene));
      await t.step("copies between repositories without sending a layer", () => copyInside(scene));
      await t.step("inspects one architecture of the image", () => inspect(scene));
      await t.step("lists the tags in their order", () => listTags(scene));
      await t.step("deletes an image with its tags, and not its copy", () => deleteImage(scene));
    },
  });
}
