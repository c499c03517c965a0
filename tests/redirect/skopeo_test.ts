import { hashArgon2id } from "../password/hashes.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runCommand } from "../support/command.ts";
import { listLayoutBlobs, writeImageLayout } from "../support/image_layout.ts";
import { hasProgram } from "../support/programs.ts";
import { startLender, startLendingRegistry } from "./scene.ts";

/** A registry that is closed, as `writer` sees it. */
async function configWithWriter(): Promise<string> {
  const password = await hashArgon2id("writer-password");
  return `
[identity.writer]
username = "writer"
password = "${password}"
[[binding]]
role = "push"
users = ["writer"]
`;
}

Deno.test({
  name: "skopeo reads blobs where the store lends them, and shows nothing of its credentials there",
  ignore: !hasProgram("skopeo"),
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "sreg-redirect-" });
    try {
      const image = await writeImageLayout(`${folder}/image`);
      await using lender = startLender();
      // A store has another name than its registry: some clients would show their credentials again to the same.
      const base = lender.url.replace("127.0.0.1", "localhost");
      await using registry = await startLendingRegistry(base, await configWithWriter());
      const remote = `docker://${registry.host}/team/app:v1`;
      const copy = (from: string, to: string, side: "src" | "dest") =>
        runCommand("skopeo", [
          ...["--insecure-policy", "copy", "--all", "--preserve-digests"],
          ...[`--${side}-tls-verify=false`, `--${side}-creds=writer:writer-password`],
          ...[from, to],
        ]);
      await copy(image.reference, remote, "dest");
      const lent = lender.fetched.length;
      for (const path of await listBlobFiles(image.folder)) lender.lend(await Deno.readFile(path));
      await copy(remote, `oci:${folder}/back:v1`, "src");

      assertEquals(await listLayoutBlobs(`${folder}/back`), await listLayoutBlobs(image.folder));
      const fetched = lender.fetched.slice(lent).map(({ path }) => path.split("/").at(-1));
      const layers = image.layers.map((digest) => digest.replace("sha256:", ""));
      assertEquals(layers.filter((hex) => !fetched.some((name) => name?.includes(hex))), []);
      for (const { headers } of lender.fetched) assert(!headers.has("Authorization"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function listBlobFiles(folder: string): Promise<string[]> {
  const directory = `${folder}/blobs/sha256`;
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => `${directory}/${name}`);
}
