/** Replicas that are killed, or stand still for too long, in the middle of what they do. */

import { assert, assertEquals } from "../support/assert.ts";
import { RegistryClient } from "../support/client.ts";
import { startGround } from "../support/cluster.ts";
import type { Planned } from "../support/faulty_proxy.ts";
import { withoutConditions } from "./careless_store.ts";
import { faultTest, rowsOf, type Scene, startScene } from "./scene.ts";

const LOCK_MS = 3_000;
/** Longer than a collector's move may go on. */
const MOVE_MS = 21_000;
const GRACE_MS = 1_000;
const SOON_MS = 30_000;
const COLLECTING = `[garbage]\ngrace = "1s"\n[jobs]\nlease_lifetime = "1s"\n[schedule]\ngc = "off"\n`;

async function killInPush({ cluster, client }: Scene): Promise<void> {
  const { store } = cluster.links;
  const sending = store.plan({ fault: { kind: "hang" }, operations: ["UploadPart"], times: 1 });
  const pushing = client.push();
  await met(sending);
  await cluster.kill(0);
  client.turnTo(cluster.replica(1).url);
  await client.pull(await pushing);
  assertEquals(client.takeTroubles().map(({ status }) => status), ["broken"]);
  await cluster.restart(0);
}

async function killInCollection({ cluster, client }: Scene): Promise<void> {
  const { store } = cluster.links;
  const image = await client.push(10);
  const garbage = await client.pushBlob(1_000);
  client.letGo(garbage);
  const removing = store.plan({
    fault: { kind: "hang" },
    operations: ["DeleteObject"],
    key: /^[^:]+\/blobs\//,
    times: 1,
  });
  await collectUntil(cluster.replica(0).url, () => removing.hits > 0);
  await cluster.kill(0);
  client.turnTo(cluster.replica(1).url);
  const gone = () => Deno.statSync(`${cluster.folder}/blobs/sha256`) && isGone(cluster.folder, garbage);
  await collectUntil(cluster.replica(1).url, gone);
  await client.pull(image);
  assertEquals((await client.askForBlob(garbage))?.status, 404);
  await cluster.restart(0);
}

/** A holder of a lock looks at a tag, and goes on when the lock is another's and the tag is another. */
async function stopInChange({ cluster, client }: Scene): Promise<void> {
  const { store } = cluster.links;
  const { tag } = await client.push(10);
  client.turnTo(cluster.replica(1).url);
  const looking = store.plan({
    fault: { kind: "delay", ms: 300 },
    operations: ["HeadObject"],
    key: new RegExp(`/_tags/${tag}$`),
    times: 1,
  });
  const deleting = new RegistryClient(cluster.replica(0).url).send("DELETE", `/v2/team/app/manifests/${tag}`);
  await met(looking);
  await cluster.pause(0);
  await pass(LOCK_MS + 500);
  const image = await client.push(10, tag);
  cluster.resume(0);
  const { status } = await deleting;
  assertEquals(status, 503, cluster.log());
  await client.pull(image);
}

/** A collector has copied a blob aside, and goes on to remove it when somebody has pushed it again. */
async function stopInMove({ cluster, client }: Scene, stoppedMs: number): Promise<void> {
  const { store } = cluster.links;
  client.turnTo(cluster.replica(1).url);
  const digest = await client.pushBlob(1_000);
  const copied = store.plan({
    fault: { kind: "delay", ms: 300 },
    operations: ["HeadObject"],
    key: /\/aside\//,
    times: 1,
  });
  await collectUntil(cluster.replica(0).url, () => copied.hits > 0);
  await cluster.pause(0);
  await client.pushAgain(digest);
  await pass(stoppedMs);
  cluster.resume(0);
  for (let look = 0; look < 20; look++) {
    await client.pullBlob(digest);
    await pass(100);
  }
  assertEquals(client.takeTroubles(), []);
}

function isGone(folder: string, digest: string): boolean {
  const hex = digest.slice("sha256:".length);
  try {
    return !Deno.statSync(`${folder}/blobs/sha256/${hex.slice(0, 2)}/${hex}`);
  } catch {
    return true;
  }
}

/** Starts one collection after the other, until it is so. */
async function collectUntil(url: string, isSo: () => boolean): Promise<void> {
  const client = new RegistryClient(url);
  const deadline = performance.now() + SOON_MS;
  const headers = { "content-type": "application/json" };
  while (!isSo()) {
    assert(performance.now() < deadline, "collection does not go on");
    await client.send("POST", "/admin/v1/jobs", { headers, body: JSON.stringify({ kind: "gc" }) });
    await pass(GRACE_MS / 5);
  }
}

async function met(plan: Planned): Promise<void> {
  const deadline = performance.now() + SOON_MS;
  while (plan.hits === 0) {
    assert(performance.now() < deadline, "nothing met the fault");
    await pass(5);
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

faultTest("Replicas that are killed or stand still", async (t) => {
  await using late = await startScene({ replicas: 2, config: COLLECTING, requestTimeout: "60s" });
  const stoppedLate = stopInMove(late, MOVE_MS);
  {
    await using scene = await startScene({ replicas: 2, config: COLLECTING, requestTimeout: "60s" });
    const row = rowsOf(t, scene);
    await row("is killed in the middle of a push", () => killInPush(scene));
    await row("is killed in the middle of a collection", () => killInCollection(scene));
    await row("is stopped for a moment in the middle of a collector's move", () => stopInMove(scene, 1_000));
  }
  {
    await using shared = await startGround();
    await using ground = withoutConditions(shared, "ignores");
    await using scene = await startScene({
      ground,
      replicas: 2,
      locks: `ttl = "3s"\n`,
      requestTimeout: "60s",
    });
    await rowsOf(t, scene)(
      "is stopped past its lock's time in the middle of a change",
      () => stopInChange(scene),
    );
  }
  await rowsOf(t, late)(
    "is stopped for so long in the middle of a collector's move that it must not go on",
    () => stoppedLate,
  );
});
