/** The store carries a request out, and its answer does not arrive. */

import { assert, assertEquals } from "../support/assert.ts";
import type { Rule } from "../support/faulty_proxy.ts";
import type { S3Operation } from "../support/s3_operations.ts";
import {
  assertNothingLeft,
  assertToldToComeAgain,
  faultTest,
  rowsOf,
  type Scene,
  startScene,
} from "./scene.ts";

/** More than a push, a pull and a deletion ask for. */
const REQUESTS_MAX = 60;

/** Long before a request is given up that is not answered. */
const AT_ONCE_MS = 5_000;

const ROWS: readonly (readonly [operation: S3Operation, row: string])[] = [
  ["PutObject", "loses the answer to PutObject, with a condition or without"],
  ["CreateMultipartUpload", "loses the answer to CreateMultipartUpload"],
  ["UploadPart", "loses the answer to UploadPart"],
  ["CompleteMultipartUpload", "loses the answer to CompleteMultipartUpload"],
  ["CopyObject", "loses the answer to CopyObject"],
  ["DeleteObject", "loses the answer to DeleteObject"],
];

/** Pushes, pulls and deletes, so that there is each request to the store. */
async function work({ client }: Scene): Promise<void> {
  const [large, small] = [await client.push(), await client.push(10)];
  await client.pull(large);
  await client.deleteTag(small.tag);
}

/** The first, the third … of these requests: the answer to each is lost once, where it is asked again. */
function everyOther(operation: S3Operation): Rule[] {
  // A rule sees no request that an earlier one has met.
  return Array.from({ length: REQUESTS_MAX }, (_, skip) => ({
    fault: { kind: "lose answer" },
    operations: [operation],
    skip,
    times: 1,
  }));
}

/** Loses one answer to such a request, the first time the first, the next time the second, until there are no more. Answers how many there were. */
async function loseEach(scene: Scene, operation: S3Operation): Promise<number> {
  const { client, cluster: { links: { store } } } = scene;
  for (let skip = 0;; skip++) {
    const lost = store.plan({
      fault: { kind: "lose answer" },
      operations: [operation],
      skip,
      times: 1,
    });
    const { tag } = await client.push(operation === "PutObject" ? 10 : undefined);
    if (operation === "DeleteObject") await client.deleteTag(tag);
    lost.end();
    if (lost.hits === 0) return skip;
  }
}

faultTest("A store that loses answers", async (t) => {
  await using scene = await startScene();
  const { client, cluster: { links: { store }, log } } = scene;
  const take = rowsOf(t, scene);
  for (const [operation, row] of ROWS) {
    await take(row, async () => {
      const plans = everyOther(operation).map((rule) => store.plan(rule));
      await work(scene);
      assert(plans.some(({ hits }) => hits > 0));
      assertEquals(client.takeTroubles(), [], log());
    });
  }
  await t.step("leaves nothing behind", () => assertNothingLeft(scene, { empty: 1 }));
});

faultTest("A store that loses answers, and cannot be asked again", async (t) => {
  await using scene = await startScene({ retryBudget: "0s", requestTimeout: "10s" });
  const take = rowsOf(t, scene);
  let begun = 0;
  await take("loses any of these answers, and is gone when it is asked again", async () => {
    for (const [operation] of ROWS) {
      const lost = await loseEach(scene, operation);
      assert(lost > 0);
      if (operation === "CreateMultipartUpload") begun += lost;
    }
    assertToldToComeAgain(scene.client.takeTroubles(), AT_ONCE_MS);
  });
  await t.step("leaves nothing behind", () => assertNothingLeft(scene, { empty: begun }));
});
