import type { Finding } from "../../server/registry/scrub/findings.ts";
import { countBlobs, writeStore } from "../bench/large_store.ts";
import { readUsage } from "../bench/process.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ROOT, sregArguments } from "../support/registry.ts";

/** How many blobs the store has: `SREG_SCRUB_BLOBS=1000000` is the store that the design speaks of. */
const BLOBS = Number(Deno.env.get("SREG_SCRUB_BLOBS") ?? 20_000);
const SIZE = { repositories: Math.ceil(BLOBS / 1_000), manifestsEach: 100, blobsEach: 10 };

/** Of the whole process and its plugin's worker, whatever the size of the store. */
const RSS_MAX_MIB = 640;
const ORPHANS = 10;
const LOOK_EVERY_MS = 100;

/** Blobs that one repository has, and no manifest needs; no collector knows. */
function writeOrphans(root: string): string[] {
  return Array.from({ length: ORPHANS }, (_, index) => {
    const hex = `${index}`.repeat(64);
    const path = `sha256/${hex.slice(0, 2)}/${hex}`;
    Deno.mkdirSync(`${root}/links/${path}/team0`, { recursive: true });
    Deno.writeTextFileSync(`${root}/links/${path}/team0/app0!`, "");
    Deno.mkdirSync(`${root}/blobs/sha256/${hex.slice(0, 2)}`, { recursive: true });
    Deno.writeTextFileSync(`${root}/blobs/${path}`, "orphan");
    return `links/${path}/team0/app0!`;
  });
}

/** Scrubs the store with the program; answers its lines, and what it took. */
async function scrubFolder(folder: string) {
  const startedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...sregArguments(), "scrub", "-c", `${folder}/sreg.toml`, "--json"],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let rssBytes = 0;
  const timer = setInterval(() => {
    rssBytes = Math.max(rssBytes, rssOf(child.pid));
  }, LOOK_EVERY_MS);
  const { code, stdout } = await child.output();
  clearInterval(timer);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
  return {
    code,
    report: lines.pop(),
    findings: lines as Finding[],
    seconds: (performance.now() - startedAt) / 1_000,
    rssMib: rssBytes / 2 ** 20,
  };
}

/** Its peak; nothing once it has ended. */
function rssOf(pid: number): number {
  try {
    return readUsage(pid).rssPeakBytes;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

Deno.test({
  name: `scrub walks ${BLOBS} blobs in at most ${RSS_MAX_MIB} MiB, and finds the few that nothing needs`,
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "sreg-scrub-" });
    try {
      writeStore(`${folder}/data`, SIZE);
      const orphans = writeOrphans(`${folder}/data`);
      const config = `[storage.fs]\nroot_dir = "./data"\n[garbage]\ngrace = "1s"\n`;
      await Deno.writeTextFile(`${folder}/sreg.toml`, config);
      const writtenAt = Date.now();
      while (Date.now() < writtenAt + 1_100) await new Promise((resolve) => setTimeout(resolve, 100));

      const { code, report, findings, seconds, rssMib } = await scrubFolder(folder);
      console.log(`${BLOBS} blobs: ${seconds.toFixed(1)} s, peak ${rssMib.toFixed(0)} MiB`);
      assertEquals([code, report.findings], [0, { "orphan-link": ORPHANS }]);
      assertEquals(findings.map(({ key }) => key).toSorted(), orphans.toSorted());
      assertEquals(report.checked.blobs, countBlobs(SIZE) + ORPHANS);
      assertEquals(report.checked.manifests, SIZE.repositories * SIZE.manifestsEach);
      assert(rssMib > 0 && rssMib < RSS_MAX_MIB, `it took ${rssMib} MiB`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
