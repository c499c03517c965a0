import { assertEquals } from "../support/assert.ts";
import { runCommand } from "../support/command.ts";
import { hasProgram } from "../support/programs.ts";
import { canSet, type Scene, sceneName, SCHEMES, setScene } from "./scene.ts";
import { storageFlags } from "./storage.ts";

const SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json";

/** Runs buildah with its images in the scene's folder `home`; answers its output, trimmed. */
async function buildah(scene: Scene, home: string, ...args: string[]): Promise<string> {
  const flags = storageFlags(`${scene.folder}/${home}`);
  const env = { BUILDAH_ISOLATION: "chroot" };
  return (await runCommand("buildah", [...flags, ...args], { env })).trim();
}

async function pushList(scene: Scene): Promise<void> {
  const remote = scene.docker("built/list:v1");
  await buildah(scene, "builder", "manifest", "create", "list");
  await buildah(scene, "builder", "manifest", "add", "--all", "list", scene.image.reference);
  const push = ["manifest", "push", "--all", "--format", "oci", ...scene.trust()];
  await buildah(scene, "builder", ...push, "list", remote);
  const answer = await scene.fetch("/v2/built/list/manifests/v1");
  assertEquals(answer.headers.get("content-type"), "application/vnd.oci.image.index.v1+json");
  const { manifests } = await answer.json() as { manifests: unknown };
  assertEquals(manifests, scene.image.manifests);
}

async function pull(scene: Scene): Promise<void> {
  const remote = scene.docker(`built/list@${scene.image.manifests[0]!.digest}`);
  const id = await buildah(scene, "puller", "pull", "--quiet", ...scene.trust(), remote);
  const format = [
    "--type",
    "image",
    "--format",
    "{{.FromImageDigest}} {{.OCIv1.Config.Labels.architecture}}",
  ];
  assertEquals(
    await buildah(scene, "puller", "inspect", ...format, id),
    `${scene.image.manifests[0]!.digest} amd64`,
  );
}

async function build(scene: Scene): Promise<void> {
  const base = scene.docker("built/list:v1");
  const container = await buildah(
    scene,
    "builder",
    "from",
    "--quiet",
    "--arch=amd64",
    ...scene.trust(),
    base,
  );
  await Deno.writeTextFile(`${scene.folder}/greeting`, "hello\n");
  await buildah(scene, "builder", "copy", "--quiet", container, `${scene.folder}/greeting`, "/greeting");
  await buildah(scene, "builder", "commit", "--quiet", container, "greeter");
  for (const [format, tag] of [["oci", "oci"], ["v2s2", "docker"]] as const) {
    const remote = scene.docker(`built/greeter:${tag}`);
    const digestFile = `${scene.folder}/${tag}.digest`;
    const push = ["push", "--quiet", "--format", format, "--digestfile", digestFile, ...scene.trust()];
    await buildah(scene, "builder", ...push, "greeter", remote);
    const answer = await scene.fetch(`/v2/built/greeter/manifests/${tag}`);
    assertEquals(answer.headers.get("docker-content-digest"), await Deno.readTextFile(digestFile));
    const { layers } = await answer.json() as { layers: unknown[] };
    assertEquals(layers.length, 4);
  }
  const { headers, body } = await scene.fetch("/v2/built/greeter/manifests/docker", { method: "HEAD" });
  await body?.cancel();
  assertEquals(headers.get("content-type"), SCHEMA_2);
}

async function pullBuilt(scene: Scene): Promise<void> {
  for (const tag of ["oci", "docker"]) {
    const id = await buildah(
      scene,
      "puller",
      ...["pull", "--quiet", ...scene.trust(), scene.docker(`built/greeter:${tag}`)],
    );
    assertEquals(
      await buildah(scene, "puller", "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", id),
      await Deno.readTextFile(`${scene.folder}/${tag}.digest`),
    );
  }
}

for (const scheme of SCHEMES) {
  Deno.test({
    name: sceneName("buildah", scheme),
    ignore: !hasProgram("buildah") || !canSet(scheme),
    async fn(t) {
      await using scene = await setScene(scheme);
      await t.step("pushes a list of two architectures whose digests it keeps", () => pushList(scene));
      await t.step("pulls one of them by its digest", () => pull(scene));
      await t.step("builds on one, and pushes what it built as OCI and as Docker", () => build(scene));
      await t.step("pulls what was built", () => pullBuilt(scene));
    },
  });
}
