import { ROOT, sregArguments, startRegistry } from "../support/registry.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { OCI_MANIFEST, RegistryClient } from "../support/client.ts";
import type { Finding, ScrubReport } from "../../server/registry/scrub/findings.ts";

async function sregScrub(dataDir: string, ...args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...sregArguments(), "scrub", "--data-dir", dataDir, ...args],
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function readLines(stdout: string): { readonly findings: Finding[]; readonly report: ScrubReport } {
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  return { report: lines.pop(), findings: lines };
}

/** Makes everything in the store look two hours old. */
async function age(path: string): Promise<void> {
  const time = new Date(Date.now() - 7_200_000);
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) await age(`${path}/${name}`);
    else await Deno.utime(`${path}/${name}`, time, time);
  }
}

Deno.test("sreg scrub finds what is wrong without a server, mends it when it is told to, and fails while damage stays", async () => {
  const server = await startRegistry();
  const { dataDir } = server;
  try {
    const client = new RegistryClient(server.url);
    const { digest } = await client.pushImage("team/app", "latest");
    const { layers: [layer] } = (await client.get("/v2/team/app/manifests/latest", { Accept: OCI_MANIFEST }))
      .json();
    const hex = layer.digest.slice("sha256:".length);
    await age(dataDir);

    const clean = await sregScrub(dataDir, "--json", "--rehash");
    assertEquals([clean.code, clean.stderr, readLines(clean.stdout).findings], [0, "", []]);
    assertEquals(readLines(clean.stdout).report.checked.hashed_blobs, 2);

    await Deno.writeTextFile(`${dataDir}/repositories/team/app/_tags/found`, `${digest}\nx`);
    await Deno.writeTextFile(`${dataDir}/blobs/sha256/${hex.slice(0, 2)}/${hex}`, "LAYER of team/app");
    await age(dataDir);
    const shown = await sregScrub(dataDir, "--rehash", "--repair", "--dry-run", "--rate", "50MB/s");
    assertEquals([shown.code, shown.stderr], [1, ""]);
    assert(/^damage {4}wrong-digest {2,}blobs\/sha256\/\S+: its 17 bytes/m.test(shown.stdout), shown.stdout);
    assert(/^missing-tagged +1\n/m.test(shown.stdout), shown.stdout);
    assert(shown.stdout.endsWith("\nDamage stays\n"), shown.stdout);

    const repair = readLines((await sregScrub(dataDir, "--rehash", "--repair", "--json")).stdout);
    assertEquals(repair.findings.map(({ kind }) => kind).toSorted(), ["missing-tagged", "wrong-digest"]);
    const [moved] = repair.findings.flatMap(({ quarantined }) => quarantined ?? []);
    assertEquals(await Deno.readTextFile(`${dataDir}/${moved}`), "LAYER of team/app");
    const pulled = await client.get(`/v2/team/app/blobs/${layer.digest}`);
    assertEquals(pulled.status, 404);
    const after = await sregScrub(dataDir, "--json");
    assertEquals(readLines(after.stdout).findings.map(({ kind }) => kind), ["missing-blob"]);
    assertEquals(after.code, 1);
  } finally {
    await server.stop();
  }
});

Deno.test("sreg scrub refuses a rate that is none, and a configuration that is not there", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  try {
    assertEquals(await sregScrub(folder, "--rate", "fast"), {
      code: 2,
      stdout: "",
      stderr: "sreg: --rate: expected bytes a second such as 50MB/s\n",
    });
    const { code, stdout } = await sregScrub(folder, "-c", `${folder}/nothing.toml`);
    assertEquals([code, stdout], [1, ""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a scrub is a job of the server, which knows all that the server itself keeps in its store", async () => {
  const config = `[garbage]\ngrace = "1s"\n[schedule]\ngc = "off"\n`;
  await using server = await startRegistry({ config });
  const client = new RegistryClient(server.url);
  await client.pushImage("team/app", "latest");
  const headers = { "Content-Type": "application/json" };
  const runJob = async (kind: string, options: object) => {
    const body = JSON.stringify({ kind, options });
    const { status, json, text } = await client.send("POST", "/admin/v1/jobs", { headers, body });
    assertEquals(status, 202, text);
    for (;;) {
      const job = (await client.get(`/admin/v1/jobs/${json().job}`)).json();
      if (job.state !== "running") return job;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await runJob("gc", {});
  await age(server.dataDir);
  const job = await runJob("scrub", { rehash: true, repair: true, rate: "1GiB" });
  assertEquals([job.state, job.report.findings, job.lines], ["done", {}, 0]);
  assertEquals(job.report.checked.hashed_blobs, 2);
  await Deno.mkdir(`${server.dataDir}/lost`);
  await Deno.writeTextFile(`${server.dataDir}/lost/thing`, "?");
  await age(server.dataDir);
  const second = await runJob("scrub", { repair: true });
  assertEquals(second.report.findings, { "unknown-key": 1 });
  const { lines } = (await client.get(`/admin/v1/jobs/${second.id}/lines`)).json();
  const [{ quarantined, ...line }] = lines;
  assertEquals(line, {
    severity: "leftover",
    kind: "unknown-key",
    key: "lost/thing",
    detail: "the registry does not write it; it has 1 bytes",
  });
  assertEquals(await Deno.readTextFile(`${server.dataDir}/${quarantined}`), "?");
  for (const options of [{ rate: 0 }, { rate: "fast" }, { repair: 1 }, { other: true }]) {
    const body = JSON.stringify({ kind: "scrub", options });
    assertEquals((await client.send("POST", "/admin/v1/jobs", { headers, body })).status, 400);
  }
});
