/** Replicas come and go, and what they share fails in passing; clients of the load balancer hardly notice. */

import { assert, assertEquals } from "../support/assert.ts";
import { type Answer, randomContent, RegistryClient } from "../support/client.ts";
import { CAN_CLUSTER, CLUSTER_PROGRAMS, type RunningCluster, startCluster } from "../support/cluster.ts";

const ROUNDS = 6;

/** A cluster with an image in it, and who pushes there. */
interface Scene {
  readonly cluster: RunningCluster;
  readonly client: RegistryClient;
  readonly digest: string;
}

/** Pushes a blob and reads it, and the image, through each replica in turn. Answers who served. */
async function work({ cluster: { balancer }, client, digest }: Scene): Promise<Set<number>> {
  balancer.forget();
  for (let round = 0; round < ROUNDS; round++) {
    const { bytes, digest: blob } = await client.pushBlob("team/app", randomContent(50_000));
    expectBytes(await client.get(`/v2/team/app/blobs/${blob}`), bytes);
    const { status, headers } = await client.get("/v2/team/app/manifests/v1");
    assertEquals([status, headers.get("docker-content-digest")], [200, digest]);
  }
  return new Set(balancer.requests.map(({ replica }) => replica));
}

function expectBytes({ status, bytes, text }: Answer, expected: Uint8Array): void {
  assert(status === 200, `${status} ${text.slice(0, 200)}`);
  assertEquals(bytes, expected);
}

async function killAndRestart(scene: Scene): Promise<void> {
  assertEquals(await work(scene), new Set([0, 1, 2]));
  await scene.cluster.kill(1);
  assertEquals(await work(scene), new Set([0, 2]));
  await scene.cluster.kill(0);
  assertEquals(await work(scene), new Set([2]));
  await scene.cluster.restart(0);
  await scene.cluster.restart(1);
  assertEquals(await work(scene), new Set([0, 1, 2]));
}

async function stopAndResume(scene: Scene): Promise<void> {
  const { cluster, client } = scene;
  const { bytes, digest } = randomContent(100_000);
  const location = await client.startUpload("team/app");
  assertEquals((await client.send("PATCH", location, { body: bytes })).status, 202);
  await cluster.pause(2);
  cluster.balancer.drop(2);
  assertEquals(await work(scene), new Set([0, 1]));
  assertEquals((await client.send("PUT", `${location}?digest=${digest}`)).status, 201);
  cluster.resume(2);
  cluster.balancer.take(2, Number(new URL(cluster.replica(2).url).port));
  assertEquals(await work(scene), new Set([0, 1, 2]));
  const { url } = cluster.replica(2);
  expectBytes(await new RegistryClient(url).get(`/v2/team/app/blobs/${digest}`), bytes);
}

/** An upload of two chunks: begun, sent, sent and ended by one replica or the other, in each way that there is. */
async function passAround({ cluster }: Scene): Promise<void> {
  const clients = [0, 1].map((index) => new RegistryClient(cluster.replica(index).url));
  const wrong: string[] = [];
  for (let way = 0; way < 16; way++) {
    const at = [0, 1, 2, 3].map((step) => way >> step & 1);
    const statuses = await uploadBy(at.map((index) => clients[index]!));
    if (statuses.join() !== "202,202,201") wrong.push(`${at.join("-")}: ${statuses}`);
  }
  assertEquals(wrong, []);
}

async function uploadBy([first, second, third, last]: readonly RegistryClient[]): Promise<number[]> {
  const { bytes, digest } = randomContent(60_000);
  const location = await first!.startUpload("team/app");
  const sent = await second!.send("PATCH", location, { body: bytes.slice(0, 20_000) });
  const more = await third!.send("PATCH", location, { body: bytes.slice(20_000, 40_000) });
  const ended = await last!.send("PUT", `${location}?digest=${digest}`, { body: bytes.slice(40_000) });
  return [sent.status, more.status, ended.status];
}

async function slowStore(scene: Scene): Promise<void> {
  const { store } = scene.cluster.links;
  const slow = store.plan({ fault: { kind: "answer", status: 503, code: "SlowDown" }, times: 3 });
  // A client sees that a blob breaks off.
  const cut = store.plan({
    fault: { kind: "cut answer", after: 0 },
    key: /^(?!.*\/blobs\/)/,
    skip: 10,
    times: 2,
  });
  const lost = store.plan({ fault: { kind: "lose answer" }, skip: 25, times: 2 });
  await work(scene);
  assertEquals([slow.hits, cut.hits, lost.hits], [3, 2, 2]);
  store.clear();
}

async function loseRedis(scene: Scene): Promise<void> {
  const { redis } = scene.cluster.links;
  redis.refuse();
  assertEquals(await work(scene), new Set([0, 1, 2]));
  redis.accept();
  assertEquals(await work(scene), new Set([0, 1, 2]));
}

Deno.test({
  name: `Three replicas behind a load balancer ${CLUSTER_PROGRAMS}`,
  ignore: !CAN_CLUSTER,
  async fn(t) {
    await using cluster = await startCluster({ withFaults: true, config: '[log]\nlevel = "warn"\n' });
    const client = new RegistryClient(cluster.url);
    const { digest } = await client.pushImage("team/app", "v1");
    const scene = { cluster, client, digest };
    await t.step(
      "serve while one or two of them are killed, and when they are back",
      () => killAndRestart(scene),
    );
    await t.step(
      "end an upload whose replica was stopped, which then has it too",
      () => stopAndResume(scene),
    );
    await t.step("end an upload whichever of them had its requests before", () => passAround(scene));
    await t.step("bear a store that is slow, breaks off and loses answers", () => slowStore(scene));
    await t.step("push and pull without Redis", () => loseRedis(scene));
  },
});
