/** The conformance suite over three replicas that share a bucket, each request to the next one. */

import { CAN_CLUSTER, CLUSTER_PROGRAMS, clusters, sharedClusters, startGround } from "../support/cluster.ts";
import { startInstead } from "../support/registry.ts";

/** What a list of all repositories would show of other files' tests. */
const ALONE = "lists";

const TOGETHER = [
  "blobs",
  "deletes",
  "general",
  "manifests",
  "paths",
  "quirks",
  "referrers",
  "uploads",
];

async function importSuite(): Promise<void> {
  const ground = await startGround();
  startInstead(sharedClusters(ground));
  for (const name of TOGETHER) await import(`../conformance/${name}_test.ts`);
  startInstead(clusters(ground));
  await import(`../conformance/${ALONE}_test.ts`);
  Deno.test.afterAll(async () => await ground[Symbol.asyncDispose]());
}

if (CAN_CLUSTER) await importSuite();
else Deno.test({ name: `Conformance of three replicas ${CLUSTER_PROGRAMS}`, ignore: true, fn() {} });
