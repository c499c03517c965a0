import { assert, assertEquals } from "../support/assert.ts";
import { runCommand } from "../support/command.ts";
import { hasProgram } from "../support/programs.ts";
import { canSet, type Scene, sceneName, SCHEMES, setScene } from "./scene.ts";
import { storageFlags } from "./storage.ts";

/** Runs podman with its images in the scene's folder `home`; answers its output, trimmed. */
async function podman(scene: Scene, home: string, ...args: string[]): Promise<string> {
  const flags = [...storageFlags(`${scene.folder}/${home}`), "--cgroup-manager", "cgroupfs"];
  return (await runCommand("podman", [...flags, ...args], { env: scene.environment })).trim();
}

async function pushList(scene: Scene): Promise<void> {
  const remote = scene.docker("pod/list:v1");
  await podman(scene, "one", "manifest", "create", "list");
  await podman(scene, "one", "manifest", "add", "--all", "list", scene.image.reference);
  const push = ["manifest", "push", "--all", "--format", "oci", ...scene.trust()];
  await podman(scene, "one", ...push, "list", remote);
  const { manifests } = await (await scene.fetch("/v2/pod/list/manifests/v1")).json() as {
    manifests: unknown;
  };
  assertEquals(manifests, scene.image.manifests);
}

async function pull(scene: Scene): Promise<void> {
  const remote = `${scene.registry.host}/pod/list:v1`;
  for (
    const [architecture, { digest }] of [["arm64", scene.image.manifests[1]!], [
      "amd64",
      scene.image.manifests[0]!,
    ]] as const
  ) {
    const id = await podman(
      scene,
      architecture,
      "pull",
      "--quiet",
      "--arch",
      architecture,
      ...scene.trust(),
      remote,
    );
    const format = "{{.Architecture}} {{len .RootFS.Layers}} {{.RepoDigests}}";
    const facts = await podman(scene, architecture, "image", "inspect", "--format", format, id);
    assert(facts.startsWith(`${architecture} 3 [`), facts);
    assert(facts.includes(`/pod/list@${digest}`), facts);
  }
}

async function push(scene: Scene): Promise<void> {
  const [from, to] = ["list:v1", "copy:v2"].map((image) => `${scene.registry.host}/pod/${image}`);
  const digestFile = `${scene.folder}/podman.digest`;
  await podman(scene, "amd64", "push", "--quiet", "--digestfile", digestFile, ...scene.trust(), from!, to!);
  const answer = await scene.fetch("/v2/pod/copy/manifests/v2", { method: "HEAD" });
  assertEquals(answer.headers.get("docker-content-digest"), await Deno.readTextFile(digestFile));
  await podman(scene, "amd64", "rmi", "--all", "--force");
  await podman(scene, "amd64", "pull", "--quiet", ...scene.trust(), to!);
}

async function search(scene: Scene): Promise<void> {
  // Its search has no flag for an authority; it believes the environment.
  const trust = scene.scheme === "http" ? scene.trust() : [];
  const lines = async (...args: string[]) =>
    (await podman(scene, "one", "search", ...trust, ...args)).split("\n").sort();
  const { host } = scene.registry;
  assertEquals(await lines("--format", "{{.Name}}", `${host}/`), [`${host}/pod/copy`, `${host}/pod/list`]);
  const tags = (await lines("--list-tags", `${host}/pod/copy`)).map((line) => line.replace(/ +/, " "));
  assertEquals(tags, [`${host}/pod/copy v2`, "NAME TAG"]);
}

for (const scheme of SCHEMES) {
  Deno.test({
    name: sceneName("podman", scheme),
    ignore: !hasProgram("podman") || !canSet(scheme),
    async fn(t) {
      await using scene = await setScene(scheme);
      await t.step("pushes a list of two architectures whose digests it keeps", () => pushList(scene));
      await t.step("pulls each of them", () => pull(scene));
      await t.step("pushes one to another repository and pulls it anew", () => push(scene));
      await t.step("finds the repositories and the tags", () => search(scene));
    },
  });
}
