/** The store is away for longer than anybody waits for it. */

import { assert, assertEquals } from "../support/assert.ts";
import { randomContent } from "../support/client.ts";
import type { Image } from "./client.ts";
import {
  assertNothingLeft,
  assertToldToComeAgain,
  faultTest,
  PATIENCE,
  rowsOf,
  type Scene,
  startScene,
} from "./scene.ts";

/** How long the store must fail until it is asked once a second only. */
const BREAKER_MS = 10_000;
const SOON_MS = 5_000;
const LONGEST_MS = PATIENCE.budgetMs + 2 * PATIENCE.requestMs;

/** One request of each kind, once; none of them succeeds. */
async function askInVain({ client }: Scene, { tag, blobs }: Image): Promise<void> {
  await client.askForBlob(blobs[1]!);
  await client.ask("GET", `/v2/team/app/manifests/${tag}`);
  const content = randomContent(1_000);
  await client.ask("POST", `/v2/team/app/blobs/uploads/?digest=${content.digest}`, { body: content.bytes });
  const troubles = client.takeTroubles();
  assertEquals(troubles.length, 3, JSON.stringify(troubles));
  assertToldToComeAgain(troubles, LONGEST_MS);
}

/** The store is there again, and all is well soon, without a restart. */
async function isWellSoon({ client }: Scene, image: Image): Promise<void> {
  const backAt = performance.now();
  await client.pull(image);
  const tookMs = performance.now() - backAt;
  assert(tookMs < SOON_MS, `it took ${tookMs} ms`);
  client.takeTroubles();
  await client.pull(await client.push());
  assertEquals(client.takeTroubles(), []);
}

faultTest("A store that is away", async (t) => {
  await using scene = await startScene();
  const { client, cluster: { ground, links: { store } } } = scene;
  const row = rowsOf(t, scene);
  const image = await client.push();
  await row("is away for longer than `retry_budget`", async () => {
    const away = store.plan({ fault: { kind: "refuse" } });
    await askInVain(scene, image);
    const failedAt = performance.now();
    while (performance.now() - failedAt < BREAKER_MS) await askInVain(scene, image);
    store.forget();
    const openAt = performance.now();
    for (let round = 0; round < 20; round++) await askInVain(scene, image);
    const probesMax = 2 + (performance.now() - openAt) / 1_000;
    assert(store.requests.length <= probesMax, `${store.requests.length} of at most ${probesMax} requests`);
    away.end();
    await isWellSoon(scene, image);
  });
  await row("answers 503 SlowDown for longer than `retry_budget`", async () => {
    const slow = store.plan({ fault: { kind: "answer", status: 503, code: "SlowDown" } });
    await askInVain(scene, image);
    slow.end();
    await isWellSoon(scene, image);
  });
  await row("stands still for longer than `retry_budget`", async () => {
    await ground.s3.pause();
    await askInVain(scene, image);
    ground.s3.resume();
    await isWellSoon(scene, image);
  });
  await t.step("leaves nothing behind", () => assertNothingLeft(scene));
});
