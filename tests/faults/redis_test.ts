/** Redis fails under replicas whose store has conditional writes, and under replicas whose store has none. */

import { assertEquals, assertMatch } from "../support/assert.ts";
import { type Ground, startGround } from "../support/cluster.ts";
import { type RunningRegistry, startProcess } from "../support/registry.ts";
import { s3Toml } from "../support/s3_server.ts";
import { withoutConditions } from "./careless_store.ts";
import type { Image } from "./client.ts";
import {
  assertNothingLeft,
  assertToldToComeAgain,
  faultTest,
  rowsOf,
  type Scene,
  startScene,
} from "./scene.ts";

/** So long a new Redis gives no locks. */
const LOCKS = `ttl = "3s"\n`;
/** A lock is not waited for much longer than the connection to Redis. */
const LOCK_MS = 6_000;

/** What needs no lock goes on, what needs one is refused; all is well when Redis is. */
async function needsLocks(scene: Scene, image: Image, end: () => void | Promise<void>): Promise<void> {
  const { client } = scene;
  await client.pull(image);
  assertEquals(client.takeTroubles(), []);
  await client.ask("DELETE", `/v2/team/app/manifests/${image.tag}`);
  assertToldToComeAgain(client.takeTroubles(), LOCK_MS);
  const pushing = client.push();
  await end();
  await client.pull(await pushing);
  const troubles = client.takeTroubles();
  if (troubles.length > 0) assertToldToComeAgain(troubles, LOCK_MS);
}

/** Nobody sees anything of it. */
async function needsNone({ client, cluster }: Scene): Promise<void> {
  const image = await client.push();
  await client.pull(image);
  assertEquals(await client.deleteTag(image.tag), 202);
  assertEquals(client.takeTroubles(), [], cluster.log());
}

/** Clients of two replicas push the same at the same time. */
async function pushAtOnce({ client, cluster: { size, replica } }: Scene): Promise<void> {
  for (let index = 0; index < size; index++) {
    client.turnTo(replica(index).url);
    const images = await Promise.all([client.push(10), client.push(10), client.push()]);
    for (const image of images) await client.pull(image);
    assertEquals(await client.deleteTag(images[0].tag), 202);
  }
  assertEquals(client.takeTroubles(), []);
}

/** A server that is started without Redis on such a store says so. */
async function saysWhatItFallsBackTo({ s3 }: Ground): Promise<void> {
  await using server: RunningRegistry = await startProcess({ config: s3Toml(s3) });
  assertMatch(
    server.log(),
    /"level":"warn".*The store does not hold all writes and deletions to conditions, and locks are in memory/,
  );
}

faultTest("A store that holds nobody to conditions", async (t) => {
  await using shared = await startGround();
  for (
    const [carelessness, row] of [
      ["ignores", "ignores the conditions of writes and deletions"],
      ["ignores with deletions", "ignores the conditions of deletions alone"],
      ["refuses", "answers 501 to writes with conditions"],
    ] as const
  ) {
    await using ground = withoutConditions(shared, carelessness);
    await using scene = await startScene({ ground, replicas: 2, locks: LOCKS });
    await rowsOf(t, scene)(row, async () => {
      await pushAtOnce(scene);
      await saysWhatItFallsBackTo(ground);
    });
  }
});

faultTest("Redis that fails under locks", async (t) => {
  await using shared = await startGround();
  await using ground = withoutConditions(shared, "ignores");
  await using scene = await startScene({ ground, locks: LOCKS });
  const { client, cluster: { links: { redis } } } = scene;
  const row = rowsOf(t, scene);
  const image = await client.push();
  client.takeTroubles();
  await row("Redis refuses connections", async () => {
    redis.refuse();
    await needsLocks(scene, image, () => redis.accept());
  });
  await row("Redis takes everything, and answers nothing", async () => {
    redis.blackHole();
    await needsLocks(scene, image, () => redis.pass());
  });
  await row("Redis is killed, and started again without its data", async () => {
    await ground.redis.kill();
    await needsLocks(scene, image, () => ground.redis.restart());
  });
  await t.step("leaves nothing behind", () => assertNothingLeft(scene));
});

faultTest("Redis that fails where nothing is locked", async (t) => {
  await using scene = await startScene();
  const { links: { redis }, ground } = scene.cluster;
  await rowsOf(t, scene)(
    "Redis fails in any of these ways, and the store has conditional writes",
    async () => {
      redis.refuse();
      await needsNone(scene);
      redis.accept();
      redis.blackHole();
      await needsNone(scene);
      redis.pass();
      await ground.redis.restart();
      await needsNone(scene);
    },
  );
});
