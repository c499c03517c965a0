/** A replica whose clock is an hour from those of the others, and of the store. */

import { assertEquals } from "../support/assert.ts";
import { RegistryClient } from "../support/client.ts";
import { sharedConfig } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningRegistry, startProcess } from "../support/registry.ts";
import { faultTest, rowsOf, type Scene, startScene } from "./scene.ts";

/** What `faketime` itself preloads; it would stand between its signals and the server. */
const LIBRARY = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketimeMT.so.1`;
const HOUR_S = 3_600;
const CONFIG =
  `[garbage]\ngrace = "10m"\n[uploads]\nidle_timeout = "10m"\n[schedule]\ngc = "off"\n[log]\nlevel = "warn"\n`;

/** One more replica. Its clock is so many seconds ahead; that by which it measures times runs as it should. */
async function startAhead({ cluster: { ground, folder } }: Scene, seconds: number): Promise<RunningRegistry> {
  const prefix = `${folder.slice(ground.s3.bucketFolder.length + 1)}/`;
  const storage = `redirect_networks = ["127.0.0.2"]\n`;
  return await startProcess({
    config: CONFIG + sharedConfig(ground, { prefix, storage }),
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME: `${seconds < 0 ? "" : "+"}${seconds}s`,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
}

/** Collects, and waits until that is over. */
async function collect(client: RegistryClient): Promise<void> {
  const headers = { "content-type": "application/json" };
  const started = await client.send("POST", "/admin/v1/jobs", {
    headers,
    body: JSON.stringify({ kind: "gc" }),
  });
  assertEquals(started.status, 202, started.text);
  for (;;) {
    const { state } = (await client.get(`/admin/v1/jobs/${started.json().job}`)).json();
    if (state !== "running") return assertEquals(state, "done");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What is pushed at one is read at the other, and neither takes what is new for old. */
async function shareWith(scene: Scene, ahead: RunningRegistry): Promise<void> {
  const { client, cluster } = scene;
  const [here, there] = [cluster.replica(0).url, ahead.url];
  for (const [from, to] of [[here, there], [there, here]] as const) {
    client.turnTo(from);
    const image = await client.push();
    const unneeded = await client.pushBlob(100);
    const location = await new RegistryClient(from).startUpload("team/app");
    client.turnTo(to);
    await collect(new RegistryClient(to));
    await collect(new RegistryClient(to));
    await client.pull(image);
    await client.pullBlob(unneeded);
    assertEquals((await new RegistryClient(to).get(location)).status, 204);
    assertEquals((await new RegistryClient(to).send("DELETE", location)).status, 204);
  }
  assertEquals(client.takeTroubles(), []);
}

if (hasProgram("faketime")) test();
else Deno.test({ name: "Clocks that differ (faketime)", ignore: true, fn() {} });

function test(): void {
  faultTest("Clocks that differ (faketime)", async (t) => {
    await using scene = await startScene({ config: CONFIG.replace(/\[log\].*$/s, "") });
    const row = rowsOf(t, scene);
    await row("has a clock that is an hour ahead of the others", async () => {
      await using ahead = await startAhead(scene, HOUR_S);
      await shareWith(scene, ahead);
    });
    await row("has a clock that is an hour behind the others", async () => {
      await using behind = await startAhead(scene, -HOUR_S);
      await shareWith(scene, behind);
    });
  });
}
