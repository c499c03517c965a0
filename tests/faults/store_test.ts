/** What fails between sreg and its store for a moment, and what clients see of it. */

import { assert, assertEquals } from "../support/assert.ts";
import type { Fault, Rule } from "../support/faulty_proxy.ts";
import type { S3Operation } from "../support/s3_operations.ts";
import { blobPath } from "./client.ts";
import {
  assertNothingLeft,
  assertToldToComeAgain,
  faultTest,
  PATIENCE,
  rowsOf,
  type Scene,
  startScene,
} from "./scene.ts";

const SLOW_DOWN: Fault = { kind: "answer", status: 503, code: "SlowDown" };
const SENDING: readonly S3Operation[] = ["PutObject", "UploadPart"];
const ANSWERED_IN_XML: readonly S3Operation[] = ["CopyObject", "CompleteMultipartUpload", "ListObjectsV2"];
/** How many requests an image takes depends on what is known already: a rule that skips some may miss the first. */
const IMAGES_MAX = 3;
const REFUSED_MS = 300;
const STALLED_MS = 500;

/** Pushes and pulls, while requests meet a fault, until one has met it. */
async function workUnder({ cluster: { links: { store } }, client }: Scene, rule: Rule): Promise<void> {
  const plan = store.plan(rule);
  let images = 0;
  for (; plan.hits === 0 && images < IMAGES_MAX; images++) await client.pull(await client.push());
  assert(plan.hits > 0, `nothing of ${images} images met the fault`);
  plan.end();
}

/** The fault meets the first of these requests, and then later ones, and no client sees anything of it. */
async function isUnseen(scene: Scene, fault: Fault, rule: Omit<Rule, "fault"> = {}): Promise<void> {
  await workUnder(scene, { fault, times: 3, ...rule });
  await workUnder(scene, { fault, times: 3, skip: 4, ...rule });
  assertEquals(scene.client.takeTroubles(), [], scene.cluster.log());
}

/** Clients see a body that breaks off, and no other; then all of it. */
async function breaksBlob({ cluster: { links: { store } }, client }: Scene, fault: Fault): Promise<void> {
  const { blobs } = await client.push();
  const plan = store.plan({ fault, operations: ["GetObject"], key: /^[^:]+\/blobs\//, times: 1 });
  assert(await client.askForBlob(blobs[1]!) === undefined, "the client sees a whole answer");
  assertEquals(plan.hits, 1);
  plan.end();
  await client.pullBlob(blobs[1]!);
  assertEquals(client.takeTroubles().map(({ status }) => status), ["broken"]);
}

/** A client sees a body that stands still, and gives it up; then the store's connection ends, too, and all of it can be had. */
async function stallsBlob({ cluster, client }: Scene): Promise<void> {
  const { store } = cluster.links;
  const { blobs } = await client.push();
  const fault: Fault = { kind: "stall answer", after: 1_000_000 };
  const plan = store.plan({ fault, operations: ["GetObject"], key: /^[^:]+\/blobs\//, times: 1 });
  const answer = await fetch(`${cluster.replica(0).url}${blobPath(blobs[1]!)}`);
  const size = Number(answer.headers.get("Content-Length"));
  const reader = answer.body!.getReader();
  let bytes = 0;
  let chunk: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  while (await Promise.race([chunk = reader.read(), delay(STALLED_MS)])) bytes += (await chunk).value!.length;
  assert(bytes > 0 && bytes < size, `${bytes} of ${size} bytes have come`);
  assertEquals([plan.hits, store.stalled], [1, 1]);
  await reader.cancel();
  while (store.stalled > 0) await delay(10);
  plan.end();
  await client.pullBlob(blobs[1]!);
  assertEquals(client.takeTroubles(), []);
}

function delay(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}

async function refuseFor({ cluster: { links: { store } }, client }: Scene, ms: number): Promise<void> {
  const image = await client.push();
  for (const act of [() => client.pull(image), () => client.push(10)]) {
    store.refuse();
    const back = new Promise<void>((resolve) =>
      setTimeout(() => {
        store.accept();
        resolve();
      }, ms)
    );
    await Promise.all([back, act()]);
  }
  assertEquals(client.takeTroubles(), []);
}

faultTest("A store that fails for a moment", async (t) => {
  await using scene = await startScene();
  const { client } = scene;
  const row = rowsOf(t, scene);
  await row("refuses connections", () => refuseFor(scene, REFUSED_MS));
  await row("ends connections before it has heard anything", () => isUnseen(scene, { kind: "refuse" }));
  await row(
    "ends connections in the middle of a request's body",
    () => isUnseen(scene, { kind: "cut request", after: 100 }, { operations: SENDING }),
  );
  await row(
    "gets half of a part, or of an object",
    () => isUnseen(scene, { kind: "halve request" }, { operations: SENDING }),
  );
  await row(
    "ends connections in the middle of a short answer",
    () =>
      isUnseen(scene, { kind: "cut answer", after: 10 }, { operations: ["GetObject", ...ANSWERED_IN_XML] }),
  );
  await row("ends connections in the middle of a blob", async () => {
    await breaksBlob(scene, { kind: "cut answer", after: 0 });
    await breaksBlob(scene, { kind: "cut answer", after: 1_000_000 });
  });
  await row("stands still in the middle of a blob", () => stallsBlob(scene));
  await row(
    "announces more than comes",
    () =>
      isUnseen(scene, { kind: "wrong length", by: 5 }, {
        operations: ["GetObject", ...ANSWERED_IN_XML],
        key: /^(?!.*\/blobs\/sha256\/)/,
      }),
  );
  await row("announces less of a blob than there is", async () => {
    const rule = { operations: ["GetObject"], key: /^[^:]+\/blobs\//, times: 1 } as const;
    await workUnder(scene, { fault: { kind: "wrong length", by: -5 }, ...rule });
    assertEquals(client.takeTroubles(), []);
  });
  await row("announces less of an answer than there is", async () => {
    for (const operation of ANSWERED_IN_XML.slice(0, 2)) {
      await workUnder(scene, { fault: { kind: "wrong length", by: -5 }, operations: [operation], times: 1 });
      assertToldToComeAgain(client.takeTroubles(), PATIENCE.budgetMs);
    }
  });
  await row("takes a while for each answer", async () => {
    await workUnder(scene, { fault: { kind: "delay", ms: 150 } });
    assertEquals(client.takeTroubles(), []);
  });
  await row("takes a request, and does not answer", () => isUnseen(scene, { kind: "hang" }, { times: 1 }));
  await row(
    "answers 500",
    () => isUnseen(scene, { kind: "answer", status: 500, code: "InternalError" }),
  );
  await row("answers 503 SlowDown", async () => {
    await isUnseen(scene, SLOW_DOWN);
    await isUnseen(scene, { ...SLOW_DOWN, retryAfter: 1 }, { times: 1 });
  });
  await t.step("leaves nothing behind", () => assertNothingLeft(scene));
});
